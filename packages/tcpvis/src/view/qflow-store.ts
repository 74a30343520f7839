/** The chunks of `.qflow` logs as a store: their heads are in memory, their rows are read when they are looked at. */
import {
  CHUNK_EVENTS,
  CHUNK_MACHINE,
  CHUNK_SACKS,
  CHUNK_SEGMENTS,
  CHUNK_WINDOWS,
  type ChunkIndex,
  type EventTable,
  type FlowDescriptor,
  type ReadBytes,
  readChunk,
  SACK_SCHEMA,
  type SackTable,
  type SegmentTable,
  type SourceDescriptor,
  type TableKind,
  type TraceClock,
  type TraceIndex,
  WINDOW_SCHEMA,
  type WindowTable,
} from '@qanat/flowlog';
import { type Bounds, type ChunkHead, ChunkList, type TraceStore } from './store.ts';

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

/** Bytes that pass by once, in the order of the file. */
export interface Passing {
  /** The bytes are good until the next read. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** @returns whether the payload that was read just now is known to be whole. */
  isVerified(offset: number): boolean;
}

/** How the rows of a chunk are read. */
interface Access {
  readonly read: ReadBytes;
  readonly cache: TableCache;
  readonly passing: Passing | undefined;
}

/** Makes a store of what indices of a log tell, one after another. */
export class StoreBuilder {
  readonly store: TraceStore;
  readonly #cache = new TableCache();
  readonly #flows = new Map<number, number>();
  readonly #sources = new Map<number, number>();
  readonly #comesUntil = (): number | undefined => this.store.growth?.range[1];

  constructor(clock: TraceClock) {
    this.store = { flows: [], sources: [], clock, problems: [], scanOrder: [] };
  }

  /**
   * Adds flows and sources, or what is known of them now, and chunks that follow those that are there.
   * @param passing gives the rows of these chunks once, before more is added.
   */
  add(index: Pick<TraceIndex, 'flows' | 'sources' | 'chunks'>, read: ReadBytes, passing?: Passing): void {
    this.describe(index);
    for (const chunk of index.chunks) this.#addChunk(chunk, { read, cache: this.#cache, passing });
  }

  /** Takes descriptions of flows and sources, new ones and those that are there. */
  describe({ flows, sources }: Pick<TraceIndex, 'flows' | 'sources'>): void {
    for (const { strings, ...descriptor } of sources) this.#putSource(descriptor, strings);
    for (const descriptor of flows) this.#putFlow(descriptor);
  }

  #putSource(descriptor: SourceDescriptor, strings: readonly string[]): void {
    const { sources } = this.store;
    const at = this.#sources.get(descriptor.id);
    if (at !== undefined) {
      Object.assign(sources[at]!, { descriptor, strings });
      return;
    }
    this.#sources.set(descriptor.id, sources.length);
    sources.push({ descriptor, machine: new ChunkList(this.#comesUntil), strings });
  }

  #putFlow(descriptor: FlowDescriptor): void {
    const { flows } = this.store;
    const at = this.#flows.get(descriptor.id);
    if (at !== undefined) {
      flows[at]!.descriptor = descriptor;
      return;
    }
    this.#flows.set(descriptor.id, flows.length);
    flows.push({
      descriptor,
      segments: new ChunkList<SegmentTable>(this.#comesUntil),
      sacks: new ChunkList<SackTable>(this.#comesUntil),
      windows: new ChunkList<WindowTable>(this.#comesUntil),
      events: new ChunkList<EventTable>(this.#comesUntil),
    });
  }

  #addChunk(chunk: ChunkIndex, access: Access): void {
    const { scanOrder, flows, sources } = this.store;
    if (chunk.kind === CHUNK_MACHINE) {
      const source = this.#sources.get(chunk.id)!;
      const list = sources[source]!.machine;
      list.push(headOf(CHUNK_MACHINE, chunk, access));
      scanOrder.push({ kind: 'machine', source, chunk: list.chunks.length - 1 });
      return;
    }
    const flow = this.#flows.get(chunk.id)!;
    const { segments, sacks, windows, events } = flows[flow]!;
    const push = (kind: 'segments' | 'sacks' | 'windows' | 'events', chunks: number): void => {
      scanOrder.push({ kind, flow, chunk: chunks - 1 });
    };
    if (chunk.kind === CHUNK_SEGMENTS) {
      segments.push(headOf(CHUNK_SEGMENTS, chunk, access));
      push('segments', segments.chunks.length);
    } else if (chunk.kind === CHUNK_SACKS) {
      sacks.push({ ...headOf(CHUNK_SACKS, chunk, access), bounds: boundsOf(chunk, Object.keys(SACK_SCHEMA)) });
      push('sacks', sacks.chunks.length);
    } else if (chunk.kind === CHUNK_WINDOWS) {
      const bounds = boundsOf(chunk, Object.keys(WINDOW_SCHEMA));
      windows.push({ ...headOf(CHUNK_WINDOWS, chunk, access), bounds });
      push('windows', windows.chunks.length);
    } else {
      events.push(headOf(CHUNK_EVENTS, chunk, access));
      push('events', events.chunks.length);
    }
  }
}

function headOf<K extends TableKind>(
  kind: K,
  chunk: ChunkIndex,
  { read, cache, passing }: Access,
): ChunkHead<NonNullable<ReturnType<typeof readChunk<K>>>> {
  type Table = NonNullable<ReturnType<typeof readChunk<K>>>;
  const decode = (bytes: Uint8Array, isVerified: boolean): Table => {
    const table = readChunk(kind, chunk, bytes, isVerified);
    if (table === undefined) throw new Error(`${chunk.rows} rows at byte ${chunk.offset} are damaged and left out`);
    return table;
  };
  const keep = (table: Table): Table => {
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
      return bytes instanceof Promise ? bytes.then((late) => keep(decode(late, false))) : keep(decode(bytes, false));
    },
    scan:
      passing === undefined
        ? undefined
        : async () => decode(await passing.read(chunk.offset, chunk.bytes), passing.isVerified(chunk.offset)),
  };
}

function boundsOf(chunk: ChunkIndex, columns: readonly string[]): Bounds {
  return (column) => {
    const at = columns.indexOf(column);
    return at < 0 ? undefined : [chunk.min[at]!, chunk.max[at]!];
  };
}
