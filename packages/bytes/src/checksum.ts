/** One's-complement sums of 16-bit words, RFC 1071. */

/** Folds a sum of 16-bit words (below 2^32) to 16 bits. */
export function foldSum(sum: number): number {
  sum = (sum & 0xffff) + (sum >>> 16);
  return (sum & 0xffff) + (sum >>> 16);
}

/** Adds two folded sums. */
export function addSum(a: number, b: number): number {
  const sum = a + b;
  return (sum & 0xffff) + (sum >>> 16);
}

/** The sum of the same bytes had they begun at an odd offset (RFC 1071 section 2(B)). */
export function swapSum(sum: number): number {
  return ((sum & 0xff) << 8) | (sum >>> 8);
}

/** The checksum field for a folded sum. */
export function finishSum(sum: number): number {
  return ~sum & 0xffff;
}

/** For so many bytes a loop is faster than a call of the kernel. */
export const FEW_SUMMED = 8;

/** As the kernel's `copySum`, of at most FEW_SUMMED bytes. */
export function copySumFew(u8: Uint8Array, dst: number, src: number, len: number): number {
  let sum = 0;
  for (let i = 0; i < len; i++) {
    const byte = u8[src + i]!;
    u8[dst + i] = byte;
    sum += i & 1 ? byte : byte << 8;
  }
  return foldSum(sum);
}

/** The folded sum of a header of `bytes` at `addr`, a multiple of 4 as in IPv4 and TCP, at most 64: as the kernel's `sum`. */
export function sumHeader(view: DataView, addr: number, bytes: number): number {
  let sum = 0;
  for (const end = addr + bytes; addr < end; addr += 4) {
    const word = view.getInt32(addr);
    sum += (word >>> 16) + (word & 0xffff);
  }
  return foldSum(sum);
}
