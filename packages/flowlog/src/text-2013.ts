/**
 * The text format of the 2013 log, one record a line:
 *
 *     Time=0.000207, Delay=0.000000, Op=WND, Kind=UPD, details=[466437667 466437667 … 466434749] \n
 *
 * `Time` and `Delay` are C's `%f` in seconds, `Time` relative to the first record of the dump. The details are
 * decimal integers joined by single blanks, as OCaml's `String.concat " "` over `string_of_int` joins them, and the
 * bracket is followed by one blank before the line feed. A segment has [seq ack], a window update its eleven fields.
 * Only a sent segment has a delay: for RX and WND the field is 0.000000.
 *
 * Sequence numbers are written as they are on the wire, 0..2^32-1. (The logs that were published have none above
 * 2^31, so they do not say whether the tool of 2013 showed those as negative; the reader takes both.)
 */
import { FlowLog } from './flow-log.ts';
import { type FlowRecord, OP_TX, OP_WND, SEGMENT_DETAILS, WINDOW_DETAILS } from './record.ts';

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
  for (let first = 0; first < log.count; first += CHUNK_RECORDS) {
    const end = Math.min(first + CHUNK_RECORDS, log.count);
    let text = '';
    for (let index = first; index < end; index++) text += line(log, index, startUs);
    yield text;
  }
}

function line(log: FlowLog, index: number, startUs: number): string {
  const op = log.op(index);
  const time = seconds(log.timeUs(index) - startUs);
  if (op === OP_WND) {
    let details = '';
    for (let i = 0; i < WINDOW_DETAILS; i++) {
      const word = log.detail(index, i);
      details += `${i === 0 ? '' : ' '}${IS_SEQUENCE_NUMBER[i] ? word >>> 0 : word}`;
    }
    return `Time=${time}, Delay=0.000000, Op=WND, Kind=UPD, details=[${details}] \n`;
  }
  const delay = op === OP_TX ? seconds(log.delayUs(index)) : '0.000000';
  const name = op === OP_TX ? 'TX' : 'RX';
  const seq = log.detail(index, 0) >>> 0;
  const ack = log.detail(index, 1) >>> 0;
  return `Time=${time}, Delay=${delay}, Op=${name}, Kind=SEG, details=[${seq} ${ack}] \n`;
}

/** C's `%f` of a number of microseconds in seconds. */
function seconds(us: number): string {
  return (us / 1e6).toFixed(6);
}

/** What a reader made of a text. */
export interface Text2013 {
  /** Times start at 0; what the format does not carry (flags, payload, window field) is 0. */
  readonly log: FlowLog;
  /** Lines that are no records: console noise, torn or glued lines. Blank lines do not count. */
  readonly skippedLines: number;
}

const LINE =
  /^\s*Time=(-?\d+(?:\.\d*)?)\s*,\s*Delay=(-?\d+(?:\.\d*)?)\s*,\s*Op=(TX|RX|WND)\s*,\s*Kind=(SEG|UPD)\s*,\s*details=\[\s*(-?\d+(?:\s+-?\d+)*)\s*\]\s*$/;

/**
 * Reads a 2013 log as its own tool did: the log went through a console, so that anything may stand between the
 * records; a line that is not a whole record by itself is skipped and counted. Never throws.
 */
export function parseText2013(text: string): Text2013 {
  const records: FlowRecord[] = [];
  let skippedLines = 0;
  let start = 0;
  while (start < text.length) {
    const lineFeed = text.indexOf('\n', start);
    const end = lineFeed === -1 ? text.length : lineFeed;
    const content = text.slice(start, end);
    start = end + 1;
    if (content.trim() === '') continue;
    const record = parseLine(content);
    if (record) records.push(record);
    else skippedLines++;
  }
  return { log: FlowLog.from(records), skippedLines };
}

function parseLine(content: string): FlowRecord | undefined {
  const match = LINE.exec(content);
  if (!match) return undefined;
  const [, time, delay, op, kind, list] = match;
  const timeUs = Math.round(Number(time) * 1e6);
  const delayUs = Math.round(Number(delay) * 1e6);
  const details = list!.split(/\s+/).map(Number);
  if (!details.every(Number.isSafeInteger)) return undefined;
  if (kind === 'SEG' && op !== 'WND' && details.length >= SEGMENT_DETAILS) {
    const [seq, ack] = details as [number, number];
    return {
      op: op === 'TX' ? 'TX' : 'RX',
      kind: 'SEG',
      timeUs,
      delayUs,
      seq: seq >>> 0,
      ack: ack >>> 0,
      flags: 0,
      bytes: 0,
      window: 0,
      retransmission: false,
    };
  }
  if (kind !== 'UPD' || op !== 'WND' || details.length < WINDOW_DETAILS) return undefined;
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
