import { addSum, type Memory, type Packet, swapSum } from '@qanat/bytes';
import { pseudoHeaderSum } from '@qanat/ipv4';
import { PROTOCOL_TCP } from './wire.ts';

/** The sum over pseudo-header and segment: 0xffff when the checksum holds. Fragments may begin at odd offsets. */
export function packetSum(memory: Memory, packet: Packet, src: number, dst: number): number {
  const { kernel } = memory;
  let sum = addSum(pseudoHeaderSum(src, dst, PROTOCOL_TCP, packet.len), kernel.sum(packet.addr, packet.headLen));
  let odd = packet.headLen & 1;
  for (let i = 0; i < packet.fragCount; i++) {
    const bytes = packet.fragLen[i]!;
    const part = kernel.sum(packet.fragAddr[i]!, bytes);
    sum = addSum(sum, odd ? swapSum(part) : part);
    odd ^= bytes & 1;
  }
  return sum;
}
