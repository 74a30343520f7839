/**
 * Finds the chunks of a `.qflow` file, whole or damaged. One generator serves both readers: it asks for bytes and is given
 * them, from memory or from a file that is read piece by piece.
 */
import { crc32 } from './crc32.ts';
import {
  CHUNK_COLUMNS,
  CHUNK_END,
  CHUNK_FIRST_ROW,
  CHUNK_FIRST_TIME_US,
  CHUNK_FLOW,
  CHUNK_HEADER_BYTES,
  CHUNK_HEADER_CRC,
  CHUNK_ID,
  CHUNK_KIND,
  CHUNK_LAST_TIME_US,
  CHUNK_MAGIC,
  CHUNK_PAYLOAD_BYTES,
  CHUNK_PAYLOAD_CRC,
  CHUNK_RANGES,
  CHUNK_ROWS,
  CHUNK_RUNS,
  CHUNK_SEGMENT_COUNT,
  CHUNK_SEGMENTS,
  CHUNK_SOURCE,
  chunkHeaderCrc,
  columnsAt,
  FILE_CRC,
  FILE_HEADER_BYTES,
  FILE_LENGTH,
  FILE_MAGIC,
  FILE_MAJOR,
  FILE_RESOLUTION_US,
  FILE_UNIX_EPOCH_US,
  FIRST_JSON_KIND,
  MAX_CHUNK_HEADER_BYTES,
  MAX_COLUMNS,
  payloadBytes,
  QFLOW_MAJOR,
  RANGE_BYTES,
  type RowKind,
  SCHEMAS,
  type TableKind,
} from './qflow-layout.ts';
import { MAX_RUN, segmentsOf } from './segment-runs.ts';
import { type Columns, RUN_SCHEMA, type Schema } from './tables.ts';
import type { TraceClock } from './trace.ts';

/** A chunk of rows, as its header describes it. */
export interface ChunkIndex {
  readonly kind: TableKind;
  /** Flow, or source for the machine table. */
  readonly id: number;
  readonly rows: number;
  /** So many runs are what the chunk has instead of `rows` segments; 0: it has the rows. */
  readonly runs: number;
  /** Number of the first row since the recorder started. */
  readonly firstRow: number;
  readonly firstTimeUs: number;
  readonly lastTimeUs: number;
  /** Where the columns begin in the file. */
  readonly offset: number;
  readonly bytes: number;
  readonly crc: number;
  /** Smallest and largest value of each column, in the order of the schema. */
  readonly min: Float64Array;
  readonly max: Float64Array;
}

/** A small chunk: a description. */
export interface JsonChunk {
  readonly kind: typeof CHUNK_SOURCE | typeof CHUNK_FLOW;
  readonly id: number;
  /** What it says: not looked at yet. */
  readonly content: Readonly<Record<string, unknown>>;
}

export interface Scan {
  clock: TraceClock;
  /** In the order of the file. */
  readonly tables: ChunkIndex[];
  readonly descriptions: JsonChunk[];
  readonly problems: string[];
  /** The file has no end chunk: what wrote it died, or the end was lost. */
  isTorn: boolean;
}

export interface ReadRequest {
  readonly offset: number;
  readonly length: number;
}

/** Descriptions are small; a larger one is damage or an attack. */
const MAX_JSON_BYTES = 1 << 24;
const MAX_PROBLEMS = 100;
const SEARCH_BYTES = 1 << 16;
const UNKNOWN_CLOCK: TraceClock = { unixEpochUs: undefined, resolutionUs: 1 };

/** @returns a scan that has found nothing yet. */
export function newScan(): Scan {
  return { clock: UNKNOWN_CLOCK, tables: [], descriptions: [], problems: [], isTorn: true };
}

/**
 * @param size of the file in bytes. @param verifyRows whether the CRCs of tables are checked too (all is read then).
 * @param scan takes what is found, and is returned in the end.
 * Yields what it wants to read, within the file; expects exactly these bytes.
 */
