import {
  advanceLatestSignals,
  boundBw,
  initLowerBounds,
  initPacingRate,
  setPacingRate,
  updateCongestionSignals,
  updateLatestSignals,
} from './bbr-bandwidth.ts';
import { inflightTooHigh, noteLoss, segmentLost, undoLoss } from './bbr-loss.ts';
import { startProbeDown, updateProbeBw } from './bbr-probe-bw.ts';
import { checkProbeRtt, checkProbeRttDone, updateMinRtt } from './bbr-probe-rtt.ts';
import { checkFullBw, checkStartupDone, isDrained } from './bbr-startup.ts';
import { BbrState, DRAIN, PROBE_RTT, STARTUP } from './bbr-state.ts';
import { restoreCwnd, setCwnd, updateAggregation } from './bbr-volume.ts';
import type { LostSegment, ModelControl, ModelState } from './congestion-control.ts';
import type { RateSample } from './rate-sample.ts';

/**
 * BBR version 3, draft-ietf-ccwg-bbr-06: a model of the path (the bandwidth it delivers, its round trip without queues,
 * the volume in flight that it bears) from rate samples, and a cycle of probing that keeps it true. Volumes are counted
 * in segments as Linux does. Where the draft leaves it open (section 3.7), an echo of congestion (ECN) counts like a
 * loss, and like too much of it while probing for bandwidth.
 */
export class Bbr implements ModelControl {
  readonly name = 'bbr';
  /** The model: for tests and statistics to look at. */
  state = new BbrState(1);

  get pacingRate(): number {
    return this.state.pacingRate;
  }

  /** Section 5.2.1. */
  start(s: ModelState, nowUs: number): void {
    const b = new BbrState(s.iss);
    this.state = b;
    b.minRttUs = s.srttUs > 0 ? s.srttUs : Number.POSITIVE_INFINITY;
    b.probeRttMinUs = b.minRttUs;
    b.minRttAtUs = nowUs;
    b.probeRttMinAtUs = nowUs;
    b.extraAckedSinceUs = nowUs;
    b.startRound(s);
    b.lossRoundDelivered = s.delivered;
    b.mode = STARTUP;
    initPacingRate(b, s, b.pacingGain);
  }

  onAck(): void {}

  /** Section 5.2.3. */
  onSample(s: ModelState, sample: RateSample, nowUs: number): void {
    const b = this.state;
    if (sample.priorDelivered >= 0) this.#updateModel(s, sample, nowUs);
    setPacingRate(b, s, b.pacingGain);
    setCwnd(b, s, sample.newlyAcked);
  }

  #updateModel(s: ModelState, sample: RateSample, nowUs: number): void {
    const b = this.state;
    updateLatestSignals(b, s, sample);
    updateCongestionSignals(b, s, sample);
    updateAggregation(b, s, sample, nowUs);
    checkFullBw(b, sample);
    checkStartupDone(b, s, sample);
    if (b.mode === DRAIN && isDrained(b, s)) startProbeDown(b, s, nowUs);
    updateProbeBw(b, s, sample, nowUs);
    updateMinRtt(b, sample, nowUs);
    checkProbeRtt(b, s, sample, nowUs);
    advanceLatestSignals(b, sample);
    boundBw(b);
  }

  /** Section 5.4.1: after the application was idle, at the rate of the model. */
  onTransmitStart(s: ModelState, nowUs: number): void {
    if (s.appLimited === 0) return;
    const b = this.state;
    b.idleRestart = true;
    b.extraAckedSinceUs = nowUs;
    if (b.isInProbeBw) setPacingRate(b, s, 1);
    else if (b.mode === PROBE_RTT) checkProbeRttDone(b, s, nowUs);
  }

  onSegmentLost(s: ModelState, lost: LostSegment, nowUs: number): void {
    segmentLost(this.state, s, lost, nowUs);
  }

  /** A recovery begins, or a loss probe repaired a loss: the response is the model's, cwnd stays. */
  onLoss(s: ModelState): number {
    noteLoss(this.state, s);
    return s.ssthresh;
  }

  /** Before a timeout takes cwnd down to what can be sent now: the short-term model begins at what it was. */
  onTimeout(s: ModelState): void {
    const b = this.state;
    if (!b.isProbingBw) initLowerBounds(b, Math.max(s.cwnd, b.priorCwnd));
  }

  onCongestion(s: ModelState, nowUs: number): void {
    const b = this.state;
    noteLoss(b, s);
    b.congestionInRound = true;
    if (b.isProbeSample) inflightTooHigh(b, s, s.segmentsInFlight, s.appLimited > 0, nowUs);
  }

  onExitRecovery(s: ModelState): void {
    restoreCwnd(this.state, s);
  }

  onIdle(): void {}

  onUndo(s: ModelState): void {
    undoLoss(this.state, s);
  }
}
