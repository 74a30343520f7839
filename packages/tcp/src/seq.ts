/**
 * Sequence number arithmetic, RFC 9293 section 3.4. Sequence numbers are kept as int32 (`| 0`), which V8 never boxes;
 * all comparisons are of signed differences and total for any two numbers. Plain `<` on sequence numbers is a bug.
 */

/** Distance from `b` to `a`, modulo 2^32, as a signed number. */
export function seqDiff(a: number, b: number): number {
  return (a - b) | 0;
}

export function seqLt(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

export function seqLeq(a: number, b: number): boolean {
  return ((a - b) | 0) <= 0;
}

export function seqGt(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

export function seqGeq(a: number, b: number): boolean {
  return ((a - b) | 0) >= 0;
}

export function seqMax(a: number, b: number): number {
  return ((a - b) | 0) >= 0 ? a : b;
}

export function seqMin(a: number, b: number): number {
  return ((a - b) | 0) <= 0 ? a : b;
}
