import type { Figures } from './figures.ts';
import type { LabRun } from './lab.ts';
import { explain } from './stalls.ts';
import { summary } from './summary.ts';
import { table } from './table.ts';
import { MACHINE_KINDS } from './trial.ts';

/** From here on it is told what other programs took of the computer's CPUs, and what share of the run it was not there. */
const TOLD_CPU = 0.1;
const TOLD_ABSENT = 0.02;

/** @returns the tables, and what the auditor saw at the first stall of each build and cause. */
export function textReport(runs: readonly LabRun[]): string[] {
  const lines: string[] = [];
  for (const machine of MACHINE_KINDS) {
    const here = runs.filter(({ figures }) => figures.machine === machine);
    if (here.length === 0) continue;
    const figures = here.map((run) => run.figures);
    lines.push(`${machine === 'threads' ? 'In threads' : 'On virtual time'}:`, '', ...table(figures), '');
    const repeated = summary(figures);
    if (repeated.length > 0) lines.push(...repeated, '');
    const told = new Set<string>();
    for (const run of here) lines.push(...stallsOf(run, told), ...computerOf(run));
  }
  return lines.slice(0, -1);
}

/** @param told builds and causes that have been told; the HTML report has all. */
function stallsOf({ figures, trial }: LabRun, told: Set<string>): string[] {
  const lines: string[] = [];
  for (const stall of figures.stalls) {
    const what = `${figures.build} ${stall.kind}`;
    if (told.has(what)) continue;
    told.add(what);
    const [first, ...rest] = explain(stall, trial.sender.startUs);
    lines.push(`${nameOf(figures)}: ${first}`, ...rest.map((line) => `  ${line}`), '');
  }
  return lines;
}

function computerOf({ figures }: LabRun): string[] {
  const { seconds, hostAbsentS, othersCpu, excused } = figures;
  if (hostAbsentS < seconds * TOLD_ABSENT && othersCpu < TOLD_CPU && excused === 0) return [];
  const pauses = excused === 0 ? '' : `; pauses of over 100 ms that are no stalls for that: ${excused}`;
  return [
    `${nameOf(figures)}: other programs took ${(othersCpu * 100).toFixed(0)} % of this computer's CPUs, and for ` +
      `${hostAbsentS.toFixed(2)} s it did not run a domain that was ready${pauses}`,
    '',
  ];
}

function nameOf({ build, txqueuelen, run }: Figures): string {
  return `${build}, txqueuelen ${txqueuelen}${run > 0 ? `, run ${run + 1}` : ''}`;
}
