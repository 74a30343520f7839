/** The IPv4 and TCP headers of a captured packet, as far as they were captured. */

const IPV4_BYTES = 20;
const TCP_BYTES = 20;
const PROTOCOL_TCP = 6;
const MAX_SACKS = 4;

const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_MSS = 2;
const OPTION_WINDOW_SCALE = 3;
const OPTION_SACK_PERMITTED = 4;
const OPTION_SACK = 5;
const OPTION_TIMESTAMPS = 8;
const MAX_SHIFT = 14;

/** One for all packets: `parse` fills it. */
export class TcpPacket {
  sourceAddress = 0;
  destinationAddress = 0;
  sourcePort = 0;
  destinationPort = 0;
  /** int32. */
  seq = 0;
  ack = 0;
  flags = 0;
  /** The field, unscaled. */
  window = 0;
  /** Payload, captured or not. */
  bytes = 0;
  mss = 0;
  /** -1: none. */
  shift = -1;
  sackPermitted = false;
  hasTimestamps = false;
  tsVal = 0;
  tsEcr = 0;
  sackCount = 0;
  readonly sackLeft = new Int32Array(MAX_SACKS);
  readonly sackRight = new Int32Array(MAX_SACKS);

  /**
   * @param at of the IPv4 header in `from`. @param end of what was captured.
   * @param originalEnd where the packet would end had it been captured whole.
   * @returns whether it is a TCP segment, whole but for its payload and perhaps options; fragments are not.
   */
  parse(from: Uint8Array, at: number, end: number, originalEnd: number): boolean {
    const ipBytes = (from[at]! & 0xf) * 4;
    const tcp = at + ipBytes;
    if (ipBytes < IPV4_BYTES || tcp + TCP_BYTES > end) return false;
    // Any fragment: the first says nothing true about its length, the others have no header.
    if (from[at + 9] !== PROTOCOL_TCP || (u16(from, at + 6) & 0x3fff) !== 0) return false;
    // 0: a segment that the device was to cut up, larger than the field holds.
    const totalLength = u16(from, at + 2) || originalEnd - at;
    const tcpBytes = (from[tcp + 12]! >>> 4) * 4;
    this.bytes = totalLength - ipBytes - tcpBytes;
    if (tcpBytes < TCP_BYTES || this.bytes < 0) return false;
    this.sourceAddress = u32(from, at + 12) >>> 0;
    this.destinationAddress = u32(from, at + 16) >>> 0;
    this.sourcePort = u16(from, tcp);
    this.destinationPort = u16(from, tcp + 2);
    this.seq = u32(from, tcp + 4);
    this.ack = u32(from, tcp + 8);
    this.flags = from[tcp + 13]!;
    this.window = u16(from, tcp + 14);
    this.#options(from, tcp + TCP_BYTES, Math.min(tcp + tcpBytes, end));
    return true;
  }

  #options(from: Uint8Array, at: number, end: number): void {
    this.mss = 0;
    this.shift = -1;
    this.sackPermitted = false;
    this.hasTimestamps = false;
    this.tsVal = 0;
    this.tsEcr = 0;
    this.sackCount = 0;
    while (at < end) {
      const kind = from[at]!;
      if (kind === OPTION_END) return;
      if (kind === OPTION_NOP) {
        at++;
        continue;
      }
      const length = at + 1 < end ? from[at + 1]! : 0;
      if (length < 2 || at + length > end) return;
      this.#option(from, at, kind, length);
      at += length;
    }
  }

  #option(from: Uint8Array, at: number, kind: number, length: number): void {
    if (kind === OPTION_MSS && length === 4) this.mss = u16(from, at + 2);
    else if (kind === OPTION_WINDOW_SCALE && length === 3) this.shift = Math.min(from[at + 2]!, MAX_SHIFT);
    else if (kind === OPTION_SACK_PERMITTED && length === 2) this.sackPermitted = true;
    else if (kind === OPTION_TIMESTAMPS && length === 10) {
      this.hasTimestamps = true;
      this.tsVal = u32(from, at + 2);
      this.tsEcr = u32(from, at + 6);
    } else if (kind === OPTION_SACK && (length - 2) % 8 === 0) {
      this.sackCount = Math.min((length - 2) / 8, MAX_SACKS);
      for (let i = 0; i < this.sackCount; i++) {
        this.sackLeft[i] = u32(from, at + 2 + 8 * i);
        this.sackRight[i] = u32(from, at + 6 + 8 * i);
      }
    }
  }
}

function u16(from: Uint8Array, at: number): number {
  return (from[at]! << 8) | from[at + 1]!;
}

/** As int32. */
function u32(from: Uint8Array, at: number): number {
  return (from[at]! << 24) | (from[at + 1]! << 16) | (from[at + 2]! << 8) | from[at + 3]!;
}
