import { advanceMaxBwFilter, resetCongestionSignals, resetShortTermModel } from './bbr-bandwidth.ts';
import { resetFullBw } from './bbr-startup.ts';
import {
  ACKS_INIT,
  ACKS_PROBE_FEEDBACK,
  ACKS_PROBE_STARTING,
  ACKS_PROBE_STOPPING,
  ACKS_REFILLING,
  type BbrState,
  isLossTooHigh,
  PROBE_CRUISE,
  PROBE_DOWN,
  PROBE_REFILL,
  PROBE_UP,
} from './bbr-state.ts';
import { inflightFor, inflightWithHeadroom, targetInflight } from './bbr-volume.ts';
import type { ModelState } from './congestion-control.ts';
import type { RateSample } from './rate-sample.ts';

/** The steady state: probe up, drain, cruise, refill. draft-ietf-ccwg-bbr-06 section 5.3.3. */

/** Between probes: two to three seconds, or as many rounds as Reno needs to win back its window, at most 63. */
const LEAST_WAIT_US = 2_000_000;
const MORE_WAIT_US = 1_000_000;
const MOST_ROUNDS = 63;
/** The slope of inflight_longterm doubles each round, up to this. */
const MAX_PROBE_UP_ROUNDS = 30;

export function startProbeDown(b: BbrState, s: ModelState, nowUs: number): void {
  resetCongestionSignals(b);
  b.probeUpAckedPerInc = Number.POSITIVE_INFINITY;
  b.roundsSinceProbeUp = b.random() & 1;
  b.probeWaitUs = LEAST_WAIT_US + (b.random() / 2 ** 32) * MORE_WAIT_US;
  b.cycleStartUs = nowUs;
  b.ackPhase = ACKS_PROBE_STOPPING;
  b.startRound(s);
  b.mode = PROBE_DOWN;
}

export function startProbeCruise(b: BbrState): void {
  b.mode = PROBE_CRUISE;
}

export function startProbeRefill(b: BbrState, s: ModelState): void {
  resetShortTermModel(b);
  b.probeUpRounds = 0;
  b.probeUpAcked = 0;
  b.prevProbePrecautionary = false;
  b.ackPhase = ACKS_REFILLING;
  b.startRound(s);
  b.mode = PROBE_REFILL;
}

function startProbeUp(b: BbrState, s: ModelState, sample: RateSample): void {
  b.ackPhase = ACKS_PROBE_STARTING;
  b.startRound(s);
  resetFullBw(b, sample.rate);
  b.mode = PROBE_UP;
  raiseSlope(b, s);
}

/** Section 5.3.3.9, UpdateProbeBWCyclePhase(). */
export function updateProbeBw(b: BbrState, s: ModelState, sample: RateSample, nowUs: number): void {
  if (!b.fullBwReached || adaptLongTermModel(b, s, sample)) return;
  switch (b.mode) {
    case PROBE_DOWN:
      if (probesAgain(b, s, nowUs)) startProbeRefill(b, s);
      else if (mayCruise(b, s)) startProbeCruise(b);
      break;
    case PROBE_CRUISE:
      if (probesAgain(b, s, nowUs)) startProbeRefill(b, s);
      break;
    case PROBE_REFILL:
      // The pipe is full after a round of this.
      if (b.roundStart) {
        b.isProbeSample = true;
        startProbeUp(b, s, sample);
      }
      break;
    case PROBE_UP:
      if (isTimeToGoDown(b, s, sample)) {
        b.prevProbeTooHigh = false;
        startProbeDown(b, s, nowUs);
      }
      break;
  }
}

function probesAgain(b: BbrState, s: ModelState, nowUs: number): boolean {
  if (nowUs > b.cycleStartUs + b.probeWaitUs) return true;
  return b.roundsSinceProbeUp >= Math.min(targetInflight(b, s), MOST_ROUNDS);
}

function mayCruise(b: BbrState, s: ModelState): boolean {
  const flight = s.segmentsInFlight;
  return flight <= inflightWithHeadroom(b) && flight <= inflightFor(b, s, b.maxBw, 1);
}

function isTimeToGoDown(b: BbrState, s: ModelState, sample: RateSample): boolean {
  // The last probe lost too much at this volume: do not stay there for a whole round (section 5.3.3.6).
  if (b.prevProbeTooHigh && s.segmentsInFlight >= b.inflightLongterm) {
    b.prevProbePrecautionary = true;
    return true;
  }
  if (s.cwndLimited && s.cwnd >= b.inflightLongterm) {
    // It is the bound that limits the rate: that says nothing of the path.
    resetFullBw(b, sample.rate);
    return false;
  }
  return b.fullBwNow;
}

/** What the feedback of a probe means for the long-term model. @returns whether that decided the next state. */
function adaptLongTermModel(b: BbrState, s: ModelState, sample: RateSample): boolean {
  if (b.ackPhase === ACKS_PROBE_STARTING && b.roundStart) b.ackPhase = ACKS_PROBE_FEEDBACK;
  if (b.ackPhase === ACKS_PROBE_STOPPING && b.roundStart) {
    b.isProbeSample = false;
    b.ackPhase = ACKS_INIT;
    if (b.isInProbeBw) {
      if (!sample.appLimited) advanceMaxBwFilter(b);
      if (b.prevProbePrecautionary && !b.prevProbeTooHigh) {
        // A short probe went well: now a whole one.
        startProbeRefill(b, s);
        return true;
      }
    }
  }
  if (isLossTooHigh(s, sample.flight, sample.lost) || b.inflightLongterm === Number.POSITIVE_INFINITY) return false;
  if (sample.flight > b.inflightLongterm) b.inflightLongterm = sample.flight;
  if (b.mode === PROBE_UP) raiseLongterm(b, s, sample);
  return false;
}

/** In each round of a probe the bound grows by twice as many segments as in the one before. */
function raiseSlope(b: BbrState, s: ModelState): void {
  const growth = 2 ** b.probeUpRounds;
  b.probeUpRounds = Math.min(b.probeUpRounds + 1, MAX_PROBE_UP_ROUNDS);
  b.probeUpAckedPerInc = Math.max(s.cwnd / growth, 1);
}

function raiseLongterm(b: BbrState, s: ModelState, sample: RateSample): void {
  if (!s.cwndLimited || s.cwnd < b.inflightLongterm) return;
  b.probeUpAcked += sample.newlyAcked;
  if (b.probeUpAcked >= b.probeUpAckedPerInc) {
    const delta = Math.floor(b.probeUpAcked / b.probeUpAckedPerInc);
    b.probeUpAcked -= delta * b.probeUpAckedPerInc;
    b.inflightLongterm += delta;
  }
  if (b.roundStart) raiseSlope(b, s);
}
