/** One step of the way of a segment, and what it costs. */
export interface Stage {
  readonly stage: string;
  /** Nanoseconds for a segment of 1460 bytes, or for the step itself where size does not matter. */
  readonly smallNs: number;
  /** For 65 536 bytes (a segment of 64 KB); null where size does not matter. */
  readonly largeNs: number | null;
}

export interface StageGroup {
  readonly title: string;
  readonly stages: readonly Stage[];
}

/** Each measurement is repeated so often; the median counts. */
const REPEATS = 7;
const SPAN_MS = 12;
/** Until the optimizing compiler has done its work. */
const WARM_UP_MS = 120;
/** Runs of a body between two looks at the clock, at first. */
const FIRST_BATCH = 64;

/** Keeps results from being optimized away. */
export const sink = { value: 0 };

/**
 * @param body does the step `times` times. @returns nanoseconds a step: the median of some spans of milliseconds,
 * after a warm-up.
 */
export function measure(body: (times: number) => void): number {
  let batch = FIRST_BATCH;
  for (let spent = 0; spent < WARM_UP_MS; ) {
    const ms = time(body, batch);
    spent += ms;
    if (ms < SPAN_MS / 2 && batch < 1 << 28) batch *= 2;
  }
  const results: number[] = [];
  for (let i = 0; i < REPEATS; i++) results.push((time(body, batch) * 1e6) / batch);
  return results.sort((a, b) => a - b)[REPEATS >>> 1]!;
}

function time(body: (times: number) => void, times: number): number {
  const startMs = performance.now();
  body(times);
  return performance.now() - startMs;
}
