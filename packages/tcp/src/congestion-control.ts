import type { CongestionName } from './config.ts';
import type { RateSample } from './rate-sample.ts';

/** What congestion control may see and change of a connection. Windows in segments, as Linux counts. */
export interface CongestionState {
  /** Congestion window. */
  cwnd: number;
  /** Slow start threshold. */
  ssthresh: number;
  readonly mss: number;
  readonly srttUs: number;
  /** Least round trip seen, Infinity before the first. */
  readonly minRttUs: number;
  readonly segmentsInFlight: number;
  /** SND.UNA and SND.NXT (int32), to mark rounds. */
  readonly sndUna: number;
  readonly sndNxt: number;
}

/** A congestion control algorithm. Distinct events have distinct calls. */
export interface CongestionControl {
  readonly name: CongestionName;
  /** False while it knows nothing but what `start` told: a fresh one can take its place. Left out: it always knows more. */
  readonly used?: boolean;
  /** The connection is established. */
  start(s: CongestionState, nowUs: number): void;
  /**
   * `acked` segments were acknowledged while the window was used up (cwnd-limited); grow it.
   * @param rttUs newest round trip, 0 if this acknowledgment gave none.
   */
  onAck(s: CongestionState, acked: number, rttUs: number, nowUs: number): void;
  /** A loss episode begins (fast recovery or timeout). @returns the new ssthresh in segments. */
  onLoss(s: CongestionState, nowUs: number): number;
  /** A retransmission timeout, after `onLoss`. */
  onTimeout(s: CongestionState): void;
  /** Sending resumes after `idleUs` of silence. */
  onIdle(s: CongestionState, idleUs: number): void;
  /** The loss was none: the window was restored. */
  onUndo(s: CongestionState): void;
}

/** What a model of the path needs to see beside. */
export interface ModelState extends CongestionState {
  /** Segments delivered so far. */
  readonly delivered: number;
  /** Whether the whole of cwnd was in flight at some time of the last round trip. */
  readonly cwndLimited: boolean;
  /** In fast recovery or after a timeout. */
  readonly inRecovery: boolean;
  readonly sackOk: boolean;
  /** A number that is random from connection to connection. */
  readonly iss: number;
  readonly config: { readonly initialCwnd: number };
  /** Count of delivered segments until which samples are the application's; 0: they are not. */
  appLimited: number;
}

/** A segment that was deemed lost. */
export interface LostSegment {
  /** Segments in flight when it was sent, itself included. */
  readonly flight: number;
  /** Segments deemed lost since it was sent, itself included. */
  readonly lost: number;
  /** It was sent in the round trip after a gap that the application had left. */
  readonly appLimited: boolean;
  /** The segment before it is not one that was lost just before. */
  readonly newRange: boolean;
}

/**
 * An algorithm that keeps a model of the path, and sets cwnd from it on every acknowledgment, in recovery too, and the
 * rate at which segments are paced. Of `CongestionControl`'s calls, `onAck` does not come.
 */
export interface ModelControl extends CongestionControl {
  /** Pacing rate in bytes per second. */
  readonly pacingRate: number;
  /** An acknowledgment was processed, losses were marked. @param nowUs when it arrived. */
  onSample(s: ModelState, sample: RateSample, nowUs: number): void;
  /** A segment is about to be sent, and nothing is in flight. */
  onTransmitStart(s: ModelState, nowUs: number): void;
  onSegmentLost(s: ModelState, lost: LostSegment, nowUs: number): void;
  /** The peer echoes congestion (ECN), once a round trip. */
  onCongestion(s: ModelState, nowUs: number): void;
  /** Everything that was lost is repaired (not undone). */
  onExitRecovery(s: ModelState): void;
}

/** Slow start (RFC 5681 section 3.1): grows up to ssthresh. @returns the acknowledged segments left over. */
export function slowStart(s: CongestionState, acked: number): number {
  const grown = Math.min(s.cwnd + acked, s.ssthresh);
  const left = acked - (grown - s.cwnd);
  s.cwnd = grown;
  return left;
}
