import type { Clock } from '@qanat/clock';

/** The clock is read for every sixteenth stamp: a reading costs as much as writing two records. */
const STAMPS_PER_READING = 16;
/** A longer step is no work but a pause (garbage collection, another process): it is not extrapolated. */
const MAX_STEP_US = 20;

/**
 * Times for the flow log. A batch's time was read when it began; within it every sixteenth stamp is a reading of the clock, and
 * those between are as far apart as the ones before were on average. Who reads the clock for something else that is recorded
 * of the same host aligns the stamps with that. On virtual time, which stands still in a batch, all are exact. Stamps never go
 * back.
 */
export class StampClock {
  readonly #clock: Clock;
  /** BATCH, LAST, READ, STEP: fields of doubles would each lie in a place of its own. */
  readonly #us = new Float64Array([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0]);
  /** Stamps since the clock was read, or the batch began. */
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param batchUs when the batch began. @returns the stamp before, or the beginning of the batch, whichever is later. */
  mark(batchUs: number): number {
    if (batchUs !== this.#us[BATCH]) this.#begin(batchUs);
    return this.#us[LAST]!;
  }

  /** The time of something that took a little work. @param batchUs when the batch began. */
  stamp(batchUs: number): number {
    return this.stamps(batchUs, 1);
  }

  /** The time of the last of `count` things that took as much work each. */
  stamps(batchUs: number, count: number): number {
    const us = this.#us;
    if (batchUs !== us[BATCH]) this.#begin(batchUs);
    this.#count += count;
    if (this.#count >= STAMPS_PER_READING) return this.#read();
    return this.#notBefore(us[READ]! + us[STEP]! * this.#count);
  }

  /** The time of a call from outside of any batch. */
  now(): number {
    return this.#notBefore(this.#clock.now());
  }

  /**
   * The time of something that is recorded besides, for which the clock was read: stamps go on from there.
   * @param nowUs the reading. @returns it, or the stamp before when that is later.
   */
  align(nowUs: number): number {
    this.#us[READ] = nowUs;
    this.#count = 0;
    return this.#notBefore(nowUs);
  }

  #begin(batchUs: number): void {
    const us = this.#us;
    us[BATCH] = batchUs;
    if (batchUs > us[READ]!) us[READ] = batchUs;
    this.#count = 0;
    this.#notBefore(batchUs);
  }

  #read(): number {
    const us = this.#us;
    const nowUs = this.#clock.now();
    const stepUs = (nowUs - us[READ]!) / this.#count;
    us[STEP] = (3 * us[STEP]! + Math.min(stepUs, MAX_STEP_US)) / 4;
    us[READ] = nowUs;
    this.#count = 0;
    return this.#notBefore(nowUs);
  }

  #notBefore(nowUs: number): number {
    const us = this.#us;
    if (nowUs > us[LAST]!) us[LAST] = nowUs;
    return us[LAST]!;
  }
}

const BATCH = 0;
const LAST = 1;
const READ = 2;
const STEP = 3;
