import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copySumFew, FEW_SUMMED, type KernelKind, Memory, sumHeader } from '../src/index.ts';

/** RFC 1071 read word by word: big-endian, an odd last byte padded with zero. */
function naiveSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += bytes[i]! * 256 + (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum % 0x1_0000) + Math.floor(sum / 0x1_0000);
  return sum;
}

function randomBytes(length: number, seed: number): Uint8Array {
  let state = seed | 1;
  return Uint8Array.from({ length }, () => {
    state = Math.imul(state, 1_103_515_245) + 12_345;
    return state >>> 16;
  });
}

const MEMORY_BYTES = 0x50_0000;
const kinds: [KernelKind, boolean][] = [
  ['wasm', false],
  ['wasm', true],
  ['typescript', false],
  ['typescript', true],
];

describe.each(kinds)('kernel %s, shared %s', (kind, shared) => {
  const memory = Memory.create({ bytes: MEMORY_BYTES, kernel: kind, shared });
  const { kernel, u8 } = memory;

  it('is the kind that was asked for', () => {
    expect(kernel.kind).toBe(kind);
    expect(memory.handle.kernel).toBe(kind);
  });

  it('sums every length up to 300 at every alignment', () => {
    const data = randomBytes(0x200, 7);
    u8.set(data, 0x1000);
    for (let at = 0; at < 16; at++) {
      for (let length = 0; length <= 300; length++) {
        const expected = naiveSum(data.subarray(at, at + length));
        if (kernel.sum(0x1000 + at, length) !== expected) expect.fail(`at ${at} length ${length}`);
      }
    }
  });

  it('agrees with what sums few bytes and headers without it', () => {
    u8.set(randomBytes(0x200, 7), 0x1000);
    u8.fill(0xff, 0x1100, 0x1140);
    for (let at = 0x1000; at < 0x1140; at++) {
      for (let length = 0; length <= FEW_SUMMED; length++) {
        const expected = kernel.copySum(0x2000, at, length);
        u8.fill(0, 0x3000, 0x3010);
        expect(copySumFew(u8, 0x3001, at, length)).toBe(expected);
        expect([...u8.subarray(0x3000, 0x3010)]).toEqual([
          0,
          ...u8.subarray(at, at + length),
          ...new Uint8Array(15 - length),
        ]);
      }
      for (let length = 20; length <= 60; length += 4) {
        expect(sumHeader(memory.view, at, length)).toBe(kernel.sum(at, length));
      }
    }
  });

  it('copies and sums every length up to 300 between all alignments, and nothing around it', () => {
    const data = randomBytes(0x200, 11);
    const expected = new Uint8Array(0x200);
    u8.set(data, 0x1000);
    for (let from = 0; from < 16; from += 3) {
      for (let to = 0; to < 16; to += 5) {
        for (let length = 0; length <= 300; length++) {
          u8.fill(0xee, 0x2000, 0x2200);
          expected.fill(0xee).set(data.subarray(from, from + length), 16 + to);
          const sum = kernel.copySum(0x2010 + to, 0x1000 + from, length);
          const same = Buffer.compare(u8.subarray(0x2000, 0x2200), expected) === 0;
          if (!same || sum !== naiveSum(data.subarray(from, from + length))) expect.fail(`${from} ${to} ${length}`);
        }
      }
    }
  });

  it('sums and copies any bytes of any length', () => {
    const anywhere = fc.record({
      bytes: fc.uint8Array({ maxLength: 5000, size: 'max' }),
      src: fc.integer({ min: 0x1_0000, max: 0x1_0040 }),
      dst: fc.integer({ min: 0x2_0000, max: 0x2_0040 }),
    });
    fc.assert(
      fc.property(anywhere, ({ bytes, src, dst }) => {
        u8.set(bytes, src);
        const expected = naiveSum(bytes);
        expect(kernel.sum(src, bytes.length)).toBe(expected);
        expect(kernel.copySum(dst, src, bytes.length)).toBe(expected);
        expect(Buffer.compare(u8.subarray(dst, dst + bytes.length), bytes)).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it('does not overflow on long runs of 0xff, nor make zero of them', () => {
    u8.fill(0xff);
    for (const length of [2, 8, 64, 1460, 0xffff, 0x1_0000, 0x1_0001, 0x4f_0000]) {
      expect(kernel.sum(0x1000, length), `${length}`).toBe(length % 2 === 0 ? 0xffff : 0xff00);
      expect(kernel.sum(0x1001, length), `${length}`).toBe(length % 2 === 0 ? 0xffff : 0xff00);
    }
    expect(kernel.copySum(0x28_0000, 0x1000, 0x20_0001)).toBe(0xff00);
    u8.fill(0);
    expect(kernel.sum(0x1000, 0x4f_0000)).toBe(0);
    u8.set(randomBytes(0x20_0000, 3), 0x1003);
    expect(kernel.sum(0x1003, 0x1f_ffff)).toBe(naiveSum(u8.subarray(0x1003, 0x1003 + 0x1f_ffff)));
  });

  it('copies as memmove does, whatever overlaps', () => {
    const data = randomBytes(0x2000, 5);
    const model = new Uint8Array(0x4000);
    const move = fc.record({
      length: fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 0x1800 })),
      src: fc.integer({ min: 0, max: 0x800 }),
      distance: fc.oneof(fc.integer({ min: -80, max: 80 }), fc.integer({ min: -0x800, max: 0x1000 })),
    });
    fc.assert(
      fc.property(move, ({ length, src, distance }) => {
        const dst = Math.max(0, src + distance);
        model.fill(0);
        model.set(data, 0x400);
        u8.set(model, 0x1_0000);
        model.copyWithin(dst, src, src + length);
        kernel.copy(0x1_0000 + dst, 0x1_0000 + src, length);
        expect(Buffer.compare(u8.subarray(0x1_0000, 0x1_4000), model)).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it('works in the upper half of the address space of its memory up to the last byte', () => {
    const data = randomBytes(100, 9);
    u8.set(data, MEMORY_BYTES - 100);
    expect(kernel.sum(MEMORY_BYTES - 100, 100)).toBe(naiveSum(data));
    kernel.copy(MEMORY_BYTES - 201, MEMORY_BYTES - 100, 100);
    expect(Array.from(u8.subarray(MEMORY_BYTES - 201, MEMORY_BYTES - 101))).toEqual(Array.from(data));
  });

  it('fills exactly', () => {
    u8.fill(0, 0x3000, 0x3100);
    kernel.fill(0x3003, 0xab, 77);
    const expected = new Uint8Array(0x100).fill(0xab, 3, 80);
    expect(Buffer.compare(u8.subarray(0x3000, 0x3100), expected)).toBe(0);
  });
});
