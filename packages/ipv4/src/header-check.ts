/** What must hold of a header before anything else looks at the packet (RFC 1122 sections 3.2.1.1-3.2.1.3). */
import type { Memory } from '@qanat/bytes';
import { ADDRESS_BROADCAST, isMulticast } from './address.ts';
import { getHeaderBytes, getTotalLength, getVersion, headerSum, IPV4_HEADER_BYTES } from './wire.ts';

export const HEADER_OK = 0;
/** Fewer bytes than a header, or than IHL says. */
export const HEADER_TRUNCATED = 1;
export const HEADER_BAD_VERSION = 2;
/** IHL below 5. */
export const HEADER_BAD_LENGTH = 3;
/** Total length below the header's, or beyond the packet. */
export const HEADER_BAD_TOTAL_LENGTH = 4;
export const HEADER_BAD_CHECKSUM = 5;
/** The source is one that no host sends from. */
export const HEADER_BAD_SOURCE = 6;
/** The destination is one that no packet goes to. */
export const HEADER_BAD_DESTINATION = 7;

/** By problem code, for counters and logs. */
export const HEADER_PROBLEMS: readonly string[] = [
  'ok',
  'truncated',
  'version',
  'header length',
  'total length',
  'checksum',
  'source address',
  'destination address',
];

/**
 * Checks the form of a header; reads nothing outside the first `headLen` bytes.
 * @param headLen bytes that are contiguous at `addr`.
 * @param len bytes of the packet in all; padding after the datagram is legal (the caller trims to the total length).
 * @returns HEADER_OK or the problem.
 */
export function checkHeader(memory: Memory, addr: number, headLen: number, len: number): number {
  if (headLen < IPV4_HEADER_BYTES) return HEADER_TRUNCATED;
  if (getVersion(memory, addr) !== 4) return HEADER_BAD_VERSION;
  const headerBytes = getHeaderBytes(memory, addr);
  if (headerBytes < IPV4_HEADER_BYTES) return HEADER_BAD_LENGTH;
  if (headerBytes > headLen) return HEADER_TRUNCATED;
  const totalLength = getTotalLength(memory, addr);
  if (totalLength < headerBytes || totalLength > len) return HEADER_BAD_TOTAL_LENGTH;
  if (headerSum(memory, addr, headerBytes) !== 0xffff) return HEADER_BAD_CHECKSUM;
  return HEADER_OK;
}

/**
 * Checks the addresses of a packet that came from a link (RFC 1122 section 3.2.1.3): never from a group, a broadcast,
 * loopback, class E, or ourselves (a land attack), never to 0.0.0.0 or loopback. 0.0.0.0 may speak to
 * 255.255.255.255 only: a host that is still asking for its address.
 * @param local the interface's own address. @param broadcast its directed broadcast.
 * @returns HEADER_OK, HEADER_BAD_SOURCE or HEADER_BAD_DESTINATION.
 */
export function checkAddresses(src: number, dst: number, local: number, broadcast: number): number {
  const srcNet = src >>> 24;
  const dstNet = dst >>> 24;
  if (src === 0) {
    if (dst !== ADDRESS_BROADCAST) return HEADER_BAD_SOURCE;
  } else if (srcNet === 0 || srcNet === 127 || srcNet >= 224 || src === local || src === broadcast) {
    return HEADER_BAD_SOURCE;
  }
  if (dstNet === 0 || dstNet === 127) return HEADER_BAD_DESTINATION;
  if (dstNet >= 240 && dst !== ADDRESS_BROADCAST) return HEADER_BAD_DESTINATION;
  return HEADER_OK;
}

/** @returns whether a packet to `dst` is for one host: TCP talks to no other, ICMP errors answer no other. */
export function isUnicast(dst: number, broadcast: number): boolean {
  return !isMulticast(dst) && dst >>> 24 < 240 && dst !== 0 && dst !== broadcast;
}
