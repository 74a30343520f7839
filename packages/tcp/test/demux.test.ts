import { seededRandom } from '@qanat/clock';
import { describe, expect, it } from 'vitest';
import { Demux, demuxHash } from '../src/demux.ts';

type Key = readonly [local: number, localPort: number, remote: number, remotePort: number];

describe('the demultiplexer', () => {
  it('finds each connection by its four numbers, and none by others', () => {
    const random = seededRandom(1);
    const demux = new Demux(0x1234_5678, 0x9abc_def1);
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
    const demux = new Demux(0x1234_5678, 0x9abc_def1);
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
    const demux = new Demux(0x1234_5678, 0x9abc_def1);
    for (let round = 0; round < 100; round++) {
      const slots = Array.from({ length: 50 }, (_, i) => demux.add(1, 80, round, i));
      for (const slot of slots) demux.remove(slot);
    }
    expect(demux.end).toBe(50);
  });

  it('grows chain by chain to a hundred thousand, and stays right all the way', () => {
    const demux = new Demux(0x1234_5678, 0x9abc_def1);
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
      const demux = new Demux(0x1234_5678, 0x9abc_def1);
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

  it('scatters under another key what a peer has chosen to collide under one', () => {
    const random = seededRandom(5);
    const chain = (remote: number, ports: number, key: readonly [number, number]): number =>
      demuxHash(1, remote, ports, ...key) & 0xfff;
    const known = [random.u32(), random.u32()] as const;
    // From one address, and from many.
    for (const hosts of [1, 256]) {
      const chosen: (readonly [remote: number, ports: number])[] = [];
      for (let i = 0; chosen.length < 300; i++) {
        const remote = 0x0a00_0000 + (i % hosts);
        // All ports of ours are open to it, and it binds what it likes.
        const ports = Math.imul(Math.floor(i / hosts) + 1, 0x9e37_79b1);
        if (chain(remote, ports, known) === 0) chosen.push([remote, ports]);
      }
      for (let keys = 0; keys < 20; keys++) {
        const key = [random.u32(), random.u32()] as const;
        const lengths = new Map<number, number>();
        for (const [remote, ports] of chosen) {
          const at = chain(remote, ports, key);
          lengths.set(at, (lengths.get(at) ?? 0) + 1);
        }
        expect(lengths.size).toBeGreaterThan(250);
        expect(Math.max(...lengths.values())).toBeLessThan(8);
      }
      // Half of the key is not enough to go by: with the product known, and with the exclusive or.
      for (const key of [[random.u32(), known[1]] as const, [known[0], random.u32()] as const]) {
        expect(new Set(chosen.map(([remote, ports]) => chain(remote, ports, key))).size).toBeGreaterThan(200);
      }
    }
  });
});
