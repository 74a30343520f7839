import { type Crc32, crc32 } from './crc32.ts';
import {
  align8,
  CHUNK_COLUMNS,
  CHUNK_END,
  CHUNK_EVENTS,
  CHUNK_FIRST_ROW,
  CHUNK_FIRST_TIME_US,
  CHUNK_FLOW,
  CHUNK_HEADER_BYTES,
  CHUNK_HEADER_CRC,
  CHUNK_ID,
  CHUNK_KIND,
  CHUNK_LAST_TIME_US,
  CHUNK_MACHINE,
  CHUNK_MAGIC,
  CHUNK_PAYLOAD_BYTES,
  CHUNK_PAYLOAD_CRC,
  CHUNK_RANGES,
  CHUNK_ROWS,
  CHUNK_RUNS,
  CHUNK_SACKS,
  CHUNK_SEGMENT_COUNT,
  CHUNK_SEGMENTS,
  CHUNK_SOURCE,
  CHUNK_WINDOWS,
  chunkHeaderCrc,
  columnsAt,
  encodeFileHeader,
  payloadBytes,
  RANGE_BYTES,
  type RowKind,
  SCHEMAS,
  type TableKind,
} from './qflow-layout.ts';
import { rangesOf } from './segment-runs.ts';
import {
  type ColumnArray,
  type Columns,
  columnsOf,
  RUN_SCHEMA,
  type Schema,
  type TableOf,
  tableSlice,
} from './tables.ts';
import type { FlowDescriptor, FlowRowCounts, SourceDescriptor, Trace, TraceClock } from './trace.ts';

/** Rows that `writeTrace` puts into one chunk. */
export const DEFAULT_CHUNK_ROWS = 8192;

export interface TraceWriterOptions {
  readonly clock: TraceClock;
  readonly crc32?: Crc32;
}

/** Totals of a flow when its recording ended. */
export interface FlowTotals {
  /** Rows recorded, whether they are in the file or not. */
  readonly recorded: FlowRowCounts;
  /** Rows of those that gave way to younger ones in a ring. */
  readonly overwritten: FlowRowCounts;
}

/** Totals of a source's machine table. */
export interface SourceTotals {
  readonly strings: readonly string[];
  readonly recorded: number;
  readonly overwritten: number;
}

/**
 * Writes a `.qflow` file front to back: the header at once, then chunks as they come, then `end`. What was written is
 * readable at any instant, so that a run that dies leaves all that was whole.
 */
export class TraceWriter {
  readonly #sink: (bytes: Uint8Array) => void;
  readonly #crc: Crc32;
  /** Chunks written so far. */
  chunks = 0;
  /** Rows written so far, of all tables. */
  rows = 0;
  /** Bytes written so far. */
  bytes = 0;

  /** @param sink takes the bytes of each piece before it returns: the memory is used again. */
  constructor(sink: (bytes: Uint8Array) => void, options: TraceWriterOptions) {
    this.#sink = sink;
    this.#crc = options.crc32 ?? crc32;
    this.#put(encodeFileHeader(options.clock, this.#crc));
  }

  /** Names a source. May be written again, with its totals: the last one counts. */
  source(source: SourceDescriptor, totals?: SourceTotals): void {
    const { id, name, kind } = source;
    this.#json(CHUNK_SOURCE, id, { id, name, kind, ...totals });
  }

  /** Describes a flow. May be written again, with more known or with its totals: the last one counts. */
  flow(flow: FlowDescriptor, totals?: FlowTotals): void {
    const { id, source, localAddress, localPort, remoteAddress, remotePort } = flow;
    const { active, iss, irs, sndShift, rcvShift, mss, congestion, startUs } = flow;
    const addresses = { localAddress, localPort, remoteAddress, remotePort };
    const rest = { active, iss, irs, sndShift, rcvShift, mss, congestion, startUs };
    this.#json(CHUNK_FLOW, id, { id, source, ...addresses, ...rest, ...totals });
  }

