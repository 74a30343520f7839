import { expect, it } from 'vitest';
import { type Figures, figuresOf } from '../src/figures.ts';
import { summary } from '../src/summary.ts';
import { runTrial } from '../src/trial.ts';

it('sums up what was repeated: how many runs stalled, how often, and the median of their throughput', async () => {
  const trial = await runTrial({ build: '2013', machine: 'virtual', seconds: 0.1, txqueuelen: 1000, seed: 1 });
  const base = figuresOf(trial, undefined);
  const stall = { fromUs: 0, toUs: 250_000, kind: 'unknown', lost: undefined, cause: '', hostUs: 0 } as const;
  const run = (bitsPerSecond: number, stalls: number): Figures => ({
    ...base,
    build: 'qanat',
    bitsPerSecond,
    stalls: new Array(stalls).fill(stall),
    longestMs: stalls > 0 ? 250 : 0,
  });
  expect(summary([run(1e9, 0)])).toEqual([]);
  expect(summary([run(1e9, 0), run(4e9, 2), run(2e9, 1)])[1]).toBe(
    'qanat        1000     3            2        0 to 2         2.00 Gbit/s   250 ms',
  );
  expect(summary([run(1e9, 0), run(2e9, 0), { ...run(1e9, 1), txqueuelen: 32 }]).slice(1)).toEqual([
    'qanat        1000     2            0             0         1.50 Gbit/s        -',
    'qanat          32     1            1             1         1.00 Gbit/s   250 ms',
  ]);
});
