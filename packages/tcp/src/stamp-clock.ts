import type { Clock } from '@qanat/clock';

/** The clock is read for every sixteenth stamp: a reading costs as much as writing two records. */
const STAMPS_PER_READING = 16;
/** A longer step is no work but a pause (garbage collection, another process): it is not extrapolated. */
const MAX_STEP_US = 20;

/**
 * Times for the flow log. A batch's time was read when it began; within it every sixteenth stamp is a reading of the clock, and
 * those between are as far apart as the ones before were on average. On virtual time, which stands still in a batch, all are
 * exact. Stamps never go back.
 */
export class StampClock {
  readonly #clock: Clock;
  #batchUs = Number.NEGATIVE_INFINITY;
  #lastUs = Number.NEGATIVE_INFINITY;
  #readUs = 0;
  #stepUs = 0;
  #left = STAMPS_PER_READING;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param batchUs when the batch began. @returns the stamp before, or the beginning of the batch, whichever is later. */
  mark(batchUs: number): number {
    if (batchUs !== this.#batchUs) this.#begin(batchUs);
    return this.#lastUs;
  }

  /** The time of something that took a little work. @param batchUs when the batch began. */
  stamp(batchUs: number): number {
    if (batchUs !== this.#batchUs) this.#begin(batchUs);
    if (--this.#left === 0) return this.#read();
    this.#lastUs += this.#stepUs;
    return this.#lastUs;
  }

  /** The time of a call from outside of any batch. */
  now(): number {
    const us = this.#clock.now();
    if (us > this.#lastUs) this.#lastUs = us;
    return this.#lastUs;
  }

  #begin(batchUs: number): void {
    this.#batchUs = batchUs;
    this.#readUs = batchUs;
    this.#left = STAMPS_PER_READING;
    if (batchUs > this.#lastUs) this.#lastUs = batchUs;
  }

  #read(): number {
    const us = this.#clock.now();
    const stepUs = (us - this.#readUs) / STAMPS_PER_READING;
    this.#stepUs = (3 * this.#stepUs + Math.min(stepUs, MAX_STEP_US)) / 4;
    this.#readUs = us;
    this.#left = STAMPS_PER_READING;
    if (us > this.#lastUs) this.#lastUs = us;
    return this.#lastUs;
  }
}
