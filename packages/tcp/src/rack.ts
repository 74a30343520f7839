import type { Connection } from './connection.ts';
import { SEG_EVER_RETRANS, SEG_LOST, SEG_RETRANS, SEG_SACKED } from './retransmit-queue.ts';
import { rearmRto, setTimer } from './retransmit-timer.ts';
import { seqGeq, seqLt } from './seq.ts';
import { CA_RECOVERY } from './state.ts';
import { TIMER_REORDER } from './timer-modes.ts';

/** Recoveries after which the reordering window goes back to its start (RFC 8985 section 6.2, step 4). */
const PERSIST_RECOVERIES = 16;
const MAX_WINDOW_STEPS = 255;

/** A segment was delivered (RFC 8985 section 6.2, steps 1 and 2). @param arrivedUs when its acknowledgment came. */
export function rackDelivered(c: Connection, index: number, everRetransmitted: boolean, arrivedUs: number): void {
  const { rack, rtx } = c;
  const sentUs = rtx.sentUs[index]!;
  const rttUs = arrivedUs - sentUs;
  // The acknowledgment is of an earlier transmission, probably: it is no measure of this one.
  if (everRetransmitted && rttUs < c.rtt.minRttUs) return;
  rack.rttUs = rttUs;
  const order = rtx.order[index]!;
  if (rack.xmitUs === 0 || ((order - rack.order) | 0) > 0) {
    rack.xmitUs = sentUs;
    rack.order = order;
  }
}

/** RFC 8985 section 6.2, step 4: the window widens when retransmissions turn out to have been needless. */
export function rackUpdateWindow(c: Connection): void {
  const rack = c.rack;
  if (rack.inDsackRound && seqGeq(c.sndUna, rack.dsackRoundEnd)) rack.inDsackRound = false;
  if (rack.dsackSeen && !rack.inDsackRound) {
    rack.inDsackRound = true;
    rack.dsackRoundEnd = c.sndNxt;
    rack.reoWndSteps = Math.min(rack.reoWndSteps + 1, MAX_WINDOW_STEPS);
    rack.reoWndPersist = PERSIST_RECOVERIES;
  } else if (rack.reoWndPersist === 0) {
    rack.reoWndSteps = 1;
  }
  rack.dsackSeen = false;
}

/** How long a later segment may overtake an earlier one, in microseconds. */
function reorderingWindowUs(c: Connection): number {
  const { rack, rtx } = c;
  const resolutionUs = c.tcp.clockResolutionUs;
  if (!rack.reorderingSeen) {
    if (c.caState >= CA_RECOVERY || rtx.sackedOut >= c.config.dupThresh) return 0;
  }
  // The clock's grain is part of what may look like reordering.
  return Math.min((c.rtt.minRttUs / 4) * rack.reoWndSteps, c.rtt.srttUs) + resolutionUs;
}

/**
 * RFC 8985 section 6.2, step 5: marks as lost what was sent so long before the latest delivered segment that it should
 * have come. What may still come gets a timeout.
 * @param nowUs when the acknowledgment arrived, or the timer's time.
 */
export function rackDetectLoss(c: Connection, nowUs: number): void {
  const { rack, rtx } = c;
  if (rack.xmitUs === 0) return;
  const reoWndUs = reorderingWindowUs(c);
  let timeoutUs = 0;
  for (let i = rtx.head; i < rtx.tail; i++) {
    const flags = rtx.flags[i]!;
    if (flags & SEG_SACKED || (flags & (SEG_LOST | SEG_RETRANS)) === SEG_LOST) continue;
    const sentUs = rtx.sentUs[i]!;
    // Transmissions are ordered by their number: those of one instant by what was sent first, not by sequence number.
    if (((rack.order - rtx.order[i]!) | 0) <= 0) {
      // What follows and was sent once was sent later still; retransmitted ones lie below the highest SACK.
      if (!(flags & SEG_EVER_RETRANS) && seqGeq(rtx.seq[i]!, c.sackHigh)) break;
      continue;
    }
    const remainingUs = sentUs + rack.rttUs + reoWndUs - nowUs;
    if (remainingUs <= 0) {
      rtx.markLostAgain(i);
      if (seqLt(rtx.seq[i]!, c.retransmitHint)) c.retransmitHint = rtx.seq[i]!;
    } else if (remainingUs > timeoutUs) {
      timeoutUs = remainingUs;
    }
  }
  if (timeoutUs > 0) setTimer(c, TIMER_REORDER, c.tcp.nowUs + Math.ceil(timeoutUs));
  else if (c.rtoMode === TIMER_REORDER) rearmRto(c);
}
