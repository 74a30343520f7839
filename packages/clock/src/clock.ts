/**
 * Time as the whole stack knows it: integer microseconds in a double, monotonic, from an origin that the maker of the
 * clock chose. Protocols get `now` with every call; only drivers and loops read a clock.
 */
export interface Clock {
  /** @returns microseconds since the clock's origin, an integer that never decreases. */
  now(): number;
  /** Granularity of `now` in microseconds; RACK widens its window by it. */
  readonly resolutionUs: number;
}

/** A deadline that never comes. */
export const NEVER = Number.POSITIVE_INFINITY;

/** Node's `performance` is a getter of the global object, which costs as much as a reading of the clock. */
const { performance } = globalThis;

/** The host's monotonic clock. Clocks of several threads with the same origin agree. */
export class RealClock implements Clock {
  readonly resolutionUs = 1;
  readonly #offsetUs: number;

  /** @param originUs the reading of `RealClock.hostNowUs()` that shall be 0. */
  constructor(originUs = 0) {
    this.#offsetUs = hostOffsetUs() - originUs;
  }

  /** Microseconds of the host's monotonic clock, the same in every thread of the process. */
  static hostNowUs(): number {
    if (typeof process !== 'undefined' && typeof process.hrtime === 'function') {
      const [seconds, nanoseconds] = process.hrtime();
      return seconds * 1e6 + nanoseconds / 1000;
    }
    return (performance.timeOrigin + performance.now()) * 1000;
  }

  now(): number {
    return Math.floor(performance.now() * 1000 + this.#offsetUs);
  }
}

/** Readings to choose from: the first ones of a thread run code that is not compiled yet, and any may be interrupted. */
const OFFSET_READINGS = 64;

/**
 * performance.now() counts from a different origin in each worker; hrtime is the same clock with one origin. Of several readings
 * of one between two of the other the closest counts: clocks of several threads differ by no more than half its width.
 * @returns what has to be added to performance.now() in microseconds for `hostNowUs`.
 */
function hostOffsetUs(): number {
  let offsetUs = 0;
  let leastUs = Number.POSITIVE_INFINITY;
  for (let i = 0; i < OFFSET_READINGS; i++) {
    const beforeUs = performance.now() * 1000;
    const hostUs = RealClock.hostNowUs();
    const afterUs = performance.now() * 1000;
    if (afterUs - beforeUs >= leastUs) continue;
    leastUs = afterUs - beforeUs;
    offsetUs = hostUs - (beforeUs + afterUs) / 2;
  }
  return offsetUs;
}

/** Time that stands still until somebody moves it: simulations and tests. */
export class VirtualClock implements Clock {
  readonly resolutionUs = 1;
  #nowUs: number;

  constructor(startUs = 0) {
    this.#nowUs = startUs;
  }

  now(): number {
    return this.#nowUs;
  }

  /** Moves time forward. @throws RangeError when it would go back. */
  advanceTo(us: number): void {
    if (us < this.#nowUs) throw new RangeError(`time cannot go back from ${this.#nowUs} to ${us} us`);
    this.#nowUs = us;
  }
}
