/** A trace as the page holds it: tables in chunks, of which only the heads need be in memory. */
import {
  EVENT_SCHEMA,
  type EventTable,
  type FlowDescriptor,
  MACHINE_SCHEMA,
  type MachineTable,
  SACK_SCHEMA,
  type SackTable,
  type Schema,
  SEGMENT_SCHEMA,
  type SegmentTable,
  type SourceDescriptor,
  type TableOf,
  type Trace,
  type TraceClock,
  tableSlice,
  WINDOW_SCHEMA,
  type WindowTable,
} from '@qanat/flowlog';

/** Smallest and largest value of a column in a chunk. */
export type Bounds = (column: string) => readonly [number, number] | undefined;

export interface ChunkHead<T> {
  readonly firstUs: number;
  readonly lastUs: number;
  readonly rows: number;
  /** Number of its first row since the recorder started. */
  readonly firstNumber: number;
  /** Of the rows, without reading them; undefined when the heads do not tell. */
  readonly bounds: Bounds | undefined;
  /** The rows. Fails with an Error whose message is a sentence for people. */
  load(): T | Promise<T>;
  /** As `load`, for one look at the rows of the chunk that was found last: they are good until more is read. */
  scan?: (() => Promise<T>) | undefined;
}

export interface Chunk<T> extends ChunkHead<T> {
  /** Number of its first row in the list. */
  readonly firstRow: number;
}

/** The chunks of one table, in the order of time. */
export class ChunkList<T extends { readonly rows: number }> {
  readonly chunks: Chunk<T>[] = [];
  rows = 0;
  readonly #comesUntil: () => number | undefined;

  /** @param comesUntil tells the time until which more is still to come, in microseconds; undefined when all is there. */
  constructor(comesUntil: () => number | undefined = () => undefined) {
    this.#comesUntil = comesUntil;
  }

  push(head: ChunkHead<T>): void {
    this.chunks.push({
      firstUs: head.firstUs,
      lastUs: head.lastUs,
      rows: head.rows,
      firstNumber: head.firstNumber,
      bounds: head.bounds,
      load: () => head.load(),
      scan: head.scan,
      firstRow: this.rows,
    });
    this.rows += head.rows;
  }

  /** @returns the first chunk that ends at `timeUs` or later; their number when there is none. */
  firstEndingFrom(timeUs: number): number {
    let low = 0;
    let high = this.chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.chunks[middle]!.lastUs < timeUs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @returns the chunk with the last row before `timeUs`, or the first chunk. */
  firstWithRowBefore(timeUs: number): number {
    const at = this.firstEndingFrom(timeUs);
    return at > 0 && (this.chunks[at]?.firstUs ?? timeUs) >= timeUs ? at - 1 : at;
  }

  /** @returns the number of chunks that begin at `timeUs` or before. */
  countStartingUntil(timeUs: number): number {
    let low = 0;
    let high = this.chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.chunks[middle]!.firstUs <= timeUs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @param number of a row since the recorder started. @returns the chunk with that row, or -1. */
  chunkOfNumber(number: number): number {
    let low = 0;
    let high = this.chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.chunks[middle]!.firstNumber <= number) low = middle + 1;
      else high = middle;
    }
    const chunk = this.chunks[low - 1];
    return chunk !== undefined && number < chunk.firstNumber + chunk.rows ? low - 1 : -1;
  }

