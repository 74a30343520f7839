/** How many addresses share a bucket. */
const WAYS = 4;
const DEFAULT_ENTRIES = 1024;
/** IEEE 802.1Q table 8-6: an address that is not heard of is forgotten after 300 s. */
const DEFAULT_AGING_US = 300_000_000;
const NO_PORT = -1;

export interface MacTableOptions {
  /** Most addresses, rounded up to a power of two. Default 1024. */
  readonly entries?: number;
  /** How long an address stays after its last frame. Default 300 s. */
  readonly agingUs?: number;
}

/**
 * Which port an address was last heard on: the memory of a learning bridge. Bounded whatever comes: an address has its
 * place in one bucket of four; where that is full, the one not heard of for longest gives way.
 */
export class MacTable {
  readonly #agingUs: number;
  readonly #bucketMask: number;
  readonly #hi: Int32Array;
  readonly #lo: Int32Array;
  readonly #port: Int32Array;
  readonly #heardUs: Float64Array;

  /** @throws RangeError when `entries` is not in 4..65536 or `agingUs` is not positive. */
  constructor(options: MacTableOptions = {}) {
    const { entries = DEFAULT_ENTRIES, agingUs = DEFAULT_AGING_US } = options;
    if (!(Number.isInteger(entries) && entries >= WAYS && entries <= 0x1_0000)) {
      throw new RangeError(`a table of ${entries} addresses: it must be an integer in ${WAYS}..65536`);
    }
    if (!(agingUs > 0)) throw new RangeError(`aging after ${agingUs} us`);
    const size = 1 << (32 - Math.clz32(entries - 1));
    this.#agingUs = agingUs;
    this.#bucketMask = size / WAYS - 1;
    this.#hi = new Int32Array(size);
    this.#lo = new Int32Array(size);
    this.#port = new Int32Array(size).fill(NO_PORT);
    this.#heardUs = new Float64Array(size);
  }

  /**
   * Notes where an address was heard. Group addresses are nobody's source and are not learned.
   * @param hi bytes 0-1. @param lo bytes 2-5 as an int32. @param port not negative.
   */
  learn(hi: number, lo: number, port: number, nowUs: number): void {
    if ((hi & 0x0100) !== 0) return;
    const first = this.#bucket(hi, lo);
    let place = first;
    let oldestUs = Number.POSITIVE_INFINITY;
    for (let i = first; i < first + WAYS; i++) {
      if (this.#port[i]! !== NO_PORT && this.#lo[i]! === lo && this.#hi[i]! === hi) {
        place = i;
        break;
      }
      const heardUs = this.#port[i]! === NO_PORT ? Number.NEGATIVE_INFINITY : this.#heardUs[i]!;
      if (heardUs < oldestUs) {
        oldestUs = heardUs;
        place = i;
      }
    }
    this.#hi[place] = hi;
    this.#lo[place] = lo;
    this.#port[place] = port;
    this.#heardUs[place] = nowUs;
  }

  /** @returns the port that leads to an address, or -1 when it is not known (or no longer). */
  lookup(hi: number, lo: number, nowUs: number): number {
    const first = this.#bucket(hi, lo);
    for (let i = first; i < first + WAYS; i++) {
      if (this.#lo[i]! === lo && this.#hi[i]! === hi && this.#port[i]! !== NO_PORT) {
        return nowUs - this.#heardUs[i]! <= this.#agingUs ? this.#port[i]! : NO_PORT;
      }
    }
    return NO_PORT;
  }

  /** Forgets every address of a port that has gone. */
  forgetPort(port: number): void {
    for (let i = 0; i < this.#port.length; i++) if (this.#port[i] === port) this.#port[i] = NO_PORT;
  }

  /** Addresses known at `nowUs`. */
  size(nowUs: number): number {
    let size = 0;
    for (let i = 0; i < this.#port.length; i++) {
      if (this.#port[i] !== NO_PORT && nowUs - this.#heardUs[i]! <= this.#agingUs) size++;
    }
    return size;
  }

  #bucket(hi: number, lo: number): number {
    let hash = Math.imul(lo ^ Math.imul(hi, 0x9e37_79b1), 0x85eb_ca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2_ae35);
    return ((hash ^ (hash >>> 16)) & this.#bucketMask) * WAYS;
  }
}
