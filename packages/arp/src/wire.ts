/**
 * ARP for IPv4 over Ethernet on the wire (RFC 826). Fields of the packet at `addr`, behind the Ethernet header; no
 * state. The getters check nothing: the caller has had `checkPacket` say PACKET_OK.
 */
import type { Memory } from '@qanat/bytes';
import { ETH_HEADER_BYTES, ETH_TYPE_ARP, isStation, writeHeader } from '@qanat/ethernet';

export const ARP_PACKET_BYTES = 28;
export const ARP_FRAME_BYTES = ETH_HEADER_BYTES + ARP_PACKET_BYTES;

export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

const HARDWARE_ETHERNET = 1;
const PROTOCOL_IPV4 = 0x0800;
/** hlen 6, plen 4 as one word. */
const LENGTHS = 0x0604;

export const OFFSET_HARDWARE = 0;
export const OFFSET_PROTOCOL = 2;
export const OFFSET_LENGTHS = 4;
export const OFFSET_OPERATION = 6;
export const OFFSET_SENDER_MAC = 8;
export const OFFSET_SENDER_IP = 14;
export const OFFSET_TARGET_MAC = 18;
export const OFFSET_TARGET_IP = 24;

export const PACKET_OK = 0;
export const PACKET_TRUNCATED = 1;
/** Not Ethernet and IPv4, or wrong address lengths. */
export const PACKET_BAD_FORMAT = 2;
export const PACKET_BAD_OPERATION = 3;
/** The sender's addresses are a group, loopback, class E, or a zero MAC. */
export const PACKET_BAD_SENDER = 4;

export function getOperation(memory: Memory, addr: number): number {
  return memory.view.getUint16(addr + OFFSET_OPERATION);
}

export function getSenderHi(memory: Memory, addr: number): number {
  return memory.view.getUint16(addr + OFFSET_SENDER_MAC);
}

export function getSenderLo(memory: Memory, addr: number): number {
  return memory.view.getInt32(addr + OFFSET_SENDER_MAC + 2);
}

export function getSenderIp(memory: Memory, addr: number): number {
  return memory.view.getInt32(addr + OFFSET_SENDER_IP);
}

export function getTargetHi(memory: Memory, addr: number): number {
  return memory.view.getUint16(addr + OFFSET_TARGET_MAC);
}

export function getTargetLo(memory: Memory, addr: number): number {
  return memory.view.getInt32(addr + OFFSET_TARGET_MAC + 2);
}

export function getTargetIp(memory: Memory, addr: number): number {
  return memory.view.getInt32(addr + OFFSET_TARGET_IP);
}

/**
 * Checks the form of a packet; reads nothing outside the first `bytes` bytes.
 * @returns PACKET_OK or the problem.
 */
export function checkPacket(memory: Memory, addr: number, bytes: number): number {
  if (bytes < ARP_PACKET_BYTES) return PACKET_TRUNCATED;
  const view = memory.view;
  if (
    view.getUint16(addr + OFFSET_HARDWARE) !== HARDWARE_ETHERNET ||
    view.getUint16(addr + OFFSET_PROTOCOL) !== PROTOCOL_IPV4 ||
    view.getUint16(addr + OFFSET_LENGTHS) !== LENGTHS
  ) {
    return PACKET_BAD_FORMAT;
  }
  const operation = getOperation(memory, addr);
  if (operation !== ARP_REQUEST && operation !== ARP_REPLY) return PACKET_BAD_OPERATION;
  if (!isStation(getSenderHi(memory, addr), getSenderLo(memory, addr))) return PACKET_BAD_SENDER;
  const ip = getSenderIp(memory, addr);
  const net = ip >>> 24;
  // 0.0.0.0 is a probe (RFC 5227), and a probe is always a request.
  if (ip === 0 ? operation !== ARP_REQUEST : net === 0 || net === 127 || net >= 224) return PACKET_BAD_SENDER;
  return PACKET_OK;
}

/** Writes a whole packet at `addr`. */
export function writePacket(
  memory: Memory,
  addr: number,
  operation: number,
  senderHi: number,
  senderLo: number,
  senderIp: number,
  targetHi: number,
  targetLo: number,
  targetIp: number,
): void {
  const view = memory.view;
  view.setUint16(addr + OFFSET_HARDWARE, HARDWARE_ETHERNET);
  view.setUint16(addr + OFFSET_PROTOCOL, PROTOCOL_IPV4);
  view.setUint16(addr + OFFSET_LENGTHS, LENGTHS);
  view.setUint16(addr + OFFSET_OPERATION, operation);
  view.setUint16(addr + OFFSET_SENDER_MAC, senderHi);
  view.setInt32(addr + OFFSET_SENDER_MAC + 2, senderLo);
  view.setInt32(addr + OFFSET_SENDER_IP, senderIp);
  view.setUint16(addr + OFFSET_TARGET_MAC, targetHi);
  view.setInt32(addr + OFFSET_TARGET_MAC + 2, targetLo);
  view.setInt32(addr + OFFSET_TARGET_IP, targetIp);
}

/** Writes the ARP_FRAME_BYTES of a frame from `srcHi:srcLo` (who is the ARP sender too) at `addr`. */
export function writeFrame(
  memory: Memory,
  addr: number,
  dstHi: number,
  dstLo: number,
  srcHi: number,
  srcLo: number,
  operation: number,
  senderIp: number,
  targetHi: number,
  targetLo: number,
  targetIp: number,
): void {
  writeHeader(memory, addr, dstHi, dstLo, srcHi, srcLo, ETH_TYPE_ARP);
  writePacket(memory, addr + ETH_HEADER_BYTES, operation, srcHi, srcLo, senderIp, targetHi, targetLo, targetIp);
}
