import type { LabRun } from './lab.ts';
import { explain } from './stalls.ts';
import { table } from './table.ts';
import { MACHINE_KINDS } from './trial.ts';

/** Stalls of a run that the terminal gets in full; the HTML report has all. */
const EXPLAINED = 1;

/** @returns the tables, and for the first stall of each run what the auditor saw. */
export function textReport(runs: readonly LabRun[]): string[] {
  const lines: string[] = [];
  for (const machine of MACHINE_KINDS) {
    const here = runs.filter(({ figures }) => figures.machine === machine);
    if (here.length === 0) continue;
    lines.push(`${machine === 'threads' ? 'In threads' : 'On virtual time'}:`, '');
    lines.push(...table(here.map(({ figures }) => figures)), '');
    for (const { figures, trial } of here) {
      const { build, txqueuelen, stalls, hostAbsentS } = figures;
      for (const stall of stalls.slice(0, EXPLAINED)) {
        const [first, ...rest] = explain(stall, trial.sender.startUs);
        lines.push(`${build}, txqueuelen ${txqueuelen}: ${first}`, ...rest.map((line) => `  ${line}`), '');
      }
      if (hostAbsentS > 0) {
        const absent = hostAbsentS.toFixed(2);
        lines.push(
          `${build}, txqueuelen ${txqueuelen}: the computer was busy elsewhere for ${absent} s of the run`,
          '',
        );
      }
    }
  }
  return lines.slice(0, -1);
}
