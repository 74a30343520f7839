/** After this many misses in a row spinning is off, but for a probe now and then. */
const MISSES_TO_OFF = 4;
/** A probe in so many sleeps at first, and half as often after each that misses: where CPUs are few, a spin takes another's. */
const PROBE_EVERY_MIN = 32;
const PROBE_EVERY_MAX = 512;

/**
 * Whether a short spin before a sleep pays: it saves both sides a wake-up when the next event is near, and burns the
 * time of others when it is not. Spinning goes on while it finds events and stops after a few misses.
 */
export class SpinPolicy {
  readonly #maxUs: number;
  #misses = 0;
  #skipped = 0;
  #probeEvery = PROBE_EVERY_MIN;

  constructor(maxUs: number) {
    this.#maxUs = maxUs;
  }

  /** How long to spin before the sleep that is due, in microseconds; 0 not at all. */
  budgetUs(): number {
    if (this.#maxUs <= 0) return 0;
    if (this.#misses < MISSES_TO_OFF) return this.#maxUs;
    if (++this.#skipped < this.#probeEvery) return 0;
    this.#skipped = 0;
    return this.#maxUs;
  }

  hit(): void {
    this.#misses = 0;
    this.#probeEvery = PROBE_EVERY_MIN;
  }

  miss(): void {
    if (this.#misses < MISSES_TO_OFF) this.#misses++;
    else this.#probeEvery = Math.min(2 * this.#probeEvery, PROBE_EVERY_MAX);
  }
}
