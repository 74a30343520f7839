/**
 * JSON lines: one object a line, `type` says of what. First `trace`, then a `source` and a `flow` for each, then the
 * rows in the order of time. Nothing is lost: `readJsonl` gives the same trace (but for the packets of a capture).
 */
import {
  hasTimestamps,
  isReceived,
  REASON_NONE,
  sackBlocks,
  segmentFlags,
  segmentInfo,
  segmentReason,
} from '../segment-info.ts';
import type { FlowTrace, SourceTrace, Trace } from '../trace.ts';
import { ascii, ByteWriter } from './byte-writer.ts';
import { flowsToWrite, type WriteOptions } from './format.ts';
import { ROW_EVENT, ROW_SEGMENT, ROW_WINDOW, RowMerge } from './row-merge.ts';

export const JSONL_VERSION = 1;

/** Most bytes that a row has. */
const MAX_ROW_BYTES = 1024;

const SEGMENT = ascii('{"type":"segment","flow":');
const WINDOW = ascii('{"type":"window","flow":');
const EVENT = ascii('{"type":"event","flow":');
const MACHINE = ascii('{"type":"machine","source":');
const SACK = ascii('{"type":"sack","flow":');
const TIME = ascii(',"timeUs":');
const ORDER = ascii(',"order":');
const TX = ascii(',"dir":"TX","seq":');
const RX = ascii(',"dir":"RX","seq":');
const ACK = ascii(',"ack":');
const BYTES = ascii(',"bytes":');
const WINDOW_FIELD = ascii(',"window":');
const FLAGS = ascii(',"flags":');
const DELAY = ascii(',"delayUs":');
const TS_VAL = ascii(',"tsVal":');
const TS_ECR = ascii(',"tsEcr":');
const REASON = ascii(',"reason":');
const SACKS = ascii(',"sacks":[[');
const INFO = ascii(',"info":');
const KIND = ascii(',"kind":');
const A = ascii(',"a":');
const B = ascii(',"b":');
const C = ascii(',"c":');
const SEGMENT_ROW = ascii(',"segment":');
const LEFT = ascii(',"left":');
const RIGHT = ascii(',"right":');
const END = ascii('}\n');
const COMMA = 0x2c;

/** The columns of a window update that are sequence numbers, and the others, in the order in which they are written. */
const SEQUENCE_KEYS = ['sndNxt', 'segAck', 'sndUna', 'rcvNxt', 'recoveryPoint'] as const;
const NUMBER_KEYS = [
  ...(['sndWnd', 'rcvWnd', 'cwnd', 'ssthresh', 'pipe', 'srttUs', 'rttvarUs', 'rtoUs', 'minRttUs'] as const),
  ...(['pacingRate', 'info'] as const),
] as const;
const NAMES = [...SEQUENCE_KEYS, ...NUMBER_KEYS].map((name) => ascii(`,"${name}":`));

