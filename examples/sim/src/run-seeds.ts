import { Worker } from 'node:worker_threads';
import { generate } from './generate.ts';
import { type Failure, simulate } from './simulate.ts';
import { addOutcome, addTally, newTally, type Tally } from './tally.ts';

/** Seeds that one message asks for: small enough for a lively progress line, large enough to be worth the message. */
const SLICE = 50;

export interface SeedFailure {
  readonly seed: number;
  readonly failure: Failure;
}

export interface SliceResult {
  readonly tally: Tally;
  readonly failures: readonly SeedFailure[];
}

export interface RunSeedsOptions {
  readonly first: number;
  readonly count: number;
  /** Threads; 1 runs in this one. */
  readonly jobs: number;
  /** Ends at the first failure. */
  readonly untilFailure: boolean;
  readonly onProgress?: (tally: Tally, failures: number) => void;
  readonly onFailure?: (failure: SeedFailure) => void;
}

/** Runs the scenarios of `count` seeds from `first` on. */
export function runSlice(first: number, count: number, untilFailure: boolean): SliceResult {
  const tally = newTally();
  const failures: SeedFailure[] = [];
  for (let seed = first; seed < first + count; seed++) {
    const outcome = simulate(generate(seed));
    addOutcome(tally, seed, outcome);
    if (outcome.failure === undefined) continue;
    failures.push({ seed, failure: outcome.failure });
    if (untilFailure) break;
  }
  return { tally, failures };
}

/** Runs many seeds, on several threads if asked to. Which seeds fail does not depend on how many. */
export async function runSeeds(options: RunSeedsOptions): Promise<SliceResult> {
  const { first, count, jobs, untilFailure } = options;
  const tally = newTally();
  const failures: SeedFailure[] = [];
  let next = first;
  let stop = false;
  const take = (): { first: number; count: number } | undefined => {
    if (stop || next >= first + count) return undefined;
    const slice = { first: next, count: Math.min(SLICE, first + count - next) };
    next += slice.count;
    return slice;
  };
  const add = (result: SliceResult): void => {
    addTally(tally, result.tally);
    for (const failure of result.failures) {
      failures.push(failure);
      options.onFailure?.(failure);
    }
    if (untilFailure && failures.length > 0) stop = true;
    options.onProgress?.(tally, failures.length);
  };
  if (jobs === 1) {
    for (let slice = take(); slice !== undefined; slice = take()) {
      add(runSlice(slice.first, slice.count, untilFailure));
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  } else {
    await Promise.all(Array.from({ length: jobs }, () => workThrough(take, add, untilFailure)));
  }
  failures.sort((a, b) => a.seed - b.seed);
  return { tally, failures };
}

/** One thread, fed slice by slice. */
function workThrough(
  take: () => { first: number; count: number } | undefined,
  add: (result: SliceResult) => void,
  untilFailure: boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.js', import.meta.url));
    const feed = (): void => {
      const slice = take();
      if (slice === undefined) {
        void worker.terminate();
        resolve();
      } else {
        worker.postMessage({ ...slice, untilFailure });
      }
    };
    worker.on('message', (result: SliceResult) => {
      add(result);
      feed();
    });
    worker.on('error', reject);
    feed();
  });
}
