import { describe, expect, it } from 'vitest';
import { IsnGenerator } from '../src/isn.ts';
import { Harness } from './harness.ts';

describe('initial sequence numbers (RFC 6528, 3.4.1) [MUST-8] [SHLD-1]', () => {
  it('follow a clock of 4 microseconds for one pair of ends', () => {
    const isn = new IsnGenerator(1, 2);
    const at = (us: number) => isn.isn(10, 20, 30, 40, us);
    const first = at(0);
    expect((at(4) - first) | 0).toBe(1);
    expect((at(4_000_000) - first) | 0).toBe(1_000_000);
    // The clock wraps with the number space, after 4.77 hours.
    expect((at(4 * 2 ** 32 + 40) - first) | 0).toBe(10);
    expect((at(4e15) - first) | 0).toBe(1e15 | 0);
  });

  it('differ between pairs in a way that depends on all four and on the secret [MUST-9]', () => {
    const isn = new IsnGenerator(1, 2);
    const base = isn.isn(10, 20, 30, 40, 0);
    const others = [
      isn.isn(11, 20, 30, 40, 0),
      isn.isn(10, 21, 30, 40, 0),
      isn.isn(10, 20, 31, 40, 0),
      isn.isn(10, 20, 30, 41, 0),
    ];
    for (const other of others) expect(other).not.toBe(base);
    expect(new IsnGenerator(1, 3).isn(10, 20, 30, 40, 0)).not.toBe(base);
    expect(new IsnGenerator(2, 2).isn(10, 20, 30, 40, 0)).not.toBe(base);
    expect(new IsnGenerator(1, 2).isn(10, 20, 30, 40, 0)).toBe(base);
  });

  it('spread evenly over ports: each bit is set for about half of them', () => {
    const isn = new IsnGenerator(0x1234, 0x5678);
    const counts = new Array<number>(32).fill(0);
    for (let port = 0; port < 4000; port++) {
      const value = isn.isn(0x0a000001, port, 0x0a000002, 80, 0);
      for (let bit = 0; bit < 32; bit++) counts[bit]! += (value >>> bit) & 1;
    }
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(250);
  });

  it('are HalfSipHash-2-4 of the pair under the secret', () => {
    // The authors' vector for the message 00 01 .. 0b under the key 00 01 .. 07, as a little-endian word.
    const word = (at: number) => at | ((at + 1) << 8) | ((at + 2) << 16) | ((at + 3) << 24);
    const isn = new IsnGenerator(word(0), word(4));
    expect(isn.hash(word(0), word(4), word(8)) >>> 0).toBe(0x2f87f057);
  });

  it('are not what another host has', () => {
    const a = new Harness({}, { seed: 1 });
    const b = new Harness({}, { seed: 2 });
    a.open();
    b.open();
    expect(a.takeOne('S').seq).not.toBe(b.takeOne('S').seq);
  });
});
