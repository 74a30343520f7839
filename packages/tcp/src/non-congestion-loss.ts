import type { Connection } from './connection.ts';
import { RESENT_MTU, RESENT_OTHER } from './observer.ts';
import { CA_LOSS } from './state.ts';
import { startUndo } from './undo.ts';

/**
 * Sends what is marked lost again, at once and without a word to congestion control: it did not get lost by congestion.
 * @param reason for an observer (RESENT_*).
 */
export function retransmitWithoutBlame(c: Connection, reason = RESENT_MTU): void {
  const { rtx } = c;
  c.resendReason = reason;
  c.retransmitHint = c.sndUna;
  if (!c.sackOk) rtx.sackedOut = Math.min(rtx.sackedOut, rtx.packetsOut - rtx.lostOut);
  if (c.caState !== CA_LOSS) {
    c.recoveryPoint = c.sndNxt;
    c.ssthresh = Math.max(c.ssthresh, c.cwnd);
    startUndo(c);
    c.undoPossible = false;
    c.frto = false;
    c.caState = CA_LOSS;
  }
  c.tcp.touch(c);
}

/** The peer took nothing of what is in flight: all of it goes again. */
export function resendWithoutBlame(c: Connection): void {
  const { rtx } = c;
  for (let i = rtx.head; i < rtx.tail; i++) {
    if (!rtx.isSacked(i)) rtx.markLostAgain(i);
  }
  retransmitWithoutBlame(c, RESENT_OTHER);
}
