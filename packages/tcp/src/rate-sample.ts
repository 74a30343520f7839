/**
 * What one acknowledgment tells of the rate at which the path delivers (draft-ietf-ccwg-bbr-06 section 4.1.2.1.3).
 * Volumes in segments, as Linux counts; times in microseconds.
 */
export interface RateSample {
  /** Segments per microsecond; 0 when this acknowledgment gives no reliable rate. */
  readonly rate: number;
  /** Segments delivered from when the newest of those acknowledged was sent until now. */
  readonly delivered: number;
  /** How long that took: sending them or having them acknowledged, whichever was longer. */
  readonly intervalUs: number;
  /** The connection's count of segments delivered when that one was sent; -1: nothing was delivered. */
  readonly priorDelivered: number;
  /** It was sent in the round trip after the application had left a gap: the rate may be the application's. */
  readonly appLimited: boolean;
  /** Segments in flight when it was sent, itself included, and how many were deemed lost since. */
  readonly flight: number;
  readonly lost: number;
  /** Segments that this acknowledgment newly acknowledged or SACKed, and newly deemed lost. */
  readonly newlyAcked: number;
  readonly newlyLost: number;
  /** Newest round trip, 0 if there is none. */
  readonly rttUs: number;
}
