/** The text format of the 2013 log: a trace of one flow from and to it (the format itself: text-2013-line.ts). */
import { segmentInfo } from '../segment-info.ts';
import { SegmentTableBuilder, type WindowRow, WindowTableBuilder } from '../table-builders.ts';
import { flowDescriptor, flowTrace, sourceTrace, type Trace } from '../trace.ts';
import { backoff, isInRecovery, windowInfo } from '../window-info.ts';
import { ByteWriter } from './byte-writer.ts';
import { busiestFlow, flowsToWrite, type WriteOptions } from './format.ts';
import { ROW_SEGMENT, ROW_WINDOW, RowMerge } from './row-merge.ts';
import { beginWindowLine, endWindowLine, MAX_LINE_BYTES, writeDetail, writeSegmentLine } from './text-2013-line.ts';
import { LINE_RX, LINE_WND, Text2013Parser } from './text-2013-parser.ts';

const MAX_UINT32 = 0xffff_ffff;

/** Writes the segments and window updates of one flow; times are relative to its first record. */
export function* writeText2013(trace: Trace, options: WriteOptions = {}): Generator<Uint8Array> {
  const flow = busiestFlow(flowsToWrite(trace, options));
  if (flow === undefined) return;
  const { segments, windows } = flow;
  const rows = new RowMerge([flow], (1 << ROW_SEGMENT) | (1 << ROW_WINDOW));
  const out = new ByteWriter();
  let startUs = Number.NaN;
  while (rows.next()) {
    if (out.isFull) yield out.take();
    out.reserve(MAX_LINE_BYTES);
    const { row } = rows;
    if (rows.kind === ROW_SEGMENT) {
      if (Number.isNaN(startUs)) startUs = segments.timeUs[row]!;
      const delayUs = (segments.info[row]! & 1) === 0 ? segments.delayUs[row]! : -1;
      writeSegmentLine(out, segments.timeUs[row]! - startUs, delayUs, segments.seq[row]!, segments.ack[row]!);
      continue;
    }
    if (Number.isNaN(startUs)) startUs = windows.timeUs[row]!;
    const info = windows.info[row]!;
    beginWindowLine(out, windows.timeUs[row]! - startUs);
    writeDetail(out, windows.sndNxt[row]! >>> 0);
    writeDetail(out, windows.segAck[row]! >>> 0);
    writeDetail(out, windows.sndUna[row]! >>> 0);
    writeDetail(out, windows.rcvNxt[row]! >>> 0);
    writeDetail(out, backoff(info));
    writeDetail(out, windows.sndWnd[row]!);
    writeDetail(out, windows.rcvWnd[row]!);
    writeDetail(out, windows.cwnd[row]!);
    writeDetail(out, windows.ssthresh[row]!);
    writeDetail(out, isInRecovery(info) ? 1 : 0);
    writeDetail(out, windows.recoveryPoint[row]! >>> 0);
    endWindowLine(out);
  }
  if (out.used > 0) yield out.take();
}

/**
 * Reads a 2013 log leniently: what is no record is skipped and counted in `problems`. What the format does not carry
 * (addresses, flags, payload, window field, and all that came after 2013) is 0, which stands for "not known"; in flight is
 * what was sent and not acknowledged.
 */
export function readText2013(bytes: Uint8Array): Trace {
  const parser = new Text2013Parser(bytes);
  const { details } = parser;
  const segments = new SegmentTableBuilder();
  const windows = new WindowTableBuilder();
  const window = { ...NO_WINDOW };
  let order = 0;
  while (parser.next()) {
    if (parser.kind !== LINE_WND) {
      const info = segmentInfo(parser.kind === LINE_RX, 0, 0, false, 0);
      const delayUs = clamp(parser.delayUs);
      segments.push(parser.timeUs, order++, details[0]! | 0, details[1]! | 0, 0, 0, 0, 0, delayUs, info);
      continue;
    }
    window.timeUs = parser.timeUs;
    window.order = order++;
    window.sndNxt = details[0]! | 0;
    window.segAck = details[1]! | 0;
    window.sndUna = details[2]! | 0;
    window.rcvNxt = details[3]! | 0;
    window.sndWnd = clamp(details[5]!);
    window.rcvWnd = clamp(details[6]!);
    window.cwnd = clamp(details[7]!);
    window.pipe = Math.max(0, (window.sndNxt - window.sndUna) | 0);
    window.ssthresh = clamp(details[8]!);
    window.recoveryPoint = details[10]! | 0;
    window.info = windowInfo(clamp(details[4]!), details[9] !== 0, 0, 0, 0);
    windows.push(window);
  }
  const problems: string[] = [];
  const skipped = parser.skippedLines;
  if (skipped === 1) problems.push('1 line is no record and was skipped');
  else if (skipped > 1) problems.push(`${skipped} lines are no records and were skipped`);
  const descriptor = flowDescriptor({ id: 0, source: 0, startUs: 0 });
  return {
    sources: [sourceTrace({ id: 0, name: 'log of 2013', kind: 'host' })],
    flows: order === 0 ? [] : [flowTrace(descriptor, { segments: segments.finish(), windows: windows.finish() })],
    clock: { unixEpochUs: undefined, resolutionUs: 1 },
    problems,
  };
}

function clamp(value: number): number {
  return value < 0 ? 0 : Math.min(value, MAX_UINT32);
}

const NO_WINDOW: { -readonly [Name in keyof WindowRow]: number } = {
  timeUs: 0,
  order: 0,
  sndNxt: 0,
  segAck: 0,
  sndUna: 0,
  rcvNxt: 0,
  recoveryPoint: 0,
  sndWnd: 0,
  rcvWnd: 0,
  cwnd: 0,
  ssthresh: 0,
  pipe: 0,
  srttUs: 0,
  rttvarUs: 0,
  rtoUs: 0,
  minRttUs: 0,
  pacingRate: 0,
  info: 0,
};
