import { NEVER } from '@qanat/clock';
import { sndFree, tuneReceive } from './auto-tune.ts';
import { abort, finish, limitFinWait2 } from './close.ts';
import { type TcpConfig, tcpConfig } from './config.ts';
import { createCongestionControl, joinModel } from './congestion.ts';
import type { Connection } from './connection.ts';
import { count } from './counters.ts';
import { armKeepAlive } from './keepalive.ts';
import { observeClose, observeLinger, observeRead, observeWritten } from './observe.ts';
import { startPacing } from './pacing.ts';
import { checkAppLimited } from './rate.ts';
import { seqDiff } from './seq.ts';
import { CLOSE_WAIT, CLOSED, ESTABLISHED, FIN_WAIT_1, LAST_ACK, SYN_RECEIVED, SYN_SENT, TIME_WAIT } from './state.ts';
import { sendUrgent, urgentRead } from './urgent.ts';

/** User calls, RFC 9293 section 3.10: what an application may ask of a connection. None of them blocks. */

/** More follows at once: do not send a small segment for this (MSG_MORE). */
export const WRITE_MORE = 1;
/** A segment must end with this write (MSG_EOR). */
export const WRITE_END_OF_RECORD = 2;
/** This is urgent (MSG_OOB, in the stream as RFC 6093 has it). */
export const WRITE_URGENT = 4;

/** Whether data may still be queued. */
export function mayWrite(c: Connection): boolean {
  if (c.writeShut) return false;
  const { state } = c;
  return state === ESTABLISHED || state === CLOSE_WAIT || state === SYN_SENT || state === SYN_RECEIVED;
}

/**
 * SEND: queues what fits of `from`. After a partial write `onWritable` will tell when there is room.
 * @param flags WRITE_* bits.
 * @returns bytes taken, 0..length; -1 when the connection takes none any more; -2 when there is no memory.
 */
export function write(c: Connection, from: Uint8Array, flags = 0): number {
  if (!mayWrite(c)) return -1;
  return queued(c, room(c) ? c.snd.write(from, sndFree(c)) : 0, from.length, flags);
}

/**
 * SEND of several arrays, one behind the other, as one write (writev): what may go out is decided once, when all are
 * queued. @returns as `write`, of the sum of their lengths.
 */
export function writev(c: Connection, from: readonly Uint8Array[], flags = 0): number {
  if (!mayWrite(c)) return -1;
  const isOpen = room(c);
  let asked = 0;
  let taken = 0;
  let isFull = !isOpen;
  for (let i = 0; i < from.length; i++) {
    const part = from[i]!;
    asked += part.length;
    if (isFull || part.length === 0) continue;
    const bytes = c.snd.write(part, sndFree(c));
    if (bytes > 0) taken += bytes;
    else if (bytes < 0 && taken === 0) return -2;
    isFull = bytes < part.length;
  }
  return queued(c, taken, asked, flags);
}

/** SEND from machine memory. @returns as `write`. */
export function writeFrom(c: Connection, addr: number, bytes: number): number {
  if (!mayWrite(c)) return -1;
  return queued(c, room(c) ? c.snd.writeFrom(addr, Math.min(bytes, sndFree(c))) : 0, bytes, 0);
}

/**
 * SEND of `bytes` at `addr` of machine memory, which stay there: the application must leave them as they are until they
 * are given back (`snd.lent`, `onReturned`), acknowledged and on no packet's way.
 * @returns bytes taken; -1 when the connection takes none any more.
 */
export function lend(c: Connection, addr: number, bytes: number): number {
  if (!mayWrite(c)) return -1;
  return queued(c, room(c) ? c.snd.lend(addr, Math.min(bytes, sndFree(c))) : 0, bytes, 0);
}

function room(c: Connection): boolean {
  checkAppLimited(c);
  return seqDiff(c.snd.end, c.sndNxt) < c.config.notsentLowat;
}

function queued(c: Connection, taken: number, asked: number, flags: number): number {
  if (taken < 0) return -2;
  if (taken < asked) c.wantWrite = true;
  c.moreComing = (flags & WRITE_MORE) !== 0;
  if (flags & WRITE_END_OF_RECORD && taken === asked && taken > 0) {
    c.eors.push(c.snd.end);
    c.eorCount++;
  }
  if (flags & WRITE_URGENT && taken > 0) sendUrgent(c);
  if (taken > 0) c.tcp.touch(c);
  if (c.observer !== undefined) observeWritten(c, taken, asked);
  return taken;
}

