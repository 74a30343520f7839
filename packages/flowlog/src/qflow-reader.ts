import { crc32 } from './crc32.ts';
import { normalizeSacks } from './normalize-sacks.ts';
import { flowFromJson, flowTotals, sourceFromJson, sourceTotals } from './qflow-descriptions.ts';
import {
  CHUNK_EVENTS,
  CHUNK_FLOW,
  CHUNK_MACHINE,
  CHUNK_SACKS,
  CHUNK_SEGMENTS,
  CHUNK_SOURCE,
  CHUNK_WINDOWS,
  columnsAt,
  MAX_CHUNK_HEADER_BYTES,
  SCHEMAS,
  type TableKind,
} from './qflow-layout.ts';
import { type ChunkIndex, type JsonChunk, type ReadRequest, type Scan, scanFile } from './qflow-scan.ts';
import { type Columns, columnsOf, makeColumns, type Schema, type TableOf } from './tables.ts';
import {
  type FlowDescriptor,
  type FlowRowCounts,
  type FlowTrace,
  flowDescriptor,
  type SourceDescriptor,
  type SourceTrace,
  type Trace,
  type TraceClock,
} from './trace.ts';

export type { ChunkIndex } from './qflow-scan.ts';

/** What the headers of a file say, without its rows. */
export interface TraceIndex {
  readonly clock: TraceClock;
  readonly sources: readonly (SourceDescriptor & { readonly strings: readonly string[] })[];
  readonly flows: readonly FlowDescriptor[];
  /** In the order of the file. */
  readonly chunks: readonly ChunkIndex[];
  readonly problems: readonly string[];
  /** The file has no end chunk: it is still being written, what wrote it died, or the end was lost. */
  readonly isTorn: boolean;
}

/**
 * Reads a whole `.qflow` file. Never throws: what is damaged is left out, and `problems` says so; all chunks that are whole
 * are read, in time that is linear in the size of the file.
 * @param bytes of the file; the trace does not refer to them afterwards.
 */
export function readTrace(bytes: Uint8Array): Trace {
  const scanning = scanFile(bytes.length, true);
  let step = scanning.next();
  while (step.done !== true) step = scanning.next(bytesOf(bytes, step.value));
  const scan = step.value;
  const descriptions = readDescriptions(scan);
  const chunks = groupChunks(scan.tables);
  const flows = descriptions.flows.map((flow) => readFlow(bytes, flow, chunks));
  const sources = descriptions.sources.map((source) => readSource(bytes, source, chunks));
  return { clock: scan.clock, sources, flows, problems: scan.problems };
}

function bytesOf(bytes: Uint8Array, { offset, length }: ReadRequest): Uint8Array {
  return bytes.subarray(offset, offset + length);
}

/**
 * Reads the headers of a `.qflow` file and its descriptions, so that a large one opens without reading all rows. The CRCs of
 * rows are not checked: `readChunk` does that.
 * @param read gives `length` bytes of the file from `offset`; always within `size`.
 * @param size of the file in bytes.
 */
export async function indexTrace(
  read: (offset: number, length: number) => Uint8Array | Promise<Uint8Array>,
  size: number,
): Promise<TraceIndex> {
  const scanning = scanFile(size, false);
  let step = scanning.next();
  // The last large block: looking for chunks in damage asks for pieces of it again and again.
  let block: Uint8Array = new Uint8Array(0);
  let blockAt = 0;
  while (step.done !== true) {
    const { offset, length } = step.value;
    const isInBlock = offset >= blockAt && offset + length <= blockAt + block.length;
    const bytes = isInBlock ? block.subarray(offset - blockAt, offset - blockAt + length) : await read(offset, length);
    if (!isInBlock && length > MAX_CHUNK_HEADER_BYTES) {
      block = bytes;
      blockAt = offset;
    }
    step = scanning.next(bytes);
  }
  const scan = step.value;
  const { flows, sources } = readDescriptions(scan);
  return {
    clock: scan.clock,
    sources: sources.map(({ descriptor, json }) => ({ ...descriptor, strings: sourceTotals(json).strings })),
    flows: flows.map(({ descriptor }) => descriptor),
    chunks: scan.tables,
    problems: scan.problems,
    isTorn: scan.isTorn,
  };
}

/**
 * @param payload the chunk's bytes: `chunk.bytes` of the file from `chunk.offset`.
 * @returns its rows (views of `payload` where its address allows), or undefined when they are damaged.
 */
export function readChunk<K extends TableKind>(
  kind: K,
  chunk: ChunkIndex,
  payload: Uint8Array,
): TableOf<(typeof SCHEMAS)[K]> | undefined {
  if (chunk.kind !== kind || payload.length !== chunk.bytes || crc32(payload) !== chunk.crc) return undefined;
  const aligned = payload.byteOffset % 8 === 0 ? payload : new Uint8Array(payload);
  return { rows: chunk.rows, ...columnsAt(SCHEMAS[kind], aligned.buffer, aligned.byteOffset, chunk.rows) };
}

interface Described<D> {
  readonly descriptor: D;
  readonly json: Readonly<Record<string, unknown>>;
}

