import type { CongestionName } from './config.ts';

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
  /** The connection is established. */
  start(s: CongestionState): void;
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

/** Slow start (RFC 5681 section 3.1): grows up to ssthresh. @returns the acknowledged segments left over. */
export function slowStart(s: CongestionState, acked: number): number {
  const grown = Math.min(s.cwnd + acked, s.ssthresh);
  const left = acked - (grown - s.cwnd);
  s.cwnd = grown;
  return left;
}
