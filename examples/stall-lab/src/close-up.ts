import { encodeTrace, type Trace } from '@qanat/flowlog';
import { type ThemeName, traceSvg } from '@qanat/tcpvis';
import type { LabRun } from './lab.ts';
import { runName } from './run-name.ts';
import type { Stall } from './stalls.ts';
import type { Trial } from './trial.ts';

/** What is shown before the sleep, and behind it, in microseconds. */
const BEFORE_US = 12_000;
const AFTER_US = 4000;

/** @returns the logs of both domains as one, or undefined where they were not recorded. */
export function traceOf({ sender, receiver }: Trial): Trace | undefined {
  if (sender.trace === undefined || receiver.trace === undefined) return undefined;
  const { clock, sources, flows } = sender.trace;
  return {
    clock,
    sources: [...sources, ...receiver.trace.sources],
    flows: [...flows, ...receiver.trace.flows],
    problems: [],
  };
}

/** @returns a `.qflow` file of a run, for `qanat-flow`. */
export function qflowOf(trial: Trial): Uint8Array | undefined {
  const trace = traceOf(trial);
  return trace === undefined ? undefined : encodeTrace(trace);
}

/**
 * The milliseconds around the beginning of a stall, at the sender: segments, acknowledgments and window, what limited it,
 * its rings, and its sleep.
 */
function closeUp(trial: Trial, trace: Trace, stall: Stall, theme: ThemeName): Promise<string | undefined> {
  const sleptUs = stall.lost?.atUs ?? stall.fromUs;
  return traceSvg(trace, {
    preset: 'stalls',
    fromUs: Math.max(sleptUs - BEFORE_US, trial.sender.startUs),
    toUs: sleptUs + AFTER_US,
    originUs: trial.sender.startUs,
    width: 1080,
    theme,
  });
}

/** @returns close-ups of the first lost wake-up of a run that its recorder still holds, light and dark, by name. */
export async function closeUps({ trial, figures }: LabRun): Promise<Map<string, string>> {
  const pictures = new Map<string, string>();
  const trace = traceOf(trial);
  if (trace === undefined) return pictures;
  const heldFromUs = Math.max(...trace.flows.map(({ segments }) => segments.timeUs[0] ?? 0));
  const index = figures.stalls.findIndex(({ lost }) => lost !== undefined && lost.atUs - BEFORE_US / 2 > heldFromUs);
  if (index < 0) return pictures;
  for (const theme of ['light', 'dark'] as const) {
    const svg = await closeUp(trial, trace, figures.stalls[index]!, theme);
    if (svg !== undefined) pictures.set(pictureName(runName(figures), index, theme), svg);
  }
  return pictures;
}

/** @returns what a close-up of a run's stall is called. */
export function pictureName(run: string, stall: number, theme: ThemeName): string {
  return `${run}/${stall}/${theme}`;
}
