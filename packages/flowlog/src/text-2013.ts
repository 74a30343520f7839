/** The 2013 text format of a `FlowLog`. The format itself, and reader and writer of traces: formats/text-2013*.ts. */
import { FlowLog } from './flow-log.ts';
import { ByteWriter } from './formats/byte-writer.ts';
import {
  beginWindowLine,
  endWindowLine,
  MAX_LINE_BYTES,
  WINDOW_DETAILS,
  writeDetail,
  writeSegmentLine,
} from './formats/text-2013-line.ts';
import { LINE_TX, LINE_WND, Text2013Parser } from './formats/text-2013-parser.ts';
import { type FlowRecord, OP_TX, OP_WND } from './record.ts';

const CHUNK_RECORDS = 8192;

/** Which of the eleven window fields are sequence numbers. */
const IS_SEQUENCE_NUMBER = [true, true, true, true, false, false, false, false, false, false, true];

/** @returns the whole dump; large logs are better written with `text2013Chunks`. */
export function formatText2013(records: FlowLog | Iterable<FlowRecord>): string {
  return [...text2013Chunks(records)].join('');
}

/** The dump in pieces of some thousand lines, so that it can be streamed to a file. */
export function* text2013Chunks(records: FlowLog | Iterable<FlowRecord>): Generator<string> {
  const log = records instanceof FlowLog ? records : FlowLog.from(records);
  const startUs = log.count > 0 ? log.timeUs(0) : 0;
  const out = new ByteWriter();
  const decoder = new TextDecoder();
  for (let first = 0; first < log.count; first += CHUNK_RECORDS) {
    const end = Math.min(first + CHUNK_RECORDS, log.count);
    for (let index = first; index < end; index++) {
      out.reserve(MAX_LINE_BYTES);
      writeLine(out, log, index, startUs);
    }
    yield decoder.decode(out.take());
  }
}

function writeLine(out: ByteWriter, log: FlowLog, index: number, startUs: number): void {
  const op = log.op(index);
  const timeUs = log.timeUs(index) - startUs;
  if (op !== OP_WND) {
    const delayUs = op === OP_TX ? log.delayUs(index) : -1;
    writeSegmentLine(out, timeUs, delayUs, log.detail(index, 0), log.detail(index, 1));
    return;
  }
  beginWindowLine(out, timeUs);
  for (let i = 0; i < WINDOW_DETAILS; i++) {
    const value = log.detail(index, i);
    writeDetail(out, IS_SEQUENCE_NUMBER[i] ? value >>> 0 : value);
  }
  endWindowLine(out);
}

/** What a reader made of a text. */
export interface Text2013 {
  /** Times start at 0; what the format does not carry (flags, payload, window field) is 0. */
  readonly log: FlowLog;
  /** Lines that are no records: console noise, torn or glued lines. Blank lines do not count. */
  readonly skippedLines: number;
}

/** Reads a 2013 log leniently (formats/text-2013-parser.ts). Never throws. */
export function parseText2013(text: string): Text2013 {
  const parser = new Text2013Parser(new TextEncoder().encode(text));
  const records: FlowRecord[] = [];
  while (parser.next()) records.push(recordOf(parser));
  return { log: FlowLog.from(records), skippedLines: parser.skippedLines };
}

function recordOf({ kind, timeUs, delayUs, details }: Text2013Parser): FlowRecord {
  if (kind === LINE_WND) {
    return {
      op: 'WND',
      kind: 'UPD',
      timeUs,
      delayUs,
      sndNxt: details[0]! >>> 0,
      segAck: details[1]! >>> 0,
      sndUna: details[2]! >>> 0,
      rcvNxt: details[3]! >>> 0,
      backoff: details[4]!,
      sndWnd: details[5]!,
      rcvWnd: details[6]!,
      cwnd: details[7]!,
      ssthresh: details[8]!,
      inRecovery: details[9] !== 0,
      recoveryPoint: details[10]! >>> 0,
    };
  }
  return {
    op: kind === LINE_TX ? 'TX' : 'RX',
    kind: 'SEG',
    timeUs,
    delayUs,
    seq: details[0]! >>> 0,
    ack: details[1]! >>> 0,
    flags: 0,
    bytes: 0,
    window: 0,
    retransmission: false,
  };
}
