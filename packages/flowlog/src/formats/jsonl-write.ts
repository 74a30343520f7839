/**
 * JSON lines: one object a line, `type` says of what. First `trace`, then a `source` and a `flow` for each, then the
 * rows in the order of time (jsonl-shape.ts). Nothing is lost: `readJsonl` gives the same trace (but for the packets of a
 * capture).
 */
import type { FlowTrace, Trace } from '../trace.ts';
import { ascii, ByteWriter } from './byte-writer.ts';
import { flowsToWrite, type WriteOptions } from './format.ts';
import { JsonlRowWriter } from './jsonl-row-writer.ts';
import { writeSegmentWords } from './jsonl-segment.ts';
import {
  EVENT_SHAPE,
  JSONL_VERSION,
  MACHINE_SHAPE,
  MAX_ROW_BYTES,
  SACK_SHAPE,
  SEGMENT_SHAPE,
  WINDOW_SHAPE,
} from './jsonl-shape.ts';
import { ROW_EVENT, ROW_MACHINE, ROW_SEGMENT, ROW_WINDOW, RowMerge } from './row-merge.ts';

const END = ascii('}\n');

/** Writes all flows (or those of `options`), and all sources. */
export function* writeJsonl(trace: Trace, options: WriteOptions = {}): Generator<Uint8Array> {
  const out = new ByteWriter();
  const { sources } = trace;
  const flows = flowsToWrite(trace, options);
  const { unixEpochUs, resolutionUs } = trace.clock;
  line(out, { type: 'trace', version: JSONL_VERSION, clock: { unixEpochUs, resolutionUs }, problems: trace.problems });
  for (const source of sources) {
    const { id, name, kind, strings, overwritten, dropped } = source;
    line(out, { type: 'source', id, name, kind, strings, overwritten, dropped });
    if (out.isFull) yield out.take();
  }
  for (const flow of flows) {
    line(out, describe(flow));
    if (out.isFull) yield out.take();
  }
  const rows = new RowMerge(flows, (1 << ROW_SEGMENT) | (1 << ROW_WINDOW) | (1 << ROW_EVENT), sources);
  const writers = flows.map((flow) => new FlowRows(flow));
  const machines = sources.map(({ id, machine }) => new JsonlRowWriter(MACHINE_SHAPE, machine, id));
  while (rows.next()) {
    if (out.isFull) yield out.take();
    out.reserve(MAX_ROW_BYTES);
    const { kind, owner, row } = rows;
    if (kind === ROW_MACHINE) machines[owner]!.write(out, row);
    else writers[owner]!.write(out, kind, row);
    out.copy(END);
  }
  for (const writer of writers) {
    while (writer.hasSacks) {
      if (out.isFull) yield out.take();
      out.reserve(MAX_ROW_BYTES);
      writer.writeSack(out);
    }
  }
  if (out.used > 0) yield out.take();
}

/** The rows of one flow. */
class FlowRows {
  readonly #flow: FlowTrace;
  readonly #segments: JsonlRowWriter;
  readonly #windows: JsonlRowWriter;
  readonly #events: JsonlRowWriter;
  readonly #sacks: JsonlRowWriter;
  #nextSack = 0;

  constructor(flow: FlowTrace) {
    this.#flow = flow;
    this.#segments = new JsonlRowWriter(SEGMENT_SHAPE, flow.segments, flow.id);
    this.#windows = new JsonlRowWriter(WINDOW_SHAPE, flow.windows, flow.id);
    this.#events = new JsonlRowWriter(EVENT_SHAPE, flow.events, flow.id);
    this.#sacks = new JsonlRowWriter(SACK_SHAPE, flow.sacks, flow.id);
  }

  /** All but the end of the line. */
  write(out: ByteWriter, kind: number, row: number): void {
    if (kind === ROW_WINDOW) this.#windows.write(out, row);
    else if (kind === ROW_EVENT) this.#events.write(out, row);
    else {
      // Blocks whose segment is not there (it was damaged): lines of their own.
      const { sacks, firstSegment } = this.#flow;
      while (this.hasSacks && sacks.segment[this.#nextSack]! < firstSegment + row) this.writeSack(out);
      out.reserve(MAX_ROW_BYTES);
      this.#segments.write(out, row);
      this.#nextSack = writeSegmentWords(out, this.#flow, row, this.#nextSack);
    }
  }

  get hasSacks(): boolean {
    return this.#nextSack < this.#flow.sacks.rows;
  }

  /** The line of a block by itself. */
  writeSack(out: ByteWriter): void {
    out.reserve(MAX_ROW_BYTES);
    this.#sacks.write(out, this.#nextSack++);
    out.copy(END);
  }
}

/** All that is known of a flow beside its rows, in the same order whatever made the object. */
function describe(flow: FlowTrace): object {
  const { id, source, localAddress, localPort, remoteAddress, remotePort, active, iss, irs, sndShift, rcvShift } = flow;
  const { mss, congestion, startUs, firstSegment, overwritten, dropped } = flow;
  const addresses = { localAddress, localPort, remoteAddress, remotePort };
  const rest = { mss, congestion, startUs, firstSegment, overwritten, dropped };
  return { type: 'flow', id, source, ...addresses, active, iss, irs, sndShift, rcvShift, ...rest };
}

function line(out: ByteWriter, value: object): void {
  out.text(`${JSON.stringify(value)}\n`);
}
