import { LRUCache } from 'lru-cache';

/** A bucket that fills with `perSecond` tokens a second up to `burst`; it begins full. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #atUs = 0;

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
  }

  /** @returns whether there is a token (it is not taken). */
  has(nowUs: number): boolean {
    if (this.#perSecond === Number.POSITIVE_INFINITY) return true;
    if (nowUs > this.#atUs) {
      this.#tokens = Math.min(this.#burst, this.#tokens + ((nowUs - this.#atUs) * this.#perSecond) / 1e6);
      this.#atUs = nowUs;
    }
    return this.#tokens >= 1;
  }

  /** Takes a token if there is one. @returns whether there was. */
  take(nowUs: number): boolean {
    if (!this.has(nowUs)) return false;
    this.#tokens--;
    return true;
  }
}

/** A limit in all and one per destination; neither is charged for what the other refuses. */
export class RateLimit {
  readonly #all: TokenBucket;
  readonly #byDestination: LRUCache<number, TokenBucket>;
  readonly #perSecond: number;
  readonly #burst: number;

  /** @param maxDestinations remembered; one that is forgotten begins with a full bucket. */
  constructor(all: TokenBucket, perSecond: number, burst: number, maxDestinations: number) {
    this.#all = all;
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#byDestination = new LRUCache({ max: maxDestinations });
  }

  take(destination: number, nowUs: number): boolean {
    if (!this.#all.has(nowUs)) return false;
    let bucket = this.#byDestination.get(destination);
    if (bucket === undefined) {
      bucket = new TokenBucket(this.#perSecond, this.#burst);
      this.#byDestination.set(destination, bucket);
    }
    return bucket.take(nowUs) && this.#all.take(nowUs);
  }
}
