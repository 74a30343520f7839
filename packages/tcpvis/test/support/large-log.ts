/** Writes a large log as a recorder that streams would: the chunks of all tables mixed, in the order of time. */
import {
  CHUNK_EVENTS,
  CHUNK_MACHINE,
  CHUNK_SACKS,
  CHUNK_SEGMENTS,
  CHUNK_WINDOWS,
  DEFAULT_CHUNK_ROWS,
  EVENT_SCHEMA,
  MACHINE_SCHEMA,
  SACK_SCHEMA,
  type Schema,
  SEGMENT_SCHEMA,
  type TableKind,
  type TableOf,
  TraceWriter,
  tableSlice,
  WINDOW_SCHEMA,
} from '@qanat/flowlog';
import { modelTrace } from './model-trace.ts';

const SCHEMAS = {
  [CHUNK_SEGMENTS]: SEGMENT_SCHEMA,
  [CHUNK_SACKS]: SACK_SCHEMA,
  [CHUNK_WINDOWS]: WINDOW_SCHEMA,
  [CHUNK_EVENTS]: EVENT_SCHEMA,
  [CHUNK_MACHINE]: MACHINE_SCHEMA,
} as const;

/** Rows of the model per data segment, at least. */
const ROWS_PER_SEGMENT = 2;

/** @param rows how many, to 1 % for 100 000 or more. @param sink takes the bytes. @returns how many rows there are. */
export function writeLargeLog(rows: number, sink: (bytes: Uint8Array) => void): number {
  const trace = modelTrace({ segments: Math.ceil(rows / ROWS_PER_SEGMENT), rows, rttUs: 2000 });
  const [flow] = trace.flows;
  const [source] = trace.sources;
  const writer = new TraceWriter(sink, { clock: trace.clock });
  writer.source(source!);
  writer.flow(flow!);
  let written = 0;
  const pieces: { readonly timeUs: number; readonly write: () => void }[] = [];
  const cut = <K extends TableKind>(
    kind: K,
    table: TableOf<(typeof SCHEMAS)[K]>,
    timeOf: (row: number) => number,
  ): void => {
    for (let from = 0; from < table.rows; from += DEFAULT_CHUNK_ROWS) {
      const to = Math.min(table.rows, from + DEFAULT_CHUNK_ROWS);
      const write = (): void =>
        writer.table(kind, 1, from, tableSlice<Schema>(SCHEMAS[kind], table, from, to) as typeof table);
      pieces.push({ timeUs: timeOf(to - 1), write });
    }
    written += table.rows;
  };
  const { segments, sacks, windows, events } = flow!;
  cut(CHUNK_SEGMENTS, segments, (row) => segments.timeUs[row]!);
  cut(CHUNK_SACKS, sacks, (row) => segments.timeUs[sacks.segment[row]!]!);
  cut(CHUNK_WINDOWS, windows, (row) => windows.timeUs[row]!);
  cut(CHUNK_EVENTS, events, (row) => events.timeUs[row]!);
  cut(CHUNK_MACHINE, source!.machine, (row) => source!.machine.timeUs[row]!);
  pieces.sort((a, b) => a.timeUs - b.timeUs);
  for (const { write } of pieces) write();
  writer.end();
  return written;
}
