import { seededRandom } from '@qanat/clock';
import { describe, expect, it } from 'vitest';
import { Demux } from '../src/demux.ts';

type Key = readonly [local: number, localPort: number, remote: number, remotePort: number];

describe('the demultiplexer', () => {
  it('finds each connection by its four numbers, and none by others', () => {
    const random = seededRandom(1);
    const demux = new Demux();
    const all: { key: Key; slot: number }[] = [];
    for (let i = 0; i < 3000; i++) {
      // Few addresses and ports, as a server sees them: much is alike.
      const key: Key = [1 + (i & 1), 80, 0x8a000000 + (i >> 4), 1024 + (i & 15) * 4000 + (random.u32() & 3)];
      const words: Key = [key[0], key[1], key[2] | 0, key[3]];
      if (demux.find(...words) >= 0) continue;
      all.push({ key: words, slot: demux.add(...words) });
    }
    expect(demux.size).toBe(all.length);
    expect(new Set(all.map(({ slot }) => slot)).size).toBe(all.length);
    for (const { key, slot } of all) {
      const [local, localPort, remote, remotePort] = key;
      expect(demux.find(...key)).toBe(slot);
      expect(demux.find(local + 7, localPort, remote, remotePort)).toBe(-1);
      expect(demux.find(remote, remotePort, local, localPort)).toBe(-1);
      expect([demux.localAddress(slot), demux.localPort(slot)]).toEqual([local, localPort]);
      expect([demux.remoteAddress(slot), demux.remotePort(slot)]).toEqual([remote, remotePort]);
    }
    for (const [i, { slot }] of all.entries()) if (i % 2 === 0) demux.remove(slot);
    for (const [i, { key, slot }] of all.entries()) expect(demux.find(...key)).toBe(i % 2 === 0 ? -1 : slot);
    expect(demux.size).toBe(all.length >> 1);
  });

  it('forgets the last hit when it is removed, and takes a removal twice', () => {
    const demux = new Demux();
    const slot = demux.add(1, 2, 3, 4);
    expect(demux.find(1, 2, 3, 4)).toBe(slot);
    demux.remove(slot);
    expect(demux.find(1, 2, 3, 4)).toBe(-1);
    demux.remove(slot);
    demux.remove(77);
    expect(demux.size).toBe(0);
    expect(demux.isUsed(slot)).toBe(false);
  });

  it('uses the slots of those that are gone again', () => {
    const demux = new Demux();
    for (let round = 0; round < 100; round++) {
      const slots = Array.from({ length: 50 }, (_, i) => demux.add(1, 80, round, i));
      for (const slot of slots) demux.remove(slot);
    }
    expect(demux.end).toBe(50);
  });

  it('grows chain by chain to a hundred thousand, and stays right all the way', () => {
    const demux = new Demux();
    for (let i = 0; i < 100_000; i++) {
      expect(demux.add(1, 80, 0x0a000000 + (i >> 14), 1024 + (i & 0x3fff))).toBe(i);
      // One of those that were there before, wherever the split stands now.
      const j = (Math.imul(i, 7919) % (i + 1)) >>> 0;
      if (j <= i && demux.find(1, 80, 0x0a000000 + (j >> 14), 1024 + (j & 0x3fff)) !== j) expect.fail(`lost ${j}`);
    }
    expect(demux.size).toBe(100_000);
  });

  it('is not slower with many connections: a lookup does not walk them', () => {
    const measure = (count: number): number => {
      const demux = new Demux();
      const all = Array.from({ length: count }, (_, i): Key => [1, 80, 0x0a000000 + (i >> 14), 1024 + (i & 0x3fff)]);
      for (const key of all) demux.add(...key);
      const from = process.hrtime.bigint();
      for (let i = 0; i < 20_000; i++) demux.find(...all[(i * 7919) % count]!);
      return Number(process.hrtime.bigint() - from);
    };
    measure(100);
    const few = Math.min(measure(100), measure(100), measure(100));
    const many = Math.min(measure(50_000), measure(50_000), measure(50_000));
    // Caches cost something; a walk would cost a factor of hundreds.
    expect(many / few).toBeLessThan(60);
  });
});
