import { addSum, MAX_FRAGMENTS, type Memory, PACKET_DATA_VALIDATED, type Packet } from '@qanat/bytes';
import { ETH_HEADER_BYTES, ETH_TYPE_IPV4 } from '@qanat/ethernet';
import {
  FLAG_DF,
  headerSum,
  IPV4_HEADER_BYTES,
  OFFSET_DST,
  OFFSET_FLAGS,
  OFFSET_SRC,
  OFFSET_TOS,
  OFFSET_TOTAL_LENGTH,
  OFFSET_TTL,
  PROTOCOL_TCP,
  pseudoHeaderSum,
  updateChecksum,
} from '@qanat/ipv4';
import { ACK, PSH, TCP_ACK, TCP_HEADER_BYTES, TCP_OFFSET_FLAGS, TCP_SEQ } from '@qanat/tcp';

const IP = ETH_HEADER_BYTES;
const TCP = IP + IPV4_HEADER_BYTES;
/** Version 4, and a header without options. */
const VERSION_IHL = 0x45;
const MAX_IP_BYTES = 0xffff;
/** The word of data offset, flags and window, but for PSH. */
const WORD_MASK = ~(PSH << 16);

/**
 * Generic receive offload: segments of one flow that follow each other in a batch are put together, so that the stack has
 * one packet to look at. Only what belongs together to the bit is: full segments in order, with the same acknowledgment,
 * window, options and marks; checksums of each are verified first. The frames stay where they are.
 */
export class Gro {
  /** The packet that is growing; `isHolding` says whether there is one. */
  readonly held: Packet;
  isHolding = false;
  /** Frames that were joined to the one before. */
  joined = 0;
  readonly #memory: Memory;
  #mss = 0;
  #nextSeq = 0;
  #headerBytes = 0;
  /** No further frame may be joined. */
  #isComplete = false;

  /** @param held what grows; the owner hands it up. */
  constructor(memory: Memory, held: Packet) {
    this.#memory = memory;
    this.held = held;
  }

  /** Payload bytes of a frame that could be part of a packet, 0 when it could not. Its checksums are right then. */
  #payloadOf(addr: number, len: number, validated: boolean): number {
    const { view, u8, kernel } = this.#memory;
    if (len < TCP + TCP_HEADER_BYTES || view.getUint16(addr + 12) !== ETH_TYPE_IPV4) return 0;
    const ip = addr + IP;
    if (u8[ip] !== VERSION_IHL || u8[ip + 9] !== PROTOCOL_TCP) return 0;
    const total = view.getUint16(ip + OFFSET_TOTAL_LENGTH);
    if (total > len - IP || (view.getUint16(ip + OFFSET_FLAGS) & ~FLAG_DF) !== 0) return 0;
    const tcp = addr + TCP;
    const word = view.getUint16(tcp + TCP_OFFSET_FLAGS);
    const header = (word >>> 12) << 2;
    const bytes = total - IPV4_HEADER_BYTES;
    if ((word & 0xff & ~PSH) !== ACK || header < TCP_HEADER_BYTES || header >= bytes) return 0;
    if (headerSum(this.#memory, ip, IPV4_HEADER_BYTES) !== 0xffff) return 0;
    if (!validated) {
      const pseudo = pseudoHeaderSum(
        view.getInt32(ip + OFFSET_SRC),
        view.getInt32(ip + OFFSET_DST),
        PROTOCOL_TCP,
        bytes,
      );
      if (addSum(pseudo, kernel.sum(tcp, bytes)) !== 0xffff) return 0;
    }
    return bytes - header;
  }

  /**
   * Begins a packet with a frame of one slot, if it can be one. Nothing is held before.
   * @param flags PACKET_* of the frame.
   */
  begin(addr: number, len: number, flags: number): boolean {
    const payload = this.#payloadOf(addr, len, (flags & PACKET_DATA_VALIDATED) !== 0);
    if (payload === 0) return false;
    const { view } = this.#memory;
    const total = view.getUint16(addr + IP + OFFSET_TOTAL_LENGTH);
    this.held.set(addr, IP + total);
    this.held.flags = flags | PACKET_DATA_VALIDATED;
    this.#mss = payload;
    this.#headerBytes = IP + total - payload;
    this.#nextSeq = (view.getInt32(addr + TCP + TCP_SEQ) + payload) | 0;
    this.#isComplete = (view.getUint16(addr + TCP + TCP_OFFSET_FLAGS) & PSH) !== 0;
    this.isHolding = true;
    return true;
  }

  /** Joins a frame of one slot to the packet that is held. @returns false when it does not belong to it. */
  join(addr: number, len: number, flags: number): boolean {
    const { held } = this;
    const { view, u8 } = this.#memory;
    const head = held.addr;
    if (
      this.#isComplete ||
      held.fragCount === MAX_FRAGMENTS ||
      len <= this.#headerBytes ||
      view.getInt32(addr + TCP + TCP_SEQ) !== this.#nextSeq ||
      view.getInt32(addr + TCP) !== view.getInt32(head + TCP) ||
      view.getInt32(addr + IP + OFFSET_SRC) !== view.getInt32(head + IP + OFFSET_SRC) ||
      view.getInt32(addr + IP + OFFSET_DST) !== view.getInt32(head + IP + OFFSET_DST) ||
      view.getInt32(addr + TCP + TCP_ACK) !== view.getInt32(head + TCP + TCP_ACK) ||
      ((view.getInt32(addr + TCP + TCP_OFFSET_FLAGS) ^ view.getInt32(head + TCP + TCP_OFFSET_FLAGS)) & WORD_MASK) !==
        0 ||
      u8[addr + IP + OFFSET_TOS] !== u8[head + IP + OFFSET_TOS] ||
      u8[addr + IP + OFFSET_TTL] !== u8[head + IP + OFFSET_TTL]
    ) {
      return false;
    }
    // The Ethernet header, and the options.
    for (let i = 0; i < IP; i += 2) if (view.getUint16(addr + i) !== view.getUint16(head + i)) return false;
    for (let i = TCP + TCP_HEADER_BYTES; i < this.#headerBytes; i += 4) {
      if (view.getInt32(addr + i) !== view.getInt32(head + i)) return false;
    }
    const payload = this.#payloadOf(addr, len, (flags & PACKET_DATA_VALIDATED) !== 0);
    if (payload === 0 || payload > this.#mss || held.len - IP + payload > MAX_IP_BYTES) return false;
    held.fragAddr[held.fragCount] = addr + this.#headerBytes;
    held.fragLen[held.fragCount++] = payload;
    held.len += payload;
    this.#nextSeq = (this.#nextSeq + payload) | 0;
    this.joined++;
    if ((u8[addr + TCP + 13]! & PSH) !== 0) {
      u8[head + TCP + 13] = u8[head + TCP + 13]! | PSH;
      this.#isComplete = true;
    }
    if (payload < this.#mss) this.#isComplete = true;
    return true;
  }

  /** Makes the header right for the whole. @returns the packet, which is not held any more. */
  take(): Packet {
    const { held } = this;
    this.isHolding = false;
    if (held.fragCount > 0) {
      const ip = held.addr + IP;
      this.#memory.view.setUint16(ip + OFFSET_TOTAL_LENGTH, held.len - IP);
      updateChecksum(this.#memory, ip);
      held.gsoSize = this.#mss;
    }
    return held;
  }
}
