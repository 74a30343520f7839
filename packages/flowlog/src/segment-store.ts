import { CHUNK_RUNS, CHUNK_SEGMENTS, columnsAt, payloadBytes } from './qflow-layout.ts';
import { payloadScratch, type RowSink, slotsPayload } from './row-store.ts';
import { expandRuns, type RunTable } from './segment-runs.ts';
import {
  AT_TIME,
  RUN_ACK,
  RUN_BYTES,
  RUN_COUNT,
  RUN_DELAY,
  RUN_INFO,
  RUN_LAST_TIME,
  RUN_ORDER,
  RUN_SEQ,
  RUN_TS_ECR,
  RUN_TS_VAL,
  RUN_WINDOW,
  RUN_WORDS,
  Slots,
} from './slots.ts';
import { columnsOf, makeColumns, RUN_SCHEMA, SEGMENT_SCHEMA, type SegmentTable, tableSlice } from './tables.ts';

const RUN_DOUBLES = RUN_WORDS >>> 1;
/** Of a row in a file. */
const SEGMENT_BYTES = payloadBytes(SEGMENT_SCHEMA, 2) / 2;
const RUN_BYTES_IN_FILE = payloadBytes(RUN_SCHEMA, 2) / 2;

/**
 * Where a recorder puts segments: as a `RowStore`, with the difference that a slot holds a run of them. What is bounded is the
 * number of slots.
 */
export class SegmentStore {
  readonly #slots: Slots;
  readonly #sink: RowSink | undefined;
  readonly #id: number;
  /** Segments recorded since the start: the number of the next one. */
  total = 0;
  /** Number of the oldest that a slot holds. */
  #first = 0;
  #clearedAt = 0;
  #lost = 0;

  /** @param limit most slots, a power of two. @param sink, id as of `RowStore`. */
  constructor(limit: number, sink?: RowSink, id = 0) {
    this.#sink = sink;
    this.#id = id;
    this.#slots = new Slots(RUN_SCHEMA, limit, sink === undefined ? undefined : () => this.flush());
  }

  /** Segments recorded since the start or the last `clear`, held or not. */
  get recorded(): number {
    return this.total - this.#clearedAt;
  }

  get held(): number {
    return this.total - Math.max(this.#first, this.#clearedAt);
  }

  /** Segments that gave way to younger ones since the start or the last `clear`. */
  get overwritten(): number {
    return this.#sink === undefined ? this.recorded - this.held : 0;
  }

  /** Segments that the sink had no room for. */
  get lost(): number {
    return this.#lost;
  }

  /**
   * Adds segments that follow each other and are alike but for that.
   * @param firstUs, lastUs times of the first and the last one: the others are as far apart as they are on average.
   */
  add(
    firstUs: number,
    lastUs: number,
    order: number,
    seq: number,
    ack: number,
    bytes: number,
    window: number,
    tsVal: number,
    tsEcr: number,
    delayUs: number,
    info: number,
    count: number,
  ): void {
    const slots = this.#slots;
    const slot = slots.claim();
    const { words, doubles } = slots;
    const at = slot * RUN_WORDS;
    if (slots.isWrapped) this.#first += words[at + RUN_COUNT]!;
    doubles[slot * RUN_DOUBLES + AT_TIME] = firstUs;
    doubles[slot * RUN_DOUBLES + RUN_LAST_TIME] = lastUs;
    words[at + RUN_ORDER] = order;
    words[at + RUN_SEQ] = seq;
    words[at + RUN_ACK] = ack;
    words[at + RUN_BYTES] = bytes;
    words[at + RUN_WINDOW] = window;
    words[at + RUN_TS_VAL] = tsVal;
    words[at + RUN_TS_ECR] = tsEcr;
    words[at + RUN_DELAY] = delayUs;
    words[at + RUN_INFO] = info;
    words[at + RUN_COUNT] = count;
    this.total += count;
  }

  /**
   * Lengthens the run that was added last, when that was the last thing that happened here.
   * @param count more segments, MAX_RUN with those it has at most. @param lastUs time of the last of them.
   */
  extend(count: number, lastUs: number): void {
    const at = (this.#slots.next - 1) * RUN_WORDS;
    const { words, doubles } = this.#slots;
    words[at + RUN_COUNT] = words[at + RUN_COUNT]! + count;
    doubles[(at >>> 1) + RUN_LAST_TIME] = lastUs;
    this.total += count;
  }

  /** As of `RowStore`. */
  clear(): void {
    if (this.#sink !== undefined) return;
    this.#clearedAt = this.total;
  }

  /** A copy of the segments held, oldest first. */
  copy(): SegmentTable {
    const rows = this.total - this.#first;
    const table = { rows, ...makeColumns(SEGMENT_SCHEMA, rows) };
    expandRuns(this.#runs(), table, 0);
    return this.held === rows ? table : tableSlice(SEGMENT_SCHEMA, table, rows - this.held, rows);
  }

  /** Gives the sink what is held: as runs where that is shorter. */
  flush(): void {
    const runs = this.#slots.held;
    if (this.#sink === undefined || runs === 0) return;
    const rows = this.total - this.#first;
    if (runs * RUN_BYTES_IN_FILE < rows * SEGMENT_BYTES) {
      this.#hand(CHUNK_RUNS, rows, slotsPayload(this.#slots, RUN_SCHEMA, runs), runs);
    } else {
      const payload = payloadScratch(payloadBytes(SEGMENT_SCHEMA, rows));
      expandRuns(this.#runs(), columnsAt(SEGMENT_SCHEMA, payload.buffer, 0, rows), 0);
      this.#hand(CHUNK_SEGMENTS, rows, payload, rows);
    }
    this.#first = this.total;
    this.#slots.reset();
  }

  #hand(kind: typeof CHUNK_RUNS | typeof CHUNK_SEGMENTS, rows: number, payload: Uint8Array, packed: number): void {
    if (!this.#sink!.rows(kind, this.#id, this.#first, rows, payload, packed)) this.#lost += rows;
  }

  #runs(): RunTable {
    const rows = this.#slots.held;
    const columns = makeColumns(RUN_SCHEMA, rows);
    this.#slots.copyTo(columnsOf(RUN_SCHEMA, columns), 0);
    return { rows, ...columns };
  }
}
