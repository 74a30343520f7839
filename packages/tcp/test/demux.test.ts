import { seededRandom } from '@qanat/clock';
import { describe, expect, it } from 'vitest';
import type { Connection } from '../src/connection.ts';
import { Demux } from '../src/demux.ts';

const entry = (localAddress: number, localPort: number, remoteAddress: number, remotePort: number) =>
  ({ localAddress, localPort, remoteAddress, remotePort, slot: -1 }) as Connection;

describe('the demultiplexer', () => {
  it('finds each connection by its four numbers, and none by others', () => {
    const random = seededRandom(1);
    const demux = new Demux();
    const all: Connection[] = [];
    for (let i = 0; i < 3000; i++) {
      // Few addresses and ports, as a server sees them: much is alike.
      const c = entry(1 + (i & 1), 80, 0x0a000000 + (i >> 4), 1024 + (i & 15) * 64 + (random.u32() & 3));
      if (demux.find(c.localAddress, c.localPort, c.remoteAddress, c.remotePort) !== undefined) continue;
      demux.add(c);
      all.push(c);
    }
    expect(demux.size).toBe(all.length);
    for (const c of all) {
      expect(demux.find(c.localAddress, c.localPort, c.remoteAddress, c.remotePort)).toBe(c);
      expect(demux.find(c.localAddress + 7, c.localPort, c.remoteAddress, c.remotePort)).toBeUndefined();
      expect(demux.find(c.remoteAddress, c.remotePort, c.localAddress, c.localPort)).toBeUndefined();
    }
    expect(new Set(demux)).toEqual(new Set(all));
    for (const [i, c] of all.entries()) {
      if (i % 2 === 0) demux.remove(c);
    }
    for (const [i, c] of all.entries()) {
      const found = demux.find(c.localAddress, c.localPort, c.remoteAddress, c.remotePort);
      expect(found).toBe(i % 2 === 0 ? undefined : c);
    }
    expect(demux.size).toBe(all.length >> 1);
  });

  it('forgets what is removed twice or was never there', () => {
    const demux = new Demux();
    const a = entry(1, 2, 3, 4);
    demux.add(a);
    demux.remove(entry(1, 2, 3, 5));
    expect(demux.size).toBe(1);
    demux.remove(a);
    demux.remove(a);
    expect(demux.size).toBe(0);
    expect(demux.find(1, 2, 3, 4)).toBeUndefined();
  });

  it('is not slower with many connections: a lookup does not walk them', () => {
    const measure = (count: number): number => {
      const demux = new Demux();
      const all = Array.from({ length: count }, (_, i) => entry(1, 80, 0x0a000000 + (i >> 14), 1024 + (i & 0x3fff)));
      for (const c of all) demux.add(c);
      const from = process.hrtime.bigint();
      for (let i = 0; i < 20_000; i++) {
        const c = all[(i * 7919) % count]!;
        demux.find(c.localAddress, c.localPort, c.remoteAddress, c.remotePort);
      }
      return Number(process.hrtime.bigint() - from);
    };
    measure(100);
    const few = Math.min(measure(100), measure(100), measure(100));
    const many = Math.min(measure(50_000), measure(50_000), measure(50_000));
    // Caches cost something; a walk would cost a factor of hundreds.
    expect(many / few).toBeLessThan(60);
  });
});
