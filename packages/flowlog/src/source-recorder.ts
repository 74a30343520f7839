import type { StampClock } from '@qanat/tcp';
import { DEFAULT_RECORDS, FlowRecorder } from './flow-recorder.ts';
import type { OrderCounter } from './flow-watch.ts';
import { MachineRecorder } from './machine-recorder.ts';
import type { FlowTotals, SourceTotals } from './qflow-writer.ts';
import type { RowSink } from './row-store.ts';
import { type FlowDescriptor, type SourceDescriptor, sourceTrace, type Trace, type TraceClock } from './trace.ts';

/** Rows and descriptions of a log that leaves the domain while it is written. */
export interface TraceSink extends RowSink {
  source(source: SourceDescriptor, totals?: SourceTotals): void;
  flow(flow: FlowDescriptor, totals?: FlowTotals): void;
}

export interface SourceRecorderOptions {
  readonly source: SourceDescriptor;
  /** Clock of all records, in microseconds. */
  readonly now: () => number;
  readonly clock?: TraceClock;
  /** Most rows of each table of each flow that are kept in memory; default 65536. */
  readonly records?: number;
  /** Most rows of the machine table; default as `records`. */
  readonly machineRecords?: number;
  /** Gets everything when tables are full and at the end; without one the oldest rows give way. */
  readonly sink?: TraceSink;
}

/** Most flows that one recorder describes; more are counted, not recorded. */
const MAX_FLOWS = 1 << 16;
const MAX_STRINGS = 4096;
/** Rows of a table before a sink gets them: a quarter of a megabyte of segments. */
const SINK_ROWS = 4096;

interface Recorded {
  readonly recorder: FlowRecorder;
  readonly describe: () => FlowDescriptor;
  readonly onClosed: (() => void) | undefined;
}

/** All recorders of one source: they number their rows together, so that one sequence tells what came after what. */
export class SourceRecorder {
  readonly machine: MachineRecorder;
  readonly source: SourceDescriptor;
  /** Flows that were not recorded because there were too many. */
  refused = 0;
  readonly #options: SourceRecorderOptions;
  readonly #order: OrderCounter = { next: 0, open: undefined };
  readonly #flows = new Map<number, Recorded>();
  readonly #strings: string[] = [];
  readonly #stringNumbers = new Map<string, number>();
  readonly #records: number;
  #nextFlow = 0;
  #stamps: StampClock | undefined;

  constructor(options: SourceRecorderOptions) {
    this.#options = options;
    this.source = options.source;
    const { records = options.sink === undefined ? DEFAULT_RECORDS : SINK_ROWS, sink, source } = options;
    this.#records = records;
    const machineRows = 2 ** Math.ceil(Math.log2(options.machineRecords ?? records));
    const stringIndex = (text: string): number => this.#stringIndex(text);
    this.machine = new MachineRecorder(machineRows, options.now, this.#order, stringIndex, sink, source.id);
    sink?.source(source);
  }

  /**
   * One clock for all rows of the source, so that none has a time before that of a row that comes before it.
   * @param stamps of a stack whose flows are recorded here. @returns those that the stack has to use: of the first one.
   */
  shareStamps(stamps: StampClock): StampClock {
    this.#stamps ??= stamps;
    this.machine.stamps = this.#stamps;
    return this.#stamps;
  }

  /**
   * A recorder for one more flow, started.
   * @param describe tells what is known of the flow when it is asked: at the start, when the flow is established, and at the
   * end.
   * @param onClosed called when the connection is closed: nothing more will be recorded then.
   * @returns undefined when there are too many.
   */
  flow(describe: (id: number) => FlowDescriptor, onClosed?: () => void): FlowRecorder | undefined {
    if (this.#nextFlow >= MAX_FLOWS) {
      this.refused++;
      return undefined;
    }
    const { sink, source } = this.#options;
    const id = source.id * MAX_FLOWS + this.#nextFlow++;
    const recorder = new FlowRecorder({
      id,
      records: this.#records,
      order: this.#order,
      stringIndex: (text) => this.#stringIndex(text),
      onEstablished: () => sink?.flow(describe(id)),
      onClosed: () => this.#closed(id),
      ...(sink === undefined ? {} : { sink }),
    });
    this.#flows.set(id, { recorder, describe: () => describe(id), onClosed });
    sink?.flow(describe(id));
    recorder.startLogging();
    return recorder;
  }

  /** Ends the recording of one flow. In a ring what it holds stays. */
  end(recorder: FlowRecorder): void {
    recorder.stopLogging();
    const { sink } = this.#options;
    const flow = this.#flows.get(recorder.id);
    if (sink === undefined || flow === undefined) return;
    // What is in the file need not be in memory.
    this.#flows.delete(recorder.id);
    recorder.flush();
    sink.flow(flow.describe(), recorder.totals());
  }

  #closed(id: number): void {
    const flow = this.#flows.get(id);
    if (flow === undefined) return;
    this.end(flow.recorder);
    flow.onClosed?.();
  }

  /** Gives the sink what is held, and the totals. */
  flush(): void {
    const { sink } = this.#options;
    if (sink === undefined) return;
    for (const { recorder, describe } of this.#flows.values()) {
      recorder.flush();
      sink.flow(describe(), recorder.totals());
    }
    this.machine.flush();
    const { recorded, overwritten } = this.machine;
    sink.source(this.source, { strings: this.#strings, recorded, overwritten });
  }

  /** A copy of all that is held. */
  trace(): Trace {
    const { overwritten, lost } = this.machine;
    const rows = { machine: this.machine.table(), strings: [...this.#strings], overwritten, dropped: lost };
    return {
      sources: [sourceTrace(this.source, rows)],
      flows: [...this.#flows.values()].map(({ recorder, describe }) => recorder.trace(describe())),
      clock: this.#options.clock ?? { unixEpochUs: undefined, resolutionUs: 1 },
      problems: [],
    };
  }

  #stringIndex(text: string): number {
    const known = this.#stringNumbers.get(text);
    if (known !== undefined) return known;
    if (this.#strings.length >= MAX_STRINGS) return MAX_STRINGS - 1;
    this.#stringNumbers.set(text, this.#strings.length);
    return this.#strings.push(text) - 1;
  }
}
