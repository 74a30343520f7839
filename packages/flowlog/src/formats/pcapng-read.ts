/** The pcapng file format (draft-ietf-opsawg-pcapng): any byte order, several sections and interfaces, any resolution. */
import { type Capture, epochOf, FrameTable } from './frame-table.ts';

const BLOCK_SECTION_HEADER = 0x0a0d_0d0a;
const BLOCK_INTERFACE = 1;
const BLOCK_PACKET = 2;
const BLOCK_SIMPLE_PACKET = 3;
const BLOCK_ENHANCED_PACKET = 6;
/** Types that a block looked for after damage may have: these, name resolution, statistics, journal, secrets, custom. */
const KNOWN_BLOCKS = new Set([BLOCK_SECTION_HEADER, 1, 2, 3, 4, 5, 6, 9, 10, 0x0bad, 0x4000_0bad]);
const BYTE_ORDER_MAGIC = 0x1a2b_3c4d;
const MIN_BLOCK_BYTES = 12;
const OPTION_PACKET_FLAGS = 2;
const OPTION_TIME_RESOLUTION = 9;
const OPTION_TIME_OFFSET = 14;
const TWO_TO_32 = 0x1_0000_0000;
/** Digits behind the point of a second that a 64-bit stamp can hold; more are damage. */
const MAX_DECIMAL_DIGITS = 18;
const MAX_BINARY_DIGITS = 62;
/** More interfaces than any capture has: damage. */
const MAX_INTERFACES = 65_536;

interface Interface {
  readonly linkType: number;
  readonly snapBytes: number;
  readonly ticksPerSecond: bigint;
  readonly offsetSeconds: bigint;
  /** Halves of the stamp of the trace's time 0, what that stamp is off by, and ticks per microsecond. */
  epochHigh: number;
  epochLow: number;
  epochOffUs: number;
  readonly ticksPerUs: number;
}

export function isPcapng(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x0a && bytes[1] === 0x0d && bytes[2] === 0x0d && bytes[3] === 0x0a;
}

/** Never throws: what is damaged is skipped and told. */
export function readPcapngFrames(bytes: Uint8Array): Capture {
  return new PcapngReading(bytes).read();
}

class PcapngReading {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #frames = new FrameTable();
  readonly #problems: string[] = [];
  #little = true;
  #interfaces: Interface[] = [];
  #epochUs: number | undefined;
  #resolutionUs = Number.POSITIVE_INFINITY;
  #lostBytes = 0;
  #gaps = 0;
  #lostPackets = 0;
  #lastTimeUs = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  read(): Capture {
    const { length } = this.#bytes;
    for (let at = 0; at < length; ) {
      const blockBytes = this.#blockAt(at);
      if (blockBytes > 0) {
        this.#block(at, blockBytes);
        at += blockBytes;
        continue;
      }
      const from = at++;
      while (at < length && !this.#resumesAt(at)) at++;
      this.#lostBytes += at - from;
      this.#gaps++;
    }
    const problems = this.#problems;
    if (this.#lostBytes > 0) {
      const places = `${this.#gaps} ${this.#gaps === 1 ? 'place' : 'places'}`;
      problems.push(`${this.#lostBytes} bytes are no blocks (torn or damaged at ${places})`);
    }
    if (this.#lostPackets > 0) problems.push(`${this.#lostPackets} packets are damaged, or of unknown interfaces`);
    const unixEpochUs = this.#epochUs === 0 ? undefined : this.#epochUs;
    const resolutionUs = Number.isFinite(this.#resolutionUs) ? this.#resolutionUs : 1;
    return { frames: this.#frames, clock: { unixEpochUs, resolutionUs }, problems };
  }

  /** @returns the length of the block at `at`, 0 when none stands there; a section header sets the byte order. */
  #blockAt(at: number): number {
    const { length } = this.#bytes;
    if (at + MIN_BLOCK_BYTES > length) return 0;
    const view = this.#view;
    let little = this.#little;
    if (view.getUint32(at, true) === BLOCK_SECTION_HEADER) {
      if (view.getUint32(at + 8, true) === BYTE_ORDER_MAGIC) little = true;
      else if (view.getUint32(at + 8, false) === BYTE_ORDER_MAGIC) little = false;
      else return 0;
    }
    const blockBytes = view.getUint32(at + 4, little);
    if (blockBytes < MIN_BLOCK_BYTES || (blockBytes & 3) !== 0 || at + blockBytes > length) return 0;
    if (view.getUint32(at + blockBytes - 4, little) !== blockBytes) return 0;
    return blockBytes;
  }

  /** After damage: whether a block of a known type stands at `at`. */
  #resumesAt(at: number): boolean {
    if (at + MIN_BLOCK_BYTES > this.#bytes.length) return false;
    const type = this.#view.getUint32(at, this.#little);
    return KNOWN_BLOCKS.has(type) && this.#blockAt(at) > 0;
  }

  #block(at: number, blockBytes: number): void {
    const end = at + blockBytes - 4;
    const type = this.#view.getUint32(at, this.#little);
    if (type === BLOCK_SECTION_HEADER) {
      this.#little = this.#view.getUint32(at + 8, true) === BYTE_ORDER_MAGIC;
      this.#interfaces = [];
    } else if (type === BLOCK_INTERFACE) this.#interface(at + 8, end);
    else if (type === BLOCK_ENHANCED_PACKET) this.#enhancedPacket(at + 8, end);
    else if (type === BLOCK_SIMPLE_PACKET) this.#simplePacket(at + 8, end);
    else if (type === BLOCK_PACKET) this.#oldPacket(at + 8, end);
  }

  #interface(at: number, end: number): void {
    if (at + 8 > end || this.#interfaces.length >= MAX_INTERFACES) return;
    const view = this.#view;
    const linkType = view.getUint16(at, this.#little);
    const snapBytes = view.getUint32(at + 4, this.#little);
    let resolution = 6;
    let offsetSeconds = 0n;
    this.#options(at + 8, end, (code, value, length) => {
      if (code === OPTION_TIME_RESOLUTION && length >= 1) resolution = view.getUint8(value);
      if (code === OPTION_TIME_OFFSET && length >= 8) offsetSeconds = view.getBigInt64(value, this.#little);
    });
    const digits = resolution & 0x7f;
    const binary = (resolution & 0x80) !== 0;
    if (digits > (binary ? MAX_BINARY_DIGITS : MAX_DECIMAL_DIGITS)) {
      this.#problems.push(`interface ${this.#interfaces.length} has a time resolution that no clock has`);
    }
    const power = BigInt(Math.min(digits, binary ? MAX_BINARY_DIGITS : MAX_DECIMAL_DIGITS));
    const ticksPerSecond = (binary ? 2n : 10n) ** power;
    const ticksPerUs = Number(ticksPerSecond) / 1e6;
    const iface = { linkType, snapBytes, ticksPerSecond, offsetSeconds, ticksPerUs };
    this.#interfaces.push({ ...iface, epochHigh: 0, epochLow: 0, epochOffUs: 0 });
    this.#resolutionUs = Math.min(this.#resolutionUs, 1 / ticksPerUs);
    if (this.#epochUs !== undefined) setEpoch(this.#interfaces.at(-1)!, this.#epochUs);
  }

  #enhancedPacket(at: number, end: number): void {
    const view = this.#view;
    const little = this.#little;
    const iface = at + 20 <= end ? this.#interfaces[view.getUint32(at, little)] : undefined;
    const captured = iface === undefined ? 0 : view.getUint32(at + 12, little);
    if (iface === undefined || at + 20 + captured > end) {
      this.#lostPackets++;
      return;
    }
    let direction = 0;
    const options = at + 20 + ((captured + 3) & ~3);
    if (options + 4 <= end) {
      this.#options(options, end, (code, value, length) => {
        if (code === OPTION_PACKET_FLAGS && length >= 4) direction = view.getUint32(value, little) & 3;
      });
    }
    const timeUs = this.#time(iface, view.getUint32(at + 4, little), view.getUint32(at + 8, little));
    this.#packet(timeUs, at + 20, captured, view.getUint32(at + 16, little), iface.linkType, direction);
  }

