import type { FlowTrace, Trace } from '../trace.ts';

/** What a writer may be told. */
export interface WriteOptions {
  /** Ids of the flows that are written; all that the format can hold when not given. */
  readonly flows?: readonly number[];
  /** Formats of snapshots (ss): least time between two of a flow in microseconds. Default 0: all. */
  readonly intervalUs?: number;
}

/** A way to keep a trace in a file. */
export interface Format {
  /** For `--to` and `--from`. */
  readonly name: string;
  /** For people. */
  readonly title: string;
  /** Of file names, with the dot. */
  readonly extensions: readonly string[];
  /** Whether a file holds one flow only: then a writer takes the first of `flowsToWrite`. */
  readonly singleFlow: boolean;
  /** Damage goes to `problems`; never throws. */
  readonly read?: (bytes: Uint8Array) => Trace;
  /** @param sink takes each piece of the file, in order, before it returns: the memory is used again. */
  readonly write?: (trace: Trace, sink: (piece: Uint8Array) => void, options?: WriteOptions) => void;
}

/** @returns the flows of `options`, all when it names none; for a format of one flow the one with most rows first. */
export function flowsToWrite(trace: Trace, options: WriteOptions = {}): readonly FlowTrace[] {
  const { flows } = options;
  return flows === undefined ? trace.flows : trace.flows.filter((flow) => flows.includes(flow.id));
}

/** @returns the flow with the most rows, for formats that hold one; undefined when there is none. */
export function busiestFlow(flows: readonly FlowTrace[]): FlowTrace | undefined {
  const rows = (flow: FlowTrace) => flow.segments.rows + flow.windows.rows;
  let best: FlowTrace | undefined;
  for (const flow of flows) if (best === undefined || rows(flow) > rows(best)) best = flow;
  return best;
}
