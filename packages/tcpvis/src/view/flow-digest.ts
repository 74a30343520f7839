/** What stays in memory of the rows of a flow that are not: extremes of every 128 rows, changes of states, marks. */
import {
  caState,
  EVENT_CONGESTION,
  EVENT_ERROR,
  EVENT_LIMITED,
  EVENT_RESET,
  EVENT_TIMER_FIRED,
  EVENT_UNDO,
  type EventTable,
  limitedBy,
  type SackTable,
  type SegmentTable,
  sackBlocks,
  TIMER_LOSS_PROBE,
  TIMER_RTO,
  type WindowTable,
} from '@qanat/flowlog';
import { GrowTable, upperBound } from './grow-table.ts';
import { RttSampler } from './rtt-sampler.ts';
import { type DecodedSegments, KIND_NEW, SegmentDecoder } from './segment-decoder.ts';
import { StateTrack } from './state-track.ts';
import type { FlowStore } from './store.ts';

export const BUCKET_ROWS = 128;

/** Columns of a segment bucket; those of a direction begin at `segmentColumn(direction, 0)`. */
export const SEG_FIRST_US = 0;
export const SEG_LAST_US = 1;
const SEG_COMMON = 2;
export const SEG_DATA_LO = 0;
export const SEG_DATA_HI = 1;
export const SEG_AGAIN_LO = 2;
export const SEG_AGAIN_HI = 3;
/** The kind of the last of them. */
export const SEG_AGAIN_KIND = 4;
export const SEG_ACK_LO = 5;
export const SEG_ACK_HI = 6;
export const SEG_EDGE_LO = 7;
export const SEG_EDGE_HI = 8;
export const SEG_SACK_LO = 9;
export const SEG_SACK_HI = 10;
/** Of segments of this direction. */
export const SEG_DELAY_LO = 11;
export const SEG_DELAY_HI = 12;
/** At the end of the bucket. */
export const SEG_CUM_BYTES = 13;
export const SEG_CUM_ACK = 14;
/** How many segments with SACK blocks for data of this direction. */
export const SEG_SACKS = 15;
const SEG_PER_DIRECTION = 16;

export function segmentColumn(direction: number, column: number): number {
  return SEG_COMMON + direction * SEG_PER_DIRECTION + column;
}

/** Columns of a window bucket: first and last time, then the lowest and the highest of each of these. */
export const WINDOW_VALUES = [
  'pipe',
  'cwnd',
  'ssthresh',
  'sndWnd',
  'rcvWnd',
  'srttUs',
  'rttvarUs',
  'rtoUs',
  'minRttUs',
  'pacingRate',
] as const;
export type WindowValue = (typeof WINDOW_VALUES)[number];

/** Marks beyond this are counted only. */
const MAX_MARKS = 200_000;

/** Linux's TCP_CA_Open. */
const CA_OPEN = 0;

/** Something rare that deserves a line through the picture. */
export interface MarkTable {
  readonly table: GrowTable;
  left: number;
}
export const MARK_US = 0;
export const MARK_KIND = 1;
export const MARK_A = 2;
export const MARK_B = 3;

export class FlowDigest {
  readonly segments = new GrowTable(SEG_COMMON + 2 * SEG_PER_DIRECTION);
  readonly windows = new GrowTable(2 + 2 * WINDOW_VALUES.length);
  readonly limited = new StateTrack();
  readonly congestion = new StateTrack();
  readonly marks: MarkTable = { table: new GrowTable(4), left: 0 };
  readonly rtt = new RttSampler();
  /** First bucket of each chunk that was scanned. */
  readonly segmentChunkBuckets: number[] = [];
  readonly windowChunkBuckets: number[] = [];
  /** Decoder's state before each chunk that was scanned. */
  readonly snapshots: Float64Array[] = [];
  readonly decoder: SegmentDecoder;
  /** Everything before this is in `segments` and `windows`. */
  segmentsUntilUs = Number.NEGATIVE_INFINITY;
  windowsUntilUs = Number.NEGATIVE_INFINITY;
  #limitedByEvents = false;
  /** What `isStale` compares. */
  readonly #basis: string;
  readonly #store: FlowStore;
  /** Number of the first segment that is still to come. */
  #nextNumber = 0;
  #waitingSacks: SackTable[] = [];

  constructor(store: FlowStore) {
    this.#store = store;
    this.decoder = new SegmentDecoder(store);
    this.#basis = basisOf(store);
  }

