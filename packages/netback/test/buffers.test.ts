import { Memory, PageAllocator } from '@qanat/bytes';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BLOCK_BYTES, BufferPool, NO_BLOCK } from '../src/buffer-pool.ts';
import { PacketQueue } from '../src/packet-queue.ts';

function poolOf(pages: number, reserved = 0): { pool: BufferPool; memory: Memory; allocator: PageAllocator } {
  const memory = Memory.create({ bytes: (pages + 1) * 4096, kernel: 'typescript' });
  const allocator = new PageAllocator(4096, pages * 4096);
  return { pool: new BufferPool(memory, allocator, reserved), memory, allocator };
}

/** Writes or reads the bytes of a packet through its chain. */
function bytesOf(pool: BufferPool, packet: number): Uint8Array {
  const out = new Uint8Array(pool.length[packet]!);
  for (let at = 0, block = packet; at < out.length; at += BLOCK_BYTES, block = pool.next[block]!) {
    const bytes = Math.min(BLOCK_BYTES, out.length - at);
    out.set(pool.memory.u8.subarray(pool.addrOf(block), pool.addrOf(block) + bytes), at);
  }
  return out;
}

function write(pool: BufferPool, packet: number, data: Uint8Array): void {
  for (let at = 0, block = packet; at < data.length; at += BLOCK_BYTES, block = pool.next[block]!) {
    pool.memory.u8.set(data.subarray(at, at + BLOCK_BYTES), pool.addrOf(block));
  }
}

describe('BufferPool', () => {
  it('grows by slabs, up to what is not reserved', () => {
    const { pool, allocator } = poolOf(100, 20);
    expect(pool.limitBlocks).toBe(5 * 32);
    expect(allocator.freePages).toBe(100);
    expect(pool.alloc(1514)).not.toBe(NO_BLOCK);
    expect(allocator.freePages).toBe(84);
    let packets = 1;
    while (pool.alloc(1514) !== NO_BLOCK) packets++;
    expect(packets).toBe(160);
    expect(allocator.freePages).toBe(20);
    expect(pool.freeBlocks).toBe(0);
  });

  it('keeps packets apart, whatever comes and goes (property)', () => {
    const command = fc.oneof(
      fc.record({ take: fc.constant(true), bytes: fc.integer({ min: 14, max: 65535 }) }),
      fc.record({ take: fc.constant(false), bytes: fc.nat(100) }),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const { pool } = poolOf(80);
        const held: { packet: number; data: Uint8Array }[] = [];
        let blocks = 0;
        for (const [i, { take, bytes }] of commands.entries()) {
          if (take) {
            const packet = pool.alloc(bytes);
            if (packet === NO_BLOCK) {
              expect(pool.freeBlocks).toBeLessThan(BufferPool.blocksOf(bytes));
              continue;
            }
            const data = new Uint8Array(bytes).fill(i + 1);
            write(pool, packet, data);
            held.push({ packet, data });
            blocks += BufferPool.blocksOf(bytes);
          } else if (held.length > 0) {
            const [gone] = held.splice(bytes % held.length, 1);
            blocks -= BufferPool.blocksOf(pool.length[gone!.packet]!);
            pool.free(gone!.packet);
          }
          expect(pool.freeBlocks).toBe(pool.limitBlocks - blocks);
        }
        for (const { packet, data } of held) expect(Buffer.compare(bytesOf(pool, packet), data)).toBe(0);
      }),
      { numRuns: 50 },
    );
  });

  it('copies a packet, and flips any bit of it', () => {
    const { pool } = poolOf(80);
    for (const bytes of [14, 2048, 2049, 9000]) {
      const from = pool.alloc(bytes);
      write(
        pool,
        from,
        Uint8Array.from({ length: bytes }, (_, i) => i * 7),
      );
      pool.flags[from] = 2;
      const to = pool.alloc(bytes);
      pool.copy(to, from);
      expect(pool.flags[to]).toBe(2);
      expect(Buffer.compare(bytesOf(pool, to), bytesOf(pool, from))).toBe(0);
      for (const bit of [0, 7, 8, (bytes - 1) * 8, bytes * 8 - 1]) {
        pool.flipBit(to, bit);
        const expected = bytesOf(pool, from);
        expected[bit >>> 3]! ^= 1 << (bit & 7);
        expect(Buffer.compare(bytesOf(pool, to), expected)).toBe(0);
        pool.flipBit(to, bit);
      }
      pool.flipBit(to, bytes * 8);
      expect(Buffer.compare(bytesOf(pool, to), bytesOf(pool, from))).toBe(0);
    }
  });
});

describe('PacketQueue', () => {
  it('is first in first out, and bounded (property)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.array(fc.boolean(), { maxLength: 100 }), (capacity, pushes) => {
        const queue = new PacketQueue(capacity);
        const model: number[] = [];
        for (const [i, push] of pushes.entries()) {
          if (push) {
            expect(queue.push(i)).toBe(model.length < capacity);
            if (model.length < capacity) model.push(i);
          } else if (model.length > 0) {
            expect(queue.peek()).toBe(model[0]);
            expect(queue.shift()).toBe(model.shift());
          }
          expect(queue.size).toBe(model.length);
        }
      }),
    );
  });
});
