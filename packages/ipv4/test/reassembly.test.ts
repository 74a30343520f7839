import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Bench, type FragmentOptions, SECOND } from './fragments.ts';

describe('putting together', () => {
  test('any datagram, cut anyhow, in any order, scattered in memory, with duplicates: the original', () => {
    const bench = new Bench();
    fc.assert(
      fc.property(
        fc.integer({ min: 20, max: 5000 }),
        fc.integer({ min: 68, max: 1500 }),
        fc.infiniteStream(fc.nat()),
        fc.constantFrom(new Uint8Array(0), Uint8Array.from([0x88, 4, 1, 2])),
        fc.array(fc.integer({ min: 1, max: 1400 }), { maxLength: 3 }),
        (size, mtu, dice, options, cuts) => {
          const roll = (n: number) => (dice.next().value as number) % n;
          const payload = Uint8Array.from({ length: size }, (_, i) => i ^ (i >>> 8) ^ size);
          const { whole, fragments } = bench.split(payload, mtu, { options });
          if (fragments.length < 2) return;
          const order: Uint8Array[] = [];
          while (fragments.length > 0) order.push(fragments.splice(roll(fragments.length), 1)[0]!);
          const sortedCuts = [...cuts].sort((a, b) => a - b).filter((cut, i, all) => cut !== all[i - 1]);
          order.forEach((fragment, i) => {
            const last = i === order.length - 1;
            const result = bench.receive(fragment, sortedCuts);
            expect(result).toEqual(last ? whole : undefined);
            if (!last && roll(4) === 0) expect(bench.receive(order[roll(i + 1)]!)).toBeUndefined();
          });
          expect(bench.reassembler.pagesUsed).toBe(0);
          expect(bench.reassembler.size).toBe(0);
          expect(bench.time.timers.size).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('the largest datagram there is', () => {
    const bench = new Bench();
    const payload = Uint8Array.from({ length: 65515 }, (_, i) => i * 31);
    const { whole, fragments } = bench.split(payload, 1500);
    const results = fragments.reverse().map((f) => bench.receive(f));
    expect(results.at(-1)).toEqual(whole);
  });

  test('datagrams that differ in source, ID or protocol only do not mix', () => {
    const bench = new Bench();
    const variants: FragmentOptions[] = [{}, { id: 2 }, { src: 99 }, { protocol: 1 }];
    variants.forEach((v, i) => {
      bench.receive(bench.fragment(0, new Uint8Array(8).fill(i), true, v));
    });
    variants.forEach((v, i) => {
      const whole = bench.receive(bench.fragment(8, new Uint8Array(8).fill(i), false, v))!;
      expect([...whole.subarray(20)]).toEqual(new Array(16).fill(i));
    });
  });

  test('the time of arrival is that of the fragment that completed it', () => {
    const bench = new Bench();
    bench.receive(bench.fragment(0, 8, true));
    bench.run(1000);
    bench.receive(bench.fragment(8, 8, false));
    expect(bench.packet.arrivedUs).toBe(1000);
  });
});

describe('hostile fragments', () => {
  const swallowed = (bench: Bench) => {
    const results = [0, 8, 16, 24].map((at) => bench.receive(bench.fragment(at, 8, at !== 24)));
    expect(results).toEqual([undefined, undefined, undefined, undefined]);
    expect(bench.reassembler.pagesUsed).toBe(0);
  };

  test.each<[string, [number, number, boolean][]]>([
    [
      'teardrop: the second begins inside the first',
      [
        [0, 24, true],
        [16, 16, false],
      ],
    ],
    [
      'a fragment inside another',
      [
        [0, 32, true],
        [8, 8, true],
      ],
    ],
    [
      'a fragment around another',
      [
        [8, 8, true],
        [0, 32, true],
      ],
    ],
    [
      'the same place with another length',
      [
        [0, 24, true],
        [0, 16, true],
      ],
    ],
    [
      'data beyond the end',
      [
        [8, 8, false],
        [16, 8, true],
      ],
    ],
    [
      'an end before what is there',
      [
        [24, 8, true],
        [8, 8, false],
      ],
    ],
    [
      'two ends',
      [
        [8, 8, false],
        [16, 8, false],
      ],
    ],
    [
      'a duplicate that is the end all at once',
      [
        [8, 8, true],
        [8, 8, false],
      ],
    ],
    [
      'a duplicate that is no longer the end',
      [
        [8, 8, false],
        [8, 8, true],
      ],
    ],
  ])('%s: the whole datagram is dropped, to its last fragment', (_name, pieces) => {
    const bench = new Bench();
    for (const [at, bytes, more] of pieces) expect(bench.receive(bench.fragment(at, bytes, more))).toBeUndefined();
    expect(bench.reassembler.stats.reasmOverlaps).toBe(1);
    swallowed(bench);
  });

  test.each<[string, number, number, boolean, FragmentOptions]>([
    ['ping of death: it would end beyond 65535', 65520, 8, false, {}],
    ['no payload', 8, 0, false, {}],
    ['a middle piece of 7 bytes', 8, 7, true, {}],
    ['a first piece without the whole TCP header', 0, 16, true, { protocol: 6 }],
    ['a piece that would overwrite the TCP flags', 8, 8, true, { protocol: 6 }],
  ])('%s: malformed', (_name, at, bytes, more, o) => {
    const bench = new Bench();
    expect(bench.receive(bench.fragment(at, bytes, more, o))).toBeUndefined();
    expect(bench.reassembler.stats.malformed).toBe(1);
    expect(bench.reassembler.pagesUsed).toBe(0);
  });

  test('a malformed piece spoils the datagram it belongs to', () => {
    const bench = new Bench();
    bench.receive(bench.fragment(0, 8, true));
    bench.receive(bench.fragment(65520, 8, false));
    swallowed(bench);
  });

  test('congestion marks: CE survives, CE among not-ECT is dropped (RFC 3168 section 5.3)', () => {
    const both = (first: number, second: number) => {
      const bench = new Bench();
      bench.receive(bench.fragment(0, 8, true, { tos: first }));
      return bench.receive(bench.fragment(8, 8, false, { tos: second }));
    };
    expect(both(2, 3)![1]).toBe(3);
    expect(both(3, 2)![1]).toBe(3);
    expect(both(2, 2)![1]).toBe(2);
    expect(both(0, 3)).toBeUndefined();
  });

  test('noise: nothing is thrown, memory keeps its bounds and comes back', () => {
    const piece = fc.record({
      at: fc.integer({ min: 0, max: 8191 }).map((n) => n * 8),
      bytes: fc.integer({ min: 0, max: 3000 }),
      more: fc.boolean(),
      id: fc.integer({ min: 0, max: 5 }),
      src: fc.integer({ min: 1, max: 4 }),
      protocol: fc.constantFrom(1, 6, 17),
      waitUs: fc.integer({ min: 0, max: 5 * SECOND }),
    });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 80 }), (pieces) => {
        const limits = { reassemblyPages: 12, reassemblyPagesPerSource: 5, maxReassemblies: 10 };
        const bench = new Bench(limits);
        const free = bench.pages.freePages;
        for (const p of pieces) {
          bench.receive(bench.fragment(p.at, Math.min(p.bytes, 65515), p.more, p));
          bench.run(p.waitUs);
          expect(bench.reassembler.pagesUsed).toBeLessThanOrEqual(12);
          expect(bench.reassembler.size).toBeLessThanOrEqual(10);
        }
        bench.run(31 * SECOND);
        expect(bench.reassembler.size).toBe(0);
        expect(bench.reassembler.pagesUsed).toBe(0);
        bench.reassembler.close();
        expect(bench.pages.freePages).toBe(free);
      }),
      { numRuns: 40 },
    );
  });
});

describe('bounds', () => {
  test('a source that floods loses its own oldest datagrams, not those of others', () => {
    const bench = new Bench({ reassemblyPages: 8, reassemblyPagesPerSource: 4 });
    bench.receive(bench.fragment(0, 8, true, { src: 7 }));
    for (let id = 0; id < 100; id++) bench.receive(bench.fragment(0, 8, true, { src: 8, id }));
    expect(bench.reassembler.pagesUsed).toBe(5);
    expect(bench.receive(bench.fragment(8, 8, false, { src: 7 }))).toBeDefined();
    expect(bench.receive(bench.fragment(8, 8, false, { src: 8, id: 99 }))).toBeDefined();
    expect(bench.receive(bench.fragment(8, 8, false, { src: 8, id: 50 }))).toBeUndefined();
  });

  test('when all memory is taken, the source that holds most gives way', () => {
    const bench = new Bench({ reassemblyPages: 6, reassemblyPagesPerSource: 4 });
    for (let id = 0; id < 4; id++) bench.receive(bench.fragment(0, 8, true, { src: 8, id }));
    bench.receive(bench.fragment(0, 8, true, { src: 7 }));
    bench.receive(bench.fragment(0, 8, true, { src: 9 }));
    bench.receive(bench.fragment(0, 8, true, { src: 10 }));
    expect(bench.reassembler.pagesUsed).toBe(6);
    for (const src of [7, 9, 10]) expect(bench.receive(bench.fragment(8, 8, false, { src }))).toBeDefined();
    expect(bench.receive(bench.fragment(8, 8, false, { src: 8, id: 0 }))).toBeUndefined();
  });

  test('given-up datagrams make room before living ones', () => {
    const bench = new Bench({ maxReassemblies: 3 });
    bench.receive(bench.fragment(0, 8, true, { id: 1 }));
    for (let id = 2; id < 50; id++) {
      bench.receive(bench.fragment(0, 24, true, { src: 8, id }));
      bench.receive(bench.fragment(8, 24, true, { src: 8, id }));
    }
    expect(bench.reassembler.size).toBe(3);
    expect(bench.receive(bench.fragment(8, 8, false, { id: 1 }))).toBeDefined();
  });

  test('too many pieces of one datagram', () => {
    const bench = new Bench({ maxFragments: 10 });
    for (let i = 0; i < 11; i++) bench.receive(bench.fragment(i * 8, 8, true));
    expect(bench.reassembler.stats.reasmEvicted).toBe(1);
    expect(bench.reassembler.pagesUsed).toBe(0);
  });

  test('no pages at all: dropped, nothing thrown', () => {
    const bench = new Bench();
    while (bench.pages.alloc() !== 0);
    expect(bench.receive(bench.fragment(0, 8, true))).toBeUndefined();
    expect(bench.reassembler.pagesUsed).toBe(0);
  });
});

describe('timeout', () => {
  test('with the first fragment there: reported with that fragment, 30 s after the first one came', () => {
    const bench = new Bench();
    const first = bench.fragment(
      0,
      Uint8Array.from({ length: 1480 }, (_, i) => i),
      true,
    );
    bench.receive(bench.fragment(1480, 8, true));
    bench.run(10 * SECOND);
    bench.receive(first);
    bench.run(20 * SECOND);
    expect(bench.timeouts).toEqual([]);
    bench.run(1);
    expect(bench.timeouts).toEqual([first.slice(0, 20 + 576)]);
    expect(bench.reassembler.stats).toMatchObject({ reasmTimeout: 1, reasmFails: 1 });
    expect(bench.reassembler.pagesUsed).toBe(0);
  });

  test('without it: silence', () => {
    const bench = new Bench();
    bench.receive(bench.fragment(8, 8, true));
    bench.run(31 * SECOND);
    expect(bench.timeouts).toEqual([]);
    expect(bench.reassembler.stats.reasmTimeout).toBe(1);
  });

  test('each datagram has its own time', () => {
    const bench = new Bench();
    for (let id = 0; id < 3; id++) {
      bench.receive(bench.fragment(0, 8, true, { id }));
      bench.run(10 * SECOND);
    }
    expect(bench.timeouts.length).toBe(0);
    bench.run(1);
    expect(bench.timeouts.length).toBe(1);
    bench.run(10 * SECOND);
    expect(bench.timeouts.length).toBe(2);
    bench.run(10 * SECOND);
    expect(bench.timeouts.length).toBe(3);
    expect(bench.time.timers.size).toBe(0);
  });

  test('a datagram that was dropped is not reported', () => {
    const bench = new Bench();
    bench.receive(bench.fragment(0, 24, true));
    bench.receive(bench.fragment(8, 24, true));
    bench.run(31 * SECOND);
    expect(bench.timeouts).toEqual([]);
    expect(bench.reassembler.stats).toMatchObject({ reasmFails: 1, reasmTimeout: 0 });
  });
});
