/** Byte `i` of the stream with this salt: neighbours, blocks and streams differ, so that nothing can pass for another. */
export function streamByte(salt: number, i: number): number {
  return Math.imul(i ^ salt, 0x9e37_79b1) >>> 24;
}

/** Writes bytes `from` up to `from + bytes` of a stream into an array. */
export function fillStream(into: Uint8Array, salt: number, from: number, bytes: number): void {
  for (let i = 0; i < bytes; i++) into[i] = streamByte(salt, from + i);
}

/** @returns the first of `bytes` bytes at `at` that is not byte `from`, `from + 1`, ... of the stream, or -1. */
export function findDifference(u8: Uint8Array, at: number, salt: number, from: number, bytes: number): number {
  for (let i = 0; i < bytes; i++) {
    if (u8[at + i] !== streamByte(salt, from + i)) return i;
  }
  return -1;
}
