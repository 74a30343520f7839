import { abort } from './close.ts';
import type { Connection } from './connection.ts';
import { givenUp } from './give-up.ts';
import { output, sendProbe, sendSegment } from './output.ts';
import { SEG_FIN } from './retransmit-queue.ts';
import { seqDiff } from './seq.ts';
import { ACK, FIN, PSH } from './wire.ts';

/**
 * The persist timer (RFC 9293 section 3.8.6.1): the peer's window holds everything back and nothing is in flight. A
 * closed window is probed without data, with exponential intervals, for as long as the peer answers; a window that is
 * open but was too small for silly-window avoidance gets what fits (the override of section 3.8.6.2.1).
 */
export function probeWindow(c: Connection): void {
  const unsent = seqDiff(c.snd.end, c.sndNxt);
  const finDue = c.finQueued && !c.finSent;
  if (c.rtx.packetsOut > 0 || (unsent <= 0 && !finDue)) {
    c.persisting = false;
    output(c);
    return;
  }
  if (givenUp(c)) {
    c.tcp.stats.TCPAbortOnTimeout++;
    abort(c, c.softError ?? 'ETIMEDOUT', true);
    return;
  }
  const window = seqDiff((c.sndUna + c.sndWnd) | 0, c.sndNxt);
  if (window > 0) {
    const bytes = Math.min(unsent, window, c.mss);
    const fin = finDue && bytes === unsent && bytes < window;
    const flags = ACK | (bytes > 0 ? PSH : 0) | (fin ? FIN : 0);
    c.persisting = false;
    if (sendSegment(c, c.sndNxt, flags, bytes, false)) {
      const length = bytes + (fin ? 1 : 0);
      c.rtx.push(c.sndNxt, length, fin ? SEG_FIN : 0, c.tcp.nowUs);
      c.sndNxt = (c.sndNxt + length) | 0;
      if (fin) c.finSent = true;
    }
    c.rtoAtUs = c.tcp.nowUs + c.rtoUs;
    return;
  }
  c.tcp.stats.TCPWinProbe++;
  c.retries++;
  if (c.backoff < 30) c.backoff++;
  sendProbe(c);
  c.rtoAtUs = c.tcp.nowUs + c.rtoUs;
}
