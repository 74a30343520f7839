/**
 * Packetization-layer path MTU discovery, RFC 4821: the size of segments is searched for with segments that carry
 * data, and a path that swallows large ones without a word (RFC 2923) is found out by timeouts.
 */
export class MtuProbe {
  /** Probing is on: from the start, or since a black hole was met. */
  enabled: boolean;
  /** The path is known to carry this, and not known to carry that: packet sizes. */
  searchLow: number;
  searchHigh: number;
  /** The probe in flight: its size as a packet, 0 for none, and its place. */
  size = 0;
  startSeq = 0;
  endSeq = 0;
  /** When the search ended. */
  doneUs = Number.NEGATIVE_INFINITY;
  /** What held before timeouts raised the suspicion of a black hole: `searchLow`, 0 for none, and `enabled`. */
  trustedLow = 0;
  trustedEnabled = false;

  constructor(enabled: boolean, low: number, high: number) {
    this.enabled = enabled;
    this.searchLow = Math.min(low, high);
    this.searchHigh = high;
  }
}
