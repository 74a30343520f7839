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
