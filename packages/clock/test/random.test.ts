import { describe, expect, it } from 'vitest';
import { seededRandom, systemRandom } from '../src/index.ts';

describe('seededRandom', () => {
  it('repeats itself for the same seed, and only then', () => {
    const draw = (seed: number) => {
      const random = seededRandom(seed);
      return Array.from({ length: 8 }, () => random.u32());
    };
    expect(draw(42)).toEqual(draw(42));
    const streams = [0, 1, 2, 42, -1, 2 ** 32, 2 ** 32 + 1, 2 ** 40, 0.5].map((seed) => draw(seed).join());
    expect(new Set(streams).size).toBe(streams.length - 1); // The integer part counts: 0.5 is 0.
  });

  it('keeps its stream from version to version, as recorded runs depend on it', () => {
    const random = seededRandom(1);
    expect(Array.from({ length: 4 }, () => random.u32())).toMatchInlineSnapshot(`
      [
        4060556174,
        2606572132,
        2981996502,
        700899973,
      ]
    `);
  });

  it.each([
    ['seeded', seededRandom(7)],
    ['system', systemRandom()],
  ])('%s numbers are uniform enough: mean, and each bit', (_, random) => {
    const N = 20_000;
    const ones = new Array<number>(32).fill(0);
    let mean = 0;
    for (let i = 0; i < N; i++) {
      const value = random.u32();
      expect(value >>> 0).toBe(value);
      for (let bit = 0; bit < 32; bit++) ones[bit]! += (value >>> bit) & 1;
      const float = random.float();
      if (!(float >= 0 && float < 1)) expect.fail(`${float}`);
      mean += float / N;
    }
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.02);
    for (const count of ones) expect(Math.abs(count / N - 0.5)).toBeLessThan(0.03);
  });
});
