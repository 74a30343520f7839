/**
 * Ethernet II on the wire (IEEE 802.3 clause 3.2, RFC 894). Fields of the header at `addr`; no state, no checks: the
 * caller has seen that ETH_HEADER_BYTES are there. A MAC is two ints: `hi` its bytes 0-1 (u16), `lo` its bytes 2-5
 * (int32).
 */
import type { Memory } from '@qanat/bytes';

export const ETH_HEADER_BYTES = 14;
/** Shortest frame without its FCS; real devices pad up to it. */
export const ETH_MIN_FRAME_BYTES = 60;
/** Payload of an ordinary frame. */
export const ETH_DEFAULT_MTU = 1500;

export const ETH_TYPE_IPV4 = 0x0800;
export const ETH_TYPE_ARP = 0x0806;
export const ETH_TYPE_VLAN = 0x8100;
export const ETH_TYPE_IPV6 = 0x86dd;
/** Smaller values in the type field are an IEEE 802.3 length. */
export const ETH_TYPE_MIN = 0x0600;

export const OFFSET_DST = 0;
export const OFFSET_SRC = 6;
export const OFFSET_TYPE = 12;

export function getDstHi(memory: Memory, addr: number): number {
  return memory.view.getUint16(addr + OFFSET_DST);
}

export function getDstLo(memory: Memory, addr: number): number {
  return memory.view.getInt32(addr + OFFSET_DST + 2);
}

export function getSrcHi(memory: Memory, addr: number): number {
  return memory.view.getUint16(addr + OFFSET_SRC);
}

export function getSrcLo(memory: Memory, addr: number): number {
  return memory.view.getInt32(addr + OFFSET_SRC + 2);
}

export function getType(memory: Memory, addr: number): number {
  return memory.view.getUint16(addr + OFFSET_TYPE);
}

export function setDst(memory: Memory, addr: number, hi: number, lo: number): void {
  memory.view.setUint16(addr + OFFSET_DST, hi);
  memory.view.setInt32(addr + OFFSET_DST + 2, lo);
}

export function setSrc(memory: Memory, addr: number, hi: number, lo: number): void {
  memory.view.setUint16(addr + OFFSET_SRC, hi);
  memory.view.setInt32(addr + OFFSET_SRC + 2, lo);
}

export function setType(memory: Memory, addr: number, type: number): void {
  memory.view.setUint16(addr + OFFSET_TYPE, type);
}

/** Writes the whole header at `addr`. */
export function writeHeader(
  memory: Memory,
  addr: number,
  dstHi: number,
  dstLo: number,
  srcHi: number,
  srcLo: number,
  type: number,
): void {
  const view = memory.view;
  view.setUint16(addr + OFFSET_DST, dstHi);
  view.setInt32(addr + OFFSET_DST + 2, dstLo);
  view.setUint16(addr + OFFSET_SRC, srcHi);
  view.setInt32(addr + OFFSET_SRC + 2, srcLo);
  view.setUint16(addr + OFFSET_TYPE, type);
}

/** @returns whether `bytes` hold a header. */
export function isLongEnough(bytes: number): boolean {
  return bytes >= ETH_HEADER_BYTES;
}
