import { NEVER } from '@qanat/clock';
import type { Connection } from './connection.ts';
import { TIMER_LOSS_PROBE, TIMER_REORDER, TIMER_RETRANSMIT } from './timer-modes.ts';

export function setTimer(c: Connection, mode: number, atUs: number): void {
  c.rtoMode = mode;
  c.rtoAtUs = atUs;
}

export function stopTimer(c: Connection): void {
  c.rtoMode = TIMER_RETRANSMIT;
  c.rtoAtUs = NEVER;
}

/**
 * Starts the RTO anew (RFC 6298 (5.1)-(5.3)). In place of a loss probe or a reordering timeout it counts from when the
 * oldest segment was sent, so that those do not put it off.
 */
export function rearmRto(c: Connection): void {
  const { rtx } = c;
  if (rtx.packetsOut === 0) {
    stopTimer(c);
    return;
  }
  const nowUs = c.tcp.nowUs;
  let atUs = nowUs + c.rtoUs;
  if (c.rtoAtUs !== NEVER && (c.rtoMode === TIMER_LOSS_PROBE || c.rtoMode === TIMER_REORDER)) {
    atUs = Math.max(rtx.sentUs[rtx.head]! + c.rtoUs, nowUs + 1);
  }
  setTimer(c, TIMER_RETRANSMIT, atUs);
}
