import { columnsAt, payloadBytes, type RowKind, SCHEMAS, type TableKind } from './qflow-layout.ts';
import { Slots } from './slots.ts';
import { type Columns, columnsOf, makeColumns, type Schema, type TableOf } from './tables.ts';

/** Takes rows out of the recorder's hands: the way of a streamed log. */
export interface RowSink {
  /**
   * @param id of the flow or source. @param firstRow number of the first row since the recorder started.
   * @param rows of the table that these are; of `segments`, when they are packed into runs, more than `packed`.
   * @param payload the columns as in a file; the memory is used again when the call returns.
   * @param packed rows of the payload.
   * @returns false when there is no room: the rows are lost.
   */
  rows(kind: RowKind, id: number, firstRow: number, rows: number, payload: Uint8Array, packed: number): boolean;
}

/**
 * Where a recorder puts the rows of one table: slots of a bounded number. When they are full the oldest rows give way (a ring), or
 * all of them go to a sink.
 */
export class RowStore<K extends TableKind> {
  readonly kind: K;
  readonly slots: Slots;
  /** Rows that were recorded and then taken by `clear` count no more. */
  #clearedAt = 0;
  /** Rows that gave way to others, or that a sink got. */
  #before = 0;
  /** Rows that the sink had no room for. */
  #lost = 0;
  readonly #sink: RowSink | undefined;
  readonly #id: number;

  /**
   * @param limit most rows that are held, a power of two. @param sink gets the rows when they are full; without one this is a ring.
   * @param id what the sink is told.
   */
  constructor(kind: K, limit: number, sink?: RowSink, id = 0) {
    this.kind = kind;
    this.#sink = sink;
    this.#id = id;
    this.slots = new Slots(SCHEMAS[kind], limit, sink === undefined ? undefined : () => this.flush());
  }

  /** Takes the next slot. @returns its number. */
  claim(): number {
    const { slots } = this;
    const slot = slots.claim();
    if (slots.isWrapped) this.#before++;
    return slot;
  }

  /** Rows recorded since the start or the last `clear`, held or not. */
  get recorded(): number {
    return this.total - this.#clearedAt;
  }

  /** Rows recorded since the start: the number of the next one. */
  get total(): number {
    return this.#before + this.slots.held;
  }

  /** Rows held. */
  get held(): number {
    return Math.min(this.slots.held, this.recorded);
  }

  /** Rows that gave way to younger ones since the start or the last `clear`. */
  get overwritten(): number {
    return this.#sink === undefined ? this.recorded - this.held : 0;
  }

  /** Rows that the sink had no room for. */
  get lost(): number {
    return this.#lost;
  }

  /** Forgets what a ring holds; the numbers of rows go on. What goes to a sink stays. */
  clear(): void {
    if (this.#sink !== undefined) return;
    this.#clearedAt = this.total;
  }

  /** A copy of the rows held, oldest first. */
  copy(): TableOf<(typeof SCHEMAS)[K]> {
    const schema: Schema = SCHEMAS[this.kind];
    const rows = this.held;
    const columns: Columns<Schema> = makeColumns<Schema>(schema, rows);
    this.slots.copyTo(columnsOf(schema, columns), this.slots.held - rows);
    return { rows, ...columns } as TableOf<(typeof SCHEMAS)[K]>;
  }

  /** Gives the sink what is held. */
  flush(): void {
    const rows = this.slots.held;
    if (this.#sink === undefined || rows === 0) return;
    const payload = slotsPayload(this.slots, SCHEMAS[this.kind], rows);
    if (!this.#sink.rows(this.kind, this.#id, this.#before, rows, payload, rows)) this.#lost += rows;
    this.#before += rows;
    this.slots.reset();
  }
}

/** Where rows become columns on their way to a sink: one for all stores of a thread, as none keeps it. */
let scratch = new ArrayBuffer(0);

/** @returns room for `bytes` bytes, until the next call. All zero: what fills up a column is written, too. */
export function payloadScratch(bytes: number): Uint8Array {
  if (scratch.byteLength < bytes) scratch = new ArrayBuffer(bytes);
  return new Uint8Array(scratch, 0, bytes).fill(0);
}

/** @returns the rows as in a file, until the next payload is made. */
export function slotsPayload(slots: Slots, schema: Schema, rows: number): Uint8Array {
  const payload = payloadScratch(payloadBytes(schema, rows));
  slots.copyTo(columnsOf(schema, columnsAt(schema, payload.buffer, 0, rows)), 0);
  return payload;
}