export function* scanFile(
  size: number,
  verifyRows: boolean,
  scan: Scan = newScan(),
): Generator<ReadRequest, Scan, Uint8Array> {
  const head = yield { offset: 0, length: Math.min(size, FILE_HEADER_BYTES) };
  const header = readFileHeader(head);
  const { problems } = scan;
  if (header.problem !== undefined) problems.push(header.problem);
  scan.clock = header.clock;
  if (header.isOther) return scan;
  let more = 0;
  const report = (problem: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push(problem);
    else more++;
  };
  let offset = header.isDamaged ? 0 : header.bytes;
  /** Where bytes began that are no chunks, -1: none. */
  let strayFrom = -1;
  while (offset + CHUNK_RANGES <= size) {
    const wanted = Math.min(size - offset, MAX_CHUNK_HEADER_BYTES);
    const chunk = readChunkHeader(yield { offset, length: wanted });
    if (chunk === undefined) {
      if (strayFrom < 0) strayFrom = offset;
      offset = yield* findMagic(offset + 1, size);
      continue;
    }
    if (strayFrom >= 0) report(`bytes ${strayFrom} to ${offset} are damaged and were skipped`);
    strayFrom = -1;
    const payloadAt = offset + chunk.headerBytes;
    const after = payloadAt + chunk.payloadBytes;
    if (after > size) {
      report(`${nameOf(chunk)} at byte ${offset} is torn`);
      offset = payloadAt;
      continue;
    }
    const isJson = chunk.kind >= FIRST_JSON_KIND;
    if (isJson || verifyRows) {
      const payload = yield { offset: payloadAt, length: chunk.payloadBytes };
      const isSmall = !isJson || payload.length <= MAX_JSON_BYTES;
      if (!isSmall || crc32(payload) !== chunk.payloadCrc) {
        // Bytes may be missing: the next chunk may begin before the place where this one says it ends.
        report(`${nameOf(chunk)} at byte ${offset} is damaged`);
        offset = payloadAt;
        continue;
      }
      if (isJson) noteJson(scan, chunk, payload, report);
      else if (!hasItsSegments(chunk, payload)) {
        report(`${nameOf(chunk)} at byte ${offset} has other segments than it says`);
        offset = after;
        continue;
      }
    }
    if (chunk.index !== undefined) scan.tables.push({ ...chunk.index, offset: payloadAt });
    else if (isTableKind(chunk.kind)) report(`${nameOf(chunk)} at byte ${offset} lacks columns`);
    offset = after;
  }
  if (strayFrom < 0 && offset < size) strayFrom = offset;
  if (strayFrom >= 0 && size > 0) report(`bytes ${strayFrom} to ${size} are damaged and were skipped`);
  if (scan.isTorn) report('the file is torn: it has no end');
  if (more > 0) problems.push(`and ${more} more problems`);
  return scan;
}

interface FileHeader {
  readonly clock: TraceClock;
  readonly bytes: number;
  readonly isDamaged: boolean;
  /** Of another version, which this reader must not guess at. */
  readonly isOther: boolean;
  readonly problem: string | undefined;
}

function readFileHeader(head: Uint8Array): FileHeader {
  const damaged = (problem: string): FileHeader => {
    return { clock: UNKNOWN_CLOCK, bytes: 0, isDamaged: true, isOther: false, problem };
  };
  if (head.length < FILE_HEADER_BYTES) return damaged('the file is too short for a flow log');
  if (FILE_MAGIC.some((byte, index) => head[index] !== byte)) return damaged('the file does not begin as a flow log');
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  if (crc32(head.subarray(0, FILE_CRC)) !== view.getUint32(FILE_CRC, true)) {
    return damaged('the header of the file is damaged: its clock is not known');
  }
  const major = view.getUint16(FILE_MAJOR, true);
  if (major !== QFLOW_MAJOR) {
    const problem = `the flow log is of version ${major}; this reader knows version ${QFLOW_MAJOR}`;
    return { clock: UNKNOWN_CLOCK, bytes: 0, isDamaged: false, isOther: true, problem };
  }
  const unixEpochUs = view.getFloat64(FILE_UNIX_EPOCH_US, true);
  const clock = {
    unixEpochUs: Number.isFinite(unixEpochUs) ? unixEpochUs : undefined,
    resolutionUs: view.getFloat64(FILE_RESOLUTION_US, true),
  };
  const bytes = Math.max(view.getUint32(FILE_LENGTH, true), FILE_HEADER_BYTES);
  return { clock, bytes, isDamaged: false, isOther: false, problem: undefined };
}

interface ChunkHeader {
  readonly kind: number;
  readonly id: number;
  readonly rows: number;
  readonly headerBytes: number;
  readonly payloadBytes: number;
  readonly payloadCrc: number;
  /** When it is a table that this reader knows; `offset` is not set yet. */
  readonly index: ChunkIndex | undefined;
}

