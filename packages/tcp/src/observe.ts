/** What is gathered for an observer, where there is one: away from the code that works for everybody. */
import type { Connection } from './connection.ts';
import {
  RESENT_FAST,
  RESENT_LOSS_PROBE,
  RESENT_OTHER,
  RESENT_PROBE,
  RESENT_SYN,
  SEEN_CLOSE,
  SEEN_READ,
  SEEN_TIMER_FIRED,
  SEEN_WAIT,
  SEEN_WAKE,
  SEEN_WRITE,
  WAITS_CLOSE,
  WAITS_CONNECT,
  WAITS_READABLE,
  WAITS_WRITABLE,
} from './observer.ts';
import { ParsedOptions, type SynOptions } from './options.ts';
import type { Segment } from './segment.ts';
import { CA_LOSS, CA_RECOVERY } from './state.ts';

/** The options of the segment that is being sent, in the form of parsed ones. */
const sent = new ParsedOptions();

/** A segment without SYN went down. @param sackLeft of the `sackCount` blocks that it has. */
export function observeSent(
  c: Connection,
  seq: number,
  ack: number,
  flags: number,
  bytes: number,
  window: number,
  again: boolean,
  tsVal: number,
  hasTimestamps: boolean,
  sackCount: number,
  sackLeft: Int32Array,
  sackRight: Int32Array,
): void {
  sent.hasTimestamps = hasTimestamps;
  sent.tsVal = tsVal;
  sent.tsEcr = c.tsRecent;
  sent.sackCount = sackCount;
  for (let i = 0; i < sackCount; i++) {
    sent.sackLeft[i] = sackLeft[i]!;
    sent.sackRight[i] = sackRight[i]!;
  }
  const startUs = c.tcp.stampMark();
  const endUs = c.tcp.stamp();
  let reason = 0;
  if (again) reason = reasonOf(c);
  else if (bytes === 0 && seq === ((c.sndUna - 1) | 0)) reason = RESENT_PROBE;
  c.observer!.segmentSent(seq, ack, flags, bytes, window, endUs, endUs - startUs, reason, sent);
}

function reasonOf(c: Connection): number {
  if (c.caState === CA_LOSS) return c.resendReason === 0 ? RESENT_OTHER : c.resendReason;
  return c.caState === CA_RECOVERY ? RESENT_FAST : RESENT_LOSS_PROBE;
}

/** A SYN or SYN-ACK went down. */
export function observeSyn(
  c: Connection,
  ack: number,
  flags: number,
  bytes: number,
  window: number,
  again: boolean,
  options: SynOptions,
): void {
  sent.hasTimestamps = options.timestamps;
  sent.tsVal = options.tsVal;
  sent.tsEcr = options.tsEcr;
  sent.mss = options.mss;
  sent.windowShift = options.windowShift;
  sent.sackPermitted = options.sackPermitted;
  sent.cookieBytes = options.cookie === undefined ? -1 : options.cookie.length;
  sent.sackCount = 0;
  const reason = again ? RESENT_SYN : 0;
  c.observer!.segmentSent(c.iss, ack, flags, bytes, window, c.tcp.stamp(), 0, reason, sent);
}

/** A segment came. */
export function observeReceived(c: Connection, segment: Segment): void {
  const { seq, ack, flags, bytes, window, arrivedUs, options } = segment;
  c.observer!.segmentReceived(seq, ack, flags, bytes, window, arrivedUs, c.tcp.stamp(), options);
}

export function observeWindow(c: Connection): void {
  c.observer!.windowUpdated(c.tcp.stamp(), c);
}

export function observeFired(c: Connection, timer: number): void {
  c.observer!.happened(c.tcp.stampMark(), SEEN_TIMER_FIRED, timer, 0);
}

/** The application has read; when nothing is left, it waits. */
export function observeRead(c: Connection, bytes: number): void {
  const nowUs = c.tcp.stampUser();
  c.observer!.happened(nowUs, SEEN_READ, bytes, 0);
  if (c.rcv.readable === 0 && !c.finReceived) c.observer!.happened(nowUs, SEEN_WAIT, WAITS_READABLE, 0);
}

/** The application has written; when not all was taken, it waits. */
export function observeWritten(c: Connection, taken: number, offered: number): void {
  const nowUs = c.tcp.stampUser();
  c.observer!.happened(nowUs, SEEN_WRITE, taken, offered);
  if (taken < offered) c.observer!.happened(nowUs, SEEN_WAIT, WAITS_WRITABLE, 0);
}

/** The application has asked for a connection, and waits for it. */
export function observeConnect(c: Connection): void {
  c.observer!.happened(c.tcp.stampUser(), SEEN_WAIT, WAITS_CONNECT, 0);
}

/** The application has closed, or shut its sending side only. */
export function observeClose(c: Connection, sendingOnly: boolean): void {
  c.observer!.happened(c.tcp.stampUser(), SEEN_CLOSE, sendingOnly ? 1 : 0, 0);
}

/** The application has let go, and will be told of the end. */
export function observeLinger(c: Connection): void {
  c.observer!.happened(c.tcp.stampUser(), SEEN_WAIT, WAITS_CLOSE, 0);
}

/** The application is about to be told. @param what WAITS_*. */
export function observeWake(c: Connection, what: number): void {
  c.observer!.happened(c.tcp.stampMark(), SEEN_WAKE, what, 0);
}
