import type { Random } from '@qanat/clock';

/** Draws of the kinds that scenarios need. */
export class Draw {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  chance(rate: number): boolean {
    return this.#random.float() < rate;
  }

  /** An integer in least..most. */
  int(least: number, most: number): number {
    return least + Math.floor(this.#random.float() * (most - least + 1));
  }

  /** An integer in least..most whose logarithm is uniform: small ones are as likely as large ones. */
  log(least: number, most: number): number {
    return Math.round(Math.exp(Math.log(least) + this.#random.float() * Math.log(most / least)));
  }

  /** A rate in least..most with a uniform logarithm, three significant digits. */
  rate(least: number, most: number): number {
    return Number(Math.exp(Math.log(least) + this.#random.float() * Math.log(most / least)).toPrecision(3));
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random.float() * from.length)]!;
  }
}