  /**
   * Writes rows of one table.
   * @param id of the flow, of the source for CHUNK_MACHINE.
   * @param firstRow number of the first row since the recorder started: a gap says that rows are missing.
   */
  table<K extends TableKind>(kind: K, id: number, firstRow: number, table: TableOf<(typeof SCHEMAS)[K]>): void {
    if (table.rows === 0) return;
    const schema: Schema = SCHEMAS[kind];
    const payload = new Uint8Array(payloadBytes(schema, table.rows));
    const target = columnsOf(schema, columnsAt(schema, payload.buffer, 0, table.rows));
    columnsOf(schema, table as Columns<Schema>).forEach((column, index) => {
      target[index]!.set(column.subarray(0, table.rows));
    });
    this.payload(kind, id, firstRow, table.rows, payload);
  }

  /**
   * As `table`, when the columns lie one after another as in the file already (`columnsAt`).
   * @param packed rows of the payload, where it has runs of the `rows` segments.
   */
  payload(kind: RowKind, id: number, firstRow: number, rows: number, payload: Uint8Array, packed = rows): void {
    const schema: Schema = SCHEMAS[kind];
    const columns = columnsOf(schema, columnsAt(schema, payload.buffer, payload.byteOffset, packed));
    const header = this.#header(kind, id, packed, payload, columns.length);
    const view = new DataView(header.buffer);
    const [first] = columns;
    if (first instanceof Float64Array) {
      view.setFloat64(CHUNK_FIRST_TIME_US, first[0]!, true);
      view.setFloat64(CHUNK_LAST_TIME_US, first[packed - 1]!, true);
    }
    view.setFloat64(CHUNK_FIRST_ROW, firstRow, true);
    columns.forEach((column, index) => {
      setRange(view, CHUNK_RANGES + index * RANGE_BYTES, column);
    });
    if (kind === CHUNK_RUNS) {
      view.setUint32(CHUNK_SEGMENT_COUNT, rows, true);
      widenRanges(view, payload, packed);
    }
    this.#chunk(header, payload);
    this.rows += rows;
  }

  /** Says that the file is whole. Nothing may be written after it. */
  end(): void {
    this.#json(CHUNK_END, 0, { chunks: this.chunks, rows: this.rows });
  }

  #json(kind: number, id: number, content: object): void {
    const text = JSON.stringify(content);
    const encoded = new TextEncoder().encode(text);
    const payload = new Uint8Array(align8(encoded.length)).fill(0x20);
    payload.set(encoded);
    this.#chunk(this.#header(kind, id, 0, payload, 0), payload);
  }

  #header(kind: number, id: number, rows: number, payload: Uint8Array, columns: number): Uint8Array {
    const header = new Uint8Array(CHUNK_RANGES + columns * RANGE_BYTES);
    const view = new DataView(header.buffer);
    view.setUint32(0, CHUNK_MAGIC, true);
    view.setUint16(CHUNK_KIND, kind, true);
    view.setUint32(CHUNK_ID, id, true);
    view.setUint32(CHUNK_ROWS, rows, true);
    view.setUint32(CHUNK_PAYLOAD_BYTES, payload.length, true);
    view.setUint32(CHUNK_HEADER_BYTES, header.length, true);
    view.setUint32(CHUNK_PAYLOAD_CRC, this.#crc(payload), true);
    view.setUint32(CHUNK_COLUMNS, columns, true);
    return header;
  }

  #chunk(header: Uint8Array, payload: Uint8Array): void {
    new DataView(header.buffer).setUint32(CHUNK_HEADER_CRC, chunkHeaderCrc(header, this.#crc), true);
    this.#put(header);
    this.#put(payload);
    this.chunks++;
  }

  #put(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    this.#sink(bytes);
  }
}

