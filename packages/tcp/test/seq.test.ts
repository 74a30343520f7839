import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seqDiff, seqGeq, seqGt, seqLeq, seqLt, seqMax, seqMin } from '../src/seq.ts';

const seq = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const near = fc.integer({ min: 0, max: 2 ** 31 - 1 });

describe('sequence numbers (3.4)', () => {
  it('differ by what was added, wherever they wrap', () => {
    fc.assert(fc.property(seq, near, (a, n) => seqDiff((a + n) | 0, a) === n && seqDiff(a, (a + n) | 0) === (-n | 0)));
  });

  it('are ordered within half of the space', () => {
    fc.assert(
      fc.property(seq, near, (a, n) => {
        const b = (a + n) | 0;
        expect(seqLeq(a, b)).toBe(true);
        expect(seqGeq(b, a)).toBe(true);
        expect(seqLt(a, b)).toBe(n > 0);
        expect(seqGt(b, a)).toBe(n > 0);
        expect(seqMax(a, b)).toBe(b);
        expect(seqMin(a, b)).toBe(a);
      }),
    );
  });

  it('give an answer for any two, 2^31 apart too, and never throw', () => {
    fc.assert(
      fc.property(seq, seq, (a, b) => {
        expect(Number.isInteger(seqDiff(a, b))).toBe(true);
        expect(seqLt(a, b)).toBe(!seqGeq(a, b));
        expect(seqGt(a, b)).toBe(!seqLeq(a, b));
      }),
    );
    expect(seqDiff(0, -(2 ** 31))).toBe(-(2 ** 31));
  });
});
