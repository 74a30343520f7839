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
import {
  type ChunkIndex,
  type JsonChunk,
  newScan,
  type ReadRequest,
  runsAt,
  type Scan,
  scanFile,
} from './qflow-scan.ts';
import { expandRuns, segmentsOf } from './segment-runs.ts';
import {
  type Columns,
  columnsOf,
  makeColumns,
  type Schema,
  SEGMENT_SCHEMA,
  type SegmentTable,
  type TableOf,
} from './tables.ts';
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

/** Gives `length` bytes of a file from `offset`; is always asked within its size. */
export type ReadBytes = (offset: number, length: number) => Uint8Array | Promise<Uint8Array>;

/**
 * Reads the headers of a `.qflow` file and its descriptions, so that a large one opens without reading all rows. The CRCs of
 * rows are not checked: `readChunk` does that.
 * @param size of the file in bytes.
 */
export async function indexTrace(read: ReadBytes, size: number): Promise<TraceIndex> {
  const walk = walkTrace(read, size);
  let step = await walk.next();
  while (step.done !== true) step = await walk.next();
  return step.value;
}

/** What `walkTrace` found since it was asked last. */
export interface TraceFound extends Pick<TraceIndex, 'clock' | 'sources' | 'flows' | 'chunks'> {
  /** Everything before this byte was looked through. */
  readonly offset: number;
}

/**
 * As `indexTrace`, step by step: for who wants the rows of the chunks that were found before the file was looked through. A
 * flow or source comes with the first of its chunks at the latest, then again whenever a description of it is found.
 * @returns the whole index.
 */
export async function* walkTrace(read: ReadBytes, size: number): AsyncGenerator<TraceFound, TraceIndex> {
  const scan = newScan();
  const scanning = scanFile(size, false, scan);
  const news = new News(scan);
  let step = scanning.next();
  // The last large block: looking for chunks in damage asks for pieces of it again and again.
  let block: Uint8Array = new Uint8Array(0);
  let blockAt = 0;
  while (step.done !== true) {
    const { offset, length } = step.value;
    if (news.any) yield news.take(offset);
    const isInBlock = offset >= blockAt && offset + length <= blockAt + block.length;
    const bytes = isInBlock ? block.subarray(offset - blockAt, offset - blockAt + length) : await read(offset, length);
    if (!isInBlock && length > MAX_CHUNK_HEADER_BYTES) {
      block = bytes;
      blockAt = offset;
    }
    step = scanning.next(bytes);
  }
  if (news.any) yield news.take(size);
  const { flows, sources } = readDescriptions(scan);
  return {
    clock: scan.clock,
    sources: sources.map(withStrings),
    flows: flows.map(({ descriptor }) => descriptor),
    chunks: scan.tables,
    problems: scan.problems,
    isTorn: scan.isTorn,
  };
}

function withStrings({ descriptor, json }: Described<SourceDescriptor>): TraceIndex['sources'][number] {
  return { ...descriptor, strings: sourceTotals(json).strings };
}

/** What a scan has found and was not told yet. */
class News {
  readonly #scan: Scan;
  readonly #flows = new Set<number>();
  readonly #sources = new Set<number>();
  #tables = 0;
  #descriptions = 0;

  constructor(scan: Scan) {
    this.#scan = scan;
  }

  get any(): boolean {
    return this.#scan.tables.length > this.#tables || this.#scan.descriptions.length > this.#descriptions;
  }

  /** @param offset until which the file was looked through. */
  take(offset: number): TraceFound {
    const { clock, tables, descriptions } = this.#scan;
    const chunks = tables.slice(this.#tables);
    const fresh = { descriptions: descriptions.slice(this.#descriptions), tables: chunks, problems: [] };
    this.#tables = tables.length;
    this.#descriptions = descriptions.length;
    const { flows, sources } = readDescriptions(fresh, (kind, id) => {
      return kind === CHUNK_FLOW ? this.#flows.has(id) : this.#sources.has(id);
    });
    for (const { descriptor } of flows) this.#flows.add(descriptor.id);
    for (const { descriptor } of sources) this.#sources.add(descriptor.id);
    return {
      clock,
      sources: sources.map(withStrings),
      flows: flows.map(({ descriptor }) => descriptor),
      chunks,
      offset,
    };
  }
}

/**
 * @param payload the chunk's bytes: `chunk.bytes` of the file from `chunk.offset`.
 * @param isVerified whether its CRC was found right before.
 * @returns its rows (views of `payload` where its address allows), or undefined when they are damaged.
 */
export function readChunk<K extends TableKind>(
  kind: K,
  chunk: ChunkIndex,
  payload: Uint8Array,
  isVerified = false,
): TableOf<(typeof SCHEMAS)[K]> | undefined {
  if (chunk.kind !== kind || payload.length !== chunk.bytes) return undefined;
  if (!isVerified && crc32(payload) !== chunk.crc) return undefined;
  if (chunk.runs > 0) return expandChunk(chunk, payload) as TableOf<(typeof SCHEMAS)[K]> | undefined;
  const aligned = payload.byteOffset % 8 === 0 ? payload : new Uint8Array(payload);
  return { rows: chunk.rows, ...columnsAt(SCHEMAS[kind], aligned.buffer, aligned.byteOffset, chunk.rows) };
}

/** @returns the segments of runs, or undefined when they are not as many as the header says. */
function expandChunk(chunk: ChunkIndex, payload: Uint8Array): SegmentTable | undefined {
  const runs = { rows: chunk.runs, ...runsAt(payload, chunk.runs) };
  if (segmentsOf(runs) !== chunk.rows) return undefined;
  const table = { rows: chunk.rows, ...makeColumns(SEGMENT_SCHEMA, chunk.rows) };
  expandRuns(runs, table, 0);
  return table;
}

interface Described<D> {
  readonly descriptor: D;
  readonly json: Readonly<Record<string, unknown>>;
}

/**
 * The last description of each flow and source; those that only rows tell of get an empty one.
 * @param isKnown tells those that were described before.
 */
function readDescriptions(
  scan: Pick<Scan, 'descriptions' | 'problems' | 'tables'>,
  isKnown: (kind: JsonChunk['kind'], id: number) => boolean = () => false,
): { flows: Described<FlowDescriptor>[]; sources: Described<SourceDescriptor>[] } {
  const flows = new Map<number, Described<FlowDescriptor>>();
  const sources = new Map<number, Described<SourceDescriptor>>();
  for (const { kind, id, content } of scan.descriptions) note(kind, id, content);
  let lost = 0;
  for (const { kind, id } of scan.tables) {
    const of = kind === CHUNK_MACHINE ? CHUNK_SOURCE : CHUNK_FLOW;
    if ((of === CHUNK_SOURCE ? sources : flows).has(id) || isKnown(of, id)) continue;
    note(of, id, {});
    lost++;
  }
  if (lost > 0) scan.problems.push(`the descriptions of ${lost} flows or sources that have rows are lost`);
  for (const { descriptor } of flows.values()) {
    const { source } = descriptor;
    if (!sources.has(source) && !isKnown(CHUNK_SOURCE, source)) note(CHUNK_SOURCE, source, {});
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
    if (part.runs > 0) {
      // The scan has compared their number with what the header says.
      expandRuns({ rows: part.runs, ...runsAt(payload, part.runs) }, columns as Columns<typeof SEGMENT_SCHEMA>, row);
      row += part.rows;
      continue;
    }
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
