import type { FlowLog } from './flow-log.ts';
import { FlowTables } from './flow-tables.ts';
import { FlowWatch, type WatchContext } from './flow-watch.ts';
import { mergedLog } from './merged-log.ts';
import type { FlowTotals } from './qflow-writer.ts';
import type { FlowRecord } from './record.ts';
import type { RowSink } from './row-store.ts';
import { type FlowDescriptor, type FlowTrace, flowDescriptor } from './trace.ts';

export interface FlowRecorderOptions extends WatchContext {
  /**
   * Most rows of each table that are kept, rounded up to a power of two; the oldest give way. A run of segments that are alike
   * counts as one. Default 65536.
   */
  readonly records?: number;
  /** Gets the rows when so many have come, instead of their giving way. */
  readonly sink?: RowSink;
  /** Of the flow, in the trace. */
  readonly id?: number;
}

export const DEFAULT_RECORDS = 65_536;
export const MAX_RECORDS = 1 << 24;

/**
 * The flight recorder of one flow: TCP's observer over bounded tables. Off, it costs a branch; on, a record is a few stores into
 * one place of memory. Every method may be called while the flow runs. The names of the calls that start, stop
 * and dump are those of the 2013 debug log.
 */
export class FlowRecorder extends FlowWatch {
  readonly capacity: number;
  readonly id: number;
  readonly #tables: FlowTables;

  /** @throws RangeError when `records` is not in 1..MAX_RECORDS. */
  constructor(options: FlowRecorderOptions = {}) {
    const { records = DEFAULT_RECORDS, sink, id = 0 } = options;
    if (!(Number.isInteger(records) && records >= 1 && records <= MAX_RECORDS)) {
      throw new RangeError(`a flow recorder of ${records} records: the number must be in 1..${MAX_RECORDS}`);
    }
    const capacity = 2 ** Math.ceil(Math.log2(records));
    const tables = new FlowTables(capacity, sink, id);
    super(options, (words, doubles, end) => tables.take(words, doubles, end));
    this.capacity = capacity;
    this.id = id;
    this.#tables = tables;
  }

  get recording(): boolean {
    return this.isOn;
  }

  /** Segments and window updates held, as the 2013 log counts them: at most `capacity` together. */
  get count(): number {
    this.settle();
    return Math.min(this.#tables.segments.held + this.#tables.windows.held, this.capacity);
  }

  /** Those lost to younger ones since the start or the last `cleanLog`. */
  get overwritten(): number {
    const { count } = this;
    return this.#tables.segments.recorded + this.#tables.windows.recorded - count;
  }

  /** Begins or goes on recording; what is held stays. @returns whether that changed anything. */
  startLogging(): boolean {
    if (this.isOn) return false;
    this.isOn = true;
    return true;
  }

  /** Stops recording; what is held stays. @returns whether it changed anything. */
  stopLogging(): boolean {
    const changed = this.isOn;
    this.settle();
    this.isOn = false;
    return changed;
  }

  /** Forgets what a ring holds and the counts of what was overwritten. Recording goes on if it was on. */
  cleanLog(): void {
    this.settle();
    this.#tables.clear();
  }

  /** @returns the segments and window updates held, newest first. */
  getRawLogDump(): FlowRecord[] {
    return this.getLogDumpCopy().reverse();
  }

  /** @returns the segments and window updates held, oldest first. */
  getLogDumpCopy(): FlowRecord[] {
    return [...this.snapshot()];
  }

  /** @returns a copy of segments and window updates without an object per record: for large logs and other threads. */
  snapshot(): FlowLog {
    const { count, overwritten } = this;
    return mergedLog(this.#tables.segments.copy(), this.#tables.windows.copy(), count, overwritten);
  }

  /** @returns a copy of all tables. */
  trace(descriptor: FlowDescriptor = flowDescriptor({ id: this.id, source: 0 })): FlowTrace {
    this.settle();
    return this.#tables.trace(descriptor);
  }

  /** Gives a sink what is held; for rings nothing. */
  flush(): void {
    this.settle();
    this.#tables.flush();
  }

  totals(): FlowTotals {
    this.settle();
    return this.#tables.totals();
  }
}
