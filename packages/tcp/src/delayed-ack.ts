import { NEVER } from '@qanat/clock';
import type { Connection } from './connection.ts';
import { seqDiff } from './seq.ts';

/**
 * Data waits for its acknowledgment: it is due now for every second full segment (RFC 9293 SHLD-19) and while the
 * connection is young (quick ACKs, so that the peer's slow start is not held up), else when the timer says.
 * @returns whether it is due now.
 */
export function ackDue(c: Connection): boolean {
  const waiting = seqDiff(c.rcvNxt, c.lastAckSent);
  if (waiting >= 2 * c.rcvMss || c.quickAcks > 0 || c.config.delayedAckUs === 0) {
    if (c.quickAcks > 0) c.quickAcks--;
    return true;
  }
  if (c.delayedAckAtUs === NEVER) c.delayedAckAtUs = c.tcp.nowUs + c.config.delayedAckUs;
  return false;
}
