import { segmentInfo } from '../segment-info.ts';
import type { WindowRow } from '../table-builders.ts';
import { WINDOW_SCHEMA } from '../tables.ts';
import { type Ascii, ascii } from './byte-writer.ts';
import type { FlowReading, JsonlReading } from './jsonl-read.ts';
import type { LineScanner } from './line-scanner.ts';

const SEGMENT = ascii('{"type":"segment","flow":');
const WINDOW = ascii('{"type":"window","flow":');
const EVENT = ascii('{"type":"event","flow":');
const MACHINE = ascii('{"type":"machine","source":');
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
const NEXT_SACK = ascii('],[');
const SACKS_END = ascii(']]');
const COMMA = ascii(',');
const INFO = ascii(',"info":');
const KIND = ascii(',"kind":');
const A = ascii(',"a":');
const B = ascii(',"b":');
const C = ascii(',"c":');
const END = ascii('}');

const WINDOW_KEYS = [
  ...(['sndNxt', 'segAck', 'sndUna', 'rcvNxt', 'recoveryPoint'] as const),
  ...(['sndWnd', 'rcvWnd', 'cwnd', 'ssthresh', 'pipe', 'srttUs', 'rttvarUs', 'rtoUs', 'minRttUs'] as const),
  ...(['pacingRate', 'info'] as const),
];
const WINDOW_NAMES = WINDOW_KEYS.map((name) => ascii(`,"${name}":`));
const MOST_SACKS = 7;
const lefts = new Float64Array(MOST_SACKS);
const rights = new Float64Array(MOST_SACKS);
const window = Object.fromEntries(Object.keys(WINDOW_SCHEMA).map((name) => [name, 0])) as {
  -readonly [Name in keyof WindowRow]: number;
};

/**
 * Reads a row in the very form that the writer gives it.
 * @returns false when the line is anything else; nothing has been taken from it then.
 */
export function scanRow(line: LineScanner, reading: JsonlReading): boolean {
  if (line.take(SEGMENT)) {
    const flow = reading.flows.get(line.integer());
    return flow !== undefined && scanSegment(line, flow);
  }
  if (line.take(WINDOW)) {
    const flow = reading.flows.get(line.integer());
    return flow !== undefined && scanWindow(line, flow);
  }
  if (line.take(EVENT)) {
    const flow = reading.flows.get(line.integer());
    if (flow === undefined) return false;
    const timeUs = time(line);
    const order = field(line, ORDER);
    const kind = field(line, KIND);
    const a = field(line, A);
    const b = field(line, B);
    if (Number.isNaN(timeUs + order + kind + a + b) || !atEnd(line)) return false;
    flow.events.push(timeUs, order, kind, a, b);
    return true;
  }
  if (!line.take(MACHINE)) return false;
  const source = reading.sources.get(line.integer());
  if (source === undefined) return false;
  const timeUs = time(line);
  const order = field(line, ORDER);
  const kind = field(line, KIND);
  const a = field(line, A);
  const b = field(line, B);
  const c = field(line, C);
  if (Number.isNaN(timeUs + order + kind + a + b + c) || !atEnd(line)) return false;
  source.machine.push(timeUs, order, kind, a, b, c);
  return true;
}

function scanSegment(line: LineScanner, flow: FlowReading): boolean {
  const timeUs = time(line);
  const order = field(line, ORDER);
  const isRx = line.take(RX);
  if (!isRx && !line.take(TX)) return false;
  const seq = line.integer();
  const ack = field(line, ACK);
  const bytes = field(line, BYTES);
  const windowField = field(line, WINDOW_FIELD);
  const flags = field(line, FLAGS);
  const delayUs = field(line, DELAY);
  if (Number.isNaN(timeUs + order + seq + ack + bytes + windowField + flags + delayUs)) return false;
  let tsVal = 0;
  let tsEcr = 0;
  const timestamps = line.take(TS_VAL);
  if (timestamps) {
    tsVal = line.integer();
    tsEcr = field(line, TS_ECR);
  }
  const reason = line.take(REASON) ? line.integer() : 0;
  let blocks = 0;
  if (line.take(SACKS)) {
    do {
      if (blocks === MOST_SACKS) return false;
      lefts[blocks] = line.integer();
      rights[blocks++] = field(line, COMMA);
      if (Number.isNaN(lefts[blocks - 1]! + rights[blocks - 1]!)) return false;
    } while (line.take(NEXT_SACK));
    if (!line.take(SACKS_END)) return false;
  }
  const info = line.take(INFO) ? line.integer() : segmentInfo(isRx, flags, reason, timestamps, blocks);
  if (Number.isNaN(tsVal + tsEcr + reason + info) || !atEnd(line)) return false;
  const row = flow.segments.push(timeUs, order, seq, ack, bytes, windowField, tsVal, tsEcr, delayUs, info);
  for (let i = 0; i < blocks; i++) flow.sacks.push(flow.firstSegment + row, lefts[i]!, rights[i]!);
  return true;
}

function scanWindow(line: LineScanner, flow: FlowReading): boolean {
  window.timeUs = time(line);
  window.order = field(line, ORDER);
  if (Number.isNaN(window.timeUs + window.order)) return false;
  for (let i = 0; i < WINDOW_KEYS.length; i++) {
    const key = WINDOW_KEYS[i]!;
    if (!line.take(WINDOW_NAMES[i]!)) return false;
    const value = key === 'pacingRate' ? line.number() : line.integer();
    if (Number.isNaN(value)) return false;
    window[key] = value;
  }
  if (!atEnd(line)) return false;
  flow.windows.push(window);
  return true;
}

function time(line: LineScanner): number {
  return line.take(TIME) ? line.number() : Number.NaN;
}

function field(line: LineScanner, name: Ascii): number {
  return line.take(name) ? line.integer() : Number.NaN;
}

function atEnd(line: LineScanner): boolean {
  return line.take(END) && line.at === line.end;
}