/** @param bytes from the chunk on. @returns undefined when no whole header begins there. */
function readChunkHeader(bytes: Uint8Array): ChunkHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== CHUNK_MAGIC) return undefined;
  const headerBytes = view.getUint32(CHUNK_HEADER_BYTES, true);
  const columns = view.getUint32(CHUNK_COLUMNS, true);
  if (columns > MAX_COLUMNS || headerBytes !== CHUNK_RANGES + columns * RANGE_BYTES) return undefined;
  if (headerBytes > bytes.length) return undefined;
  const headerCrc = view.getUint32(CHUNK_HEADER_CRC, true);
  if (chunkHeaderCrc(bytes.subarray(0, headerBytes)) !== headerCrc) return undefined;
  const kind = view.getUint16(CHUNK_KIND, true);
  const chunk = {
    kind,
    id: view.getUint32(CHUNK_ID, true),
    rows: view.getUint32(CHUNK_ROWS, true),
    headerBytes,
    payloadBytes: view.getUint32(CHUNK_PAYLOAD_BYTES, true),
    payloadCrc: view.getUint32(CHUNK_PAYLOAD_CRC, true),
  };
  const schema: Schema | undefined = isTableKind(kind) ? SCHEMAS[kind] : undefined;
  // A later minor version may append columns: those that are known come first.
  const isKnown =
    schema !== undefined &&
    columns >= Object.keys(schema).length &&
    chunk.rows > 0 &&
    chunk.payloadBytes >= payloadBytes(schema, chunk.rows);
  if (!isKnown) return { ...chunk, index: undefined };
  const index = chunkIndex(kind as RowKind, chunk, columns, view);
  const isPossible = index.runs === 0 || (index.rows >= index.runs && index.rows <= index.runs * MAX_RUN);
  return { ...chunk, index: isPossible ? index : undefined };
}

/** Whether runs are as many segments as the header says; true of other chunks. */
function hasItsSegments({ index }: ChunkHeader, payload: Uint8Array): boolean {
  if (index === undefined || index.runs === 0) return true;
  const { count } = runsAt(payload, index.runs);
  return segmentsOf({ rows: index.runs, count }) === index.rows;
}

/** @returns the columns of a chunk of runs. */
export function runsAt(payload: Uint8Array, runs: number): Columns<typeof RUN_SCHEMA> {
  const aligned = payload.byteOffset % 8 === 0 ? payload : new Uint8Array(payload);
  return columnsAt(RUN_SCHEMA, aligned.buffer, aligned.byteOffset, runs);
}

function chunkIndex(kind: RowKind, chunk: Omit<ChunkHeader, 'index'>, columns: number, view: DataView): ChunkIndex {
  const min = new Float64Array(columns);
  const max = new Float64Array(columns);
  for (let column = 0; column < columns; column++) {
    min[column] = view.getFloat64(CHUNK_RANGES + column * RANGE_BYTES, true);
    max[column] = view.getFloat64(CHUNK_RANGES + column * RANGE_BYTES + 8, true);
  }
  const isRuns = kind === CHUNK_RUNS;
  return {
    kind: isRuns ? CHUNK_SEGMENTS : kind,
    id: chunk.id,
    rows: isRuns ? view.getUint32(CHUNK_SEGMENT_COUNT, true) : chunk.rows,
    runs: isRuns ? chunk.rows : 0,
    firstRow: view.getFloat64(CHUNK_FIRST_ROW, true),
    firstTimeUs: view.getFloat64(CHUNK_FIRST_TIME_US, true),
    lastTimeUs: view.getFloat64(CHUNK_LAST_TIME_US, true),
    offset: 0,
    bytes: chunk.payloadBytes,
    crc: chunk.payloadCrc,
    min,
    max,
  };
}

function isTableKind(kind: number): kind is RowKind {
  return kind in SCHEMAS;
}

function nameOf(chunk: ChunkHeader): string {
  if (chunk.kind >= FIRST_JSON_KIND) return `a description of ${chunk.payloadBytes} bytes`;
  return `a chunk of ${chunk.rows} rows`;
}

function noteJson(scan: Scan, chunk: ChunkHeader, payload: Uint8Array, report: (problem: string) => void): void {
  if (chunk.kind === CHUNK_END) {
    scan.isTorn = false;
    return;
  }
  if (chunk.kind !== CHUNK_SOURCE && chunk.kind !== CHUNK_FLOW) return;
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder().decode(payload));
  } catch {
    content = undefined;
  }
  if (typeof content !== 'object' || content === null) report(`the description of ${chunk.id} is no JSON object`);
  else scan.descriptions.push({ kind: chunk.kind, id: chunk.id, content: content as Record<string, unknown> });
}

/**
 * @returns where the next chunk may begin at or after `from`; the end of the file when none does. Asks for blocks that begin at
 * multiples of SEARCH_BYTES, so that going on after a false find costs no new reading.
 */
function* findMagic(from: number, size: number): Generator<ReadRequest, number, Uint8Array> {
  const first = from - (from % SEARCH_BYTES);
  for (let offset = first; offset + 4 <= size; offset += SEARCH_BYTES) {
    // Three bytes more, so that a magic across the border is seen.
    const block = yield { offset, length: Math.min(size - offset, SEARCH_BYTES + 3) };
    let at = block.indexOf(CHUNK_MAGIC & 0xff, Math.max(from - offset, 0));
    while (at >= 0 && at + 4 <= block.length) {
      const word = block[at]! | (block[at + 1]! << 8) | (block[at + 2]! << 16) | (block[at + 3]! << 24);
      if (word === CHUNK_MAGIC) return offset + at;
      at = block.indexOf(CHUNK_MAGIC & 0xff, at + 1);
    }
  }
  return size;
}
