import { Memory, PAGE_SIZE, PageAllocator } from '@qanat/bytes';
import { describe, expect, it } from 'vitest';
import { PATTERN_PERIOD, PatternArea } from '../src/pattern.ts';

function area(maxRun = 65_536, seed = 1): { pattern: PatternArea; memory: Memory; free: number } {
  const memory = Memory.create({ bytes: 4 << 20 });
  const pages = new PageAllocator(4096, (4 << 20) - 4096);
  const alloc = (bytes: number) => pages.allocContiguous(Math.ceil(bytes / PAGE_SIZE));
  const pattern = new PatternArea(memory, alloc, seed, maxRun);
  return { pattern, memory, free: pages.allocContiguous(32) };
}

describe('PatternArea', () => {
  it('takes any run from one piece of memory, also across the period', () => {
    const { pattern, memory } = area(1000);
    const end = pattern.addr + PATTERN_PERIOD + 1000;
    for (const offset of [0, 1, PATTERN_PERIOD - 1, PATTERN_PERIOD, 10 ** 12]) {
      expect(pattern.at(5, offset)).toBeGreaterThanOrEqual(pattern.addr);
      expect(pattern.at(5, offset) + 1000).toBeLessThanOrEqual(end);
    }
    for (let i = 0; i < 1000; i++) {
      expect(memory.u8[pattern.addr + PATTERN_PERIOD + i]).toBe(memory.u8[pattern.addr + i]);
    }
  });

  it('finds no fault in what was sent, and every wrong byte in what was not', () => {
    const { pattern, memory, free } = area();
    const offset = 3 * PATTERN_PERIOD - 100;
    const bytes = 1448;
    memory.kernel.copy(free, pattern.at(5, offset), bytes);
    expect(pattern.wrongBytes(5, offset, free, bytes)).toBe(0);
    expect(pattern.firstWrong(5, offset, free, bytes)).toBe(-1);
    for (const at of [0, 1, 700, bytes - 1]) {
      memory.u8[free + at]! ^= 1;
      expect(pattern.wrongBytes(5, offset, free, bytes)).toBe(1);
      expect(pattern.firstWrong(5, offset, free, bytes)).toBe(at);
      memory.u8[free + at]! ^= 1;
    }
  });

  it('tells a run from the same run a little earlier or later, and from another stream', () => {
    const { pattern, memory, free } = area();
    const bytes = 1448;
    memory.kernel.copy(free, pattern.at(5, 100_000), bytes);
    for (const shift of [1, -1, 2, 4, 8, 64, 1448, -1448, 4096, 65_536, 131_072, 1 << 20, 1 << 24]) {
      expect(pattern.wrongBytes(5, 100_000 + shift, free, bytes)).toBeGreaterThan(bytes * 0.98);
    }
    expect(pattern.wrongBytes(7, 100_000, free, bytes)).toBeGreaterThan(bytes * 0.98);
  });

  it('spreads the values of its bytes evenly, and changes with the seed', () => {
    const { pattern, memory } = area();
    const counts = new Array<number>(256).fill(0);
    for (let i = 0; i < PATTERN_PERIOD; i++) counts[memory.u8[pattern.addr + i]!]!++;
    for (const count of counts) {
      expect(Math.abs(count - PATTERN_PERIOD / 256)).toBeLessThan(0.1 * (PATTERN_PERIOD / 256));
    }
    const other = area(65_536, 2);
    expect(other.memory.u8.slice(other.pattern.addr, other.pattern.addr + 64)).not.toEqual(
      memory.u8.slice(pattern.addr, pattern.addr + 64),
    );
  });

  it('says when the domain is too small', () => {
    const memory = Memory.create({ bytes: 65_536 });
    expect(() => new PatternArea(memory, () => 0, 1, 1000)).toThrow(/memory/);
  });
});