  /**
   * @returns about how many rows lie in a stretch of time, from the heads alone. What is still to come counts with what is
   * there: a view of all of a log must not ask for the rows of its start, because they are few now, while the rest comes.
   */
  estimateRows(t0: number, t1: number): number {
    let rows = 0;
    const end = this.countStartingUntil(t1);
    for (let at = this.firstEndingFrom(t0); at < end; at++) {
      const { firstUs, lastUs, rows: all } = this.chunks[at]!;
      const inside = Math.min(lastUs, t1) - Math.max(firstUs, t0);
      rows += lastUs > firstUs ? Math.max(1, (all * inside) / (lastUs - firstUs)) : all;
    }
    const [first] = this.chunks;
    const endUs = Math.min(t1, this.#comesUntil() ?? Number.NEGATIVE_INFINITY);
    if (first === undefined) return 0;
    const startUs = Math.max(t0, first.firstUs);
    const seenUs = this.chunks.at(-1)!.lastUs;
    return startUs < seenUs && seenUs < endUs ? (rows * (endUs - startUs)) / (seenUs - startUs) : rows;
  }
}

export interface FlowStore {
  /** A log that is still being written may tell more later. */
  descriptor: FlowDescriptor;
  readonly segments: ChunkList<SegmentTable>;
  readonly sacks: ChunkList<SackTable>;
  readonly windows: ChunkList<WindowTable>;
  readonly events: ChunkList<EventTable>;
}

export interface SourceStore {
  descriptor: SourceDescriptor;
  readonly machine: ChunkList<MachineTable>;
  strings: readonly string[];
}

/** One chunk of the store, as the scan meets it. */
export type ScanItem =
  | { readonly kind: 'segments' | 'sacks' | 'windows' | 'events'; readonly flow: number; readonly chunk: number }
  | { readonly kind: 'machine'; readonly source: number; readonly chunk: number };

export interface TraceStore {
  readonly flows: FlowStore[];
  readonly sources: SourceStore[];
  readonly clock: TraceClock;
  readonly problems: string[];
  /** Every chunk, in the order in which reading them is cheap; `flow` and `source` are indices. */
  readonly scanOrder: ScanItem[];
  /** As long as not all chunks are known. */
  growth?: StoreGrowth | undefined;
}

/** A file of which the chunks are found while their rows are read. */
export interface StoreGrowth {
  /** How much of the file was looked through, 0..1. */
  readonly share: number;
  /** Start and end of what is expected, in microseconds. */
  readonly range: readonly [number, number];
  /** Looks for more chunks. @returns when the store has some, or has all: then its `growth` is undefined. */
  more(): Promise<void>;
  /** Nothing of it is wanted any more. */
  stop(): void;
}

/** Rows of a chunk that is cut from a table in memory. */
const CHUNK_ROWS = 4096;

/** Makes a store of a trace that is in memory. */
export function storeOfTrace(trace: Trace): TraceStore {
  const scanOrder: ScanItem[] = [];
  const flows = trace.flows.map((flow, index): FlowStore => {
    const store: FlowStore = {
      descriptor: flow,
      segments: chunksOf(SEGMENT_SCHEMA, flow.segments, flow.firstSegment),
      sacks: sackChunks(flow.sacks),
      windows: chunksOf(WINDOW_SCHEMA, flow.windows),
      events: chunksOf(EVENT_SCHEMA, flow.events),
    };
    for (const kind of ['segments', 'sacks', 'windows', 'events'] as const) {
      store[kind].chunks.forEach((_, chunk) => {
        scanOrder.push({ kind, flow: index, chunk });
      });
    }
    return store;
  });
  const sources = trace.sources.map((source, index): SourceStore => {
    const machine = chunksOf(MACHINE_SCHEMA, source.machine);
    machine.chunks.forEach((_, chunk) => {
      scanOrder.push({ kind: 'machine', source: index, chunk });
    });
    return { descriptor: source, machine, strings: source.strings };
  });
  return { flows, sources, clock: trace.clock, problems: [...trace.problems], scanOrder };
}

function chunksOf<S extends Schema & { readonly timeUs: 'f64' }>(
  schema: S,
  table: TableOf<S>,
  firstNumber = 0,
): ChunkList<TableOf<S>> {
  const list = new ChunkList<TableOf<S>>();
  const timeUs = (table as { readonly timeUs: Float64Array }).timeUs;
  for (let from = 0; from < table.rows; from += CHUNK_ROWS) {
    const to = Math.min(from + CHUNK_ROWS, table.rows);
    const load = (): TableOf<S> => tableSlice(schema, table, from, to);
    list.push({
      firstUs: timeUs[from]!,
      lastUs: timeUs[to - 1]!,
      rows: to - from,
      firstNumber: firstNumber + from,
      bounds: undefined,
      load,
    });
  }
  return list;
}

/** SACK blocks have no time of their own: the chunks are found by the numbers of their segments. */
function sackChunks(table: SackTable): ChunkList<SackTable> {
  const list = new ChunkList<SackTable>();
  for (let from = 0; from < table.rows; from += CHUNK_ROWS) {
    const to = Math.min(from + CHUNK_ROWS, table.rows);
    const limits: readonly [number, number] = [table.segment[from]!, table.segment[to - 1]!];
    list.push({
      firstUs: 0,
      lastUs: 0,
      rows: to - from,
      firstNumber: from,
      bounds: (column) => (column === 'segment' ? limits : undefined),
      load: () => tableSlice(SACK_SCHEMA, table, from, to),
    });
  }
  return list;
}

/** Start and end of everything that is in a store, in microseconds; both 0 when it is empty. */
export function timeRange(store: TraceStore): readonly [number, number] {
  let [first, last] = store.growth?.range ?? [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const lists = [
    ...store.flows.flatMap(({ segments, windows, events }) => [segments, windows, events]),
    ...store.sources.map(({ machine }) => machine),
  ];
  for (const { chunks } of lists) {
    if (chunks.length === 0) continue;
    first = Math.min(first, chunks[0]!.firstUs);
    last = Math.max(last, chunks.at(-1)!.lastUs);
  }
  return first <= last ? [first, last] : [0, 0];
}
