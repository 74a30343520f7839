import type { ModelState } from './congestion-control.ts';
import { WindowedMax } from './windowed-max.ts';

/** States of the machine, draft-ietf-ccwg-bbr-06 section 5.1. */
export const STARTUP = 0;
export const DRAIN = 1;
export const PROBE_DOWN = 2;
export const PROBE_CRUISE = 3;
export const PROBE_REFILL = 4;
export const PROBE_UP = 5;
export const PROBE_RTT = 6;

/** Gains of those states over the bandwidth and over the bandwidth-delay product (section 5.6.1). */
const PACING_GAIN = [2.77, 0.5, 0.9, 1, 1, 1.25, 1];
const CWND_GAIN = [2, 2, 2, 2, 2, 2.25, 0.5];

/** What the acknowledgments that come in tell of (section 2.14). */
export const ACKS_INIT = 0;
export const ACKS_REFILLING = 1;
export const ACKS_PROBE_STARTING = 2;
export const ACKS_PROBE_FEEDBACK = 3;
export const ACKS_PROBE_STOPPING = 4;

/** Section 2.8: tolerated loss per round, decrease per round with loss, room to leave for others, least cwnd. */
export const LOSS_THRESH = 0.02;
export const BETA = 0.7;
export const HEADROOM = 0.15;
export const MIN_PIPE_CWND = 4;

const INFINITE = Number.POSITIVE_INFINITY;

/**
 * The model that BBR has of the path and where it is in its cycle: plain state, with the draft's names (section 2).
 * Volumes in segments, bandwidths in segments per microsecond, times in microseconds. The rules live in `bbr-*`.
 */
export class BbrState {
  mode = STARTUP;
  ackPhase = ACKS_INIT;

  // --- Round trips by delivered segments (section 5.5.1) --------------------------------------------------------
  roundCount = 0;
  roundStart = false;
  nextRoundDelivered = 0;

  // --- Bandwidth (2.9.1, 2.11): the best of the last probing cycle and of this one, and bounds ---------------------
  maxBw = 0;
  maxBwBefore = 0;
  maxBwNow = 0;
  bwShortterm = INFINITE;
  bw = 0;
  bwLatest = 0;
  /** Bytes per second. */
  pacingRate = INFINITE;
  hasSeenRtt = false;

  // --- Volume (2.9.2): whole segments, as cwnd is compared with them ---------------------------------------------
  inflightShortterm = INFINITE;
  inflightLongterm = INFINITE;
  inflightLatest = 0;
  priorCwnd = 0;

  // --- Round trip time (2.16) ----------------------------------------------------------------------------------
  minRttUs = INFINITE;
  minRttAtUs = 0;
  probeRttMinUs = INFINITE;
  probeRttMinAtUs = 0;
  probeRttExpired = false;
  /** When ProbeRTT may end; 0 while the flight is not yet small. */
  probeRttDoneUs = 0;
  probeRttRoundDone = false;
  idleRestart = false;

  // --- Aggregation of acknowledgments (2.12) ---------------------------------------------------------------------
  extraAckedSinceUs = 0;
  extraAckedDelivered = 0;
  readonly extraAcked = new WindowedMax();

  // --- Is the pipe full? (2.13) ----------------------------------------------------------------------------------
  fullBwReached = false;
  fullBwNow = false;
  fullBw = 0;
  fullBwCount = 0;
  drainStartRound = 0;

  // --- Loss (2.10, 2.14, 2.15) -----------------------------------------------------------------------------------
  lossInRound = false;
  lossRoundStart = false;
  lossRoundDelivered = 0;
  /** Ranges lost in this round that do not touch. */
  lossRanges = 0;
  /** Segments deemed lost in it. */
  lostInRound = 0;
  /** Congestion was echoed in this round. */
  congestionInRound = false;
  undoMode = -1;
  undoBwShortterm = 0;
  undoInflightShortterm = 0;
  undoInflightLongterm = 0;

  // --- Probing for bandwidth (2.14) ------------------------------------------------------------------------------
  cycleStartUs = 0;
  probeWaitUs = 0;
  roundsSinceProbeUp = 0;
  probeUpRounds = 0;
  probeUpAcked = 0;
  probeUpAckedPerInc = INFINITE;
  isProbeSample = false;
  prevProbeTooHigh = false;
  prevProbePrecautionary = false;

  #random: number;

  constructor(seed: number) {
    this.#random = seed | 1;
  }

  get pacingGain(): number {
    return PACING_GAIN[this.mode]!;
  }

  get cwndGain(): number {
    return CWND_GAIN[this.mode]!;
  }

  get isInProbeBw(): boolean {
    return this.mode >= PROBE_DOWN && this.mode <= PROBE_UP;
  }

  /** Sending faster than the path was known to deliver, to learn whether it can. */
  get isProbingBw(): boolean {
    return this.mode === STARTUP || this.mode === PROBE_REFILL || this.mode === PROBE_UP;
  }

  /** @returns a uniform 32-bit integer (xorshift32). */
  random(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return x >>> 0;
  }

  /** A round trip begins: it ends with the first acknowledgment of a segment that is sent from now on. */
  startRound(s: ModelState): void {
    this.nextRoundDelivered = s.delivered;
  }
}

/** Whether the loss since a segment was sent says that there was too much in flight then (section 5.5.10.2). */
export function isLossTooHigh(s: ModelState, flight: number, lost: number): boolean {
  return lost > flight * LOSS_THRESH || (lost > 0 && !s.sackOk);
}
