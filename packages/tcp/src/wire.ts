import type { Memory } from '@qanat/bytes';

/** TCP header layout, RFC 9293 section 3.1. Offsets in bytes from the first byte of the header. */
export const TCP_SRC_PORT = 0;
export const TCP_DST_PORT = 2;
export const TCP_SEQ = 4;
export const TCP_ACK = 8;
/** Data offset (4 bits), reserved (4 bits), then the flags. */
export const TCP_OFFSET_FLAGS = 12;
export const TCP_WINDOW = 14;
export const TCP_CHECKSUM = 16;
export const TCP_URGENT = 18;
export const TCP_HEADER_BYTES = 20;
/** IPv4 and TCP headers without options: what an MSS leaves out (RFC 9293 section 3.7.1). */
export const HEADERS_BYTES = 40;
export const TCP_MAX_HEADER_BYTES = 60;

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;
export const ECE = 0x40;
export const CWR = 0x80;
/** Accurate ECN, RFC 9768: the bit in front of CWR. The three together are a number, ACE. */
export const AE = 0x100;
export const ACE_SHIFT = 6;

/** Length of the header in bytes as the data offset field says. */
export function headerBytes(memory: Memory, addr: number): number {
  return (memory.u8[addr + TCP_OFFSET_FLAGS]! >>> 4) << 2;
}

/** Whether the fixed header lies in `bytes` and the data offset is within 20 and `bytes`. */
export function headerFits(memory: Memory, addr: number, bytes: number): boolean {
  if (bytes < TCP_HEADER_BYTES) return false;
  const header = headerBytes(memory, addr);
  return header >= TCP_HEADER_BYTES && header <= bytes;
}

/** IANA's number of the protocol. */
export const PROTOCOL_TCP = 6;
