import type { Connection } from './connection.ts';
import { updatePacing } from './pacing.ts';
import { seqGeq } from './seq.ts';
import { CA_OPEN } from './state.ts';

/**
 * A congestion window that is not used says nothing of the path any more: RFC 2861 as Linux has it, and of RFC 7661 the
 * rule that it grows only while it is used up.
 */

/** Whether the flight uses the window up: it may grow. In slow start, to twice what was in flight. */
export function isCwndLimited(c: Connection): boolean {
  return c.cwndLimited || (c.cwnd < c.ssthresh && c.cwnd < 2 * c.maxPacketsOut);
}

/**
 * Data was sent, or the window kept it back: keeps the best sign of this round of whether the window was used up. One
 * that was not, for an RTO, comes down half the way to what was used.
 * @param limited whether as much is in flight now as the window allows.
 */
export function validateCwnd(c: Connection, limited: boolean): void {
  const { packetsOut } = c.rtx;
  if (seqGeq(c.sndUna, c.cwndUsageSeq) || limited || (!c.cwndLimited && packetsOut > c.maxPacketsOut)) {
    c.cwndLimited = limited;
    c.maxPacketsOut = packetsOut;
    c.cwndUsageSeq = c.sndNxt;
  }
  const { nowUs } = c.tcp;
  if (isCwndLimited(c)) {
    c.cwndUsed = 0;
    c.cwndUsedUpUs = nowUs;
    return;
  }
  if (packetsOut > c.cwndUsed) c.cwndUsed = packetsOut;
  if (nowUs - c.cwndUsedUpUs < c.rtt.rtoUs || keepsUnused(c)) return;
  // Not in recovery, and not where the application has filled the send buffer: the window is to fill it again.
  if (c.caState === CA_OPEN && !c.wantWrite) {
    const used = Math.max(c.cwndUsed, c.config.initialCwnd);
    if (used < c.cwnd) {
      rememberCwnd(c);
      c.cwnd = (c.cwnd + used) >> 1;
    }
    c.cwndUsed = 0;
  }
  c.cwndUsedUpUs = nowUs;
}

/** Sending begins again with nothing in flight: after an RTO of silence the window is halved per RTO (RFC 2861). */
export function restartAfterIdle(c: Connection): void {
  const { nowUs } = c.tcp;
  if (c.model !== undefined) {
    c.model.onTransmitStart(c, nowUs);
    updatePacing(c);
    return;
  }
  const idleUs = nowUs - c.lastSentUs;
  if (idleUs <= c.rtt.rtoUs) return;
  c.cc.onIdle(c, idleUs);
  if (keepsUnused(c)) return;
  const restart = Math.min(c.config.initialCwnd, c.cwnd);
  rememberCwnd(c);
  for (let left = idleUs - c.rtt.rtoUs; left > 0 && c.cwnd > restart; left -= c.rtt.rtoUs) c.cwnd >>>= 1;
  if (c.cwnd < restart) c.cwnd = restart;
  c.cwndLimited = false;
  c.maxPacketsOut = 0;
  c.cwndUsed = 0;
  c.cwndUsedUpUs = nowUs;
}

/** A model knows itself what its window is worth. */
function keepsUnused(c: Connection): boolean {
  return !c.config.slowStartAfterIdle || c.model !== undefined || c.config.congestion === 'none';
}

/** Slow start may go on to near where the window was. */
function rememberCwnd(c: Connection): void {
  c.ssthresh = Math.max(c.ssthresh, (c.cwnd * 3) >> 2);
}
