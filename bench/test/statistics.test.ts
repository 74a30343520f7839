import { describe, expect, it } from 'vitest';
import { splitGcTrace } from '../src/gc-trace.ts';
import { alignColumns, longestGap, median, summarize } from '../src/statistics.ts';
import { StolenTime } from '../src/stolen-time.ts';

describe('statistics', () => {
  it('finds the middle', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeNaN();
    expect(summarize([1, 2, 4])).toEqual({ median: 2, least: 1, most: 4, spread: 1.5 });
  });

  it('finds the longest time without progress', () => {
    const spans = (...bytes: number[]) => bytes.map((count) => ({ seconds: 0.1, bytes: count }));
    expect(longestGap(spans(5, 5, 5), 0.1)).toBe(0);
    expect(longestGap(spans(5, 0, 5, 0, 0, 5), 0.1)).toBeCloseTo(0.2, 9);
    expect(longestGap([], 0.1)).toBe(0);
    // Nobody ran to take the sample: that is a gap, even though bytes came in the end.
    expect(longestGap([{ seconds: 0.15, bytes: 5 }], 0.1)).toBe(0);
    expect(longestGap([{ seconds: 0.6, bytes: 5 }], 0.1)).toBeCloseTo(0.5, 9);
  });

  it('aligns columns', () => {
    expect(
      alignColumns([
        ['a', 'bb'],
        ['ccc', 'd'],
      ]),
    ).toEqual(['a    bb', 'ccc   d']);
  });
});

describe('time that the host has taken', () => {
  const noted = (...samples: (readonly [number, number, number])[]): StolenTime => {
    const stolen = new StolenTime();
    stolen.stop();
    for (const [atMs, all, ticks] of samples) stolen.note(atMs, { all, stolen: ticks });
    return stolen;
  };

  it('is its share of the CPUs between the samples around the two moments', () => {
    const stolen = noted([0, 1000, 5], [100, 1020, 5], [200, 1040, 15], [300, 1060, 15]);
    expect(stolen.share(0, 100)).toBe(0);
    expect(stolen.share(100, 200)).toBe(0.5);
    expect(stolen.share(150, 160)).toBe(0.5);
    expect(stolen.share(0, 300)).toBeCloseTo(1 / 6);
    expect(stolen.share(-50, 900)).toBeCloseTo(1 / 6);
  });

  it('is none where it cannot be known', () => {
    expect(noted().share(0, 100)).toBe(0);
    expect(noted([0, 1000, 5]).share(0, 100)).toBe(0);
  });
});

describe('the trace of the garbage collector', () => {
  const trace = [
    '[42:0x7fe278000f00]       93 ms: Scavenge 5.5 (9.5) -> 5.1 (9.5) MB, 0.20 / 0.00 ms  (average mu = 1.000) ',
    '[42:0x7fe278000f00]     2093 ms: Scavenge 5.5 (9.5) -> 5.1 (9.5) MB, 0.20 / 0.00 ms  (average mu = 1.000) ',
    '{"bytes":1,"sec[42:0x7fe278000a00]     2094 ms: Scavenge 4.0 (9.5) -> 3.0 (9.5) MB, 0.20 / 0.00 ms  (average mu = 1.000) ',
    'onds":2}',
    '[42:0x7fe278000f00]     3093 ms: Mark-Compact (reduce) 8.5 (9.5) -> 7.6 (9.5) MB, 0.20 / 0.00 ms  (average) ',
    '[42:0x7fe278000f00] Some other line of V8',
    '',
  ].join('\n');

  it('is counted by thread, after the warm-up, and taken out of the output', () => {
    const { summary, rest } = splitGcTrace(trace, 1000);
    expect(summary).toEqual({
      host: { scavenges: 1, markCompacts: 1, heapGrowthMb: 2.5 },
      others: { scavenges: 1, markCompacts: 0, heapGrowthMb: 0 },
    });
    expect(JSON.parse(rest)).toEqual({ bytes: 1, seconds: 2 });
  });

  it('of a process that never collects is empty', () => {
    expect(splitGcTrace('{}\n', 0)).toEqual({
      summary: {
        host: { scavenges: 0, markCompacts: 0, heapGrowthMb: 0 },
        others: { scavenges: 0, markCompacts: 0, heapGrowthMb: 0 },
      },
      rest: '{}\n',
    });
  });
});
