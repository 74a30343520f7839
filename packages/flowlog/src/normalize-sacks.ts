import { firstColumnAtLeast } from './search.ts';
import { sackBlocks } from './segment-info.ts';
import type { SackTable, SegmentTable } from './tables.ts';

const SACK_BITS = 0x7 << 24;

/** Consecutive rows of `segments`: the first has the number `firstRow` since the recorder started. */
export interface RowRun {
  readonly firstRow: number;
  readonly rows: number;
}

/**
 * Makes segments and SACK blocks agree after rows of either were lost: numbers of segments become `firstSegment` + row of
 * the table, blocks of lost segments go, and a segment whose blocks are not all there says that it has none.
 * @param segments is changed in place (`info`). @param runs of its rows, in their order.
 * @returns the blocks that remain, sorted by segment.
 */
export function normalizeSacks(
  segments: SegmentTable,
  runs: readonly RowRun[],
  firstSegment: number,
  sacks: SackTable,
): SackTable {
  const segment = new Uint32Array(sacks.rows);
  const left = new Int32Array(sacks.rows);
  const right = new Int32Array(sacks.rows);
  let rows = 0;
  let from = 0;
  let runStart = 0;
  let checked = 0;
  for (const { firstRow, rows: runRows } of runs) {
    from = firstColumnAtLeast(sacks.segment, firstRow >>> 0, from, sacks.rows);
    while (from < sacks.rows) {
      const number = sacks.segment[from]!;
      const row = runStart + ((number - firstRow) | 0);
      if (row < runStart || row >= runStart + runRows) break;
      let end = from + 1;
      while (end < sacks.rows && sacks.segment[end] === number) end++;
      clearSacks(segments, checked, row);
      checked = row + 1;
      if (sackBlocks(segments.info[row]!) !== end - from) clearSacks(segments, row, row + 1);
      else {
        for (let i = from; i < end; i++) {
          segment[rows] = firstSegment + row;
          left[rows] = sacks.left[i]!;
          right[rows] = sacks.right[i]!;
          rows++;
        }
      }
      from = end;
    }
    runStart += runRows;
  }
  clearSacks(segments, checked, segments.rows);
  return { rows, segment: segment.subarray(0, rows), left: left.subarray(0, rows), right: right.subarray(0, rows) };
}

/** Takes the number of SACK blocks from rows `from` to `to`. */
function clearSacks(segments: SegmentTable, from: number, to: number): void {
  for (let row = from; row < to; row++) {
    if ((segments.info[row]! & SACK_BITS) !== 0) segments.info[row] = segments.info[row]! & ~SACK_BITS;
  }
}
