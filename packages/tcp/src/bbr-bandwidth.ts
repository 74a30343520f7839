import { type BbrState, BETA } from './bbr-state.ts';
import { steadyFlight } from './bbr-volume.ts';
import type { ModelState } from './congestion-control.ts';
import type { RateSample } from './rate-sample.ts';

/** What the path delivers: draft-ietf-ccwg-bbr-06 sections 5.5.1 to 5.5.6, 5.5.10.3 and 5.6.2. */

/** BBR paces below its estimate, so that queues shrink (section 5.6.2). */
const PACING_MARGIN = 0.99;
/** Without a round trip the first rate is as if it were this (section 5.6.2). */
const NOMINAL_RTT_US = 1000;

/** Near the start of an acknowledgment (section 5.5.10.3): the best of this round, and whether a loss round ends. */
export function updateLatestSignals(b: BbrState, s: ModelState, sample: RateSample): void {
  b.lossRoundStart = false;
  b.bwLatest = Math.max(b.bwLatest, sample.rate);
  b.inflightLatest = Math.max(b.inflightLatest, sample.delivered);
  if (sample.priorDelivered >= b.lossRoundDelivered) {
    b.lossRoundDelivered = s.delivered;
    b.lossRoundStart = true;
  }
}

/** Near its end. */
export function advanceLatestSignals(b: BbrState, sample: RateSample): void {
  if (!b.lossRoundStart) return;
  b.bwLatest = sample.rate;
  b.inflightLatest = sample.delivered;
}

export function resetCongestionSignals(b: BbrState): void {
  b.lossInRound = false;
  b.bwLatest = 0;
  b.inflightLatest = 0;
}

export function resetShortTermModel(b: BbrState): void {
  b.bwShortterm = Number.POSITIVE_INFINITY;
  b.inflightShortterm = Number.POSITIVE_INFINITY;
}

/** Rounds, the greatest bandwidth, and once a round what losses mean for the bounds. */
export function updateCongestionSignals(b: BbrState, s: ModelState, sample: RateSample): void {
  updateRound(b, s, sample);
  if (sample.rate > 0 && (sample.rate >= b.maxBw || !sample.appLimited)) {
    b.maxBwNow = Math.max(b.maxBwNow, sample.rate);
    b.maxBw = Math.max(b.maxBwNow, b.maxBwBefore);
  }
  if (!b.lossRoundStart) return;
  if (b.lossInRound && !b.isProbingBw) lowerBounds(b, s, sample);
  b.lostInRound = 0;
  b.lossInRound = false;
}

function updateRound(b: BbrState, s: ModelState, sample: RateSample): void {
  b.roundStart = sample.priorDelivered >= b.nextRoundDelivered;
  if (!b.roundStart) return;
  b.startRound(s);
  b.roundCount++;
  b.roundsSinceProbeUp++;
}

/**
 * A round with loss, while not probing: down to what is delivered now, by no more than `BETA`. As section 5.3.3.8.3 has
 * it, x % of loss is to cost x %. So what we hold back ourselves is not taken for the path's doing: the margin of the
 * pace; a round that was sent slowly on purpose, or by the application, when it lost less than it was slow; and the
 * volume stays what that bandwidth needs.
 */
function lowerBounds(b: BbrState, s: ModelState, sample: RateSample): void {
  initLowerBounds(b, s.cwnd);
  const kept = Math.max(1 - b.lostInRound / (b.lostInRound + sample.delivered), BETA);
  b.bwShortterm = Math.max(b.bwLatest / PACING_MARGIN, kept * b.bwShortterm);
  const needed = steadyFlight(b, s, b.bwShortterm);
  const latest = b.inflightLatest / PACING_MARGIN;
  b.inflightShortterm = Math.floor(Math.max(latest, BETA * b.inflightShortterm, needed));
}

export function initLowerBounds(b: BbrState, cwnd: number): void {
  if (b.bwShortterm === Number.POSITIVE_INFINITY) b.bwShortterm = b.maxBw;
  if (b.inflightShortterm === Number.POSITIVE_INFINITY) b.inflightShortterm = cwnd;
}

/** A probing cycle is over (section 5.5.6): its best is remembered for one more. A cycle without samples is none. */
export function advanceMaxBwFilter(b: BbrState): void {
  if (b.maxBwNow === 0) return;
  b.maxBwBefore = b.maxBwNow;
  b.maxBwNow = 0;
  b.maxBw = b.maxBwBefore;
}

export function boundBw(b: BbrState): void {
  b.bw = Math.min(b.maxBw, b.bwShortterm);
}

/** Section 5.6.2, InitPacingRate(): before there is a bandwidth, what the initial window and the round trip give. */
export function initPacingRate(b: BbrState, s: ModelState, gain: number): void {
  b.hasSeenRtt = s.srttUs > 0;
  const rttUs = b.hasSeenRtt ? s.srttUs : NOMINAL_RTT_US;
  b.pacingRate = (gain * s.config.initialCwnd * s.mss * 1e6) / rttUs;
}

/** Until the pipe was full once the rate only rises, so that a few low samples do not stop the search. */
export function setPacingRate(b: BbrState, s: ModelState, gain: number): void {
  if (!b.hasSeenRtt && s.srttUs > 0) initPacingRate(b, s, gain);
  const rate = gain * b.bw * PACING_MARGIN * s.mss * 1e6;
  if (rate > 0 && (b.fullBwReached || rate > b.pacingRate)) b.pacingRate = rate;
}