/** The ranges of columns are those of the segments, not of the first one of each run. */
function widenRanges(view: DataView, payload: Uint8Array, runs: number): void {
  const columns = columnsAt(RUN_SCHEMA, payload.buffer, payload.byteOffset, runs);
  const ranges = rangesOf({ rows: runs, ...columns });
  const place = (name: keyof typeof RUN_SCHEMA): number => CHUNK_RANGES + RUN_COLUMNS.indexOf(name) * RANGE_BYTES;
  view.setFloat64(CHUNK_LAST_TIME_US, ranges.lastTimeUs, true);
  view.setFloat64(place('timeUs') + 8, ranges.maxTimeUs, true);
  view.setFloat64(place('order'), ranges.minOrder, true);
  view.setFloat64(place('order') + 8, ranges.maxOrder, true);
  view.setFloat64(place('seq'), ranges.minSeq, true);
  view.setFloat64(place('seq') + 8, ranges.maxSeq, true);
  view.setFloat64(place('delayUs') + 8, ranges.maxDelayUs, true);
}

const RUN_COLUMNS = Object.keys(RUN_SCHEMA);

function setRange(view: DataView, offset: number, column: ColumnArray): void {
  let min = column[0]!;
  let max = min;
  for (let row = 1; row < column.length; row++) {
    const value = column[row]!;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  view.setFloat64(offset, min, true);
  view.setFloat64(offset + 8, max, true);
}

/**
 * Writes a whole trace.
 * @param sink as in `TraceWriter`. @param chunkRows most rows of a chunk.
 */
export function writeTrace(trace: Trace, sink: (bytes: Uint8Array) => void, chunkRows = DEFAULT_CHUNK_ROWS): void {
  const writer = new TraceWriter(sink, { clock: trace.clock });
  for (const source of trace.sources) {
    const { machine, strings, overwritten, dropped } = source;
    writer.source(source, { strings, overwritten, recorded: overwritten + machine.rows + dropped });
    writeRows(writer, CHUNK_MACHINE, source.id, overwritten, machine, chunkRows);
  }
  for (const flow of trace.flows) {
    const { overwritten, segments, sacks, windows, events } = flow;
    writer.flow(flow, { overwritten, recorded: recordedRows(flow) });
    writeRows(writer, CHUNK_SEGMENTS, flow.id, flow.firstSegment, segments, chunkRows);
    writeRows(writer, CHUNK_SACKS, flow.id, overwritten.sacks, sacks, chunkRows);
    writeRows(writer, CHUNK_WINDOWS, flow.id, overwritten.windows, windows, chunkRows);
    writeRows(writer, CHUNK_EVENTS, flow.id, overwritten.events, events, chunkRows);
  }
  writer.end();
}

function recordedRows(flow: Trace['flows'][number]): FlowRowCounts {
  const { overwritten, dropped } = flow;
  return {
    segments: overwritten.segments + dropped.segments + flow.segments.rows,
    sacks: overwritten.sacks + dropped.sacks + flow.sacks.rows,
    windows: overwritten.windows + dropped.windows + flow.windows.rows,
    events: overwritten.events + dropped.events + flow.events.rows,
  };
}

function writeRows<K extends TableKind>(
  writer: TraceWriter,
  kind: K,
  id: number,
  firstRow: number,
  table: TableOf<(typeof SCHEMAS)[K]>,
  chunkRows: number,
): void {
  for (let from = 0; from < table.rows; from += chunkRows) {
    const to = Math.min(from + chunkRows, table.rows);
    writer.table(kind, id, firstRow + from, tableSlice(SCHEMAS[kind], table, from, to));
  }
}

/** Writes a whole trace into memory. */
export function encodeTrace(trace: Trace, chunkRows = DEFAULT_CHUNK_ROWS): Uint8Array {
  const pieces: Uint8Array[] = [];
  let length = 0;
  writeTrace(
    trace,
    (bytes) => {
      pieces.push(bytes);
      length += bytes.length;
    },
    chunkRows,
  );
  const file = new Uint8Array(length);
  let offset = 0;
  for (const piece of pieces) {
    file.set(piece, offset);
    offset += piece.length;
  }
  return file;
}
