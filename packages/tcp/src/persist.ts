import { abort } from './close.ts';
import type { Connection } from './connection.ts';
import { count } from './counters.ts';
import { givenUp } from './give-up.ts';
import { output, sendNewSegment } from './output.ts';
import { setTimer } from './retransmit-timer.ts';
import { sendProbe } from './segment-output.ts';
import { seqDiff } from './seq.ts';
import { TIMER_PERSIST, TIMER_RETRANSMIT } from './timer-modes.ts';

/**
 * The persist timer (RFC 9293 section 3.8.6.1): the peer's window holds everything back and nothing is in flight. A
 * closed window is probed without data, with exponential intervals, for as long as the peer answers; a window that is
 * open but was too small for silly-window avoidance gets what fits (the override of section 3.8.6.2.1).
 */
export function probeWindow(c: Connection): void {
  const unsent = seqDiff(c.snd.end, c.sndNxt);
  const finDue = c.finQueued && !c.finSent;
  if (c.rtx.packetsOut > 0 || (unsent <= 0 && !finDue)) {
    output(c);
    return;
  }
  if (givenUp(c, true)) {
    count(c, 'TCPAbortOnTimeout');
    abort(c, c.softError ?? 'ETIMEDOUT', true);
    return;
  }
  const window = seqDiff((c.sndUna + c.sndWnd) | 0, c.sndNxt);
  if (window > 0) {
    const bytes = Math.min(unsent, window, c.mss);
    const fin = finDue && bytes === unsent && bytes < window;
    if (bytes > 0 || fin) sendNewSegment(c, bytes, fin, true);
    setTimer(c, c.rtx.packetsOut > 0 ? TIMER_RETRANSMIT : TIMER_PERSIST, c.tcp.nowUs + c.rtoUs);
    return;
  }
  count(c, 'TCPWinProbe');
  c.retries++;
  if (c.backoff < 30) c.backoff++;
  sendProbe(c);
  setTimer(c, TIMER_PERSIST, c.tcp.nowUs + c.rtoUs);
}
