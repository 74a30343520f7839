/**
 * The tables of a trace: rows in parallel typed arrays (columns), oldest first. One schema per table names its columns
 * in the order in which they lie in a file (docs/FLOWLOG.md); everything else follows from it. What the bits of the
 * `info` columns and the kinds of events mean stands in segment-info.ts, window-info.ts and kinds.ts.
 *
 * Every row has `timeUs` (microseconds of the trace's clock) and `order`: one counter per source, uint32, wraps. Rows of one
 * source at the same instant stand in the sequence of `order`.
 */

export type ColumnType = 'f64' | 'i32' | 'u32';

/** Column name -> type; the order of the keys is the order of the columns in a file. */
export type Schema = Readonly<Record<string, ColumnType>>;

export type ColumnArray = Float64Array | Int32Array | Uint32Array;

type ArrayOf<T extends ColumnType> = T extends 'f64' ? Float64Array : T extends 'i32' ? Int32Array : Uint32Array;

export type Columns<S extends Schema> = { readonly [Name in keyof S]: ArrayOf<S[Name]> };

/** `rows` rows; each column is at least that long, and only its first `rows` entries mean something. */
export type TableOf<S extends Schema> = { readonly rows: number } & Columns<S>;

/** A segment that was sent or received. Sequence and acknowledgment numbers as on the wire, as int32. */
export const SEGMENT_SCHEMA = {
  /** TX: after the lower layers took it; RX: when TCP looked at it. */
  timeUs: 'f64',
  order: 'u32',
  seq: 'i32',
  ack: 'i32',
  /** Payload; up to 65535 with segmentation offload. */
  bytes: 'u32',
  /** The window field as on the wire, unscaled. */
  window: 'u32',
  /** TSval and TSecr of the timestamps option; 0 when it has none. */
  tsVal: 'i32',
  tsEcr: 'i32',
  /** TX: time in the lower layers; RX: from the arrival in the machine to `timeUs`. */
  delayUs: 'u32',
  /** Direction, flags, why it was sent again, number of SACK blocks: segment-info.ts. */
  info: 'u32',
} as const satisfies Schema;

/** Segments in a row that differ only in what follows from their number: a recorder's memory and files have them. */
export const RUN_SCHEMA = {
  ...SEGMENT_SCHEMA,
  /** Of the last one; the others are as far apart as they are on average. */
  lastTimeUs: 'f64',
  /** How many they are. The columns before are those of the first one. */
  count: 'u32',
} as const satisfies Schema;

/** SACK blocks in the order of the option, in the order of their segments. A D-SACK is simply the first block. */
export const SACK_SCHEMA = {
  /** Number of the segment's row, counted since the recorder started: row `segment - firstSegment` of the trace. */
  segment: 'u32',
  left: 'i32',
  right: 'i32',
} as const satisfies Schema;

/** The variables of the window and of the congestion control, after a segment was processed or a timer ran. */
export const WINDOW_SCHEMA = {
  timeUs: 'f64',
  order: 'u32',
  sndNxt: 'i32',
  segAck: 'i32',
  sndUna: 'i32',
  rcvNxt: 'i32',
  /** SND.NXT at the start of the recovery. */
  recoveryPoint: 'i32',
  sndWnd: 'u32',
  rcvWnd: 'u32',
  /** Bytes. */
  cwnd: 'u32',
  /** Bytes; 2^31-1 while no loss has set it. */
  ssthresh: 'u32',
  /** Bytes in flight, by RFC 6675. */
  pipe: 'u32',
  srttUs: 'u32',
  rttvarUs: 'u32',
  rtoUs: 'u32',
  minRttUs: 'u32',
  /** Bytes a second; 0: not paced. */
  pacingRate: 'f64',
  /** Backoff, recovery, congestion state, what limits, reordering: window-info.ts. */
  info: 'u32',
} as const satisfies Schema;

/** What happened to a flow beside segments: `kind` says what, and what `a` and `b` are (kinds.ts). */
export const EVENT_SCHEMA = {
  timeUs: 'f64',
  order: 'u32',
  kind: 'u32',
  a: 'i32',
  b: 'i32',
} as const satisfies Schema;

/** What happened to a domain, its rings and its bridge (kinds.ts). */
export const MACHINE_SCHEMA = {
  timeUs: 'f64',
  order: 'u32',
  kind: 'u32',
  a: 'i32',
  b: 'i32',
  c: 'i32',
} as const satisfies Schema;

export type SegmentTable = TableOf<typeof SEGMENT_SCHEMA>;
export type SackTable = TableOf<typeof SACK_SCHEMA>;
export type WindowTable = TableOf<typeof WINDOW_SCHEMA>;
export type EventTable = TableOf<typeof EVENT_SCHEMA>;
export type MachineTable = TableOf<typeof MACHINE_SCHEMA>;

export function elementBytes(type: ColumnType): 4 | 8 {
  return type === 'f64' ? 8 : 4;
}

/** Makes the columns of `schema`, zeroed, for `rows` rows. */
export function makeColumns<S extends Schema>(schema: S, rows: number): Columns<S> {
  const columns: Record<string, ColumnArray> = {};
  for (const [name, type] of Object.entries(schema)) columns[name] = makeColumn(type, rows);
  return columns as Columns<S>;
}

function makeColumn(type: ColumnType, rows: number): ColumnArray {
  if (type === 'f64') return new Float64Array(rows);
  return type === 'i32' ? new Int32Array(rows) : new Uint32Array(rows);
}

/** A column of 32 bits as int32, whatever its sign, so that code for all columns sees one kind of array; empty for doubles. */
export function int32View(column: ColumnArray): Int32Array {
  return column instanceof Float64Array ? NO_INTS : new Int32Array(column.buffer, column.byteOffset, column.length);
}

const NO_INTS = new Int32Array(0);

/** The columns of any table, in the order of its schema: for code that treats all tables alike. */
export function columnsOf<S extends Schema>(schema: S, table: Columns<S>): ColumnArray[] {
  return Object.keys(schema).map((name) => (table as Record<string, ColumnArray>)[name]!);
}

/** @returns rows `from`..`to` of a table, as views of the same memory. */
export function tableSlice<S extends Schema>(schema: S, table: Columns<S>, from: number, to: number): TableOf<S> {
  const slice: Record<string, ColumnArray | number> = { rows: to - from };
  for (const name of Object.keys(schema)) {
    slice[name] = (table as Record<string, ColumnArray>)[name]!.subarray(from, to);
  }
  return slice as TableOf<S>;
}

/** @returns a table without rows. */
export function emptyTable<S extends Schema>(schema: S): TableOf<S> {
  return { rows: 0, ...makeColumns(schema, 0) };
}

/** @returns whether row `a` of a source comes before its row `b`: by time, then by the wrapping `order`. */
export function isBefore(aTimeUs: number, aOrder: number, bTimeUs: number, bOrder: number): boolean {
  return aTimeUs !== bTimeUs ? aTimeUs < bTimeUs : ((aOrder - bOrder) | 0) < 0;
}
