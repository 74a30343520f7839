/** RFC 1071 over bytes outside of machine memory: the checker does not lean on the code it checks. */

/** @returns the folded one's-complement sum of `bytes[from..to)`, on top of `initial`. */
export function internetSum(bytes: Uint8Array, from: number, to: number, initial = 0): number {
  let sum = initial;
  for (let i = from; i < to; i += 2) sum += (bytes[i]! << 8) | (i + 1 < to ? bytes[i + 1]! : 0);
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return sum;
}

/** The sum of the pseudo-header of an IPv4 packet's transport (RFC 9293 section 3.1). */
export function pseudoHeaderSum(packet: Uint8Array, protocol: number, transportBytes: number): number {
  return internetSum(packet, 12, 20, protocol + transportBytes);
}
