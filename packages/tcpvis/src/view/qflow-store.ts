/** A `.qflow` file as a store: its headers are read when it is opened, its rows when they are looked at. */
import {
  CHUNK_EVENTS,
  CHUNK_MACHINE,
  CHUNK_SACKS,
  CHUNK_SEGMENTS,
  CHUNK_WINDOWS,
  type ChunkIndex,
  type EventTable,
  type FlowDescriptor,
  indexTrace,
  readChunk,
  SACK_SCHEMA,
  type SackTable,
  type SegmentTable,
  type SourceDescriptor,
  type TraceIndex,
  WINDOW_SCHEMA,
  type WindowTable,
} from '@qanat/flowlog';
import { BlockReader, type ByteSource } from './bytes.ts';
import { type Bounds, type ChunkHead, ChunkList, type FlowStore, type SourceStore, type TraceStore } from './store.ts';

const QFLOW_MAGIC = [0x51, 0x46, 0x4c, 0x4f, 0x57] as const;

export function isQflow(start: Uint8Array): boolean {
  return QFLOW_MAGIC.every((byte, index) => start[index] === byte);
}

/** Up to this a file is read at once. */
const SMALL_BYTES = 64 << 20;

type ReadBytes = (offset: number, length: number) => Uint8Array | Promise<Uint8Array>;

/** Opens a file. What is wrong with it stands in `problems`. */
export async function openQflow(source: ByteSource): Promise<TraceStore> {
  if (source.size <= SMALL_BYTES) {
    const bytes = await source.read(0, source.size);
    const read: ReadBytes = (offset, length) => bytes.subarray(offset, offset + length);
    return storeOfIndex(await indexTrace(read, source.size), read);
  }
  const blocks = new BlockReader(source);
  const read: ReadBytes = (offset, length) => blocks.read(offset, length);
  return storeOfIndex(await indexTrace(read, source.size), read);
}

/** Tables kept after they were looked at: checked and ready for the next look. */
const TABLES_KEPT = 48;

/** The tables that were looked at last, of one store. */
class TableCache {
  readonly #tables = new Map<ChunkIndex, object>();

  get(chunk: ChunkIndex): object | undefined {
    const table = this.#tables.get(chunk);
    if (table === undefined) return undefined;
    this.#tables.delete(chunk);
    this.#tables.set(chunk, table);
    return table;
  }

  put(chunk: ChunkIndex, table: object): void {
    this.#tables.set(chunk, table);
    if (this.#tables.size > TABLES_KEPT) this.#tables.delete(this.#tables.keys().next().value!);
  }
}

export function storeOfIndex(index: TraceIndex, read: ReadBytes): TraceStore {
  const store: TraceStore = {
    flows: [],
    sources: [],
    clock: index.clock,
    problems: [...index.problems],
    scanOrder: [],
  };
  addToStore(store, index, read);
  return store;
}

/** Adds what another index has: new flows and sources, and chunks that follow those that are there. */
export function addToStore(
  store: TraceStore,
  index: Pick<TraceIndex, 'flows' | 'sources' | 'chunks'>,
  read: ReadBytes,
): void {
  for (const { strings, ...descriptor } of index.sources) putSource(store, descriptor, strings);
  for (const descriptor of index.flows) putFlow(store, descriptor);
  const cache = new TableCache();
  for (const chunk of index.chunks) addChunk(store, chunk, read, cache);
}

function putSource(store: TraceStore, descriptor: SourceDescriptor, strings: readonly string[]): void {
  const at = store.sources.findIndex((known) => known.descriptor.id === descriptor.id);
  if (at < 0) store.sources.push({ descriptor, machine: new ChunkList(), strings });
  else Object.assign(store.sources[at]!, { descriptor, strings });
}

function putFlow(store: TraceStore, descriptor: FlowDescriptor): void {
  const at = store.flows.findIndex((known) => known.descriptor.id === descriptor.id);
  if (at < 0) {
    store.flows.push({
      descriptor,
      segments: new ChunkList<SegmentTable>(),
      sacks: new ChunkList<SackTable>(),
      windows: new ChunkList<WindowTable>(),
      events: new ChunkList<EventTable>(),
    });
  } else store.flows[at]!.descriptor = descriptor;
}

function addChunk(store: TraceStore, chunk: ChunkIndex, read: ReadBytes, cache: TableCache): void {
  if (chunk.kind === CHUNK_MACHINE) {
    const source = indexById(store.sources, chunk.id);
    const list = store.sources[source]!.machine;
    list.push(headOf(CHUNK_MACHINE, chunk, read, cache));
    store.scanOrder.push({ kind: 'machine', source, chunk: list.chunks.length - 1 });
    return;
  }
  const flow = indexById(store.flows, chunk.id);
  const { segments, sacks, windows, events } = store.flows[flow]!;
  const push = (kind: 'segments' | 'sacks' | 'windows' | 'events', chunks: number): void => {
    store.scanOrder.push({ kind, flow, chunk: chunks - 1 });
  };
  if (chunk.kind === CHUNK_SEGMENTS) {
    segments.push(headOf(CHUNK_SEGMENTS, chunk, read, cache));
    push('segments', segments.chunks.length);
  } else if (chunk.kind === CHUNK_SACKS) {
    sacks.push({ ...headOf(CHUNK_SACKS, chunk, read, cache), bounds: boundsOf(chunk, Object.keys(SACK_SCHEMA)) });
    push('sacks', sacks.chunks.length);
  } else if (chunk.kind === CHUNK_WINDOWS) {
    windows.push({ ...headOf(CHUNK_WINDOWS, chunk, read, cache), bounds: boundsOf(chunk, Object.keys(WINDOW_SCHEMA)) });
    push('windows', windows.chunks.length);
  } else {
    events.push(headOf(CHUNK_EVENTS, chunk, read, cache));
    push('events', events.chunks.length);
  }
}

function indexById(list: readonly (FlowStore | SourceStore)[], id: number): number {
  return list.findIndex(({ descriptor }) => descriptor.id === id);
}

function headOf<K extends Parameters<typeof readChunk>[0]>(
  kind: K,
  chunk: ChunkIndex,
  read: ReadBytes,
  cache: TableCache,
): ChunkHead<NonNullable<ReturnType<typeof readChunk<K>>>> {
  type Table = NonNullable<ReturnType<typeof readChunk<K>>>;
  const decode = (bytes: Uint8Array): Table => {
    const table = readChunk(kind, chunk, bytes);
    if (table === undefined) throw new Error(`${chunk.rows} rows at byte ${chunk.offset} are damaged and left out`);
    cache.put(chunk, table);
    return table;
  };
  return {
    firstUs: chunk.firstTimeUs,
    lastUs: chunk.lastTimeUs,
    rows: chunk.rows,
    firstNumber: chunk.firstRow,
    bounds: undefined,
    load: () => {
      const kept = cache.get(chunk);
      if (kept !== undefined) return kept as Table;
      const bytes = read(chunk.offset, chunk.bytes);
      return bytes instanceof Promise ? bytes.then(decode) : decode(bytes);
    },
  };
}

function boundsOf(chunk: ChunkIndex, columns: readonly string[]): Bounds {
  return (column) => {
    const at = columns.indexOf(column);
    return at < 0 ? undefined : [chunk.min[at]!, chunk.max[at]!];
  };
}
