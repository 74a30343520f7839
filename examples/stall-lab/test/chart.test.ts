import { expect, it } from 'vitest';
import { flowChart } from '../src/chart.ts';
import { figuresOf } from '../src/figures.ts';
import { runTrial } from '../src/trial.ts';

it('a curve shows through a pause what stood last before it, however many points are crowded there', async () => {
  const trial = await runTrial({ build: '2013', machine: 'virtual', seconds: 1, txqueuelen: 1000, seed: 1 });
  const { sender } = trial;
  const first = sender.startUs;
  const samples = {
    timeUs: Float64Array.of(first, first + 1, first + 2, first + 900_000, first + 1_000_000),
    txUsed: Int16Array.of(0, 128, 256, 0, 0),
    bytes: new Float64Array(5),
    blockedUs: new Float64Array(5),
  };
  const svg = flowChart([
    { trial: { ...trial, sender: { ...sender, samples } }, figures: figuresOf(trial, undefined) },
  ]);
  const [, path] = /<path class="slots" d="([^"]*)"/.exec(svg)!;
  // Empty, full to the top (40 higher), for nine tenths of the width, and empty.
  const [empty, full, until] = /^M70\.0 (\S+?)H70\.0V(\S+?)H(\S+?)V\1H/.exec(path!)!.slice(1).map(Number);
  expect(empty! - full!).toBe(40);
  expect(until).toBeCloseTo(70 + 0.9 * (1080 - 70 - 12), -1);
});
