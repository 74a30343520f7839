/** ICMP on the wire (RFC 792). Fields of the message at `addr`, behind the IP header; no state, no checks. */
import { finishSum, type Memory } from '@qanat/bytes';

export const ICMP_HEADER_BYTES = 8;

export const ICMP_ECHO_REPLY = 0;
export const ICMP_UNREACHABLE = 3;
export const ICMP_SOURCE_QUENCH = 4;
export const ICMP_REDIRECT = 5;
export const ICMP_ECHO_REQUEST = 8;
export const ICMP_TIME_EXCEEDED = 11;
export const ICMP_PARAMETER_PROBLEM = 12;

/** Codes of ICMP_UNREACHABLE (RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1). */
export const UNREACHABLE_NET = 0;
export const UNREACHABLE_HOST = 1;
export const UNREACHABLE_PROTOCOL = 2;
export const UNREACHABLE_PORT = 3;
export const UNREACHABLE_FRAGMENTATION_NEEDED = 4;
export const UNREACHABLE_SOURCE_ROUTE = 5;
export const UNREACHABLE_ADMIN = 13;

/** Codes of ICMP_TIME_EXCEEDED. */
export const TIME_EXCEEDED_TTL = 0;
export const TIME_EXCEEDED_REASSEMBLY = 1;

export const OFFSET_TYPE = 0;
export const OFFSET_CODE = 1;
export const OFFSET_CHECKSUM = 2;
/** Echo: identifier and sequence number. */
export const OFFSET_ID = 4;
export const OFFSET_SEQ = 6;
/** Errors: the second word; its meaning is the type's. */
export const OFFSET_INFO = 4;
/** Fragmentation needed: next-hop MTU (RFC 1191). */
export const OFFSET_MTU = 6;
/** Parameter problem: offset of the offending byte. */
export const OFFSET_POINTER = 4;

export function getType(memory: Memory, addr: number): number {
  return memory.u8[addr + OFFSET_TYPE]!;
}

export function getCode(memory: Memory, addr: number): number {
  return memory.u8[addr + OFFSET_CODE]!;
}

export function getChecksum(memory: Memory, addr: number): number {
  return memory.view.getUint16(addr + OFFSET_CHECKSUM);
}

export function getId(memory: Memory, addr: number): number {
  return memory.view.getUint16(addr + OFFSET_ID);
}

export function getSeq(memory: Memory, addr: number): number {
  return memory.view.getUint16(addr + OFFSET_SEQ);
}

export function getMtu(memory: Memory, addr: number): number {
  return memory.view.getUint16(addr + OFFSET_MTU);
}

export function getPointer(memory: Memory, addr: number): number {
  return memory.u8[addr + OFFSET_POINTER]!;
}

/** @returns whether a message of this type is about another packet. */
export function isError(type: number): boolean {
  return (
    type === ICMP_UNREACHABLE ||
    type === ICMP_SOURCE_QUENCH ||
    type === ICMP_REDIRECT ||
    type === ICMP_TIME_EXCEEDED ||
    type === ICMP_PARAMETER_PROBLEM
  );
}

/** @returns whether a message of this type asks or answers: such a one may itself be answered by an error. */
export function isQuery(type: number): boolean {
  return type === ICMP_ECHO_REPLY || type === ICMP_ECHO_REQUEST || (type >= 13 && type <= 18);
}

/**
 * Writes the 8 bytes in front of a message whose other bytes are in place, and its checksum.
 * @param info second word: id and seq, MTU, or pointer << 24. @param bytes of the whole message.
 */
export function writeHeader(
  memory: Memory,
  addr: number,
  type: number,
  code: number,
  info: number,
  bytes: number,
): void {
  memory.view.setInt32(addr, (type << 24) | (code << 16));
  memory.view.setInt32(addr + OFFSET_INFO, info);
  memory.view.setUint16(addr + OFFSET_CHECKSUM, finishSum(memory.kernel.sum(addr, bytes)));
}
