import { NEVER } from '@qanat/clock';
import type { Connection } from './connection.ts';
import { seqDiff } from './seq.ts';

/**
 * Data waits for its acknowledgment: it is due now for every second full segment (RFC 9293 SHLD-19) and while the
 * connection is young (quick ACKs, so that the peer's slow start is not held up), else when the timer says. Where the
 * application answers what comes (Linux: pingpong), the answer carries the acknowledgment, and there are no quick ones.
 * @returns whether it is due now.
 */
export function ackDue(c: Connection): boolean {
  const waiting = seqDiff(c.rcvNxt, c.lastAckSent);
  if (waiting >= 2 * c.rcvMss || (c.quickAcks > 0 && !c.answering) || c.config.delayedAckUs === 0) {
    if (c.quickAcks > 0) c.quickAcks--;
    return true;
  }
  if (c.delayedAckAtUs === NEVER) c.delayedAckAtUs = c.tcp.nowUs + c.config.delayedAckUs;
  return false;
}

/** New data went out: soon after data came in, it is an answer, and more such are likely. */
export function noteAnswer(c: Connection): void {
  if (c.tcp.nowUs - c.dataReceivedUs < c.config.delayedAckUs) c.answering = true;
}

/** Something is the matter with the incoming stream: acknowledge at least `segments` at once. */
export function quicken(c: Connection, segments: number): void {
  c.answering = false;
  if (c.quickAcks < segments) c.quickAcks = segments;
}
