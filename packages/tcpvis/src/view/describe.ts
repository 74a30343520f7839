/** Rows of a trace in words: for the table of events. */
import {
  backoff,
  CA_NAMES,
  caState,
  EVENT_CLOSE,
  EVENT_CONGESTION,
  EVENT_ERROR,
  EVENT_LIMITED,
  EVENT_NAMES,
  EVENT_READ,
  EVENT_RESET,
  EVENT_STATE,
  EVENT_SYN_OPTIONS,
  EVENT_TIMER_ARMED,
  EVENT_TIMER_FIRED,
  EVENT_UNDO,
  EVENT_WAIT,
  EVENT_WAKE,
  EVENT_WRITE,
  type EventTable,
  LIMITED_NAMES,
  limitedBy,
  MACHINE_DROP,
  MACHINE_NAMES,
  MACHINE_NOTIFY_SENT,
  MACHINE_NOTIFY_SUPPRESSED,
  MACHINE_QUEUE,
  MACHINE_RING_PUSH,
  MACHINE_RING_REAP,
  MACHINE_RX_REAP,
  MACHINE_SLEEP,
  MACHINE_SLEEP_FAULT,
  MACHINE_WAKE,
  type MachineTable,
  RING_TX,
  reasonName,
  type SegmentTable,
  SYN_RX,
  SYN_SACK_PERMITTED,
  SYN_SHIFT_MASK,
  SYN_TIMESTAMPS,
  SYN_WINDOW_SCALE,
  sackBlocks,
  segmentFlags,
  segmentReason,
  TIMER_NAMES,
  UNDO_NAMES,
  WAIT_NAMES,
  type WindowTable,
} from '@qanat/flowlog';
import { formatBytes, formatDuration } from '../draw/format.ts';
import type { DecodedSegments } from './segment-decoder.ts';

const FLAG_NAMES = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR'] as const;

/** Linux's numbers. */
const STATE_NAMES: readonly string[] = [
  ...['', 'ESTABLISHED', 'SYN-SENT', 'SYN-RECEIVED', 'FIN-WAIT-1', 'FIN-WAIT-2', 'TIME-WAIT', 'CLOSED'],
  ...['CLOSE-WAIT', 'LAST-ACK', 'LISTEN', 'CLOSING', 'SYN-RECEIVED'],
];

/** What a row is, and what it says. */
export interface Description {
  readonly what: string;
  readonly detail: string;
  /** Worth a second look. */
  readonly notable: boolean;
}

export function describeSegment(table: SegmentTable, decoded: DecodedSegments, row: number): Description {
  const info = table.info[row]!;
  const flags = segmentFlags(info);
  const reason = segmentReason(info);
  const names = FLAG_NAMES.filter((name, bit) => name !== 'ACK' && (flags & (1 << bit)) !== 0);
  const parts: string[] = [];
  const bytes = table.bytes[row]!;
  const start = decoded.start[row]!;
  if (names.length > 0) parts.push(names.join(' '));
  if (bytes > 0) parts.push(`${start}:${start + bytes} (${bytes})`);
  else if (decoded.end[row]! > start) parts.push(`${start}`);
  if (!Number.isNaN(decoded.ack[row]!)) parts.push(`ack ${decoded.ack[row]}`);
  if (!Number.isNaN(decoded.edge[row]!)) parts.push(`win ${decoded.edge[row]! - decoded.ack[row]!}`);
  if (sackBlocks(info) > 0) parts.push(`SACK ×${sackBlocks(info)}`);
  if (reason > 0) parts.push(`again: ${reasonName(reason)}`);
  if (table.delayUs[row]! > 0) parts.push(`delay ${formatDuration(table.delayUs[row]!)}`);
  return { what: decoded.direction[row] === 1 ? 'RX' : 'TX', detail: parts.join(' · '), notable: reason > 0 };
}

export function describeWindow(table: WindowTable, row: number): Description {
  const info = table.info[row]!;
  const parts = [
    `cwnd ${formatBytes(table.cwnd[row]!)}`,
    `in flight ${formatBytes(table.pipe[row]!)}`,
    `rwnd ${formatBytes(table.sndWnd[row]!)}`,
  ];
  if (table.srttUs[row]! > 0) parts.push(`srtt ${formatDuration(table.srttUs[row]!)}`);
  if (table.rtoUs[row]! > 0) parts.push(`RTO ${formatDuration(table.rtoUs[row]!)}`);
  if (caState(info) > 0) parts.push(CA_NAMES[caState(info)] ?? '');
  if (backoff(info) > 0) parts.push(`backoff ${backoff(info)}`);
  // A log of 2013 knows neither the one nor the other.
  if (table.rtoUs[row]! > 0) parts.push(`limited by ${LIMITED_NAMES[limitedBy(info)] ?? '?'}`);
  return { what: 'WND', detail: parts.join(' · '), notable: caState(info) > 1 };
}

