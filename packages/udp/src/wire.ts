/** UDP on the wire (RFC 768). Fields of the datagram at `addr`, behind the IP header; no state. */
import { addSum, finishSum, type Memory } from '@qanat/bytes';
import { PROTOCOL_UDP, pseudoHeaderSum } from '@qanat/ipv4';

export const UDP_HEADER_BYTES = 8;
/** Payload that fits in an IPv4 packet without options. */
export const UDP_MAX_PAYLOAD_BYTES = 0xffff - 20 - UDP_HEADER_BYTES;

export const OFFSET_SRC_PORT = 0;
export const OFFSET_DST_PORT = 2;
export const OFFSET_LENGTH = 4;
export const OFFSET_CHECKSUM = 6;

export function getSrcPort(memory: Memory, addr: number): number {
  return memory.view.getUint16(addr + OFFSET_SRC_PORT);
}

export function getDstPort(memory: Memory, addr: number): number {
  return memory.view.getUint16(addr + OFFSET_DST_PORT);
}

/** @returns bytes of header and payload. */
export function getLength(memory: Memory, addr: number): number {
  return memory.view.getUint16(addr + OFFSET_LENGTH);
}

/** @returns the checksum field; 0: the sender computed none. */
export function getChecksum(memory: Memory, addr: number): number {
  return memory.view.getUint16(addr + OFFSET_CHECKSUM);
}

/** @returns whether a datagram of `length` bytes, as its header says, may be in a packet of `bytes`. */
export function isLengthValid(length: number, bytes: number): boolean {
  return length >= UDP_HEADER_BYTES && length <= bytes;
}

/**
 * Writes the header in front of a payload whose sum is known.
 * @param payloadSum folded sum of the payload, as `kernel.copySum` returns it.
 */
export function writeHeader(
  memory: Memory,
  addr: number,
  src: number,
  srcPort: number,
  dst: number,
  dstPort: number,
  payloadBytes: number,
  payloadSum: number,
): void {
  const length = UDP_HEADER_BYTES + payloadBytes;
  let sum = srcPort + dstPort + length + payloadSum;
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  const checksum = finishSum(addSum(sum, pseudoHeaderSum(src, dst, PROTOCOL_UDP, length)));
  memory.view.setUint16(addr + OFFSET_SRC_PORT, srcPort);
  memory.view.setUint16(addr + OFFSET_DST_PORT, dstPort);
  memory.view.setUint16(addr + OFFSET_LENGTH, length);
  // 0 would say "no checksum"; 0xffff is the other zero of one's complement.
  memory.view.setUint16(addr + OFFSET_CHECKSUM, checksum === 0 ? 0xffff : checksum);
}