/** The last description of each flow and source; those that only rows tell of get an empty one. */
function readDescriptions(scan: Scan): { flows: Described<FlowDescriptor>[]; sources: Described<SourceDescriptor>[] } {
  const flows = new Map<number, Described<FlowDescriptor>>();
  const sources = new Map<number, Described<SourceDescriptor>>();
  for (const { kind, id, content } of scan.descriptions) note(kind, id, content);
  let lost = 0;
  for (const { kind, id } of scan.tables) {
    if (kind === CHUNK_MACHINE ? sources.has(id) : flows.has(id)) continue;
    note(kind === CHUNK_MACHINE ? CHUNK_SOURCE : CHUNK_FLOW, id, {});
    lost++;
  }
  if (lost > 0) scan.problems.push(`the descriptions of ${lost} flows or sources that have rows are lost`);
  for (const { descriptor } of flows.values()) {
    if (!sources.has(descriptor.source)) note(CHUNK_SOURCE, descriptor.source, {});
  }
  return { flows: [...flows.values()], sources: [...sources.values()] };

  function note(kind: JsonChunk['kind'], id: number, json: Readonly<Record<string, unknown>>): void {
    if (kind === CHUNK_FLOW) flows.set(id, { descriptor: flowFromJson(id, json), json });
    else sources.set(id, { descriptor: sourceFromJson(id, json), json });
  }
}

/** The chunks of each table of each flow or source. */
type ChunkGroups = ReadonlyMap<string, readonly ChunkIndex[]>;

function groupChunks(chunks: readonly ChunkIndex[]): ChunkGroups {
  const groups = new Map<string, ChunkIndex[]>();
  for (const chunk of chunks) {
    const key = `${chunk.kind}/${chunk.id}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [chunk]);
    else group.push(chunk);
  }
  return groups;
}

function readSource(
  file: Uint8Array,
  { descriptor, json }: Described<SourceDescriptor>,
  chunks: ChunkGroups,
): SourceTrace {
  const { strings, overwritten, recorded } = sourceTotals(json);
  const machine = gather(file, CHUNK_MACHINE, descriptor.id, chunks);
  const dropped = dropCount(machine, overwritten, recorded);
  return { ...descriptor, machine: machine.table, strings, overwritten, dropped };
}

function readFlow(file: Uint8Array, { descriptor, json }: Described<FlowDescriptor>, chunks: ChunkGroups): FlowTrace {
  const { overwritten, recorded } = flowTotals(json);
  const { id } = descriptor;
  const segments = gather(file, CHUNK_SEGMENTS, id, chunks);
  const sacks = gather(file, CHUNK_SACKS, id, chunks);
  const windows = gather(file, CHUNK_WINDOWS, id, chunks);
  const events = gather(file, CHUNK_EVENTS, id, chunks);
  const firstSegment = segments.parts[0]?.firstRow ?? overwritten.segments;
  const dropped: FlowRowCounts = {
    segments: dropCount(segments, overwritten.segments, recorded.segments),
    sacks: dropCount(sacks, overwritten.sacks, recorded.sacks),
    windows: dropCount(windows, overwritten.windows, recorded.windows),
    events: dropCount(events, overwritten.events, recorded.events),
  };
  return {
    ...flowDescriptor(descriptor),
    segments: segments.table,
    sacks: normalizeSacks(segments.table, segments.parts, firstSegment, sacks.table),
    windows: windows.table,
    events: events.table,
    firstSegment,
    overwritten,
    dropped,
  };
}

interface Gathered<S extends Schema> {
  readonly table: TableOf<S>;
  readonly parts: readonly ChunkIndex[];
}

/** Puts all rows of one table together. */
function gather<K extends TableKind>(
  file: Uint8Array,
  kind: K,
  id: number,
  chunks: ChunkGroups,
): Gathered<(typeof SCHEMAS)[K]> {
  const schema = SCHEMAS[kind];
  const parts = chunks.get(`${kind}/${id}`) ?? [];
  const rows = parts.reduce((sum, chunk) => sum + chunk.rows, 0);
  const columns: Columns<Schema> = makeColumns<Schema>(schema, rows);
  const target = columnsOf<Schema>(schema, columns);
  let row = 0;
  for (const part of parts) {
    const payload = bytesOf(file, { offset: part.offset, length: part.bytes });
    const aligned = payload.byteOffset % 8 === 0 ? payload : new Uint8Array(payload);
    const from = columnsOf<Schema>(schema, columnsAt<Schema>(schema, aligned.buffer, aligned.byteOffset, part.rows));
    for (let column = 0; column < target.length; column++) target[column]!.set(from[column]!, row);
    row += part.rows;
  }
  return { table: { rows, ...columns } as TableOf<(typeof SCHEMAS)[K]>, parts };
}

/** Rows that were recorded and are neither here nor overwritten. @param recorded 0 when the file does not say. */
function dropCount(gathered: Gathered<Schema>, overwritten: number, recorded: number): number {
  const last = gathered.parts.at(-1);
  const seen = last === undefined ? overwritten : last.firstRow + last.rows;
  return Math.max(Math.max(recorded, seen) - overwritten - gathered.table.rows, 0);
}
