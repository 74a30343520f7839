/**
 * The bytes that are sent: byte `offset` of a stream is a function of `offset` and the stream. The pattern repeats
 * only after a prime number of bytes, so that a lost, repeated or swapped segment, write or page shows.
 */
import type { Memory } from '@qanat/bytes';

/** The largest prime below 2^20. */
export const PATTERN_PERIOD = 1_048_573;

/** A stretch of the pattern in machine memory from which any run of at most `maxRun` bytes can be taken in one piece. */
export class PatternArea {
  readonly addr: number;
  readonly maxRun: number;
  readonly #memory: Memory;
  // One view over the whole memory, for a comparison that is memcmp and not a loop of ours.
  readonly #bytes: Buffer;

  /** @param alloc gives so many bytes of machine memory, or 0. @throws Error when the domain has not enough memory for it. */
  constructor(memory: Memory, alloc: (bytes: number) => number, seed: number, maxRun: number) {
    const bytes = PATTERN_PERIOD + maxRun;
    const addr = alloc(bytes);
    if (addr === 0) throw new Error(`no memory for a pattern of ${bytes} bytes: give the domain more`);
    this.addr = addr;
    this.maxRun = maxRun;
    this.#memory = memory;
    this.#bytes = Buffer.from(memory.buffer);
    fillPattern(memory.u8, addr, bytes, seed);
  }

  /** @returns the address from which the pattern runs on at `offset` of stream `id`. */
  at(id: number, offset: number): number {
    return this.addr + ((offset + id * STREAM_STRIDE) % PATTERN_PERIOD);
  }

  /**
   * Compares what came with what was sent.
   * @param bytes at most `maxRun`. @returns how many bytes are wrong.
   */
  wrongBytes(id: number, offset: number, addr: number, bytes: number): number {
    const expected = this.at(id, offset);
    const all = this.#bytes;
    if (all.compare(all, expected, expected + bytes, addr, addr + bytes) === 0) return 0;
    const u8 = this.#memory.u8;
    let wrong = 0;
    for (let i = 0; i < bytes; i++) if (u8[expected + i] !== u8[addr + i]) wrong++;
    return wrong;
  }

  /** @returns the index of the first wrong byte, or -1. */
  firstWrong(id: number, offset: number, addr: number, bytes: number): number {
    const expected = this.at(id, offset);
    const u8 = this.#memory.u8;
    for (let i = 0; i < bytes; i++) if (u8[expected + i] !== u8[addr + i]) return i;
    return -1;
  }
}

/** Far from 0 and from the period, so that no two streams send the same bytes at nearby offsets. */
const STREAM_STRIDE = 65_537;

/** Writes bytes of a mixed counter (the finalizer of a 32-bit hash), repeating after PATTERN_PERIOD. */
function fillPattern(u8: Uint8Array, addr: number, bytes: number, seed: number): void {
  for (let i = 0; i < bytes; i++) {
    let x = ((i % PATTERN_PERIOD) + Math.imul(seed | 0, 0x9e37_79b1)) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb_352d);
    x = Math.imul(x ^ (x >>> 15), 0x846c_a68b);
    u8[addr + i] = x >>> 24;
  }
}
