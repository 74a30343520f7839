import { describe, expect, it } from 'vitest';
import type { BenchCase } from '../src/case.ts';
import { figuresOf } from '../src/contenders/veth.ts';
import { byGroup, foldProfile } from '../src/cpu-profile.ts';
import { type ProfileResult, perSegment } from '../src/profile-command.ts';
import { insertReport, newest, report } from '../src/report.ts';
import { type CaseResult, SCHEMA } from '../src/run-case.ts';
import { mergeStages, type StagesResult } from '../src/stages-command.ts';
import { percentile, rateAfter, variation } from '../src/statistics.ts';

const MACHINE = { cpu: 'Some CPU', cores: 2, memoryGiB: 8, platform: 'linux x64', node: '20.0.0', v8: '11' };

const BENCH: BenchCase = {
  name: 'bulk',
  title: 'bulk',
  metrics: [{ key: 'bitsPerSecond', title: 'goodput', per: 1e9, unit: 'Gbit/s', digits: 1 }],
  contenders: [],
  ratios: [],
  goals: [],
  inQuickSet: false,
};

function result(date: string, overrides: Partial<CaseResult> = {}): CaseResult {
  return {
    schema: SCHEMA,
    bench: 'bulk',
    title: 'bulk',
    date,
    machine: MACHINE,
    runs: 5,
    seconds: 4,
    warmUpSeconds: 1,
    quick: false,
    contenders: [
      {
        name: 'qanat',
        skipped: null,
        runs: [],
        summary: { bitsPerSecond: { median: 7e9, least: 6e9, most: 8e9, spread: 0.3 } },
      },
      { name: 'veth', skipped: 'no root', runs: [], summary: {} },
    ],
    ratios: [],
    goals: [{ metric: 'bitsPerSecond', of: 'qanat', to: null, limit: '>= 6000000000', value: 7e9, met: true }],
    ...overrides,
  };
}

const STAGES: StagesResult = {
  schema: 'qanat-bench-stages/1',
  bench: 'stages',
  date: '2026-01-01',
  machine: MACHINE,
  runs: 1,
  groups: [{ title: 'bytes', stages: [{ stage: 'copy', smallNs: 73.04, largeNs: 2440 }] }],
};

describe('the report', () => {
  it('takes the newest result of each case, and no quick one', () => {
    const kept = newest([
      result('2026-01-02'),
      result('2026-01-03', { seconds: 9 }),
      result('2026-01-01'),
      result('2026-01-04', { quick: true }),
      { bench: 'netsim' },
      STAGES,
    ]);
    expect(kept.cases.get('bulk')).toMatchObject({ date: '2026-01-03', seconds: 9 });
    expect(kept.stages).toBe(STAGES);
  });

  it('says how each thing that was asked stands', () => {
    const lines = report([BENCH, { ...BENCH, name: 'other' }], newest([result('2026-01-02'), STAGES]));
    expect(lines).toContain('Not kept: `other`.');
    expect(lines).toContain('| `bulk` | goodput: qanat | >= 6 Gbit/s | 7.0 Gbit/s | met |');
    expect(lines).toContain('| `bulk` | qanat | goodput 7.0 Gbit/s (6.0-8.0) |  | 5 |');
    expect(lines).toContain('| `bulk` | veth | left out: no root | | |');
    expect(lines).toContain('| copy | 73.0 | 2440 |');
  });

  it('spreads the time of a profile over a segment', () => {
    const functions = [
      { name: 'input: receive', group: 'tcp', us: 300 },
      { name: 'copy', group: 'WASM kernel', us: 100 },
    ];
    const profile: ProfileResult = {
      schema: 'qanat-bench-profile/1',
      bench: 'profile',
      date: '2026-01-01',
      machine: MACHINE,
      iperfArgs: ['--no-offload'],
      bitsPerSecond: 1448 * 8e6,
      threads: [{ thread: 'server', us: 400, functions }],
    };
    const lines = report([BENCH], newest([profile, { ...profile, date: '2025-01-01', threads: [] }, STAGES]));
    expect(lines).toContain('| server | tcp 750, WASM kernel 250 | tcp/input: receive 750, WASM kernel/copy 250 |');
    expect(lines.join()).toContain('each thread has 1000 ns for 1448 bytes');
    expect(perSegment({ ...profile, iperfArgs: [] }).bytes).toBe(65_536);
  });

  it('goes between its marks, and nowhere else', () => {
    const page = 'a\n<!-- bench report: begin -->\nold\n<!-- bench report: end -->\nb\n';
    expect(insertReport(page, ['new'])).toBe(page.replace('old', 'new'));
    expect(() => insertReport('a page', ['new'])).toThrow('has no lines');
  });
});

