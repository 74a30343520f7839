/** Round-trip time estimation, RFC 6298, with Linux's floor: the variance term is never below `minRtoUs`. */
export class RttEstimator {
  srttUs = 0;
  rttvarUs = 0;
  /** Retransmission timeout without backoff. */
  rtoUs: number;
  /** Least round trip seen. */
  minRttUs = Number.POSITIVE_INFINITY;
  latestUs = 0;
  samples = 0;
  readonly #minRtoUs: number;
  readonly #maxRtoUs: number;

  constructor(initialRtoUs: number, minRtoUs: number, maxRtoUs: number) {
    this.rtoUs = initialRtoUs;
    this.#minRtoUs = minRtoUs;
    this.#maxRtoUs = maxRtoUs;
  }

  /** Takes a measurement (never of a retransmitted segment without timestamps: Karn's rule, MUST-18). */
  sample(rttUs: number): void {
    if (rttUs < 1) rttUs = 1;
    this.latestUs = rttUs;
    if (rttUs < this.minRttUs) this.minRttUs = rttUs;
    if (this.samples === 0) {
      this.srttUs = rttUs;
      this.rttvarUs = rttUs / 2;
    } else {
      this.rttvarUs += (Math.abs(this.srttUs - rttUs) - this.rttvarUs) / 4;
      this.srttUs += (rttUs - this.srttUs) / 8;
    }
    if (this.samples < 0x3fffffff) this.samples++;
    const rto = this.srttUs + Math.max(4 * this.rttvarUs, this.#minRtoUs);
    this.rtoUs = Math.min(rto, this.#maxRtoUs);
  }

  /** RFC 6298 (5.7): the SYN or its ACK was lost, so data begins with an RTO of 3 s. */
  afterSynLoss(): void {
    if (this.samples === 0) this.rtoUs = Math.max(this.rtoUs, 3_000_000);
  }
}
