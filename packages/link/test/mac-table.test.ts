import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MacTable } from '../src/index.ts';

describe('MacTable', () => {
  it('learns where an address is, and that it moved', () => {
    const table = new MacTable();
    expect(table.lookup(0x0200, 1, 0)).toBe(-1);
    table.learn(0x0200, 1, 3, 0);
    table.learn(0x0200, 2, 4, 0);
    expect([table.lookup(0x0200, 1, 0), table.lookup(0x0200, 2, 0), table.lookup(0x0400, 1, 0)]).toEqual([3, 4, -1]);
    table.learn(0x0200, 1, 5, 10);
    expect(table.lookup(0x0200, 1, 10)).toBe(5);
    expect(table.size(10)).toBe(2);
  });

  it('forgets what was not heard for long, and what has gone', () => {
    const table = new MacTable({ agingUs: 1000 });
    table.learn(0x0200, 1, 1, 0);
    table.learn(0x0200, 2, 2, 0);
    table.learn(0x0200, 1, 1, 500);
    expect([table.lookup(0x0200, 1, 1001), table.lookup(0x0200, 2, 1001)]).toEqual([1, -1]);
    expect(table.lookup(0x0200, 1, 1501)).toBe(-1);
    table.learn(0x0200, 3, 7, 2000);
    table.forgetPort(7);
    expect(table.lookup(0x0200, 3, 2000)).toBe(-1);
    expect(table.size(2000)).toBe(0);
  });

  it('does not learn group addresses', () => {
    const table = new MacTable();
    table.learn(0xffff, -1, 1, 0);
    table.learn(0x0100, 0x5e00_0001, 1, 0);
    expect(table.size(0)).toBe(0);
  });

  it('is bounded, keeps what was heard last, and never answers wrongly', () => {
    const address = fc.integer({ min: 0, max: 5000 });
    const step = fc.tuple(address, fc.integer({ min: 0, max: 7 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 3000, size: 'max' }), (steps) => {
        const table = new MacTable({ entries: 64, agingUs: 1e9 });
        const model = new Map<number, number>();
        let now = 0;
        for (const [lo, port] of steps) {
          table.learn(0x0200, lo, port, ++now);
          model.set(lo, port);
          expect(table.lookup(0x0200, lo, now)).toBe(port);
        }
        expect(table.size(now)).toBeLessThanOrEqual(64);
        for (const [lo, port] of model) expect([port, -1]).toContain(table.lookup(0x0200, lo, now));
      }),
      { numRuns: 20 },
    );
  });

  it('holds nearly as many addresses as it has entries, whatever they look like', () => {
    for (const stride of [1, 256, 65_536, 0x0100_0000]) {
      const table = new MacTable({ entries: 1024 });
      for (let i = 0; i < 256; i++) table.learn(0x0200, Math.imul(i, stride), 1, i);
      expect(table.size(256), `stride ${stride}`).toBeGreaterThan(230);
    }
  });

  it('refuses impossible sizes', () => {
    expect(() => new MacTable({ entries: 3 })).toThrow(RangeError);
    expect(() => new MacTable({ agingUs: 0 })).toThrow(RangeError);
  });
});
