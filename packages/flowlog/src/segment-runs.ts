/**
 * Segments in a row that differ in nothing but their place: bursts that are sent, and data that comes in as it was expected, of
 * which there are dozens in a batch. A run is one row with their number; docs/FLOWLOG.md says what its segments are.
 */
import { isReceived } from './segment-info.ts';
import type { Columns, RUN_SCHEMA, SEGMENT_SCHEMA, TableOf } from './tables.ts';

/** Segments of a run at most, so that a file of a few bytes cannot ask for much memory. */
export const MAX_RUN = 64;
/** Where a run is recorded: longer steps between segments are no work but a pause. */
export const MAX_STEP_US = 20;

export type RunTable = TableOf<typeof RUN_SCHEMA>;

/** @returns how many segments the runs are; NaN when a count is impossible. */
export function segmentsOf(runs: Pick<RunTable, 'rows' | 'count'>): number {
  let segments = 0;
  for (let run = 0; run < runs.rows; run++) {
    const count = runs.count[run]!;
    if (count < 1 || count > MAX_RUN) return Number.NaN;
    segments += count;
  }
  return segments;
}

/** Writes each segment of `runs` into a row of `to`, from row `at` on. */
export function expandRuns(runs: RunTable, to: Columns<typeof SEGMENT_SCHEMA>, at: number): void {
  let row = at;
  for (let run = 0; run < runs.rows; run++) {
    const count = runs.count[run]!;
    const firstUs = runs.timeUs[run]!;
    const stepUs = count > 1 ? (runs.lastTimeUs[run]! - firstUs) / (count - 1) : 0;
    const bytes = runs.bytes[run]!;
    const info = runs.info[run]!;
    // All of a batch had come when the first one was looked at.
    const delayStepUs = isReceived(info) ? stepUs : 0;
    for (let i = 0; i < count; i++, row++) {
      to.timeUs[row] = firstUs + i * stepUs;
      to.order[row] = runs.order[run]! + i;
      to.seq[row] = runs.seq[run]! + i * bytes;
      to.ack[row] = runs.ack[run]!;
      to.bytes[row] = bytes;
      to.window[row] = runs.window[run]!;
      to.tsVal[row] = runs.tsVal[run]!;
      to.tsEcr[row] = runs.tsEcr[run]!;
      to.delayUs[row] = runs.delayUs[run]! + i * delayStepUs;
      to.info[row] = info;
    }
  }
}

/** Where segments of runs differ from the first one of each: least and most. */
export interface RunRanges {
  /** Of the last segment of all. */
  lastTimeUs: number;
  maxTimeUs: number;
  minOrder: number;
  maxOrder: number;
  minSeq: number;
  maxSeq: number;
  maxDelayUs: number;
}

/** @returns the ranges of those columns in which the segments of a run differ. */
export function rangesOf(runs: RunTable): RunRanges {
  const ranges: RunRanges = {
    lastTimeUs: runs.lastTimeUs[runs.rows - 1]!,
    maxTimeUs: Number.NEGATIVE_INFINITY,
    minOrder: 0xffff_ffff,
    maxOrder: 0,
    minSeq: 0x7fff_ffff,
    maxSeq: -0x8000_0000,
    maxDelayUs: 0,
  };
  for (let run = 0; run < runs.rows; run++) {
    const more = runs.count[run]! - 1;
    const firstOrder = runs.order[run]!;
    const lastOrder = (firstOrder + more) >>> 0;
    const firstSeq = runs.seq[run]!;
    const lastSeq = (firstSeq + more * runs.bytes[run]!) | 0;
    const spanUs = runs.lastTimeUs[run]! - runs.timeUs[run]!;
    ranges.maxTimeUs = Math.max(ranges.maxTimeUs, runs.lastTimeUs[run]!);
    // What wraps within a run reaches both ends.
    ranges.minOrder = lastOrder < firstOrder ? 0 : Math.min(ranges.minOrder, firstOrder);
    ranges.maxOrder = lastOrder < firstOrder ? 0xffff_ffff : Math.max(ranges.maxOrder, lastOrder);
    ranges.minSeq = lastSeq < firstSeq ? -0x8000_0000 : Math.min(ranges.minSeq, firstSeq);
    ranges.maxSeq = lastSeq < firstSeq ? 0x7fff_ffff : Math.max(ranges.maxSeq, lastSeq);
    const lastDelayUs = runs.delayUs[run]! + (isReceived(runs.info[run]!) ? Math.ceil(spanUs) : 0);
    ranges.maxDelayUs = Math.max(ranges.maxDelayUs, lastDelayUs);
  }
  return ranges;
}
