import { type SegmentTable, sackBlocks, segmentFlags } from '@qanat/flowlog';
import type { GrowTable } from './grow-table.ts';
import {
  BUCKET_ROWS,
  SEG_ACK_HI,
  SEG_ACK_LO,
  SEG_AGAIN_HI,
  SEG_AGAIN_KIND,
  SEG_AGAIN_LO,
  SEG_CUM_ACK,
  SEG_CUM_BYTES,
  SEG_DATA_HI,
  SEG_DATA_LO,
  SEG_DELAY_HI,
  SEG_DELAY_LO,
  SEG_EDGE_HI,
  SEG_EDGE_LO,
  SEG_FIRST_US,
  SEG_LAST_US,
  SEG_SACK_HI,
  SEG_SACK_LO,
  SEG_SACKS,
  segmentColumn,
} from './segment-buckets.ts';
import { type DecodedSegments, KIND_NEW, tellsDelay } from './segment-decoder.ts';

/** Pairs of columns that hold the lowest and the highest of something. */
const RANGES = [SEG_DATA_LO, SEG_AGAIN_LO, SEG_ACK_LO, SEG_EDGE_LO, SEG_DELAY_LO] as const;
/** So many numbers of a direction are gathered for a bucket. */
const NUMBERS = 16;

/** Makes buckets of segments. */
export class SegmentFold {
  readonly #buckets: GrowTable;
  /** Of the bucket that is being made, by direction and column. */
  readonly #now = new Float64Array(2 * NUMBERS);

  /** @param buckets of SEG_COLUMNS columns. */
  constructor(buckets: GrowTable) {
    this.#buckets = buckets;
  }

  /** Takes the next chunk of segments. */
  add(table: SegmentTable, decoded: DecodedSegments): void {
    const { direction } = decoded;
    for (let first = 0; first < table.rows; first += BUCKET_ROWS) {
      const end = Math.min(first + BUCKET_ROWS, table.rows);
      this.#begin();
      for (let from = first; from < end; ) {
        const d = direction[from]!;
        let to = from + 1;
        while (to < end && direction[to] === d) to++;
        this.#takeData(table, decoded, from, to, d * NUMBERS);
        this.#takeAcks(table, decoded, from, to, (1 - d) * NUMBERS);
        from = to;
      }
      this.#put(table.timeUs[first]!, table.timeUs[end - 1]!);
    }
  }

  #begin(): void {
    const now = this.#now;
    const { rows } = this.#buckets;
    for (let d = 0; d < 2; d++) {
      const at = d * NUMBERS;
      for (const column of RANGES) {
        now[at + column] = Number.POSITIVE_INFINITY;
        now[at + column + 1] = Number.NEGATIVE_INFINITY;
      }
      now[at + SEG_AGAIN_KIND] = Number.NaN;
      now[at + SEG_SACKS] = 0;
      // The sums go on where a bucket has no row of the direction.
      for (const column of [SEG_CUM_BYTES, SEG_CUM_ACK]) {
        now[at + column] = rows === 0 ? 0 : this.#buckets.column(segmentColumn(d, column))[rows - 1]!;
      }
    }
  }

  /** What rows of one direction say of their own data. @param at where the numbers of the direction are. */
  #takeData({ delayUs, info }: SegmentTable, decoded: DecodedSegments, from: number, to: number, at: number): void {
    const { start: starts, end: ends, kind: kinds, cumBytes } = decoded;
    const now = this.#now;
    let dataLo = now[at + SEG_DATA_LO]!;
    let dataHi = now[at + SEG_DATA_HI]!;
    let delayLo = now[at + SEG_DELAY_LO]!;
    let delayHi = now[at + SEG_DELAY_HI]!;
    for (let row = from; row < to; row++) {
      const delay = delayUs[row]!;
      if (delay > 0 || tellsDelay(info[row]!)) {
        if (delay < delayLo) delayLo = delay;
        if (delay > delayHi) delayHi = delay;
      }
      const start = starts[row]!;
      const end = ends[row]!;
      // A log of 2013 has no flags and no lengths, but what was sent.
      if (end <= start && segmentFlags(info[row]!) !== 0) continue;
      const kind = kinds[row]!;
      if (kind === KIND_NEW) {
        if (start < dataLo) dataLo = start;
        if (end > dataHi) dataHi = end;
      } else {
        if (start < now[at + SEG_AGAIN_LO]!) now[at + SEG_AGAIN_LO] = start;
        if (end > now[at + SEG_AGAIN_HI]!) now[at + SEG_AGAIN_HI] = end;
        now[at + SEG_AGAIN_KIND] = kind;
      }
    }
    now[at + SEG_DATA_LO] = dataLo;
    now[at + SEG_DATA_HI] = dataHi;
    now[at + SEG_DELAY_LO] = delayLo;
    now[at + SEG_DELAY_HI] = delayHi;
    now[at + SEG_CUM_BYTES] = cumBytes[to - 1]!;
  }

  /** What they say of the data of the other direction. */
  #takeAcks({ info }: SegmentTable, decoded: DecodedSegments, from: number, to: number, at: number): void {
    const { ack: acks, edge: edges, cumAck } = decoded;
    const now = this.#now;
    let ackLo = now[at + SEG_ACK_LO]!;
    let ackHi = now[at + SEG_ACK_HI]!;
    let edgeLo = now[at + SEG_EDGE_LO]!;
    let edgeHi = now[at + SEG_EDGE_HI]!;
    let sacks = 0;
    for (let row = from; row < to; row++) {
      if (sackBlocks(info[row]!) > 0) sacks++;
      const ack = acks[row]!;
      if (ack < ackLo) ackLo = ack;
      if (ack > ackHi) ackHi = ack;
      const edge = edges[row]!;
      if (edge < edgeLo) edgeLo = edge;
      if (edge > edgeHi) edgeHi = edge;
    }
    now[at + SEG_ACK_LO] = ackLo;
    now[at + SEG_ACK_HI] = ackHi;
    now[at + SEG_EDGE_LO] = edgeLo;
    now[at + SEG_EDGE_HI] = edgeHi;
    now[at + SEG_SACKS]! += sacks;
    now[at + SEG_CUM_ACK] = cumAck[to - 1]!;
  }

  #put(firstUs: number, lastUs: number): void {
    const buckets = this.#buckets;
    const now = this.#now;
    const bucket = buckets.add();
    buckets.column(SEG_FIRST_US)[bucket] = firstUs;
    buckets.column(SEG_LAST_US)[bucket] = lastUs;
    for (let d = 0; d < 2; d++) {
      for (let column = 0; column < NUMBERS; column++) {
        const value = now[d * NUMBERS + column]!;
        // Of SACK blocks is told later; what is infinite was not there.
        if (isGathered(column) && Number.isFinite(value)) buckets.column(segmentColumn(d, column))[bucket] = value;
      }
    }
  }
}

function isGathered(column: number): boolean {
  return column < SEG_SACK_LO || column > SEG_SACK_HI;
}
