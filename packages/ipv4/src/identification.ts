import type { Random } from '@qanat/clock';

/**
 * The Identification field (RFC 6864). Every packet takes a new one, a retransmission too.
 *
 * An atomic datagram (DF set, whole) may carry any value: one counter serves them all. The others must not repeat
 * for the same source, destination and protocol while a fragment may live: a counter per hash of these, from a random
 * start under a secret key, so that nobody learns from the IDs he gets how much is sent to others (RFC 7739).
 */
export class Identification {
  readonly #counters: Uint16Array;
  readonly #mask: number;
  readonly #key0: number;
  readonly #key1: number;
  #atomic: number;

  /** @param counters a power of two. */
  constructor(random: Random, counters: number) {
    this.#counters = new Uint16Array(counters);
    this.#mask = counters - 1;
    for (let i = 0; i < counters; i++) this.#counters[i] = random.u32();
    this.#key0 = random.u32() | 0;
    this.#key1 = random.u32() | 1;
    this.#atomic = random.u32() & 0xffff;
  }

  /** @returns the ID of a datagram that may not be fragmented. */
  atomic(): number {
    return (this.#atomic = (this.#atomic + 1) & 0xffff);
  }

  /** @returns the ID of a datagram that may be fragmented (by us or on its way). */
  next(src: number, dst: number, protocol: number): number {
    let hash = Math.imul(src ^ this.#key0, 0x85ebca6b);
    hash = Math.imul((hash ^ (hash >>> 15)) + dst, this.#key1);
    hash = Math.imul((hash ^ (hash >>> 13)) + protocol, 0xc2b2ae35);
    const bucket = (hash ^ (hash >>> 16)) & this.#mask;
    return (this.#counters[bucket] = (this.#counters[bucket]! + 1) & 0xffff);
  }
}
