import { addSum, finishSum, foldSum, type Memory, type Packet } from '@qanat/bytes';
import { ETH_HEADER_BYTES, ETH_TYPE_IPV4, getType } from '@qanat/ethernet';
import {
  FLAG_DF,
  getDst,
  getFlags,
  getHeaderBytes,
  getId,
  getProtocol,
  getSrc,
  getTotalLength,
  getVersion,
  IPV4_HEADER_BYTES,
  isFragment,
  OFFSET_ID,
  OFFSET_TOTAL_LENGTH,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  pseudoHeaderSum,
  sumPacket,
  updateChecksum,
} from '@qanat/ipv4';
import { CWR, FIN, headerBytes, headerFits, PSH, TCP_CHECKSUM, TCP_SEQ } from '@qanat/tcp';

/** What an Ethernet device with offloads would do in hardware, for links and peers that cannot. */

const UDP_HEADER_BYTES = 8;
const UDP_CHECKSUM = 6;
const TCP_FLAGS = 13;
/** More segments than this are nobody's super-segment: 64 KB in pieces of 32 bytes. */
const MAX_SEGMENTS = 2048;

/** @returns bytes from `ip` to the end of the IPv4 packet, or 0 when no whole, unfragmented IPv4 packet is there. */
function ipv4Bytes(memory: Memory, ip: number, bytes: number): number {
  if (bytes < IPV4_HEADER_BYTES || getVersion(memory, ip) !== 4) return 0;
  const header = getHeaderBytes(memory, ip);
  const total = getTotalLength(memory, ip);
  if (header < IPV4_HEADER_BYTES || total < header || total > bytes || isFragment(memory, ip)) return 0;
  return total;
}

/**
 * Computes the transport checksum of a frame that was sent with it blank (PACKET_CSUM_BLANK). What stands in the field
 * is not believed: the pseudo-header is taken from the IP header.
 * @param addr of the Ethernet header. @param len of the frame, which is contiguous.
 * @returns false when it is no TCP or UDP over IPv4 with whole headers; then nothing was changed.
 */
export function finishChecksum(memory: Memory, addr: number, len: number): boolean {
  if (len < ETH_HEADER_BYTES || getType(memory, addr) !== ETH_TYPE_IPV4) return false;
  return finishIpChecksum(memory, addr + ETH_HEADER_BYTES, len - ETH_HEADER_BYTES);
}

/** As `finishChecksum`, of a packet of `len` bytes that begins with its IP header at `ip`. */
export function finishIpChecksum(memory: Memory, ip: number, len: number): boolean {
  const total = ipv4Bytes(memory, ip, len);
  if (total === 0) return false;
  const header = getHeaderBytes(memory, ip);
  const protocol = getProtocol(memory, ip);
  const transport = ip + header;
  const bytes = total - header;
  let field: number;
  if (protocol === PROTOCOL_TCP) {
    if (!headerFits(memory, transport, bytes)) return false;
    field = transport + TCP_CHECKSUM;
  } else if (protocol === PROTOCOL_UDP && bytes >= UDP_HEADER_BYTES) {
    field = transport + UDP_CHECKSUM;
  } else {
    return false;
  }
  writeChecksum(memory, ip, transport, bytes, field);
  return true;
}

/** Where the transport checksum of a packet stands, which is at its Ethernet header; 0 when it is no TCP or UDP over IPv4. */
function checksumField(memory: Memory, packet: Packet): number {
  const { addr, len, headLen } = packet;
  if (headLen < ETH_HEADER_BYTES + IPV4_HEADER_BYTES || getType(memory, addr) !== ETH_TYPE_IPV4) return 0;
  const ip = addr + ETH_HEADER_BYTES;
  // What pads a frame would be summed up, too.
  if (ipv4Bytes(memory, ip, len - ETH_HEADER_BYTES) !== len - ETH_HEADER_BYTES) return 0;
  const transport = ip + getHeaderBytes(memory, ip);
  const protocol = getProtocol(memory, ip);
  const field = protocol === PROTOCOL_TCP ? TCP_CHECKSUM : protocol === PROTOCOL_UDP ? UDP_CHECKSUM : 0;
  return field > 0 && transport + field + 2 <= addr + headLen ? transport + field : 0;
}

/**
 * Has `look` see a packet with the checksum that it would have on a cable, in fragments or not; afterwards it is as it was.
 * @param packet at its Ethernet header, with a blank checksum.
 */
export function withChecksum(memory: Memory, packet: Packet, look: () => void): void {
  const field = checksumField(memory, packet);
  if (field === 0) {
    look();
    return;
  }
  const { view } = memory;
  const blank = view.getUint16(field);
  const ip = packet.addr + ETH_HEADER_BYTES;
  const headers = ETH_HEADER_BYTES + getHeaderBytes(memory, ip);
  view.setUint16(field, 0);
  packet.pull(headers);
  const pseudo = pseudoHeaderSum(getSrc(memory, ip), getDst(memory, ip), getProtocol(memory, ip), packet.len);
  const sum = finishSum(addSum(pseudo, sumPacket(memory, packet)));
  packet.push(headers);
  view.setUint16(field, sum === 0 ? 0xffff : sum);
  look();
  view.setUint16(field, blank);
}

