import { Memory, PAGE_SIZE, Packet, PageAllocator } from '@qanat/bytes';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteRing } from '../src/byte-ring.ts';
import { ReceiveQueue } from '../src/receive-queue.ts';
import { SendQueue } from '../src/send-queue.ts';
import { pattern, patternByte } from './harness.ts';

const memory = Memory.create({ bytes: 8 << 20, kernel: 'typescript' });
const SCRATCH = 0x1000;
const PAGES = 0x40000;
const freshPages = () => new PageAllocator(PAGES, memory.bytes - PAGES);
const seq = fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.integer({ min: -3000, max: 10 }));

function freePages(pages: PageAllocator): number {
  const taken: number[] = [];
  for (let page = pages.alloc(); page !== 0; page = pages.alloc()) taken.push(page);
  for (const page of taken) pages.free(page, 1);
  return taken.length;
}

describe('ByteRing', () => {
  it('keeps bytes in place as it grows, wherever the numbers wrap', () => {
    fc.assert(
      fc.property(
        seq,
        fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 8 }),
        (start, sizes) => {
          const ring = new ByteRing(memory, freshPages(), 65_536);
          let end = start;
          let total = 0;
          for (const size of sizes) {
            const bytes = Math.min(size, 65_536 - total);
            if (!ring.ensure(start, (end + bytes) | 0)) throw new Error('no memory');
            ring.putArray(end, pattern(total, bytes), 0, bytes);
            end = (end + bytes) | 0;
            total += bytes;
          }
          const out = new Uint8Array(total);
          ring.getArray(start, out, 0, total);
          expect(Buffer.compare(out, pattern(0, total))).toBe(0);
          ring.release();
        },
      ),
      { numRuns: 60 },
    );
  });

  it('sums across its end as the bytes in one piece would', () => {
    fc.assert(
      fc.property(seq, fc.integer({ min: 1, max: 4096 }), (start, bytes) => {
        const ring = new ByteRing(memory, freshPages(), 4096);
        ring.ensure(start, (start + bytes) | 0);
        ring.putArray(start, pattern(7, bytes), 0, bytes);
        memory.u8.fill(0, SCRATCH, SCRATCH + bytes + 2);
        const sum = ring.getSum(start, SCRATCH, bytes);
        expect(Buffer.compare(memory.u8.slice(SCRATCH, SCRATCH + bytes), pattern(7, bytes))).toBe(0);
        expect(sum).toBe(memory.kernel.sum(SCRATCH, bytes));
      }),
      { numRuns: 200 },
    );
  });

  it('takes no more than its limit, and gives everything back', () => {
    const pages = freshPages();
    const before = freePages(pages);
    const ring = new ByteRing(memory, pages, 40_000);
    expect(ring.limit).toBe(65_536);
    expect(ring.ensure(0, 65_536)).toBe(true);
    expect(ring.ensure(0, 65_537)).toBe(false);
    expect(ring.capacity).toBe(65_536);
    ring.release();
    expect(freePages(pages)).toBe(before);
    expect(ring.ensure(5, 6)).toBe(true);
  });

  it('stays as it is when there is no memory to grow', () => {
    const pages = new PageAllocator(PAGES, 8 * PAGE_SIZE);
    const ring = new ByteRing(memory, pages, 65_536);
    expect(ring.ensure(100, 200)).toBe(true);
    ring.putArray(100, pattern(0, 100), 0, 100);
    expect(ring.ensure(100, 50_000)).toBe(false);
    const out = new Uint8Array(100);
    ring.getArray(100, out, 0, 100);
    expect(Buffer.compare(out, pattern(0, 100))).toBe(0);
  });
});

