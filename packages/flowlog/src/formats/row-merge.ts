import { isBefore } from '../tables.ts';
import type { FlowTrace, SourceTrace } from '../trace.ts';

export const ROW_SEGMENT = 0;
export const ROW_WINDOW = 1;
export const ROW_EVENT = 2;
export const ROW_MACHINE = 3;

interface Stamps {
  readonly rows: number;
  readonly timeUs: Float64Array;
  readonly order: Uint32Array;
}

/**
 * Walks the rows of several tables in the order of time; rows of one source at the same instant in the order in which
 * they were written. A heap of the tables, so that it costs as many comparisons as the logarithm of their number.
 */
export class RowMerge {
  /** The row under the cursor: ROW_*, index into `flows` or (ROW_MACHINE) `sources`, and row of the table. */
  kind = ROW_SEGMENT;
  owner = 0;
  row = 0;
  readonly #tables: Stamps[] = [];
  readonly #kinds: number[] = [];
  readonly #owners: number[] = [];
  readonly #sources: number[] = [];
  readonly #next: number[] = [];
  /** Numbers of tables that have rows left; a binary heap, earliest first. */
  readonly #heap: number[] = [];

  /** @param kinds which tables of the flows: bits 1 << ROW_*. */
  constructor(flows: readonly FlowTrace[], kinds: number, sources: readonly SourceTrace[] = []) {
    flows.forEach((flow, index) => {
      if (kinds & (1 << ROW_SEGMENT)) this.#add(flow.segments, ROW_SEGMENT, index, flow.source);
      if (kinds & (1 << ROW_WINDOW)) this.#add(flow.windows, ROW_WINDOW, index, flow.source);
      if (kinds & (1 << ROW_EVENT)) this.#add(flow.events, ROW_EVENT, index, flow.source);
    });
    sources.forEach((source, index) => {
      this.#add(source.machine, ROW_MACHINE, index, source.id);
    });
    for (let i = this.#heap.length >> 1; i-- > 0; ) this.#sink(i);
  }

  /** Goes to the next row. @returns false when there is none. */
  next(): boolean {
    const heap = this.#heap;
    if (heap.length === 0) return false;
    const table = heap[0]!;
    this.kind = this.#kinds[table]!;
    this.owner = this.#owners[table]!;
    this.row = this.#next[table]!;
    if (++this.#next[table]! >= this.#tables[table]!.rows) {
      const last = heap.pop()!;
      if (heap.length === 0) return true;
      if (last !== table) heap[0] = last;
    }
    if (heap.length > 1) this.#sink(0);
    return true;
  }

  #add(table: Stamps, kind: number, owner: number, source: number): void {
    if (table.rows === 0) return;
    this.#heap.push(this.#tables.length);
    this.#tables.push(table);
    this.#kinds.push(kind);
    this.#owners.push(owner);
    this.#sources.push(source);
    this.#next.push(0);
  }

  #sink(at: number): void {
    const heap = this.#heap;
    const table = heap[at]!;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.#isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!this.#isBefore(heap[child]!, table)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = table;
  }

  #isBefore(a: number, b: number): boolean {
    const rowA = this.#next[a]!;
    const rowB = this.#next[b]!;
    const timeA = this.#tables[a]!.timeUs[rowA]!;
    const timeB = this.#tables[b]!.timeUs[rowB]!;
    if (timeA !== timeB) return timeA < timeB;
    if (this.#sources[a] !== this.#sources[b]) return a < b;
    const orderA = this.#tables[a]!.order[rowA]!;
    const orderB = this.#tables[b]!.order[rowB]!;
    return orderA === orderB ? a < b : isBefore(0, orderA, 0, orderB);
  }
}
