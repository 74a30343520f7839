import type { CongestionState } from './congestion-control.ts';
import { seqGeq } from './seq.ts';

/** RFC 9406 section 4.3. */
const MIN_RTT_THRESH_US = 4_000;
const MAX_RTT_THRESH_US = 16_000;
const MIN_RTT_DIVISOR = 8;
const N_RTT_SAMPLE = 8;
const CSS_GROWTH_DIVISOR = 4;
const CSS_ROUNDS = 5;

/** Below this window delay says nothing (Linux: hystart_low_window). */
const LOW_WINDOW = 16;

/**
 * HyStart++ (RFC 9406): slow start ends before it overflows the bottleneck's queue. When a round's least delay has
 * grown, growth goes on at a quarter (conservative slow start) for up to five rounds; if the delay falls back it was
 * jitter, and slow start resumes.
 */
export class HyStart {
  /** SND.NXT when the round began. */
  #windowEnd = 0;
  #lastRoundMinRttUs = Number.POSITIVE_INFINITY;
  #currentRoundMinRttUs = Number.POSITIVE_INFINITY;
  #samples = 0;
  #conservative = false;
  #cssBaselineUs = Number.POSITIVE_INFINITY;
  #cssRounds = 0;
  /** Acknowledged segments not yet turned into growth in conservative slow start. */
  #credit = 0;
  #done = false;

  start(s: CongestionState): void {
    this.#done = false;
    this.#conservative = false;
    this.#lastRoundMinRttUs = Number.POSITIVE_INFINITY;
    this.#currentRoundMinRttUs = Number.POSITIVE_INFINITY;
    this.#samples = 0;
    this.#credit = 0;
    this.#windowEnd = s.sndNxt;
  }

  /**
   * An acknowledgment in slow start; may end it by setting ssthresh.
   * @param rttUs 0 if there was no sample. @returns the segments by which slow start may grow.
   */
  onAck(s: CongestionState, acked: number, rttUs: number): number {
    // Only the initial slow start: after a loss ssthresh is known to be good (section 4.1).
    if (this.#done || s.ssthresh !== 0x7fffffff) return acked;
    if (seqGeq(s.sndUna, this.#windowEnd)) this.#nextRound(s);
    if (rttUs > 0) {
      this.#samples++;
      if (rttUs < this.#currentRoundMinRttUs) this.#currentRoundMinRttUs = rttUs;
    }
    if (s.cwnd >= LOW_WINDOW && this.#samples >= N_RTT_SAMPLE) this.#judge();
    if (this.#done) {
      s.ssthresh = s.cwnd;
      return acked;
    }
    if (!this.#conservative) return acked;
    this.#credit += acked / CSS_GROWTH_DIVISOR;
    const grow = Math.floor(this.#credit);
    this.#credit -= grow;
    return grow;
  }

  #nextRound(s: CongestionState): void {
    this.#windowEnd = s.sndNxt;
    this.#lastRoundMinRttUs = this.#currentRoundMinRttUs;
    this.#currentRoundMinRttUs = Number.POSITIVE_INFINITY;
    this.#samples = 0;
    if (this.#conservative && ++this.#cssRounds >= CSS_ROUNDS) this.#done = true;
  }

  #judge(): void {
    if (this.#conservative) {
      // The delay fell back: it was jitter (section 4.2, end).
      if (this.#currentRoundMinRttUs < this.#cssBaselineUs) {
        this.#conservative = false;
        this.#cssBaselineUs = Number.POSITIVE_INFINITY;
      }
      return;
    }
    if (this.#lastRoundMinRttUs === Number.POSITIVE_INFINITY) return;
    const eighth = this.#lastRoundMinRttUs / MIN_RTT_DIVISOR;
    const threshUs = Math.max(MIN_RTT_THRESH_US, Math.min(eighth, MAX_RTT_THRESH_US));
    if (this.#currentRoundMinRttUs >= this.#lastRoundMinRttUs + threshUs) {
      this.#cssBaselineUs = this.#currentRoundMinRttUs;
      this.#conservative = true;
      this.#cssRounds = 0;
    }
  }
}