  /** The packet block of old: an interface of 16 bits. */
  #oldPacket(at: number, end: number): void {
    const view = this.#view;
    const little = this.#little;
    const iface = at + 20 <= end ? this.#interfaces[view.getUint16(at, little)] : undefined;
    const captured = iface === undefined ? 0 : view.getUint32(at + 12, little);
    if (iface === undefined || at + 20 + captured > end) {
      this.#lostPackets++;
      return;
    }
    const timeUs = this.#time(iface, view.getUint32(at + 4, little), view.getUint32(at + 8, little));
    this.#packet(timeUs, at + 20, captured, view.getUint32(at + 16, little), iface.linkType, 0);
  }

  /** A packet without a stamp, of the first interface: it gets the stamp of the packet before it. */
  #simplePacket(at: number, end: number): void {
    const iface = this.#interfaces[0];
    if (iface === undefined || at + 4 > end) {
      this.#lostPackets++;
      return;
    }
    const original = this.#view.getUint32(at, this.#little);
    const limit = iface.snapBytes === 0 ? original : Math.min(original, iface.snapBytes);
    this.#packet(this.#lastTimeUs, at + 4, Math.min(limit, end - at - 4), original, iface.linkType, 0);
  }

  #packet(timeUs: number, at: number, captured: number, original: number, linkType: number, direction: number): void {
    this.#lastTimeUs = timeUs;
    this.#frames.push(timeUs, at, captured, Math.max(captured, original), linkType, direction);
  }

  #time(iface: Interface, high: number, low: number): number {
    if (this.#epochUs === undefined) {
      const ticks = Number((BigInt(high) << 32n) | BigInt(low));
      this.#epochUs = epochOf(ticks / iface.ticksPerUs + Number(iface.offsetSeconds) * 1e6);
      for (const each of this.#interfaces) setEpoch(each, this.#epochUs);
    }
    const ticks = (high - iface.epochHigh) * TWO_TO_32 + (low - iface.epochLow);
    return ticks / iface.ticksPerUs + iface.epochOffUs;
  }

  /** @param take gets the code, the offset of the value and its length. */
  #options(at: number, end: number, take: (code: number, value: number, length: number) => void): void {
    const view = this.#view;
    while (at + 4 <= end) {
      const code = view.getUint16(at, this.#little);
      const length = view.getUint16(at + 2, this.#little);
      if (code === 0 || at + 4 + length > end) return;
      take(code, at + 4, length);
      at += 4 + ((length + 3) & ~3);
    }
  }
}

/** What a stamp of the interface is at the trace's time 0: so that differences are small and doubles exact. */
function setEpoch(iface: Interface, epochUs: number): void {
  const micros = BigInt(epochUs) - iface.offsetSeconds * 1_000_000n;
  const ticks = (micros * iface.ticksPerSecond) / 1_000_000n;
  iface.epochHigh = Number(ticks >> 32n);
  iface.epochLow = Number(ticks & 0xffff_ffffn);
  // A clock coarser than a microsecond does not tick at time 0.
  const rest = micros * iface.ticksPerSecond - ticks * 1_000_000n;
  iface.epochOffUs = rest === 0n ? 0 : -Number(rest) / Number(iface.ticksPerSecond);
}
