import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PAGE_SIZE, PageAllocator } from '../src/index.ts';

describe('PageAllocator', () => {
  it('hands out every page once, aligned and in its area', () => {
    const pages = new PageAllocator(0x10_0000, 100 * PAGE_SIZE);
    const seen = new Set<number>();
    for (let i = 0; i < 100; i++) {
      expect(pages.freePages).toBe(100 - i);
      const addr = pages.alloc();
      expect(addr % PAGE_SIZE).toBe(0);
      expect(addr).toBeGreaterThanOrEqual(0x10_0000);
      expect(addr).toBeLessThan(0x10_0000 + 100 * PAGE_SIZE);
      seen.add(addr);
    }
    expect(seen.size).toBe(100);
    expect(pages.alloc()).toBe(0);
    expect(pages.allocContiguous(2)).toBe(0);
    expect(pages.freePages).toBe(0);
  });

  it('never hands out page 0', () => {
    const pages = new PageAllocator(0, 4 * PAGE_SIZE);
    expect(pages.freePages).toBe(3);
    expect(new Set([pages.alloc(), pages.alloc(), pages.alloc()])).toEqual(new Set([0x1000, 0x2000, 0x3000]));
    expect(pages.alloc()).toBe(0);
  });

  it('reaches up to 2 GiB with positive addresses', () => {
    const pages = new PageAllocator(0x7ff0_0000 - PAGE_SIZE, PAGE_SIZE);
    expect(pages.alloc()).toBe(0x7ff0_0000 - PAGE_SIZE);
  });

  it('gives a page that was just freed before a cold one', () => {
    const pages = new PageAllocator(PAGE_SIZE, 1000 * PAGE_SIZE);
    const taken = Array.from({ length: 500 }, () => pages.alloc());
    pages.free(taken[77]!);
    expect(pages.alloc()).toBe(taken[77]);
  });

  it('refuses what is not handed out, and then frees nothing', () => {
    const pages = new PageAllocator(0x10_0000, 64 * PAGE_SIZE);
    const run = pages.allocContiguous(4);
    const single = pages.alloc();
    pages.free(single);
    expect(() => pages.free(single)).toThrow(/free page/);
    expect(() => pages.free(run, 60)).toThrow(/free page/);
    expect(() => pages.free(run + 1)).toThrow(/not pages of this owner/);
    expect(() => pages.free(0)).toThrow(/not pages of this owner/);
    expect(() => pages.free(0x10_0000 - PAGE_SIZE)).toThrow(/not pages of this owner/);
    expect(() => pages.free(0x10_0000 + 63 * PAGE_SIZE, 2)).toThrow(/not pages of this owner/);
    expect(() => pages.free(run, 0)).toThrow(/not pages of this owner/);
    expect(pages.freePages).toBe(60);
    pages.free(run, 4);
    expect(pages.freePages).toBe(64);
  });

  it('refuses an area that is not made of pages', () => {
    expect(() => new PageAllocator(100, PAGE_SIZE)).toThrow(RangeError);
    expect(() => new PageAllocator(PAGE_SIZE, 100)).toThrow(RangeError);
    expect(() => new PageAllocator(PAGE_SIZE, PAGE_SIZE).allocContiguous(0)).toThrow(RangeError);
  });

  it('agrees with a naive model, and finds a run whenever there is one', () => {
    const FRAMES = 150;
    const FIRST = 0x5000;
    const command = fc.oneof(
      fc.record({ kind: fc.constant('alloc' as const), count: fc.integer({ min: 1, max: 70 }) }),
      fc.record({ kind: fc.constant('alloc' as const), count: fc.constant(1) }),
      fc.record({ kind: fc.constant('free' as const), pick: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 200, size: 'max' }), (commands) => {
        const pages = new PageAllocator(FIRST, FRAMES * PAGE_SIZE);
        const used = new Array<boolean>(FRAMES).fill(false);
        const runs: [addr: number, count: number][] = [];
        for (const step of commands) {
          if (step.kind === 'free') {
            if (runs.length === 0) continue;
            const [[addr, count]] = runs.splice(step.pick % runs.length, 1) as [[number, number]];
            pages.free(addr, count);
            used.fill(false, (addr - FIRST) / PAGE_SIZE, (addr - FIRST) / PAGE_SIZE + count);
            continue;
          }
          const addr = pages.allocContiguous(step.count);
          if (addr === 0) {
            const map = used.map((taken) => (taken ? 'x' : '.')).join('');
            expect(map).not.toContain('.'.repeat(step.count));
            continue;
          }
          const first = (addr - FIRST) / PAGE_SIZE;
          expect(used.slice(first, first + step.count)).toEqual(new Array(step.count).fill(false));
          used.fill(true, first, first + step.count);
          runs.push([addr, step.count]);
        }
        expect(pages.freePages).toBe(used.filter((taken) => !taken).length);
      }),
      { numRuns: 300 },
    );
  });
});
