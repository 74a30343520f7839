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
import { type Ascii, ascii, ByteWriter } from './byte-writer.ts';
import { flowsToWrite, type WriteOptions } from './format.ts';
import { ROW_EVENT, ROW_MACHINE, ROW_SEGMENT, ROW_WINDOW, RowMerge } from './row-merge.ts';

export const JSONL_VERSION = 1;

/** Most bytes that a row has. */
const MAX_ROW_BYTES = 1024;

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
const LEFT = ascii(',"left":');
const RIGHT = ascii(',"right":');
const END = ascii('}\n');
const COMMA = 0x2c;

const SND_NXT = ascii(',"sndNxt":');
const SEG_ACK = ascii(',"segAck":');
const SND_UNA = ascii(',"sndUna":');
const RCV_NXT = ascii(',"rcvNxt":');
const RECOVERY_POINT = ascii(',"recoveryPoint":');
const SND_WND = ascii(',"sndWnd":');
const RCV_WND = ascii(',"rcvWnd":');
const CWND = ascii(',"cwnd":');
const SSTHRESH = ascii(',"ssthresh":');
const PIPE = ascii(',"pipe":');
const SRTT = ascii(',"srttUs":');
const RTTVAR = ascii(',"rttvarUs":');
const RTO = ascii(',"rtoUs":');
const MIN_RTT = ascii(',"minRttUs":');
const PACING_RATE = ascii(',"pacingRate":');

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
  const heads = flows.map(headsOf);
  const machineHeads = sources.map(({ id }) => ascii(`{"type":"machine","source":${id},"timeUs":`));
  /** Per flow: the next row of `sacks`. */
  const nextSack = new Uint32Array(flows.length);
  while (rows.next()) {
    if (out.isFull) yield out.take();
    out.reserve(MAX_ROW_BYTES);
    const { owner, row } = rows;
    if (rows.kind === ROW_MACHINE) {
      machineLine(out, sources[owner]!, machineHeads[owner]!, row);
      continue;
    }
    const flow = flows[owner]!;
    const flowHeads = heads[owner]!;
    if (rows.kind === ROW_SEGMENT) nextSack[owner] = segmentLine(out, flow, flowHeads, row, nextSack[owner]!);
    else if (rows.kind === ROW_WINDOW) windowLine(out, flow, flowHeads, row);
    else eventLine(out, flow, flowHeads, row);
  }
  for (let owner = 0; owner < flows.length; owner++) {
    for (let sack = nextSack[owner]!; sack < flows[owner]!.sacks.rows; sack++) {
      if (out.isFull) yield out.take();
      out.reserve(MAX_ROW_BYTES);
      sackLine(out, flows[owner]!, heads[owner]!, sack);
    }
  }
  if (out.used > 0) yield out.take();
}

/** How the lines of a flow begin. */
interface Heads {
  readonly segment: Ascii;
  readonly window: Ascii;
  readonly event: Ascii;
  readonly sack: Ascii;
}

function headsOf({ id }: FlowTrace): Heads {
  return {
    segment: ascii(`{"type":"segment","flow":${id},"timeUs":`),
    window: ascii(`{"type":"window","flow":${id},"timeUs":`),
    event: ascii(`{"type":"event","flow":${id},"timeUs":`),
    sack: ascii(`{"type":"sack","flow":${id},"segment":`),
  };
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
function segmentLine(out: ByteWriter, flow: FlowTrace, heads: Heads, row: number, sack: number): number {
  const { segments, sacks } = flow;
  // Blocks whose segment is not there (it was damaged): lines of their own.
  const wanted = flow.firstSegment + row;
  while (sack < sacks.rows && sacks.segment[sack]! < wanted) sackLine(out, flow, heads, sack++);
  const info = segments.info[row]!;
  out.copy(heads.segment);
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

function sackLine(out: ByteWriter, flow: FlowTrace, heads: Heads, sack: number): void {
  const { sacks } = flow;
  out.copy(heads.sack);
  out.integer(sacks.segment[sack]!);
  out.copy(LEFT);
  out.integer(sacks.left[sack]! >>> 0);
  out.copy(RIGHT);
  out.integer(sacks.right[sack]! >>> 0);
  out.copy(END);
}

function windowLine(out: ByteWriter, flow: FlowTrace, heads: Heads, row: number): void {
  const { windows } = flow;
  out.copy(heads.window);
  out.number(windows.timeUs[row]!);
  out.copy(ORDER);
  out.integer(windows.order[row]!);
  sequence(out, SND_NXT, windows.sndNxt, row);
  sequence(out, SEG_ACK, windows.segAck, row);
  sequence(out, SND_UNA, windows.sndUna, row);
  sequence(out, RCV_NXT, windows.rcvNxt, row);
  sequence(out, RECOVERY_POINT, windows.recoveryPoint, row);
  count(out, SND_WND, windows.sndWnd, row);
  count(out, RCV_WND, windows.rcvWnd, row);
  count(out, CWND, windows.cwnd, row);
  count(out, SSTHRESH, windows.ssthresh, row);
  count(out, PIPE, windows.pipe, row);
  count(out, SRTT, windows.srttUs, row);
  count(out, RTTVAR, windows.rttvarUs, row);
  count(out, RTO, windows.rtoUs, row);
  count(out, MIN_RTT, windows.minRttUs, row);
  out.copy(PACING_RATE);
  out.number(windows.pacingRate[row]!);
  count(out, INFO, windows.info, row);
  out.copy(END);
}

function sequence(out: ByteWriter, name: Ascii, column: Int32Array, row: number): void {
  out.copy(name);
  out.integer(column[row]! >>> 0);
}

function count(out: ByteWriter, name: Ascii, column: Uint32Array, row: number): void {
  out.copy(name);
  out.integer(column[row]!);
}

function eventLine(out: ByteWriter, flow: FlowTrace, heads: Heads, row: number): void {
  const { events } = flow;
  out.copy(heads.event);
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

function machineLine(out: ByteWriter, source: SourceTrace, head: Ascii, row: number): void {
  const { machine } = source;
  out.copy(head);
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
