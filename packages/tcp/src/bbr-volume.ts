import { type BbrState, HEADROOM, MIN_PIPE_CWND, PROBE_CRUISE, PROBE_RTT, PROBE_UP } from './bbr-state.ts';
import type { ModelState } from './congestion-control.ts';
import { sendQuantum } from './pacing.ts';
import type { RateSample } from './rate-sample.ts';

/** How much BBR wants in flight: draft-ietf-ccwg-bbr-06 sections 5.5.8, 5.5.9 and 5.6.4. */

/** Round trips over which the greatest aggregation is remembered once the pipe was full (section 2.12). */
const EXTRA_ACKED_ROUNDS = 10;

function bdpMultiple(b: BbrState, s: ModelState, bw: number, gain: number): number {
  if (b.minRttUs === Number.POSITIVE_INFINITY) return s.config.initialCwnd;
  return Math.ceil(gain * bw * b.minRttUs);
}

/** Room for bursts and for acknowledgments of every second segment, whatever the path needs. */
function withBudget(b: BbrState, s: ModelState, volume: number): number {
  const offloadBudget = Math.ceil((3 * sendQuantum(b.pacingRate, s.mss)) / s.mss);
  const most = Math.max(volume, offloadBudget, MIN_PIPE_CWND);
  return b.mode === PROBE_UP ? most + 2 : most;
}

/** `gain` times the bandwidth-delay product, in segments. */
export function inflightFor(b: BbrState, s: ModelState, bw: number, gain: number): number {
  return withBudget(b, s, bdpMultiple(b, s, bw, gain));
}

/** What keeps `bw` going while bursts are sent and every second segment is acknowledged. */
export function steadyFlight(b: BbrState, s: ModelState, bw: number): number {
  return bdpMultiple(b, s, bw, 1) + Math.ceil(sendQuantum(b.pacingRate, s.mss) / s.mss) + 2;
}

/** What we want in flight: the estimated BDP, unless congestion has cut cwnd. */
export function targetInflight(b: BbrState, s: ModelState): number {
  return Math.min(bdpMultiple(b, s, b.bw, 1), s.cwnd);
}

/** A volume that leaves room in the bottleneck's buffer for others (section 5.3.3.9). */
export function inflightWithHeadroom(b: BbrState): number {
  const most = b.inflightLongterm;
  if (most === Number.POSITIVE_INFINITY) return most;
  return Math.max(most - Math.max(1, HEADROOM * most), MIN_PIPE_CWND);
}

/** In ProbeRTT: half of the estimated BDP. */
export function probeRttCwnd(b: BbrState, s: ModelState): number {
  return Math.max(bdpMultiple(b, s, b.bw, b.cwndGain), MIN_PIPE_CWND);
}

/** How much more is acknowledged at times than the bandwidth explains (section 5.5.9). */
export function updateAggregation(b: BbrState, s: ModelState, sample: RateSample, nowUs: number): void {
  let expected = b.bw * (nowUs - b.extraAckedSinceUs);
  if (b.extraAckedDelivered <= expected) {
    b.extraAckedDelivered = 0;
    b.extraAckedSinceUs = nowUs;
    expected = 0;
  }
  b.extraAckedDelivered += sample.newlyAcked;
  const extra = Math.min(b.extraAckedDelivered - expected, s.cwnd);
  b.extraAcked.update(extra, b.roundCount, b.fullBwReached ? EXTRA_ACKED_ROUNDS : 1);
}

/** The last known good cwnd: not that of a recovery or of ProbeRTT (section 5.6.4.4). */
export function saveCwnd(b: BbrState, s: ModelState): void {
  if (!s.inRecovery && b.mode !== PROBE_RTT) b.priorCwnd = s.cwnd;
  else b.priorCwnd = Math.max(b.priorCwnd, s.cwnd);
}

export function restoreCwnd(b: BbrState, s: ModelState): void {
  s.cwnd = Math.max(s.cwnd, b.priorCwnd);
}

/** Section 5.6.4.6: down to what the model allows at once, up by no more than what was delivered. */
export function setCwnd(b: BbrState, s: ModelState, newlyAcked: number): void {
  const maxInflight = withBudget(b, s, bdpMultiple(b, s, b.bw, b.cwndGain) + Math.floor(b.extraAcked.max));
  let cwnd = s.cwnd;
  if (b.fullBwReached) cwnd = Math.min(cwnd + newlyAcked, maxInflight);
  else if (cwnd < maxInflight || s.delivered < s.config.initialCwnd) cwnd += newlyAcked;
  cwnd = Math.max(cwnd, MIN_PIPE_CWND);
  if (b.mode === PROBE_RTT) cwnd = Math.min(cwnd, probeRttCwnd(b, s));
  s.cwnd = Math.floor(Math.min(cwnd, cwndCap(b)));
}

/** Section 5.6.4.7: what losses have taught. */
function cwndCap(b: BbrState): number {
  let cap = Number.POSITIVE_INFINITY;
  if (b.mode === PROBE_RTT || b.mode === PROBE_CRUISE) cap = inflightWithHeadroom(b);
  else if (b.isInProbeBw) cap = b.inflightLongterm;
  return Math.max(Math.min(cap, b.inflightShortterm), MIN_PIPE_CWND);
}