describe('SendQueue', () => {
  it('holds what was written and not acknowledged, and no more than its limit', () => {
    fc.assert(
      fc.property(
        seq,
        fc.integer({ min: 1, max: 40_000 }),
        fc.array(fc.record({ write: fc.nat(9000), ack: fc.nat(9000), machine: fc.boolean() }), { maxLength: 30 }),
        (start, limit, steps) => {
          const queue = new SendQueue(memory, freshPages(), limit);
          queue.start(start);
          let [written, acked] = [0, 0];
          for (const step of steps) {
            const data = pattern(written, step.write);
            memory.u8.set(data, SCRATCH);
            const taken = step.machine ? queue.writeFrom(SCRATCH, step.write) : queue.write(data);
            expect(taken).toBe(Math.min(step.write, limit - (written - acked)));
            written += taken;
            const ack = Math.min(acked + step.ack, written);
            queue.acknowledge((start + ack) | 0);
            acked = ack;
            expect([queue.bytes, queue.free]).toEqual([written - acked, limit - (written - acked)]);
            if (queue.bytes > 0) {
              const bytes = Math.min(queue.bytes, 3000);
              queue.copySum(queue.una, SCRATCH, bytes);
              expect(Buffer.compare(memory.u8.slice(SCRATCH, SCRATCH + bytes), pattern(acked, bytes))).toBe(0);
            }
          }
          // Acknowledgments below or beyond what is held move nothing past its ends.
          queue.acknowledge((queue.una - 100) | 0);
          expect(queue.bytes).toBe(written - acked);
          queue.acknowledge((queue.end + 1) | 0);
          expect(queue.bytes).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });
});

/** A receive queue as naively as can be: a map from offset to byte. */
class Model {
  readonly held = new Map<number, number>();
  next = 0;
  read = 0;

  insert(at: number, bytes: number): void {
    for (let i = at; i < at + bytes; i++) if (i >= this.next) this.held.set(i, patternByte(i));
    while (this.held.has(this.next)) this.next++;
  }

  /** Ranges beyond `next`, ascending. */
  ranges(): [number, number][] {
    const out: [number, number][] = [];
    for (const at of [...this.held.keys()].filter((k) => k > this.next).sort((a, b) => a - b)) {
      const last = out.at(-1);
      if (last !== undefined && last[1] === at) last[1] = at + 1;
      else out.push([at, at + 1]);
    }
    return out;
  }
}

describe('ReceiveQueue', () => {
  const LIMIT = 6000;
  const packet = new Packet();

  /** Offers bytes `at` of the stream from a packet, trimmed to the window as input does. */
  function offer(queue: ReceiveQueue, start: number, at: number, bytes: number, next: number, read: number): number {
    if (at < next) {
      bytes -= next - at;
      at = next;
    }
    bytes = Math.min(bytes, read + LIMIT - at);
    if (bytes <= 0) return 0;
    const offset = at & 31;
    memory.u8.set(pattern(at, bytes), SCRATCH + offset);
    packet.set(SCRATCH, offset + bytes);
    expect(queue.ensure((start + at + bytes) | 0)).toBe(true);
    if (!queue.insert((start + at) | 0, packet, offset, bytes)) throw new Error('refused');
    return bytes;
  }

  it('is what a naive one is, for any inserts and reads, over the wrap of 2^32', () => {
    const step = fc.oneof(
      fc.record({ op: fc.constant('insert' as const), at: fc.nat(LIMIT), bytes: fc.integer({ min: 1, max: 1500 }) }),
      fc.record({ op: fc.constant('next' as const), at: fc.constant(0), bytes: fc.integer({ min: 1, max: 1500 }) }),
      fc.record({ op: fc.constant('read' as const), at: fc.constant(0), bytes: fc.integer({ min: 1, max: 4000 }) }),
    );
    fc.assert(
      fc.property(seq, fc.array(step, { maxLength: 60 }), (start, steps) => {
        const queue = new ReceiveQueue(memory, freshPages(), LIMIT, 1);
        queue.start(start);
        const model = new Model();
        const left = new Int32Array(4);
        const right = new Int32Array(4);
        for (const { op, at, bytes } of steps) {
          let touched: number | undefined;
          if (op === 'read') {
            const into = new Uint8Array(bytes);
            const got = queue.read(into);
            expect(got).toBe(Math.min(bytes, model.next - model.read));
            expect(Buffer.compare(into.subarray(0, got), pattern(model.read, got))).toBe(0);
            model.read += got;
          } else {
            const from = op === 'next' ? model.next : model.read + at;
            const stored = offer(queue, start, from, bytes, model.next, model.read);
            const begin = Math.max(from, model.next);
            if (stored > 0) {
              const before = model.next;
              model.insert(begin, stored);
              if (begin > before) touched = begin;
            }
          }
          expect((queue.nextSeq - start) | 0).toBe(model.next);
          expect((queue.readSeq - start) | 0).toBe(model.read);
          expect(queue.readable).toBe(model.next - model.read);
          expect(queue.free).toBe(LIMIT - (model.next - model.read));
          const ranges = model.ranges();
          expect(queue.rangeCount).toBe(ranges.length);
          const count = queue.sackBlocks(left, right, 0, 4);
          expect(count).toBe(Math.min(4, ranges.length));
          const blocks = Array.from({ length: count }, (_, i) => [(left[i]! - start) | 0, (right[i]! - start) | 0]);
          for (const block of blocks) expect(ranges).toContainEqual(block);
          expect(new Set(blocks.map(String)).size).toBe(count);
          // The block of the segment that came last is the first.
          if (touched !== undefined && count > 0) {
            expect(blocks[0]![0]).toBeLessThanOrEqual(touched);
            expect(blocks[0]![1]).toBeGreaterThan(touched);
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it('orders SACK blocks by when they last grew', () => {
    const queue = new ReceiveQueue(memory, freshPages(), LIMIT, 1);
    queue.start(0);
    for (const at of [100, 300, 500, 700, 900]) offer(queue, 0, at, 50, 0, 0);
    offer(queue, 0, 350, 10, 0, 0);
    const left = new Int32Array(4);
    const right = new Int32Array(4);
    expect(queue.sackBlocks(left, right, 0, 4)).toBe(4);
    expect([...left]).toEqual([300, 900, 700, 500]);
    left[0] = -1;
    expect(queue.sackBlocks(left, right, 1, 3)).toBe(3);
    expect([...left.subarray(0, 3)]).toEqual([-1, 300, 900]);
  });

  it('reads in place: what lies contiguous is seen where it lies', () => {
    const queue = new ReceiveQueue(memory, freshPages(), 4000, 1);
    const start = -1000;
    queue.start(start);
    offer(queue, start, 0, 1500, 0, 0);
    let at = 0;
    while (queue.peekBytes > 0) {
      const bytes = queue.peekBytes;
      expect(Buffer.compare(memory.u8.slice(queue.peekAddr, queue.peekAddr + bytes), pattern(at, bytes))).toBe(0);
      queue.consume(bytes);
      at += bytes;
    }
    expect(at).toBe(1500);
    expect(() => queue.consume(1)).toThrow(RangeError);
    expect(() => queue.consume(-1)).toThrow(RangeError);
    expect(() => queue.consume(Number.NaN)).toThrow(RangeError);
  });

  it('copies into machine memory', () => {
    const queue = new ReceiveQueue(memory, freshPages(), 4096, 1);
    queue.start(-100);
    offer(queue, -100, 0, 300, 0, 0);
    expect(queue.readInto(SCRATCH, 1000)).toBe(300);
    expect(Buffer.compare(memory.u8.slice(SCRATCH, SCRATCH + 300), pattern(0, 300))).toBe(0);
  });
});
