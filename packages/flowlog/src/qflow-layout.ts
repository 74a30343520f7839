/** The bytes of a `.qflow` file: docs/FLOWLOG.md says it all; here are its offsets. Little-endian throughout. */
import { type Crc32, crc32 } from './crc32.ts';
import {
  type ColumnArray,
  type Columns,
  EVENT_SCHEMA,
  elementBytes,
  MACHINE_SCHEMA,
  RUN_SCHEMA,
  SACK_SCHEMA,
  type Schema,
  SEGMENT_SCHEMA,
  WINDOW_SCHEMA,
} from './tables.ts';
import type { TraceClock } from './trace.ts';

export const QFLOW_MAJOR = 1;
export const QFLOW_MINOR = 1;

/** "QFLOW", carriage return, line feed, end of file: a transfer that mangles text is seen at once, as PNG does it. */
export const FILE_MAGIC: readonly number[] = [0x51, 0x46, 0x4c, 0x4f, 0x57, 0x0d, 0x0a, 0x1a];

export const FILE_HEADER_BYTES = 40;
export const FILE_MAJOR = 8;
export const FILE_MINOR = 10;
export const FILE_LENGTH = 12;
export const FILE_UNIX_EPOCH_US = 16;
export const FILE_RESOLUTION_US = 24;
export const FILE_CRC = 36;

/** "QFLC" as a little-endian word. */
export const CHUNK_MAGIC = 0x434c_4651;
export const CHUNK_KIND = 4;
export const CHUNK_FLAGS = 6;
export const CHUNK_ID = 8;
export const CHUNK_ROWS = 12;
export const CHUNK_PAYLOAD_BYTES = 16;
export const CHUNK_HEADER_BYTES = 20;
export const CHUNK_FIRST_TIME_US = 24;
export const CHUNK_LAST_TIME_US = 32;
export const CHUNK_FIRST_ROW = 40;
export const CHUNK_PAYLOAD_CRC = 48;
export const CHUNK_HEADER_CRC = 52;
export const CHUNK_COLUMNS = 56;
/** Of runs: how many segments they are; else 0. */
export const CHUNK_SEGMENT_COUNT = 60;
/** Minimum and maximum of each column follow, two doubles each. */
export const CHUNK_RANGES = 64;
export const RANGE_BYTES = 16;
/** No table has more, and none will. */
export const MAX_COLUMNS = 64;
export const MAX_CHUNK_HEADER_BYTES = CHUNK_RANGES + MAX_COLUMNS * RANGE_BYTES;

/** Kinds of chunks. Those below FIRST_JSON_KIND are tables, the others JSON. */
export const CHUNK_SEGMENTS = 1;
export const CHUNK_SACKS = 2;
export const CHUNK_WINDOWS = 3;
export const CHUNK_EVENTS = 4;
export const CHUNK_MACHINE = 5;
/** Segments, packed into runs. */
export const CHUNK_RUNS = 6;
export const FIRST_JSON_KIND = 16;
export const CHUNK_SOURCE = 16;
export const CHUNK_FLOW = 17;
export const CHUNK_END = 18;

export type TableKind =
  | typeof CHUNK_SEGMENTS
  | typeof CHUNK_SACKS
  | typeof CHUNK_WINDOWS
  | typeof CHUNK_EVENTS
  | typeof CHUNK_MACHINE;

/** What the rows of a chunk may be: those of a table, or runs of segments. */
export type RowKind = TableKind | typeof CHUNK_RUNS;

/** Table of each kind. */
export const SCHEMAS = {
  [CHUNK_SEGMENTS]: SEGMENT_SCHEMA,
  [CHUNK_SACKS]: SACK_SCHEMA,
  [CHUNK_WINDOWS]: WINDOW_SCHEMA,
  [CHUNK_EVENTS]: EVENT_SCHEMA,
  [CHUNK_MACHINE]: MACHINE_SCHEMA,
  [CHUNK_RUNS]: RUN_SCHEMA,
} as const satisfies Record<RowKind, Schema>;

/** Everything in a file begins at a multiple of 8. Right beyond 2^31, too: a damaged header may say anything. */
export function align8(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

/** @returns what a table of `rows` rows takes in a file. */
export function payloadBytes(schema: Schema, rows: number): number {
  let bytes = 0;
  for (const type of Object.values(schema)) bytes += align8(rows * elementBytes(type));
  return bytes;
}

/**
 * The columns of `rows` rows that lie in `buffer` from `byteOffset` (a multiple of 8) as in a file.
 * @throws RangeError when they do not fit.
 */
export function columnsAt<S extends Schema>(
  schema: S,
  buffer: ArrayBufferLike,
  byteOffset: number,
  rows: number,
): Columns<S> {
  const columns: Record<string, ColumnArray> = {};
  let offset = byteOffset;
  for (const [name, type] of Object.entries(schema)) {
    if (type === 'f64') columns[name] = new Float64Array(buffer, offset, rows);
    else columns[name] = type === 'i32' ? new Int32Array(buffer, offset, rows) : new Uint32Array(buffer, offset, rows);
    offset += align8(rows * elementBytes(type));
  }
  return columns as Columns<S>;
}

export function encodeFileHeader(clock: TraceClock, crc: Crc32 = crc32): Uint8Array {
  const bytes = new Uint8Array(FILE_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(FILE_MAGIC);
  view.setUint16(FILE_MAJOR, QFLOW_MAJOR, true);
  view.setUint16(FILE_MINOR, QFLOW_MINOR, true);
  view.setUint32(FILE_LENGTH, FILE_HEADER_BYTES, true);
  view.setFloat64(FILE_UNIX_EPOCH_US, clock.unixEpochUs ?? Number.NaN, true);
  view.setFloat64(FILE_RESOLUTION_US, clock.resolutionUs, true);
  view.setUint32(FILE_CRC, crc(bytes.subarray(0, FILE_CRC)), true);
  return bytes;
}

/** CRC of a chunk's header: all of it but the four bytes where it stands itself. */
export function chunkHeaderCrc(header: Uint8Array, crc: Crc32 = crc32): number {
  return crc(header.subarray(CHUNK_HEADER_CRC + 4), crc(header.subarray(0, CHUNK_HEADER_CRC)));
}