function writeChecksum(memory: Memory, ip: number, transport: number, bytes: number, field: number): void {
  const { view, kernel } = memory;
  view.setUint16(field, 0);
  const pseudo = pseudoHeaderSum(getSrc(memory, ip), getDst(memory, ip), getProtocol(memory, ip), bytes);
  const sum = finishSum(addSum(pseudo, kernel.sum(transport, bytes)));
  // UDP sends 0 as 0xffff (RFC 768); for TCP both are the same.
  view.setUint16(field, sum === 0 ? 0xffff : sum);
}

/**
 * Cuts a TCP super-segment into segments, where it lies: the headers of each are written over the end of the payload of
 * the one before, which must have been dealt with by then. One object serves many, one after the other.
 */
export class TcpSegmenter {
  /** The segment in hand: where its frame (or IP packet) begins, and its length. */
  addr = 0;
  len = 0;
  readonly #memory: Memory;
  #linkBytes = 0;
  #headerBytes = 0;
  #gsoSize = 0;
  #left = 0;
  #blank = false;
  /** FIN and PSH of the whole, which the last segment gets. */
  #lastFlags = 0;
  #isFirst = false;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /**
   * Begins with a contiguous super-segment; `next` makes the first segment.
   * @param linkBytes in front of the IP header. @param blank leave the pseudo-header's sum for the checksum.
   * @returns false when it is no TCP over IPv4 that can be cut: then it is untouched.
   */
  begin(addr: number, len: number, gsoSize: number, linkBytes: number, blank: boolean): boolean {
    const memory = this.#memory;
    const ip = addr + linkBytes;
    if (len < linkBytes || (linkBytes === ETH_HEADER_BYTES && getType(memory, addr) !== ETH_TYPE_IPV4)) return false;
    const total = ipv4Bytes(memory, ip, len - linkBytes);
    if (total === 0 || getProtocol(memory, ip) !== PROTOCOL_TCP) return false;
    const ipHeader = getHeaderBytes(memory, ip);
    if (!headerFits(memory, ip + ipHeader, total - ipHeader)) return false;
    const headers = ipHeader + headerBytes(memory, ip + ipHeader);
    const payload = total - headers;
    if (!(gsoSize > 0 && payload <= gsoSize * MAX_SEGMENTS)) return false;
    this.addr = addr;
    this.len = 0;
    this.#linkBytes = linkBytes;
    this.#headerBytes = linkBytes + headers;
    this.#gsoSize = gsoSize;
    this.#left = payload;
    this.#blank = blank;
    this.#isFirst = true;
    this.#lastFlags = memory.u8[ip + ipHeader + TCP_FLAGS]! & (FIN | PSH);
    return true;
  }

  /** Makes the next segment. @returns false when there are no more. */
  next(): boolean {
    if (this.#left <= 0 && !this.#isFirst) return false;
    const memory = this.#memory;
    const { view, u8 } = memory;
    const bytes = Math.min(this.#left, this.#gsoSize);
    if (!this.#isFirst) {
      const to = this.addr + this.#gsoSize;
      memory.kernel.copy(to, this.addr, this.#headerBytes);
      this.addr = to;
    }
    this.#left -= bytes;
    this.len = this.#headerBytes + bytes;
    const ip = this.addr + this.#linkBytes;
    const ipHeader = getHeaderBytes(memory, ip);
    const transport = ip + ipHeader;
    const transportBytes = this.len - this.#linkBytes - ipHeader;
    let flags = u8[transport + TCP_FLAGS]! & ~(FIN | PSH);
    if (this.#isFirst) {
      this.#isFirst = false;
    } else {
      view.setInt32(transport + TCP_SEQ, (view.getInt32(transport + TCP_SEQ) + this.#gsoSize) | 0);
      // One reduction of the window is told once (RFC 3168 section 6.1.2).
      flags &= ~CWR;
      // Packets that nobody may fragment need no identification (RFC 6864).
      if ((getFlags(memory, ip) & FLAG_DF) === 0) view.setUint16(ip + OFFSET_ID, (getId(memory, ip) + 1) & 0xffff);
    }
    u8[transport + TCP_FLAGS] = this.#left === 0 ? flags | this.#lastFlags : flags;
    view.setUint16(ip + OFFSET_TOTAL_LENGTH, ipHeader + transportBytes);
    updateChecksum(memory, ip);
    if (this.#blank) {
      const pseudo = pseudoHeaderSum(getSrc(memory, ip), getDst(memory, ip), PROTOCOL_TCP, transportBytes);
      view.setUint16(transport + TCP_CHECKSUM, foldSum(pseudo));
    } else {
      writeChecksum(memory, ip, transport, transportBytes, transport + TCP_CHECKSUM);
    }
    return true;
  }
}
