import { LRUCache } from 'lru-cache';

/** RFC 1191 section 6.3: an estimate is taken back after ten minutes. */
const EXPIRES_US = 600_000_000;
const MOST_DESTINATIONS = 1024;

/** What ICMP taught about paths whose MTU is below the device's, by destination. */
export class PathMtuCache {
  #nowUs = 0;
  readonly #mtus = new LRUCache<number, number>({
    max: MOST_DESTINATIONS,
    ttl: EXPIRES_US,
    // 0: no host timers. A start of 0 would mean "no time to live", hence the 1.
    ttlResolution: 0,
    perf: { now: () => this.#nowUs + 1 },
  });

  /** @returns the MTU towards `dst`: the device's, or less if that was learned. */
  get(dst: number, deviceMtu: number, nowUs: number): number {
    if (this.#mtus.size === 0) return deviceMtu;
    this.#nowUs = nowUs;
    return Math.min(this.#mtus.get(dst) ?? deviceMtu, deviceMtu);
  }

  /** @returns whether that is news: only a smaller MTU is. */
  learn(dst: number, mtu: number, deviceMtu: number, nowUs: number): boolean {
    if (mtu >= this.get(dst, deviceMtu, nowUs)) return false;
    this.#nowUs = nowUs;
    this.#mtus.set(dst, mtu);
    return true;
  }
}
