import { columnsAt, payloadBytes, SCHEMAS, type TableKind } from './qflow-layout.ts';
import { type ColumnArray, type Columns, columnsOf, makeColumns, type Schema, type TableOf } from './tables.ts';

/** Rows that a store begins with; it doubles as they come, so that a quiet flow costs little. */
const FIRST_ROWS = 64;

/** Takes rows out of the recorder's hands: the way of a streamed log. */
export interface RowSink {
  /**
   * @param id of the flow or source. @param firstRow number of the first row since the recorder started.
   * @param payload the columns as in a file; the memory is used again when the call returns.
   * @returns false when there is no room: the rows are lost.
   */
  rows(kind: TableKind, id: number, firstRow: number, rows: number, payload: Uint8Array): boolean;
}

/**
 * Where a recorder puts the rows of one table: columns of a bounded length. When they are full they grow up to the bound;
 * then the oldest rows give way (a ring), or all of them go to a sink.
 */
export class RowStore<K extends TableKind> {
  readonly kind: K;
  readonly limit: number;
  columns: Columns<(typeof SCHEMAS)[K]>;
  /** Slot of the next row. */
  next = 0;
  /** Slots there are. */
  #capacity = 0;
  /** Rows recorded in earlier rounds. */
  #before = 0;
  #wrapped = false;
  /** Rows that were recorded and then taken by `clear` count no more. */
  #clearedAt = 0;
  /** Rows that the sink had no room for. */
  #lost = 0;
  #buffer = new ArrayBuffer(0);
  readonly #sink: RowSink | undefined;
  readonly #id: number;

  /**
   * @param limit most rows that are held, a power of two. @param sink gets full columns; without one this is a ring.
   * @param id what the sink is told.
   */
  constructor(kind: K, limit: number, sink?: RowSink, id = 0) {
    this.kind = kind;
    this.limit = limit;
    this.#sink = sink;
    this.#id = id;
    this.columns = makeColumns(SCHEMAS[kind], 0) as Columns<(typeof SCHEMAS)[K]>;
  }

  /** Rows recorded since the start or the last `clear`, held or not. */
  get recorded(): number {
    return this.total - this.#clearedAt;
  }

  /** Rows recorded since the start: the number of the next one. */
  get total(): number {
    return this.#before + this.next;
  }

  /** Rows held. */
  get held(): number {
    const held = this.#wrapped ? this.#capacity : this.next;
    return Math.min(held, this.recorded);
  }

  /** Rows that gave way to younger ones since the start or the last `clear`. */
  get overwritten(): number {
    return this.#sink === undefined ? this.recorded - this.held : 0;
  }

  /** Rows that the sink had no room for. */
  get lost(): number {
    return this.#lost;
  }

  /** Takes the next slot, the oldest row's when all are taken. @returns it. */
  claim(): number {
    if (this.next === this.#capacity) this.#makeRoom();
    return this.next++;
  }

  /** Slot of the `index`th of the rows held, oldest first. */
  slotOf(index: number): number {
    const first = this.next - this.held;
    const slot = first + index;
    return slot < 0 ? slot + this.#capacity : slot;
  }

  /** Forgets what a ring holds; the numbers of rows go on. What goes to a sink stays. */
  clear(): void {
    if (this.#sink !== undefined) return;
    this.#clearedAt = this.total;
  }

  /** A copy of the rows held from the `from`th, oldest first. */
  copy(from = 0): TableOf<(typeof SCHEMAS)[K]> {
    const schema: Schema = SCHEMAS[this.kind];
    const rows = Math.max(this.held - from, 0);
    const columns: Columns<Schema> = makeColumns<Schema>(schema, rows);
    const source = columnsOf(schema, this.columns as Columns<Schema>);
    const target = columnsOf(schema, columns);
    const first = rows > 0 ? this.slotOf(from) : 0;
    const untilEnd = Math.min(rows, this.#capacity - first);
    for (let i = 0; i < target.length; i++) {
      target[i]!.set(source[i]!.subarray(first, first + untilEnd));
      target[i]!.set(source[i]!.subarray(0, rows - untilEnd), untilEnd);
    }
    return { rows, ...columns } as TableOf<(typeof SCHEMAS)[K]>;
  }

  /** Gives the sink what is held. */
  flush(): void {
    if (this.#sink === undefined || this.next === 0) return;
    const schema: Schema = SCHEMAS[this.kind];
    const rows = this.next;
    let payload = new Uint8Array(this.#buffer);
    if (rows < this.#capacity) {
      // Columns that are not full lie apart: a file has them side by side.
      payload = new Uint8Array(payloadBytes(schema, rows));
      const target = columnsOf(schema, columnsAt(schema, payload.buffer, 0, rows));
      const source: ColumnArray[] = columnsOf(schema, this.columns as Columns<Schema>);
      for (let i = 0; i < target.length; i++) target[i]!.set(source[i]!.subarray(0, rows));
    }
    if (!this.#sink.rows(this.kind, this.#id, this.#before, rows, payload)) this.#lost += rows;
    this.#before += rows;
    this.next = 0;
  }

  #makeRoom(): void {
    if (this.#capacity < this.limit) {
      this.#grow();
    } else if (this.#sink !== undefined) {
      this.flush();
    } else {
      this.#before += this.#capacity;
      this.next = 0;
      this.#wrapped = true;
    }
  }

  #grow(): void {
    const schema: Schema = SCHEMAS[this.kind];
    this.#capacity = Math.min(Math.max(this.#capacity * 2, FIRST_ROWS), this.limit);
    const before = columnsOf(schema, this.columns as Columns<Schema>);
    this.#buffer = new ArrayBuffer(payloadBytes(schema, this.#capacity));
    const columns = columnsAt(schema, this.#buffer, 0, this.#capacity);
    const target = columnsOf(schema, columns);
    for (let i = 0; i < target.length; i++) target[i]!.set(before[i]!);
    this.columns = columns as Columns<(typeof SCHEMAS)[K]>;
  }
}
