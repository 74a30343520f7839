/**
 * IPv4 on the wire (RFC 791 section 3.1). Fields of the header at `addr`; no state. The getters check nothing: the
 * caller has had `checkHeader` say HEADER_OK. An address is an int32 in host order (192.168.8.1 is 0xc0a80801 | 0).
 */
import { finishSum, type Memory } from '@qanat/bytes';

/** A header without options. */
export const IPV4_HEADER_BYTES = 20;
export const IPV4_MAX_HEADER_BYTES = 60;
export const IPV4_MAX_TOTAL_BYTES = 0xffff;
/** What every host must be able to reassemble (RFC 1122 section 3.3.2). */
export const IPV4_MIN_REASSEMBLY_BYTES = 576;
/** What every link must carry in one piece (RFC 791). */
export const IPV4_MIN_MTU = 68;

export const PROTOCOL_ICMP = 1;
export const PROTOCOL_IGMP = 2;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;

/** In the word of flags and fragment offset. */
export const FLAG_RESERVED = 0x8000;
export const FLAG_DF = 0x4000;
export const FLAG_MF = 0x2000;
export const FRAGMENT_OFFSET_MASK = 0x1fff;

/** The two low bits of TOS (RFC 3168). */
export const ECN_MASK = 3;
export const ECN_NOT_ECT = 0;
export const ECN_ECT1 = 1;
export const ECN_ECT0 = 2;
export const ECN_CE = 3;

export const OFFSET_VERSION_IHL = 0;
export const OFFSET_TOS = 1;
export const OFFSET_TOTAL_LENGTH = 2;
export const OFFSET_ID = 4;
export const OFFSET_FLAGS = 6;
export const OFFSET_TTL = 8;
export const OFFSET_PROTOCOL = 9;
export const OFFSET_CHECKSUM = 10;
export const OFFSET_SRC = 12;
export const OFFSET_DST = 16;

export function getVersion(memory: Memory, addr: number): number {
  return memory.u8[addr + OFFSET_VERSION_IHL]! >>> 4;
}

/** @returns the header's length in bytes, options included (0..60: unchecked). */
export function getHeaderBytes(memory: Memory, addr: number): number {
  return (memory.u8[addr + OFFSET_VERSION_IHL]! & 0xf) << 2;
}

export function getTos(memory: Memory, addr: number): number {
  return memory.u8[addr + OFFSET_TOS]!;
}

export function getTotalLength(memory: Memory, addr: number): number {
  return memory.view.getUint16(addr + OFFSET_TOTAL_LENGTH);
}

export function getId(memory: Memory, addr: number): number {
  return memory.view.getUint16(addr + OFFSET_ID);
}

/** @returns flags and fragment offset as one word. */
export function getFlags(memory: Memory, addr: number): number {
  return memory.view.getUint16(addr + OFFSET_FLAGS);
}

/** @returns whether this is a piece of a datagram: a non-zero offset, or more to follow. */
export function isFragment(memory: Memory, addr: number): boolean {
  return (memory.view.getUint16(addr + OFFSET_FLAGS) & (FLAG_MF | FRAGMENT_OFFSET_MASK)) !== 0;
}

/** @returns the fragment's offset in bytes. */
export function getFragmentOffset(memory: Memory, addr: number): number {
  return (memory.view.getUint16(addr + OFFSET_FLAGS) & FRAGMENT_OFFSET_MASK) << 3;
}

export function getTtl(memory: Memory, addr: number): number {
  return memory.u8[addr + OFFSET_TTL]!;
}

export function getProtocol(memory: Memory, addr: number): number {
  return memory.u8[addr + OFFSET_PROTOCOL]!;
}

export function getChecksum(memory: Memory, addr: number): number {
  return memory.view.getUint16(addr + OFFSET_CHECKSUM);
}

export function getSrc(memory: Memory, addr: number): number {
  return memory.view.getInt32(addr + OFFSET_SRC);
}

export function getDst(memory: Memory, addr: number): number {
  return memory.view.getInt32(addr + OFFSET_DST);
}

/** The folded sum of `bytes` of header at `addr`, the checksum field included: 0xffff where it is right. */
export function headerSum(memory: Memory, addr: number, bytes: number): number {
  const view = memory.view;
  const w0 = view.getInt32(addr);
  const w1 = view.getInt32(addr + 4);
  const w2 = view.getInt32(addr + 8);
  const w3 = view.getInt32(addr + 12);
  const w4 = view.getInt32(addr + 16);
  let sum = (w0 >>> 16) + (w1 >>> 16) + (w2 >>> 16) + (w3 >>> 16) + (w4 >>> 16);
  sum += (w0 & 0xffff) + (w1 & 0xffff) + (w2 & 0xffff) + (w3 & 0xffff) + (w4 & 0xffff);
  for (let i = IPV4_HEADER_BYTES; i < bytes; i += 2) sum += view.getUint16(addr + i);
  sum = (sum & 0xffff) + (sum >>> 16);
  return (sum & 0xffff) + (sum >>> 16);
}

/** Computes the checksum of a header that was changed in place. */
export function updateChecksum(memory: Memory, addr: number): void {
  memory.view.setUint16(addr + OFFSET_CHECKSUM, 0);
  memory.view.setUint16(addr + OFFSET_CHECKSUM, finishSum(headerSum(memory, addr, getHeaderBytes(memory, addr))));
}

/**
 * Writes a header without options; its checksum is computed from the arguments, not read back.
 * @param totalLength bytes of header and payload, 20..65535.
 * @param flags word of flags and fragment offset: FLAG_DF, or 0, or FLAG_MF | offset / 8.
 * @param tos DSCP and ECN bits.
 */
export function writeHeader(
  memory: Memory,
  addr: number,
  totalLength: number,
  id: number,
  flags: number,
  ttl: number,
  protocol: number,
  src: number,
  dst: number,
  tos: number,
): void {
  const view = memory.view;
  const ttlProtocol = (ttl << 8) | protocol;
  let sum =
    (0x4500 | tos) +
    totalLength +
    id +
    flags +
    ttlProtocol +
    (src >>> 16) +
    (src & 0xffff) +
    (dst >>> 16) +
    (dst & 0xffff);
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  view.setInt32(addr, 0x4500_0000 | (tos << 16) | totalLength);
  view.setInt32(addr + OFFSET_ID, (id << 16) | flags);
  view.setInt32(addr + OFFSET_TTL, (ttlProtocol << 16) | (~sum & 0xffff));
  view.setInt32(addr + OFFSET_SRC, src);
  view.setInt32(addr + OFFSET_DST, dst);
}

/**
 * The folded sum of the pseudo-header that TCP and UDP checksums cover (RFC 9293 section 3.1, RFC 768).
 * @param length bytes of transport header and payload; a GSO super-segment may pass 65535.
 */
export function pseudoHeaderSum(src: number, dst: number, protocol: number, length: number): number {
  let sum =
    (src >>> 16) + (src & 0xffff) + (dst >>> 16) + (dst & 0xffff) + protocol + (length >>> 16) + (length & 0xffff);
  sum = (sum & 0xffff) + (sum >>> 16);
  return (sum & 0xffff) + (sum >>> 16);
}