  /** Whether more is known of the flow now than when its rows were decoded, so that they would be decoded otherwise. */
  get isStale(): boolean {
    return this.snapshots.length > 0 && basisOf(this.#store) !== this.#basis;
  }

  /** Payload bytes seen in a direction so far. */
  bytes(direction: number): number {
    const { rows } = this.segments;
    return rows === 0 ? 0 : this.segments.column(segmentColumn(direction, SEG_CUM_BYTES))[rows - 1]!;
  }

  /** Takes the next chunk of segments. */
  addSegments(table: SegmentTable): void {
    this.snapshots.push(this.decoder.snapshot());
    this.segmentChunkBuckets.push(this.segments.rows);
    const decoded = this.decoder.decode(table);
    for (let from = 0; from < table.rows; from += BUCKET_ROWS) {
      this.#foldSegments(table, decoded, from, Math.min(from + BUCKET_ROWS, table.rows));
    }
    this.rtt.add(decoded);
    const chunk = this.#store.segments.chunks[this.snapshots.length - 1];
    this.#nextNumber = (chunk?.firstNumber ?? this.#nextNumber) + table.rows;
    if (table.rows > 0) this.segmentsUntilUs = Math.max(this.segmentsUntilUs, table.timeUs[table.rows - 1]!);
    const waiting = this.#waitingSacks;
    this.#waitingSacks = [];
    for (const sacks of waiting) this.addSacks(sacks);
  }

  /** Takes the next chunk of SACK blocks; those whose segments are still to come wait for them. */
  addSacks(table: SackTable): void {
    const { segments, decoder } = this;
    for (let row = 0; row < table.rows; row++) {
      const segment = table.segment[row]!;
      if (segment >= this.#nextNumber) {
        this.#waitingSacks.push(sliceSacks(table, row));
        return;
      }
      const bucket = this.#bucketOfNumber(segment);
      if (bucket < 0) continue;
      const count0 = segments.column(segmentColumn(0, SEG_SACKS))[bucket]!;
      const direction = count0 > 0 ? 0 : 1;
      const left = decoder.position(direction, table.left[row]!);
      const right = decoder.position(direction, table.right[row]!);
      low(segments.column(segmentColumn(direction, SEG_SACK_LO)), bucket, left);
      high(segments.column(segmentColumn(direction, SEG_SACK_HI)), bucket, right);
    }
  }

  /** Takes the next chunk of window updates. */
  addWindows(table: WindowTable): void {
    this.windowChunkBuckets.push(this.windows.rows);
    for (let from = 0; from < table.rows; from += BUCKET_ROWS) {
      const to = Math.min(from + BUCKET_ROWS, table.rows);
      const bucket = this.windows.add();
      this.windows.column(0)[bucket] = table.timeUs[from]!;
      this.windows.column(1)[bucket] = table.timeUs[to - 1]!;
      WINDOW_VALUES.forEach((name, index) => {
        const values = table[name];
        let lowest = values[from]!;
        let highest = lowest;
        for (let row = from + 1; row < to; row++) {
          const value = values[row]!;
          if (value < lowest) lowest = value;
          if (value > highest) highest = value;
        }
        this.windows.column(2 + 2 * index)[bucket] = lowest;
        this.windows.column(3 + 2 * index)[bucket] = highest;
      });
    }
    for (let row = 0; row < table.rows; row++) {
      const info = table.info[row]!;
      if (!this.#limitedByEvents) this.limited.set(table.timeUs[row]!, limitedBy(info));
      this.congestion.set(table.timeUs[row]!, caState(info));
    }
    if (table.rows > 0) this.windowsUntilUs = Math.max(this.windowsUntilUs, table.timeUs[table.rows - 1]!);
  }

  addEvents(table: EventTable): void {
    for (let row = 0; row < table.rows; row++) {
      const kind = table.kind[row]!;
      const a = table.a[row]!;
      if (kind === EVENT_LIMITED) {
        // The events tell it to the microsecond; window updates only when a segment came.
        if (!this.#limitedByEvents) {
          this.#limitedByEvents = true;
          this.limited.clear();
          this.limited.set(
            Math.min(table.timeUs[row]! - 1e-3, this.#store.segments.chunks[0]?.firstUs ?? table.timeUs[row]!),
            a & 0xf,
          );
        }
        this.limited.set(table.timeUs[row]!, table.b[row]! & 0xf);
        continue;
      }
      const rare =
        // That a recovery is over is seen by its ground.
        (kind === EVENT_CONGESTION && table.b[row] !== CA_OPEN) ||
        kind === EVENT_UNDO ||
        kind === EVENT_RESET ||
        kind === EVENT_ERROR ||
        (kind === EVENT_TIMER_FIRED && (a === TIMER_RTO || a === TIMER_LOSS_PROBE));
      if (rare) addMark(this.marks, table.timeUs[row]!, kind, a, table.b[row]!);
    }
  }

  #foldSegments(table: SegmentTable, decoded: DecodedSegments, from: number, to: number): void {
    const { segments } = this;
    const bucket = segments.add();
    segments.column(SEG_FIRST_US)[bucket] = table.timeUs[from]!;
    segments.column(SEG_LAST_US)[bucket] = table.timeUs[to - 1]!;
    const { info, delayUs } = table;
    const { direction, start: starts, end: ends, kind: kinds, ack: acks, edge: edges, cumBytes, cumAck } = decoded;
    for (let d = 0; d < 2; d++) {
      let dataLo = Number.POSITIVE_INFINITY;
      let dataHi = Number.NEGATIVE_INFINITY;
      let againLo = Number.POSITIVE_INFINITY;
      let againHi = Number.NEGATIVE_INFINITY;
      let againKind = Number.NaN;
      let ackLo = Number.POSITIVE_INFINITY;
      let ackHi = Number.NEGATIVE_INFINITY;
      let edgeLo = Number.POSITIVE_INFINITY;
      let edgeHi = Number.NEGATIVE_INFINITY;
      let delayLo = Number.POSITIVE_INFINITY;
      let delayHi = Number.NEGATIVE_INFINITY;
      let bytes = Number.NaN;
      let acked = Number.NaN;
      let sacks = 0;
      for (let row = from; row < to; row++) {
        if (direction[row] === d) {
          const delay = delayUs[row]!;
          if (delay < delayLo) delayLo = delay;
          if (delay > delayHi) delayHi = delay;
          bytes = cumBytes[row]!;
          const start = starts[row]!;
          const end = ends[row]!;
          if (end <= start) continue;
          if (kinds[row] === KIND_NEW) {
            if (start < dataLo) dataLo = start;
            if (end > dataHi) dataHi = end;
          } else {
            if (start < againLo) againLo = start;
            if (end > againHi) againHi = end;
            againKind = kinds[row]!;
          }
        } else {
          acked = cumAck[row]!;
          if (sackBlocks(info[row]!) > 0) sacks++;
          const ack = acks[row]!;
          if (ack < ackLo) ackLo = ack;
          if (ack > ackHi) ackHi = ack;
          const edge = edges[row]!;
          if (edge < edgeLo) edgeLo = edge;
          if (edge > edgeHi) edgeHi = edge;
        }
      }
      const put = (column: number, value: number): void => {
        if (Number.isFinite(value)) segments.column(segmentColumn(d, column))[bucket] = value;
      };
      put(SEG_DATA_LO, dataLo);
      put(SEG_DATA_HI, dataHi);
      put(SEG_AGAIN_LO, againLo);
      put(SEG_AGAIN_HI, againHi);
      put(SEG_AGAIN_KIND, againKind);
      put(SEG_ACK_LO, ackLo);
      put(SEG_ACK_HI, ackHi);
      put(SEG_EDGE_LO, edgeLo);
      put(SEG_EDGE_HI, edgeHi);
      put(SEG_DELAY_LO, delayLo);
      put(SEG_DELAY_HI, delayHi);
      put(SEG_SACKS, sacks);
      // The sums go on where the bucket has no row of the direction.
      put(SEG_CUM_BYTES, Number.isNaN(bytes) ? this.#before(d, SEG_CUM_BYTES, bucket) : bytes);
      put(SEG_CUM_ACK, Number.isNaN(acked) ? this.#before(d, SEG_CUM_ACK, bucket) : acked);
    }
  }

  #before(direction: number, column: number, bucket: number): number {
    return bucket === 0 ? 0 : this.segments.column(segmentColumn(direction, column))[bucket - 1]!;
  }

  #bucketOfNumber(number: number): number {
    const chunk = this.#store.segments.chunkOfNumber(number);
    if (chunk < 0) return -1;
    const bucket = this.segmentChunkBuckets[chunk];
    if (bucket === undefined) return -1;
    return bucket + Math.floor((number - this.#store.segments.chunks[chunk]!.firstNumber) / BUCKET_ROWS);
  }
}

/** What the decoder takes from a description. */
function basisOf({ descriptor }: FlowStore): string {
  const { iss, irs, sndShift, rcvShift } = descriptor;
  return [iss, irs, sndShift, rcvShift].join();
}

export function addMark(marks: MarkTable, timeUs: number, kind: number, a: number, b: number): void {
  if (marks.table.rows >= MAX_MARKS) {
    marks.left++;
    return;
  }
  const row = marks.table.add();
  marks.table.column(MARK_US)[row] = timeUs;
  marks.table.column(MARK_KIND)[row] = kind;
  marks.table.column(MARK_A)[row] = a;
  marks.table.column(MARK_B)[row] = b;
}

/** @returns the bucket in which a time lies, or the nearest before it; -1 before the first. */
export function bucketAt(table: GrowTable, timeUs: number): number {
  return upperBound(table.column(0), timeUs, 0, table.rows) - 1;
}

function low(column: Float64Array, row: number, value: number): void {
  if (!(column[row]! <= value)) column[row] = value;
}

function high(column: Float64Array, row: number, value: number): void {
  if (!(column[row]! >= value)) column[row] = value;
}

function sliceSacks(table: SackTable, from: number): SackTable {
  return {
    rows: table.rows - from,
    segment: table.segment.slice(from, table.rows),
    left: table.left.slice(from, table.rows),
    right: table.right.slice(from, table.rows),
  };
}
