import { NEVER, seededRandom } from '@qanat/clock';
import { describe, expect, it } from 'vitest';
import { DeadlineHeap } from '../src/deadline-heap.ts';

describe('the heap of deadlines', () => {
  it('gives the earliest first, whatever the order in which they came', () => {
    const random = seededRandom(3);
    const heap = new DeadlineHeap();
    const all: number[] = [];
    const out: number[] = [];
    const take = (): void => {
      expect([heap.slot, heap.serial]).toEqual([heap.nextUs % 1000, heap.nextUs % 77]);
      out.push(heap.nextUs);
      heap.shift();
    };
    for (let i = 0; i < 5000; i++) {
      const atUs = random.u32() % 100_000;
      all.push(atUs);
      heap.push(atUs, atUs % 1000, atUs % 77);
    }
    expect(heap.size).toBe(5000);
    while (heap.size > 0) take();
    expect(out).toEqual(all.toSorted((a, b) => a - b));
    expect(heap.nextUs).toBe(NEVER);
    heap.shift();
    expect(heap.size).toBe(0);
  });
});
