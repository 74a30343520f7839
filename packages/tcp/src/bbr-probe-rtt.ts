import { resetShortTermModel } from './bbr-bandwidth.ts';
import { startProbeCruise, startProbeDown } from './bbr-probe-bw.ts';
import { ACKS_PROBE_STOPPING, type BbrState, PROBE_RTT, STARTUP } from './bbr-state.ts';
import { probeRttCwnd, restoreCwnd, saveCwnd } from './bbr-volume.ts';
import type { ModelState } from './congestion-control.ts';
import { markAppLimited } from './rate.ts';
import type { RateSample } from './rate-sample.ts';

/** The round trip without queues: draft-ietf-ccwg-bbr-06 section 5.3.4. */

/** How long the least round trip is believed, and after what time without one as low the flight is made small. */
const MIN_RTT_FILTER_US = 10_000_000;
const PROBE_RTT_INTERVAL_US = 5_000_000;
/** For how long. */
const PROBE_RTT_DURATION_US = 200_000;

export function updateMinRtt(b: BbrState, sample: RateSample, nowUs: number): void {
  b.probeRttExpired = nowUs > b.probeRttMinAtUs + PROBE_RTT_INTERVAL_US;
  if (sample.rttUs > 0 && (sample.rttUs < b.probeRttMinUs || b.probeRttExpired)) {
    b.probeRttMinUs = sample.rttUs;
    b.probeRttMinAtUs = nowUs;
  }
  if (b.probeRttMinUs < b.minRttUs || nowUs > b.minRttAtUs + MIN_RTT_FILTER_US) {
    b.minRttUs = b.probeRttMinUs;
    b.minRttAtUs = b.probeRttMinAtUs;
  }
}

export function checkProbeRtt(b: BbrState, s: ModelState, sample: RateSample, nowUs: number): void {
  if (b.mode !== PROBE_RTT && b.probeRttExpired && !b.idleRestart) {
    saveCwnd(b, s);
    b.mode = PROBE_RTT;
    b.probeRttDoneUs = 0;
    b.ackPhase = ACKS_PROBE_STOPPING;
    b.startRound(s);
  }
  if (b.mode === PROBE_RTT) duringProbeRtt(b, s, nowUs);
  if (sample.delivered > 0) b.idleRestart = false;
}

function duringProbeRtt(b: BbrState, s: ModelState, nowUs: number): void {
  // Its rates are ours, not the path's.
  markAppLimited(s);
  if (b.probeRttDoneUs === 0) {
    if (s.segmentsInFlight > probeRttCwnd(b, s)) return;
    b.probeRttDoneUs = nowUs + PROBE_RTT_DURATION_US;
    b.probeRttRoundDone = false;
    b.startRound(s);
    return;
  }
  if (b.roundStart) b.probeRttRoundDone = true;
  if (b.probeRttRoundDone) checkProbeRttDone(b, s, nowUs);
}

export function checkProbeRttDone(b: BbrState, s: ModelState, nowUs: number): void {
  if (b.probeRttDoneUs === 0 || nowUs <= b.probeRttDoneUs) return;
  b.probeRttMinAtUs = nowUs;
  restoreCwnd(b, s);
  resetShortTermModel(b);
  if (b.fullBwReached) {
    startProbeDown(b, s, nowUs);
    startProbeCruise(b);
  } else {
    b.mode = STARTUP;
  }
}
