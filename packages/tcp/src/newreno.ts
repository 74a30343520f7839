import { type CongestionControl, type CongestionState, slowStart } from './congestion-control.ts';

/** RFC 5681 and RFC 6582, with appropriate byte counting (RFC 3465): whole segments acknowledged are counted. */
export class NewReno implements CongestionControl {
  readonly name = 'newreno';
  /** Segments acknowledged since cwnd last grew by one. */
  #acked = 0;

  start(): void {
    this.#acked = 0;
  }

  onAck(s: CongestionState, acked: number): void {
    if (s.cwnd < s.ssthresh) {
      acked = slowStart(s, acked);
      if (acked === 0) return;
    }
    this.#acked += acked;
    if (this.#acked >= s.cwnd) {
      const grow = Math.floor(this.#acked / s.cwnd);
      this.#acked -= grow * s.cwnd;
      s.cwnd += grow;
    }
  }

  /** RFC 5681 (4): half of the window, at least two segments. */
  onLoss(s: CongestionState): number {
    this.#acked = 0;
    return Math.max(s.cwnd >>> 1, 2);
  }

  onTimeout(): void {
    this.#acked = 0;
  }
  onIdle(): void {}
  onUndo(): void {}
}
