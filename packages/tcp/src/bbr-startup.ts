import { type BbrState, DRAIN, isLossTooHigh, STARTUP } from './bbr-state.ts';
import { inflightFor } from './bbr-volume.ts';
import type { ModelState } from './congestion-control.ts';
import type { RateSample } from './rate-sample.ts';

/** Finding the bandwidth, and draining the queue that this leaves: draft-ietf-ccwg-bbr-06 sections 5.3.1 and 5.3.2. */

/** The bandwidth still grows if it did by this in a round; the pipe is full after so many rounds in which it did not. */
const FULL_BW_GROWTH = 1.25;
const FULL_BW_ROUNDS = 3;
/** Ranges lost in one round that mean more than a burst. */
const FULL_LOSS_RANGES = 6;
/** Drain ends after so many rounds though the estimate is not met (section 5.3.2). */
const DRAIN_ROUNDS = 3;

export function resetFullBw(b: BbrState, baseline = 0): void {
  b.fullBw = baseline;
  b.fullBwCount = 0;
  b.fullBwNow = false;
}

/** Section 5.3.1.2: has the rate stopped growing, although we sent faster? */
export function checkFullBw(b: BbrState, sample: RateSample): void {
  if (b.fullBwNow || !b.roundStart || sample.appLimited || sample.rate === 0) return;
  if (sample.rate >= b.fullBw * FULL_BW_GROWTH) {
    resetFullBw(b, sample.rate);
    return;
  }
  b.fullBwCount++;
  b.fullBwNow = b.fullBwCount >= FULL_BW_ROUNDS;
  if (b.fullBwNow) b.fullBwReached = true;
}

export function checkStartupDone(b: BbrState, s: ModelState, sample: RateSample): void {
  if (!b.fullBwReached && isStartupLossHigh(b, s, sample)) startupTooHigh(b, s);
  if (b.lossRoundStart) {
    b.lossRanges = 0;
    b.congestionInRound = false;
  }
  if (b.mode === STARTUP && b.fullBwReached) {
    b.mode = DRAIN;
    b.drainStartRound = b.roundCount;
  }
}

/** Section 5.3.1.3; congestion that is echoed (ECN) counts as such loss, as section 3.7 asks. */
function isStartupLossHigh(b: BbrState, s: ModelState, sample: RateSample): boolean {
  if (b.congestionInRound) return b.lossRoundStart;
  if (!s.inRecovery) return false;
  if (!s.sackOk) return b.lossRanges > 0;
  return b.lossRoundStart && b.lossRanges >= FULL_LOSS_RANGES && isLossTooHigh(s, sample.flight, sample.lost);
}

function startupTooHigh(b: BbrState, s: ModelState): void {
  b.undoMode = STARTUP;
  b.fullBwReached = true;
  b.inflightLongterm = Math.max(inflightFor(b, s, b.maxBw, 1), b.inflightLatest);
}

/** @returns whether the queue is drained, as far as can be told. */
export function isDrained(b: BbrState, s: ModelState): boolean {
  return s.segmentsInFlight <= inflightFor(b, s, b.bw, 1) || b.roundCount > b.drainStartRound + DRAIN_ROUNDS;
}
