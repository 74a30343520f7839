/** Which stretch of time is looked at. */

/** No one looks at less, in microseconds. */
const LEAST_SPAN = 2;
/** So much beyond the ends of the trace may be shown, as a share of the stretch. */
const BEYOND = 0.03;

export class TimeView {
  t0 = 0;
  t1 = 1;
  #first = 0;
  #last = 1;

  get span(): number {
    return this.t1 - this.t0;
  }

  get isWhole(): boolean {
    return this.t0 <= this.#first && this.t1 >= this.#last;
  }

  /** Where the trace begins and ends. */
  limit(first: number, last: number): void {
    this.#first = first;
    this.#last = Math.max(last, first + LEAST_SPAN);
  }

  fit(): void {
    const margin = (this.#last - this.#first) * 0.01;
    this.t0 = this.#first - margin;
    this.t1 = this.#last + margin;
  }

  show(t0: number, t1: number): void {
    const span = Math.max(LEAST_SPAN, t1 - t0);
    this.t0 = t0;
    this.t1 = t0 + span;
    this.#clamp();
  }

  /** @param factor above 1 shows more. @param at the instant that keeps its place. */
  zoom(factor: number, at: number): void {
    const whole = (this.#last - this.#first) * (1 + 2 * BEYOND);
    const span = Math.max(LEAST_SPAN, Math.min(whole, this.span * factor));
    const share = (at - this.t0) / this.span;
    this.t0 = at - share * span;
    this.t1 = this.t0 + span;
    this.#clamp();
  }

  pan(by: number): void {
    this.t0 += by;
    this.t1 += by;
    this.#clamp();
  }

  #clamp(): void {
    const { span } = this;
    const beyond = Math.max(span * BEYOND, (this.#last - this.#first) * 0.01);
    const first = this.#first - beyond;
    const last = this.#last + beyond;
    if (span >= last - first) {
      this.t0 = (first + last - span) / 2;
    } else {
      this.t0 = Math.max(first, Math.min(last - span, this.t0));
    }
    this.t1 = this.t0 + span;
  }
}