/** RECEIVE: copies what is there. @returns bytes read. */
export function read(c: Connection, into: Uint8Array): number {
  return afterRead(c, c.rcv.read(into));
}

/** RECEIVE into machine memory. */
export function readInto(c: Connection, addr: number, bytes: number): number {
  return afterRead(c, c.rcv.readInto(addr, bytes));
}

/** RECEIVE in place: drops bytes that were looked at where they lie. */
export function consume(c: Connection, bytes: number): void {
  c.rcv.consume(bytes);
  afterRead(c, bytes);
}

function afterRead(c: Connection, bytes: number): number {
  tuneReceive(c, bytes);
  urgentRead(c);
  if (c.observer !== undefined && bytes > 0) observeRead(c, bytes);
  // The window may be worth an update now.
  if (bytes > 0) {
    if (c.state === CLOSED) {
      if (c.rcv.readable === 0) c.rcv.release();
    } else {
      c.hasRead = true;
      c.tcp.touch(c);
    }
  }
  return bytes;
}

/** CLOSE of the sending side: a FIN follows what is queued (half close). */
export function shutdown(c: Connection): void {
  if (c.writeShut) return;
  c.writeShut = true;
  if (c.observer !== undefined && !c.orphaned) observeClose(c, true);
  switch (c.state) {
    case ESTABLISHED:
      c.finQueued = true;
      c.state = FIN_WAIT_1;
      break;
    case CLOSE_WAIT:
      c.finQueued = true;
      c.state = LAST_ACK;
      break;
    case SYN_SENT:
    case SYN_RECEIVED:
      // Goes out when the handshake is complete, or with early data.
      c.finQueued = true;
      break;
    default:
      return;
  }
  c.tcp.touch(c);
}

/**
 * CLOSE: the application lets go. Unread data means that the peer must learn of its loss: RST (SHLD-3).
 * @param lingerUs how long what is queued and the FIN may take to be acknowledged; then, at 0 at once, it is lost and
 * the peer gets a RST (SO_LINGER).
 */
export function close(c: Connection, lingerUs = NEVER): void {
  if (c.orphaned) return;
  if (lingerUs <= 0) {
    reset(c);
    return;
  }
  c.orphaned = true;
  c.tcp.userBegins();
  if (c.state === CLOSED) {
    c.rcv.release();
    return;
  }
  if (c.observer !== undefined) observeClose(c, false);
  if (c.state === SYN_SENT) {
    finish(c, undefined);
    return;
  }
  if (c.rcv.readable > 0) {
    count(c, 'TCPAbortOnClose');
    abort(c, undefined, true);
    return;
  }
  shutdown(c);
  if (c.observer !== undefined && !c.userClosed) observeLinger(c);
  if (lingerUs !== NEVER && c.lifeAtUs === NEVER) c.lifeAtUs = c.tcp.nowUs + lingerUs;
  limitFinWait2(c);
  if (c.lifeAtUs !== NEVER) c.rearm();
}

/** ABORT: RST, and everything is forgotten. */
export function reset(c: Connection): void {
  c.orphaned = true;
  c.tcp.userBegins();
  abort(c, undefined, true);
  c.rcv.release();
}

/**
 * Changes tunables of a connection that lives (setsockopt): Nagle, keepalive, timeouts, retries, congestion control.
 * Buffer sizes and what the handshake settled (scale, SACK, timestamps) stay as they are.
 * @throws RangeError naming the tunable, its value and its range.
 */
export function configure(c: Connection, partial: Partial<TcpConfig>): void {
  const before = c.config;
  const { sndBuf, rcvBuf, autoTune, mss, timestamps, windowScaling, sack } = before;
  c.config = tcpConfig({ autoTune, ...partial, sndBuf, rcvBuf, mss, timestamps, windowScaling, sack }, before);
  if (c.config.congestion !== before.congestion || c.config.renoFriendly !== before.renoFriendly) {
    c.cc = createCongestionControl(c.config);
    joinModel(c);
    c.cc.start(c, c.tcp.nowUs);
  }
  if (c.state === CLOSED) return;
  c.tcp.userBegins();
  startPacing(c);
  if (c.config.keepAlive !== before.keepAlive || c.config.keepAliveIdleUs !== before.keepAliveIdleUs) {
    const opening = c.state === SYN_SENT || c.state === SYN_RECEIVED;
    c.keepAliveAtUs = NEVER;
    if (!opening && c.state !== TIME_WAIT) armKeepAlive(c);
  }
  c.tcp.touch(c);
}

export { sndFree } from './auto-tune.ts';
export { urgentBytes } from './urgent.ts';
