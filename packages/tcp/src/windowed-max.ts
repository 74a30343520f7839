/**
 * The greatest of the samples of a sliding window, in constant space: the best, and the best of those that came later
 * (K. Nichols' filter, draft-ietf-ccwg-bbr-06 section 5.5.5).
 */
export class WindowedMax {
  readonly #value = [0, 0, 0];
  readonly #time = [0, 0, 0];

  get max(): number {
    return this.#value[0]!;
  }

  reset(value: number, time: number): void {
    this.#value.fill(value);
    this.#time.fill(time);
  }

  /** @param time of the sample, never less than before. @param length of the window, in units of `time`. */
  update(value: number, time: number, length: number): void {
    const values = this.#value;
    const times = this.#time;
    if (value >= values[0]! || time - times[2]! > length) {
      this.reset(value, time);
      return;
    }
    if (value >= values[1]!) this.#put(1, value, time);
    else if (value >= values[2]!) this.#put(2, value, time);
    const age = time - times[0]!;
    if (age > length) {
      // The best is too old: the next ones move up.
      this.#move(0, 1);
      this.#move(1, 2);
      this.#put(2, value, time);
      if (time - times[0]! > length) {
        this.#move(0, 1);
        this.#move(1, 2);
      }
    } else if (times[1] === times[0] && age > length / 4) {
      this.#put(1, value, time);
    } else if (times[2] === times[1] && age > length / 2) {
      this.#put(2, value, time);
    }
  }

  /** From `index` on, `value` is the best since. */
  #put(index: number, value: number, time: number): void {
    for (let i = index; i < 3; i++) {
      this.#value[i] = value;
      this.#time[i] = time;
    }
  }

  #move(to: number, from: number): void {
    this.#value[to] = this.#value[from]!;
    this.#time[to] = this.#time[from]!;
  }
}
