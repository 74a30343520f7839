/** Bytes of a packet that may lie in several places: copying and summing. */
import { addSum, type Memory, type Packet, swapSum } from '@qanat/bytes';

/** Copies `bytes` from `offset` (counted from `packet.addr`) to `to`. The caller has checked that they are there. */
export function copyFromPacket(memory: Memory, packet: Packet, offset: number, to: number, bytes: number): void {
  if (offset < packet.headLen) {
    const piece = Math.min(bytes, packet.headLen - offset);
    memory.kernel.copy(to, packet.addr + offset, piece);
    offset += piece;
    to += piece;
    bytes -= piece;
  }
  offset -= packet.headLen;
  for (let i = 0; bytes > 0 && i < packet.fragCount; i++) {
    const length = packet.fragLen[i]!;
    if (offset < length) {
      const piece = Math.min(bytes, length - offset);
      memory.kernel.copy(to, packet.fragAddr[i]! + offset, piece);
      offset += piece;
      to += piece;
      bytes -= piece;
    }
    offset -= length;
  }
}

/** Copies the first `bytes` bytes, which lie in the packet's head, out of machine memory. */
export function copyToBytes(memory: Memory, packet: Packet, to: Uint8Array, bytes: number): void {
  for (let i = 0; i < bytes; i++) to[i] = memory.u8[packet.addr + i]!;
}

/** The folded sum of all bytes of a packet, wherever they lie (for transport checksums). */
export function sumPacket(memory: Memory, packet: Packet): number {
  let sum = memory.kernel.sum(packet.addr, packet.headLen);
  let odd = packet.headLen & 1;
  for (let i = 0; i < packet.fragCount; i++) {
    const piece = memory.kernel.sum(packet.fragAddr[i]!, packet.fragLen[i]!);
    sum = addSum(sum, odd === 0 ? piece : swapSum(piece));
    odd ^= packet.fragLen[i]! & 1;
  }
  return sum;
}