describe('stages', () => {
  it('of several runs are merged by their medians', () => {
    const run = (smallNs: number, largeNs: number | null) => [
      { title: 't', stages: [{ stage: 's', smallNs, largeNs }] },
    ];
    expect(mergeStages([run(1, 10), run(3, 30), run(2, 20)])).toEqual(run(2, 20));
    expect(mergeStages([run(1, null), run(3, null)])).toEqual(run(2, null));
  });
});

describe('a CPU profile', () => {
  it('is folded by function and package, its start left out', () => {
    const frame = (functionName: string, url: string) => ({ functionName, url });
    const nodes = [
      { id: 1, callFrame: frame('receive', 'file:///x/packages/tcp/dist/input.js') },
      { id: 2, callFrame: frame('wasm-function[1]', 'wasm://wasm/1') },
      { id: 3, callFrame: frame('(garbage collector)', '') },
    ];
    const profile = { nodes, samples: [1, 1, 2, 3, 1], timeDeltas: [1000, 5, 7, 1, 4] };
    const folded = foldProfile(profile, 'server', 1000);
    expect(folded).toEqual({
      thread: 'server',
      us: 17,
      functions: [
        { name: 'input: receive', group: 'tcp', us: 9 },
        { name: 'copy', group: 'WASM kernel', us: 7 },
        { name: '(garbage collector)', group: 'V8', us: 1 },
      ],
    });
    expect(byGroup(folded).map(({ group }) => group)).toEqual(['tcp', 'WASM kernel', 'V8']);
  });
});

describe('figures', () => {
  it('of iperf3 sum both directions', () => {
    const cpu_utilization_percent = { host_total: 60, remote_total: 40 };
    const end = {
      sum_sent: { retransmits: 3 },
      sum_received: { bits_per_second: 6e9 },
      cpu_utilization_percent,
    };
    expect(figuresOf({ end })).toEqual({ bitsPerSecond: 6e9, cpuNsPerByte: 1 / 0.75, retransmits: 3 });
    const both = { ...end, sum_received_bidir_reverse: { bits_per_second: 2e9 } };
    expect(figuresOf({ end: both })).toEqual({ bitsPerSecond: 8e9, cpuNsPerByte: 1, retransmits: 3 });
  });

  it('leave a warm-up out of rates', () => {
    const spans = [10, 0, 4, 6].map((bytes) => ({ seconds: 0.5, bytes }));
    expect(rateAfter(spans, 1)).toBe(10);
    expect(rateAfter(spans, 9)).toBe(10);
    expect(rateAfter(spans, 0)).toBe(10);
    expect(rateAfter(spans.slice(0, 3), 1)).toBe(8);
  });

  it('have percentiles and a coefficient of variation', () => {
    const sorted = Float64Array.from({ length: 100 }, (_, i) => i + 1);
    expect([percentile(sorted, 0.5), percentile(sorted, 0.99), percentile(sorted, 1)]).toEqual([50, 99, 100]);
    expect(percentile([7], 0.99)).toBe(7);
    expect(variation([5, 5, 5])).toBe(0);
    expect(variation([1, 3])).toBeCloseTo(Math.SQRT2 / 2, 9);
    expect(variation([1])).toBeNaN();
  });
});
