import { type CongestionControl, type CongestionState, slowStart } from './congestion-control.ts';
import { HyStart } from './hystart.ts';

/** RFC 9438 section 4.1: C in segments per second cubed. */
const C = 0.4;
/** Multiplicative decrease as Linux has it, 717/1024 (RFC 9438: 0.7). */
const BETA = 717 / 1024;
/** Reno-friendly additive increase, RFC 9438 section 4.3. */
const ALPHA = (3 * (1 - BETA)) / (1 + BETA);
/** While no W_max is known, at least one segment per this many acknowledged (Linux: cnt is clamped to 20). */
const SEGMENTS_PER_GROWTH_UNKNOWN = 20;

/** CUBIC, RFC 9438. */
export class Cubic implements CongestionControl {
  readonly name = 'cubic';
  used = false;
  #wMax = 0;
  /** Window when the epoch began. */
  #origin = 0;
  /** Time to get back to #origin, seconds. */
  #k = 0;
  #epochUs = 0;
  #wEst = 0;
  /** Fraction of a segment by which the window is to grow. */
  #credit = 0;
  readonly #hystart = new HyStart();
  #delayMinUs = Number.POSITIVE_INFINITY;
  readonly #renoFriendly: boolean;

  /** @param renoFriendly at least as fast as Reno (RFC 9438 section 4.3). */
  constructor(renoFriendly = true) {
    this.#renoFriendly = renoFriendly;
  }

  start(s: CongestionState): void {
    this.#reset();
    this.#hystart.start(s);
  }

  onAck(s: CongestionState, acked: number, rttUs: number, nowUs: number): void {
    this.used = true;
    if (rttUs > 0 && rttUs < this.#delayMinUs) this.#delayMinUs = rttUs;
    if (s.cwnd < s.ssthresh) {
      acked = slowStart(s, this.#hystart.onAck(s, acked, rttUs));
      if (acked === 0) return;
    }
    this.#avoid(s, acked, nowUs);
  }

  onLoss(s: CongestionState): number {
    this.used = true;
    this.#epochUs = 0;
    // Fast convergence, RFC 9438 section 4.7: give way to a new flow.
    this.#wMax = s.cwnd < this.#wMax ? (s.cwnd * (1 + BETA)) / 2 : s.cwnd;
    return Math.max(Math.floor(s.cwnd * BETA), 2);
  }

  onTimeout(s: CongestionState): void {
    this.#reset();
    this.#hystart.start(s);
  }

  onIdle(_s: CongestionState, idleUs: number): void {
    // The curve must not run on while nothing was sent (RFC 9438 section 5.8, as Linux: the epoch shifts).
    if (this.#epochUs > 0) this.#epochUs += idleUs;
  }

  onUndo(): void {
    this.#epochUs = 0;
  }

  #reset(): void {
    this.#wMax = 0;
    this.#epochUs = 0;
    this.#credit = 0;
    this.#delayMinUs = Number.POSITIVE_INFINITY;
  }

  #avoid(s: CongestionState, acked: number, nowUs: number): void {
    if (this.#epochUs === 0) {
      this.#epochUs = nowUs;
      this.#wEst = s.cwnd;
      this.#credit = 0;
      if (this.#wMax <= s.cwnd) {
        this.#k = 0;
        this.#origin = s.cwnd;
      } else {
        this.#k = Math.cbrt((this.#wMax - s.cwnd) / C);
        this.#origin = this.#wMax;
      }
    }
    // The window one round trip ahead, RFC 9438 section 4.2.
    const rtt = (this.#delayMinUs === Number.POSITIVE_INFINITY ? s.srttUs : this.#delayMinUs) / 1e6;
    const t = (nowUs - this.#epochUs) / 1e6 + rtt - this.#k;
    let target = this.#origin + C * t * t * t;
    if (target > 1.5 * s.cwnd) target = 1.5 * s.cwnd;
    // Reno-friendly region, section 4.3.
    if (this.#renoFriendly) {
      this.#wEst += (ALPHA * acked) / s.cwnd;
      if (this.#wEst > target) target = this.#wEst;
    }
    let growth = target > s.cwnd ? ((target - s.cwnd) / s.cwnd) * acked : acked / (100 * s.cwnd);
    if (this.#wMax === 0) growth = Math.max(growth, acked / SEGMENTS_PER_GROWTH_UNKNOWN);
    // At most half a segment per segment acknowledged.
    this.#credit += Math.min(growth, acked / 2);
    if (this.#credit >= 1) {
      const whole = Math.floor(this.#credit);
      this.#credit -= whole;
      s.cwnd += whole;
    }
  }
}