/** Writes all flows (or those of `options`) and, when no flows are chosen, all sources. */
export function* writeJsonl(trace: Trace, options: WriteOptions = {}): Generator<Uint8Array> {
  const out = new ByteWriter();
  const flows = flowsToWrite(trace, options);
  const { unixEpochUs, resolutionUs } = trace.clock;
  line(out, { type: 'trace', version: JSONL_VERSION, clock: { unixEpochUs, resolutionUs }, problems: trace.problems });
  for (const source of trace.sources) {
    const { id, name, kind, strings, overwritten, dropped } = source;
    line(out, { type: 'source', id, name, kind, strings, overwritten, dropped });
    if (out.isFull) yield out.take();
  }
  for (const flow of flows) {
    line(out, describe(flow));
    if (out.isFull) yield out.take();
  }
  const { sources } = trace;
  const rows = new RowMerge(flows, (1 << ROW_SEGMENT) | (1 << ROW_WINDOW) | (1 << ROW_EVENT), sources);
  /** Per flow: the next row of `sacks`. */
  const nextSack = new Uint32Array(flows.length);
  while (rows.next()) {
    if (out.isFull) yield out.take();
    out.reserve(MAX_ROW_BYTES);
    const { owner, row } = rows;
    if (rows.kind === ROW_SEGMENT) nextSack[owner] = segmentLine(out, flows[owner]!, row, nextSack[owner]!);
    else if (rows.kind === ROW_WINDOW) windowLine(out, flows[owner]!, row);
    else if (rows.kind === ROW_EVENT) eventLine(out, flows[owner]!, row);
    else machineLine(out, sources[owner]!, row);
  }
  for (let owner = 0; owner < flows.length; owner++) {
    for (let sack = nextSack[owner]!; sack < flows[owner]!.sacks.rows; sack++) {
      if (out.isFull) yield out.take();
      out.reserve(MAX_ROW_BYTES);
      sackLine(out, flows[owner]!, sack);
    }
  }
  if (out.used > 0) yield out.take();
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

/** @returns the row of `sacks` that follows those of the segment. */
function segmentLine(out: ByteWriter, flow: FlowTrace, row: number, sack: number): number {
  const { segments, sacks } = flow;
  // Blocks whose segment is not there (it was damaged): lines of their own.
  const wanted = flow.firstSegment + row;
  while (sack < sacks.rows && sacks.segment[sack]! < wanted) sackLine(out, flow, sack++);
  const info = segments.info[row]!;
  out.copy(SEGMENT);
  out.integer(flow.id);
  out.copy(TIME);
  out.number(segments.timeUs[row]!);
  out.copy(ORDER);
  out.integer(segments.order[row]!);
  out.copy(isReceived(info) ? RX : TX);
  out.integer(segments.seq[row]! >>> 0);
  out.copy(ACK);
  out.integer(segments.ack[row]! >>> 0);
  out.copy(BYTES);
  out.integer(segments.bytes[row]!);
  out.copy(WINDOW_FIELD);
  out.integer(segments.window[row]!);
  out.copy(FLAGS);
  out.integer(segmentFlags(info));
  out.copy(DELAY);
  out.integer(segments.delayUs[row]!);
  const tsVal = segments.tsVal[row]!;
  const tsEcr = segments.tsEcr[row]!;
  const timestamps = hasTimestamps(info) || tsVal !== 0 || tsEcr !== 0;
  if (timestamps) {
    out.copy(TS_VAL);
    out.integer(tsVal >>> 0);
    out.copy(TS_ECR);
    out.integer(tsEcr >>> 0);
  }
  const reason = segmentReason(info);
  if (reason !== REASON_NONE) {
    out.copy(REASON);
    out.integer(reason);
  }
  const blocks = sackBlocks(info);
  let found = 0;
  if (blocks > 0) {
    while (found < blocks && sack < sacks.rows && sacks.segment[sack] === wanted) {
      if (found === 0) out.copy(SACKS);
      else {
        out.byte(0x5d);
        out.byte(COMMA);
        out.byte(0x5b);
      }
      out.integer(sacks.left[sack]! >>> 0);
      out.byte(COMMA);
      out.integer(sacks.right[sack]! >>> 0);
      sack++;
      found++;
    }
    if (found > 0) {
      out.byte(0x5d);
      out.byte(0x5d);
    }
  }
  // What the other fields do not say: bits of a later version, stamps without the option, blocks that were lost.
  if (segmentInfo(isReceived(info), segmentFlags(info), reason, timestamps, found) >>> 0 !== info) {
    out.copy(INFO);
    out.integer(info);
  }
  out.copy(END);
  return sack;
}

function sackLine(out: ByteWriter, flow: FlowTrace, sack: number): void {
  const { sacks } = flow;
  out.copy(SACK);
  out.integer(flow.id);
  out.copy(SEGMENT_ROW);
  out.integer(sacks.segment[sack]!);
  out.copy(LEFT);
  out.integer(sacks.left[sack]! >>> 0);
  out.copy(RIGHT);
  out.integer(sacks.right[sack]! >>> 0);
  out.copy(END);
}

function windowLine(out: ByteWriter, flow: FlowTrace, row: number): void {
  const { windows } = flow;
  out.copy(WINDOW);
  out.integer(flow.id);
  out.copy(TIME);
  out.number(windows.timeUs[row]!);
  out.copy(ORDER);
  out.integer(windows.order[row]!);
  let name = 0;
  for (const key of SEQUENCE_KEYS) {
    out.copy(NAMES[name++]!);
    out.integer(windows[key][row]! >>> 0);
  }
  for (const key of NUMBER_KEYS) {
    out.copy(NAMES[name++]!);
    if (key === 'pacingRate') out.number(windows.pacingRate[row]!);
    else out.integer(windows[key][row]!);
  }
  out.copy(END);
}

function eventLine(out: ByteWriter, flow: FlowTrace, row: number): void {
  const { events } = flow;
  out.copy(EVENT);
  out.integer(flow.id);
  out.copy(TIME);
  out.number(events.timeUs[row]!);
  out.copy(ORDER);
  out.integer(events.order[row]!);
  out.copy(KIND);
  out.integer(events.kind[row]!);
  out.copy(A);
  out.integer(events.a[row]!);
  out.copy(B);
  out.integer(events.b[row]!);
  out.copy(END);
}

function machineLine(out: ByteWriter, source: SourceTrace, row: number): void {
  const { machine } = source;
  out.copy(MACHINE);
  out.integer(source.id);
  out.copy(TIME);
  out.number(machine.timeUs[row]!);
  out.copy(ORDER);
  out.integer(machine.order[row]!);
  out.copy(KIND);
  out.integer(machine.kind[row]!);
  out.copy(A);
  out.integer(machine.a[row]!);
  out.copy(B);
  out.integer(machine.b[row]!);
  out.copy(C);
  out.integer(machine.c[row]!);
  out.copy(END);
}
