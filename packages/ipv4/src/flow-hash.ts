import type { Memory } from '@qanat/bytes';
import {
  IPV4_HEADER_BYTES,
  isFragment,
  OFFSET_DST,
  OFFSET_PROTOCOL,
  OFFSET_SRC,
  OFFSET_VERSION_IHL,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
} from './wire.ts';

/** Bytes of a packet that hold all that its hash is made of: the longest header, and both ports. */
export const FLOW_HASH_BYTES = 64;

/** The hash of whatever belongs to no flow. */
export const NO_FLOW = 0;

/**
 * A number that all packets of a flow have in common, in both directions: by it they keep to one queue of several, and so
 * to their order. The ends need not agree on it. Addresses are int32, ports uint16.
 * @returns an int32 whose bits are well mixed (the finalizer of MurmurHash3).
 */
export function flowHash(addressA: number, portA: number, addressB: number, portB: number): number {
  // Sums and exclusive ors: the same whichever end comes first.
  let h = Math.imul(addressA ^ addressB, 0x9e37_79b1) ^ ((portA + portB) << 15) ^ (portA ^ portB);
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return h ^ (h >>> 16);
}

/**
 * The flow hash of a packet of TCP or UDP. Fragments have none, not even the first: the others do not know their ports.
 * @param ip address of the IPv4 header. @param bytes of the packet that are there.
 * @returns NO_FLOW for any other packet, and for one that is cut off.
 */
export function packetFlowHash(memory: Memory, ip: number, bytes: number): number {
  if (bytes < IPV4_HEADER_BYTES) return NO_FLOW;
  const { u8, view } = memory;
  const versionIhl = u8[ip + OFFSET_VERSION_IHL]!;
  const header = (versionIhl & 0xf) << 2;
  const protocol = u8[ip + OFFSET_PROTOCOL]!;
  if (versionIhl >>> 4 !== 4 || header < IPV4_HEADER_BYTES || header + 4 > bytes) return NO_FLOW;
  if (protocol !== PROTOCOL_TCP && protocol !== PROTOCOL_UDP) return NO_FLOW;
  if (isFragment(memory, ip)) return NO_FLOW;
  const ports = ip + header;
  return flowHash(
    view.getInt32(ip + OFFSET_SRC),
    view.getUint16(ports),
    view.getInt32(ip + OFFSET_DST),
    view.getUint16(ports + 2),
  );
}

/** @returns the queue of a flow, 0..queues-1; 0 for NO_FLOW. @param queues 1..65536. */
export function flowQueue(hash: number, queues: number): number {
  return ((hash >>> 16) * queues) >>> 16;
}
