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
  segmentFlags,
  TIMER_LOSS_PROBE,
  TIMER_RTO,
  type WindowTable,
} from '@qanat/flowlog';
import { GrowTable, upperBound } from './grow-table.ts';
import { RttSampler } from './rtt-sampler.ts';
import {
  BUCKET_ROWS,
  SEG_ACK_HI,
  SEG_COLUMNS,
  SEG_CUM_ACK,
  SEG_CUM_BYTES,
  SEG_SACK_HI,
  SEG_SACK_LO,
  SEG_SACKS,
  segmentColumn,
} from './segment-buckets.ts';
import { type Direction, SegmentDecoder } from './segment-decoder.ts';
import { SegmentFold } from './segment-fold.ts';
import { StateTrack } from './state-track.ts';
import type { FlowStore } from './store.ts';

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

/** Of these 0 stands for "not known". */
const ROUND_TRIPS: readonly WindowValue[] = ['srttUs', 'rttvarUs', 'rtoUs', 'minRttUs'];

/** @returns the values of a column of windows that are told at least: from here on. */
export function leastTold(name: WindowValue): number {
  return ROUND_TRIPS.includes(name) ? 1 : 0;
}

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
  readonly segments = new GrowTable(SEG_COLUMNS);
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
  /** Whether segments say how much data they have: those of a log of 2013, which have no flags either, do not. */
  tellsPayload = false;
  /** Whether a window update has a time of a round trip. */
  tellsRoundTrips = false;
  #limitedByEvents = false;
  /** What `isStale` compares. */
  readonly #basis: string;
  readonly #store: FlowStore;
  readonly #fold = new SegmentFold(this.segments);
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

  /** Payload bytes seen in a direction so far; those acknowledged, where segments do not tell. */
  bytes(direction: number): number {
    const { rows } = this.segments;
    const sum = this.tellsPayload ? SEG_CUM_BYTES : SEG_CUM_ACK;
    return rows === 0 ? 0 : this.segments.column(segmentColumn(direction, sum))[rows - 1]!;
  }

  /** Takes the next chunk of segments. */
  addSegments(table: SegmentTable): void {
    this.snapshots.push(this.decoder.snapshot());
    this.segmentChunkBuckets.push(this.segments.rows);
    this.tellsPayload ||= table.info.some((info) => segmentFlags(info) !== 0);
    const decoded = this.decoder.decode(table);
    this.#fold.add(table, decoded);
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
      const direction = this.#sackDirection(bucket, table.left[row]!);
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
        const least = leastTold(name);
        let lowest = Number.POSITIVE_INFINITY;
        let highest = Number.NEGATIVE_INFINITY;
        for (let row = from; row < to; row++) {
          const value = values[row]!;
          if (value < least) continue;
          if (value < lowest) lowest = value;
          if (value > highest) highest = value;
        }
        if (highest < lowest) return;
        this.tellsRoundTrips ||= least > 0;
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

  /** @returns the direction of the data that a SACK block is about: the bucket knows only of which it has some. */
  #sackDirection(bucket: number, left: number): Direction {
    const { segments, decoder } = this;
    const has = (direction: Direction): boolean => segments.column(segmentColumn(direction, SEG_SACKS))[bucket]! > 0;
    if (!has(1)) return 0;
    if (!has(0)) return 1;
    // Both: the other stream's numbers are elsewhere. A block is near to what was acknowledged.
    const distance = (direction: Direction): number => {
      const acked = segments.column(segmentColumn(direction, SEG_ACK_HI))[bucket]!;
      return Math.abs(decoder.position(direction, left) - acked);
    };
    return distance(0) <= distance(1) ? 0 : 1;
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
