import { worthWriting } from './auto-tune.ts';
import type { Connection } from './connection.ts';
import { EVENT_RETURNED, EVENT_WRITABLE } from './context.ts';
import { CLOSED } from './state.ts';

/**
 * Memory of a send queue is free when it is acknowledged and the device has answered the packets that refer to it. The
 * answers come first, as a rule: only then do packets reach the peer. Where they do not, or the connection ends before,
 * the connection waits for them here.
 */

/** SND.UNA has moved. @param lent the bytes lent before. */
export function settleAnswers(c: Connection, lent: number): void {
  const { snd } = c;
  if (snd.kept !== snd.una && snd.look()) c.tcp.awaitAnswers(c);
  if (snd.lent < lent) c.raise(EVENT_RETURNED);
}

/** The device has answered more packets. */
export function answersCame(c: Connection): void {
  const { snd } = c;
  const { lent } = snd;
  if (snd.settle()) c.tcp.awaitAnswers(c);
  if (snd.lent < lent) c.raise(EVENT_RETURNED);
  if (c.wantWrite && c.state !== CLOSED && worthWriting(c)) {
    c.wantWrite = false;
    c.raise(EVENT_WRITABLE);
  }
}

/** The connection needs nothing of its send queue any more. */
export function releaseSent(c: Connection): void {
  const { snd } = c;
  const { lent } = snd;
  snd.release();
  if (lent > 0) settleAnswers(c, lent);
}
