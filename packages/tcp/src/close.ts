import { NEVER } from '@qanat/clock';
import { releaseSent } from './answers.ts';
import type { Connection } from './connection.ts';
import { EVENT_CLOSE } from './context.ts';
import { sendReset } from './control-output.ts';
import { observeWake } from './observe.ts';
import { WAITS_CLOSE } from './observer.ts';
import { stopTimer } from './retransmit-timer.ts';
import {
  CLOSE_WAIT,
  CLOSED,
  ESTABLISHED,
  FIN_WAIT_1,
  FIN_WAIT_2,
  SYN_RECEIVED,
  SYN_SENT,
  type TcpErrorCode,
  TIME_WAIT,
} from './state.ts';

/** The end of a connection, whatever the cause: it leaves the demultiplexer, its buffers go back, the user is told. */
export function finish(c: Connection, error: TcpErrorCode | undefined): void {
  if (c.state === CLOSED) return;
  const { stats } = c.tcp;
  if (error !== undefined) {
    if (c.state === SYN_SENT || c.state === SYN_RECEIVED) stats.AttemptFails++;
    else if (error === 'ECONNRESET') stats.EstabResets++;
  }
  c.state = CLOSED;
  c.error = error;
  stopTimer(c);
  c.delayedAckAtUs = NEVER;
  c.keepAliveAtUs = NEVER;
  c.lifeAtUs = NEVER;
  c.paceHeld = false;
  c.ackNow = false;
  // An observer that is told of the state now may look no further.
  if (c.observer !== undefined && isTold(c)) observeWake(c, WAITS_CLOSE);
  c.rearm();
  c.rtx.clear();
  releaseSent(c);
  // What came before an orderly end may still be read.
  if (c.orphaned || c.rcv.readable === 0) c.rcv.release();
  c.tcp.forget(c);
  const { parent } = c;
  if (parent !== undefined) {
    c.parent = undefined;
    parent.failed(c);
    if (!c.fastOpen) return;
  }
  if (!c.userClosed) {
    c.userClosed = true;
    c.raise(EVENT_CLOSE);
  }
}

/** Whether the user of a connection that is over now has yet to hear of it. */
function isTold(c: Connection): boolean {
  if (c.user === undefined) return false;
  return !c.userClosed || (c.events & EVENT_CLOSE) !== 0;
}

/** Gives the connection up. @param tell whether the peer gets a RST. */
export function abort(c: Connection, error: TcpErrorCode | undefined, tell: boolean): void {
  if (c.state === CLOSED) return;
  if (tell && needsReset(c.state)) sendReset(c);
  finish(c, error);
}

/** States whose peer may still wait for us (section 3.10.5). */
function needsReset(state: number): boolean {
  return (
    state === SYN_RECEIVED ||
    state === ESTABLISHED ||
    state === FIN_WAIT_1 ||
    state === FIN_WAIT_2 ||
    state === CLOSE_WAIT
  );
}

/** TIME-WAIT: 2 MSL from now. Buffers are not needed any more, what can be read can still be read. */
export function enterTimeWait(c: Connection): void {
  if (c.state !== TIME_WAIT) c.tcp.stats.TW++;
  c.state = TIME_WAIT;
  stopTimer(c);
  c.paceHeld = false;
  c.keepAliveAtUs = NEVER;
  c.rtx.clear();
  releaseSent(c);
  if (c.rcv.readable === 0) c.rcv.release();
  restartTimeWait(c);
  // For the user it is over: only the port waits.
  if (!c.userClosed) {
    c.userClosed = true;
    c.raise(EVENT_CLOSE);
  }
}

export function restartTimeWait(c: Connection): void {
  c.lifeAtUs = c.tcp.nowUs + c.config.timeWaitUs;
}

/** FIN-WAIT-2 of a connection that nobody holds any more does not wait for ever (Linux: tcp_fin_timeout). */
export function limitFinWait2(c: Connection): void {
  if (c.state === FIN_WAIT_2 && c.orphaned) c.lifeAtUs = c.tcp.nowUs + c.config.finTimeoutUs;
}
