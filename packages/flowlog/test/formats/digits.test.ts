import { describe, expect, it } from 'vitest';
import { putDouble, putMillionths, putUint32, putWhole } from '../../src/formats/digits.ts';
import { seededRandom } from '../seeded-random.ts';

const bytes = new Uint8Array(64);
const view = new DataView(bytes.buffer);
const text = (end: number) => String.fromCharCode(...bytes.subarray(3, end));

/** Around every power of ten and of two, and at random. */
function numbers(most: number): number[] {
  const random = seededRandom(1);
  const edges = Array.from({ length: 17 }, (_, i) => 10 ** i).concat(Array.from({ length: 54 }, (_, i) => 2 ** i));
  const some = Array.from({ length: 2000 }, () => random(2 ** 31) * 2 ** random(22) + random(10 ** random(9)));
  return [0, ...edges.flatMap((edge) => [edge - 1, edge, edge + 1]), ...some].filter((value) => value <= most);
}

describe('digits', () => {
  it('are those of every number of 32 bits, and of whole numbers up to 2^53', () => {
    for (const value of numbers(2 ** 32 - 1)) {
      expect(text(putUint32(view, 3, value))).toBe(String(value));
      expect(text(putUint32(view, 3, value | 0))).toBe(String(value));
    }
    for (const value of numbers(Number.MAX_SAFE_INTEGER)) expect(text(putWhole(view, 3, value))).toBe(String(value));
  });

  it('of a double read back as the same double, or are left to others', () => {
    for (const value of numbers(2 ** 43)) {
      for (const each of [value, value + 0.5, value + 0.001, value / 1000, value + 1 / 3]) {
        const end = putDouble(view, 3, each);
        if (end >= 0) expect(Number(text(end))).toBe(each);
        else expect(Math.round(each * 1000) / 1000).not.toBe(each);
      }
    }
    for (const value of [-1, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e300])
      expect(putDouble(view, 3, value)).toBe(-1);
  });

  it('of millionths are six', () => {
    for (const value of [0, 1, 999, 1000, 999_999, 123_456, 100]) {
      expect(text(putMillionths(view, 3, value))).toBe(`.${String(value).padStart(6, '0')}`);
    }
  });
});