export function describeEvent(table: EventTable, row: number, strings: readonly string[]): Description {
  const kind = table.kind[row]!;
  const a = table.a[row]!;
  const b = table.b[row]!;
  const notable =
    kind === EVENT_CONGESTION ||
    kind === EVENT_UNDO ||
    kind === EVENT_RESET ||
    kind === EVENT_ERROR ||
    (kind === EVENT_TIMER_FIRED && (TIMER_NAMES[a] === 'RTO' || TIMER_NAMES[a] === 'loss probe'));
  return { what: EVENT_NAMES[kind] ?? `event ${kind}`, detail: eventDetail(kind, a, b, strings), notable };
}

function eventDetail(kind: number, a: number, b: number, strings: readonly string[]): string {
  switch (kind) {
    case EVENT_STATE:
      return `${STATE_NAMES[a] ?? a} → ${STATE_NAMES[b] ?? b}`;
    case EVENT_SYN_OPTIONS:
      return synOptions(a, b);
    case EVENT_TIMER_ARMED:
      return `${TIMER_NAMES[a] ?? a} in ${formatDuration(b)}`;
    case EVENT_TIMER_FIRED:
      return TIMER_NAMES[a] ?? String(a);
    case EVENT_CONGESTION:
      return `${CA_NAMES[a] ?? a} → ${CA_NAMES[b] ?? b}`;
    case EVENT_UNDO:
      return `${UNDO_NAMES[a] ?? a}, cwnd ${formatBytes(b)} again`;
    case EVENT_READ:
      return `${a} bytes`;
    case EVENT_WRITE:
      return `${a} of ${b} bytes`;
    case EVENT_WAIT:
    case EVENT_WAKE:
      return WAIT_NAMES[a] ?? String(a);
    case EVENT_LIMITED:
      return `${LIMITED_NAMES[a] ?? a} → ${LIMITED_NAMES[b] ?? b}`;
    case EVENT_CLOSE:
      return a === 0 ? 'by the application' : 'sending side';
    case EVENT_RESET:
      return a === 0 ? 'by us' : 'by the peer';
    case EVENT_ERROR:
      return strings[a] ?? `error ${a}`;
    default:
      return `${a} ${b}`;
  }
}

function synOptions(mss: number, bits: number): string {
  const parts = [(bits & SYN_RX) !== 0 ? 'received' : 'sent'];
  if (mss > 0) parts.push(`MSS ${mss}`);
  if ((bits & SYN_WINDOW_SCALE) !== 0) parts.push(`window scale ${bits & SYN_SHIFT_MASK}`);
  if ((bits & SYN_SACK_PERMITTED) !== 0) parts.push('SACK permitted');
  if ((bits & SYN_TIMESTAMPS) !== 0) parts.push('timestamps');
  return parts.join(', ');
}

export function describeMachine(table: MachineTable, row: number, strings: readonly string[]): Description {
  const kind = table.kind[row]!;
  const a = table.a[row]!;
  const what = MACHINE_NAMES[kind] ?? `machine ${kind}`;
  const notable = kind === MACHINE_DROP || kind === MACHINE_SLEEP_FAULT;
  return { what, detail: machineDetail(kind, a, table.b[row]!, table.c[row]!, strings), notable };
}

function machineDetail(kind: number, a: number, b: number, c: number, strings: readonly string[]): string {
  switch (kind) {
    case MACHINE_SLEEP:
      return a < 0 ? 'no deadline' : `deadline in ${formatDuration(a)}`;
    case MACHINE_WAKE:
      return a < 0 ? 'by time' : `by port ${a}`;
    case MACHINE_RING_PUSH:
    case MACHINE_RING_REAP:
    case MACHINE_RX_REAP:
      return `${a === RING_TX ? 'TX' : 'RX'} ring, ${ringDetail(kind, a, b, c)} (${ringName(c)})`;
    case MACHINE_NOTIFY_SENT:
    case MACHINE_NOTIFY_SUPPRESSED:
      return `port ${a}`;
    case MACHINE_QUEUE:
      return `${count(b, 'packet')}, ${formatBytes(c)} for ${vifName(a)}`;
    case MACHINE_DROP:
      return `for ${vifName(a)}: ${['', 'queue full', 'no buffer', 'no carrier', 'lost by the link'][b] ?? 'other'}`;
    case MACHINE_SLEEP_FAULT:
      return strings[a] ?? '';
    default:
      return `${a} ${b} ${c}`;
  }
}

function ringDetail(kind: number, a: number, b: number, c: number): string {
  // A backend says how many it answers; its ring's number has the domain of the frontend.
  if (kind === MACHINE_RING_PUSH && c >>> 16 !== 0) return `${count(b, 'answer')} published`;
  if (a === RING_TX) return `${count(b, 'request')} in use`;
  // As it was written until there was MACHINE_RX_REAP.
  if (kind === MACHINE_RING_REAP) return `${count(b, 'slot')} found`;
  return `${count(b, 'page')} posted and not filled`;
}

/** @param number vif << 8 | queue. */
function ringName(number: number): string {
  const queue = number & 0xff;
  return queue === 0 ? vifName(number >>> 8) : `${vifName(number >>> 8)} queue ${queue}`;
}

function count(number: number, of: string): string {
  return `${number} ${of}${number === 1 ? '' : 's'}`;
}

/** @param number domain << 8 and device; the domain is 0 where its own frontend says it. */
export function vifName(number: number): string {
  return number < 0x100 ? `device ${number}` : `vif${number >>> 8}.${number & 0xff}`;
}
