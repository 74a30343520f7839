import type { Connection } from './connection.ts';
import { count } from './counters.ts';
import { retransmitAt, sendOneNew } from './output.ts';
import { rearmRto } from './retransmit-timer.ts';
import { TIMER_LOSS_PROBE } from './timer-modes.ts';

/** The probe timeout (section 7.3): new data if there is any, else the last segment again; then the RTO. */
export function lossProbeTimeout(c: Connection): void {
  const { rtx } = c;
  if (rtx.packetsOut > 0 && !c.probing) {
    const high = c.sndNxt;
    if (sendOneNew(c)) {
      c.probing = true;
      c.probeRetransmitted = false;
    } else if (!rtx.isSacked(rtx.tail - 1) && retransmitAt(c, rtx.tail - 1)) {
      c.probing = true;
      c.probeRetransmitted = true;
    }
    if (c.probing) {
      c.probeHigh = c.probeRetransmitted ? high : c.sndNxt;
      count(c, 'TCPLossProbes');
    }
  }
  c.rtoMode = TIMER_LOSS_PROBE;
  rearmRto(c);
}
