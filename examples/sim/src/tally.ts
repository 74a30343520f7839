import type { Outcome } from './simulate.ts';

/** What many runs came to. */
export interface Tally {
  runs: number;
  frames: number;
  bytes: number;
  virtualUs: number;
  /** Ends of flows, and those that read the other's whole stream. */
  ends: number;
  complete: number;
  errors: Record<string, number>;
  /** Nearest to a storm: frames over what is allowed, and the seed. */
  frameRatio: number;
  frameRatioSeed: number;
}

export function newTally(): Tally {
  return {
    runs: 0,
    frames: 0,
    bytes: 0,
    virtualUs: 0,
    ends: 0,
    complete: 0,
    errors: {},
    frameRatio: 0,
    frameRatioSeed: 0,
  };
}

export function addOutcome(tally: Tally, seed: number, outcome: Outcome): void {
  tally.runs++;
  tally.frames += outcome.frames;
  tally.bytes += outcome.bytes;
  tally.virtualUs += outcome.virtualUs;
  tally.ends += outcome.ends;
  tally.complete += outcome.complete;
  addErrors(tally, outcome.errors);
  if (outcome.frameRatio > tally.frameRatio) {
    tally.frameRatio = outcome.frameRatio;
    tally.frameRatioSeed = seed;
  }
}

export function addTally(tally: Tally, more: Tally): void {
  tally.runs += more.runs;
  tally.frames += more.frames;
  tally.bytes += more.bytes;
  tally.virtualUs += more.virtualUs;
  tally.ends += more.ends;
  tally.complete += more.complete;
  addErrors(tally, more.errors);
  if (more.frameRatio > tally.frameRatio) {
    tally.frameRatio = more.frameRatio;
    tally.frameRatioSeed = more.frameRatioSeed;
  }
}

function addErrors(tally: Tally, errors: Readonly<Record<string, number>>): void {
  for (const [code, count] of Object.entries(errors)) tally.errors[code] = (tally.errors[code] ?? 0) + count;
}
