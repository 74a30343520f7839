import type { Figures } from './figures.ts';
import type { LabRun } from './lab.ts';
import { explain } from './stalls.ts';

/** A run for other programs: its figures, and each stall with the auditor's finding and in words. */
export interface JsonRun extends Figures {
  /** The clock of the stalls at the start of the traffic, in microseconds. */
  readonly startUs: number;
  readonly explanations: readonly (readonly string[])[];
}

export function jsonReport(runs: readonly LabRun[]): { readonly runs: readonly JsonRun[] } {
  return {
    runs: runs.map(({ figures, trial }) => ({
      ...figures,
      startUs: trial.sender.startUs,
      explanations: figures.stalls.map((stall) => explain(stall, trial.sender.startUs)),
    })),
  };
}
