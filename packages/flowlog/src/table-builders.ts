/** Growing tables, for readers of files: each `push` adds a row; the memory doubles when it is full. */
import {
  type Columns,
  columnsOf,
  EVENT_SCHEMA,
  int32View,
  MACHINE_SCHEMA,
  makeColumns,
  SACK_SCHEMA,
  type Schema,
  SEGMENT_SCHEMA,
  type TableOf,
  tableSlice,
  WINDOW_SCHEMA,
} from './tables.ts';

const FIRST_ROWS = 64;
const NO_DOUBLES = new Float64Array(0);

/** What all builders share. */
export class TableBuilder<S extends Schema> {
  /** Rows pushed so far. */
  rows = 0;
  readonly #schema: S;
  /** Longer than `rows`; replaced when they grow. */
  columns: Columns<S>;
  #capacity: number;
  /** Each column once more: as int32 when it is one of 32 bits, whatever its sign, or as doubles; the other one is empty. */
  #ints: readonly Int32Array[] = [];
  #doubles: readonly Float64Array[] = [];

  /** @param rows how many are expected: saves the growing. */
  constructor(schema: S, rows = FIRST_ROWS) {
    this.#schema = schema;
    this.#capacity = Math.max(rows, 1);
    this.columns = makeColumns(schema, this.#capacity);
    this.#view();
  }

  /** @returns the table: views of the builder's memory, which must not be pushed to any more. */
  finish(): TableOf<S> {
    return tableSlice(this.#schema, this.columns, 0, this.rows);
  }

  /** Adds a row. @param values one for each column, in their order. @returns the row's number. */
  pushValues(values: Float64Array): number {
    const row = this.claim();
    const ints = this.#ints;
    for (let i = 0; i < ints.length; i++) {
      const column = ints[i]!;
      if (column.length > 0) column[row] = values[i]!;
      else this.#doubles[i]![row] = values[i]!;
    }
    return row;
  }

  /** Adds all rows of a table of the same schema. */
  append(table: TableOf<S>): void {
    while (this.rows + table.rows > this.#capacity) this.#grow();
    const from = columnsOf(this.#schema, table);
    columnsOf(this.#schema, this.columns).forEach((column, index) => {
      column.set(from[index]!.subarray(0, table.rows), this.rows);
    });
    this.rows += table.rows;
  }

  /** Takes the next row. @returns its number. */
  protected claim(): number {
    if (this.rows === this.#capacity) this.#grow();
    return this.rows++;
  }

  #grow(): void {
    this.#capacity *= 2;
    const larger = makeColumns(this.#schema, this.#capacity);
    const from = columnsOf(this.#schema, this.columns);
    columnsOf(this.#schema, larger).forEach((column, index) => {
      column.set(from[index]!);
    });
    this.columns = larger;
    this.#view();
  }

  #view(): void {
    const columns = columnsOf(this.#schema, this.columns);
    this.#ints = columns.map(int32View);
    this.#doubles = columns.map((column) => (column instanceof Float64Array ? column : NO_DOUBLES));
  }
}

export class SegmentTableBuilder extends TableBuilder<typeof SEGMENT_SCHEMA> {
  constructor(rows?: number) {
    super(SEGMENT_SCHEMA, rows);
  }

  /** @returns the row's number. */
  push(
    timeUs: number,
    order: number,
    seq: number,
    ack: number,
    bytes: number,
    window: number,
    tsVal: number,
    tsEcr: number,
    delayUs: number,
    info: number,
  ): number {
    const row = this.claim();
    const { columns } = this;
    columns.timeUs[row] = timeUs;
    columns.order[row] = order;
    columns.seq[row] = seq;
    columns.ack[row] = ack;
    columns.bytes[row] = bytes;
    columns.window[row] = window;
    columns.tsVal[row] = tsVal;
    columns.tsEcr[row] = tsEcr;
    columns.delayUs[row] = delayUs;
    columns.info[row] = info;
    return row;
  }
}

export class SackTableBuilder extends TableBuilder<typeof SACK_SCHEMA> {
  constructor(rows?: number) {
    super(SACK_SCHEMA, rows);
  }

  /** @param segment the row of its segment. @returns the row's number. */
  push(segment: number, left: number, right: number): number {
    const row = this.claim();
    const { columns } = this;
    columns.segment[row] = segment;
    columns.left[row] = left;
    columns.right[row] = right;
    return row;
  }
}

/** What `WindowTableBuilder` takes: one number per column, by name, because they are many. */
export type WindowRow = { readonly [Name in keyof typeof WINDOW_SCHEMA]: number };

export class WindowTableBuilder extends TableBuilder<typeof WINDOW_SCHEMA> {
  constructor(rows?: number) {
    super(WINDOW_SCHEMA, rows);
  }

  /** @param window may be one object that the caller uses again. @returns the row's number. */
  push(window: WindowRow): number {
    const row = this.claim();
    const { columns } = this;
    columns.timeUs[row] = window.timeUs;
    columns.order[row] = window.order;
    columns.sndNxt[row] = window.sndNxt;
    columns.segAck[row] = window.segAck;
    columns.sndUna[row] = window.sndUna;
    columns.rcvNxt[row] = window.rcvNxt;
    columns.recoveryPoint[row] = window.recoveryPoint;
    columns.sndWnd[row] = window.sndWnd;
    columns.rcvWnd[row] = window.rcvWnd;
    columns.cwnd[row] = window.cwnd;
    columns.ssthresh[row] = window.ssthresh;
    columns.pipe[row] = window.pipe;
    columns.srttUs[row] = window.srttUs;
    columns.rttvarUs[row] = window.rttvarUs;
    columns.rtoUs[row] = window.rtoUs;
    columns.minRttUs[row] = window.minRttUs;
    columns.pacingRate[row] = window.pacingRate;
    columns.info[row] = window.info;
    return row;
  }
}

export class EventTableBuilder extends TableBuilder<typeof EVENT_SCHEMA> {
  constructor(rows?: number) {
    super(EVENT_SCHEMA, rows);
  }

  /** @returns the row's number. */
  push(timeUs: number, order: number, kind: number, a: number, b: number): number {
    const row = this.claim();
    const { columns } = this;
    columns.timeUs[row] = timeUs;
    columns.order[row] = order;
    columns.kind[row] = kind;
    columns.a[row] = a;
    columns.b[row] = b;
    return row;
  }
}

export class MachineTableBuilder extends TableBuilder<typeof MACHINE_SCHEMA> {
  constructor(rows?: number) {
    super(MACHINE_SCHEMA, rows);
  }

  /** @returns the row's number. */
  push(timeUs: number, order: number, kind: number, a: number, b: number, c: number): number {
    const row = this.claim();
    const { columns } = this;
    columns.timeUs[row] = timeUs;
    columns.order[row] = order;
    columns.kind[row] = kind;
    columns.a[row] = a;
    columns.b[row] = b;
    columns.c[row] = c;
    return row;
  }
}
