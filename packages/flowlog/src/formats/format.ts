import { isReceived } from '../segment-info.ts';
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
  /** Whether a file holds one flow only: then a writer takes `busiestFlow`. */
  readonly singleFlow: boolean;
  /** Damage goes to `problems`; never throws. */
  readonly read?: (bytes: Uint8Array) => Trace;
  /** @param sink takes each piece of the file, in order, before it returns: the memory is used again. */
  readonly write?: (trace: Trace, sink: (piece: Uint8Array) => void, options?: WriteOptions) => void;
}

/** @returns the flows of `options`, all when it names none. */
export function flowsToWrite(trace: Trace, options: WriteOptions = {}): readonly FlowTrace[] {
  const { flows } = options;
  return flows === undefined ? trace.flows : trace.flows.filter((flow) => flows.includes(flow.id));
}

/** @returns the flow that sent most, else has most rows, for formats that hold one; undefined when there is none. */
export function busiestFlow(flows: readonly FlowTrace[]): FlowTrace | undefined {
  let best: FlowTrace | undefined;
  let most = [-1, -1];
  for (const flow of flows) {
    const [sent, rows] = [sentBytes(flow), flow.segments.rows + flow.windows.rows];
    if (sent < most[0]! || (sent === most[0] && rows <= most[1]!)) continue;
    best = flow;
    most = [sent, rows];
  }
  return best;
}

/** @returns payload bytes of all segments that this end sent, those sent again included. */
export function sentBytes({ segments }: FlowTrace): number {
  let sum = 0;
  for (let row = 0; row < segments.rows; row++) if (!isReceived(segments.info[row]!)) sum += segments.bytes[row]!;
  return sum;
}
