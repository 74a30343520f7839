import { expect, it } from 'vitest';
import { figuresOf } from '../src/figures.ts';
import { textReport } from '../src/report-text.ts';
import { runTrial } from '../src/trial.ts';

it('a pause in which the computer did not run a thread is no stall, and that is told; nor is the time after the end', async () => {
  const real = await runTrial({ build: '2013', machine: 'virtual', seconds: 0.5, txqueuelen: 1000, seed: 1 });
  const { startUs, endUs } = real.sender;
  const pauses = [
    { fromUs: startUs, toUs: startUs + 150_000 },
    { fromUs: startUs + 200_000, toUs: startUs + 350_000 },
    { fromUs: endUs - 50_000, toUs: endUs + 900_000 },
  ];
  const waitedUs = [[0, 60_000, 60_000]];
  const trial = {
    ...real,
    options: { ...real.options, machine: 'threads' as const },
    receiver: { ...real.receiver, pauses },
    host: { gaps: [], timeUs: [startUs, startUs + 150_000, startUs + 350_000], waitedUs, othersCpu: 0.25 },
  };
  const figures = figuresOf(trial, undefined);
  expect(figures).toMatchObject({ excused: 1, stalls: [{ fromUs: pauses[1]!.fromUs, hostUs: 0 }], longestMs: 150 });
  expect(textReport([{ trial, figures }]).join('\n')).toMatch(
    /2013, txqueuelen 1000: other programs took 25 % of .*; pauses of over 100 ms that are no stalls for that: 1$/,
  );
});
