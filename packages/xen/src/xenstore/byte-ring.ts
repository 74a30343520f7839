import type { Memory } from '@qanat/bytes';

/** What `ByteRing` answers when the peer left impossible indices in the page. */
export const RING_BROKEN = -1;

/**
 * One direction of a byte stream through a shared page, as in the xenstore and console interfaces: a power-of-two
 * buffer with free-running u32 indices. Either end may be used. Both indices are read from the page with every call
 * and checked, so a hostile peer can garble the stream, but not make us read or write outside of it.
 */
export class ByteRing {
  readonly #memory: Memory;
  readonly #dataAddr: number;
  readonly #bytes: number;
  readonly #prodIndex: number;
  readonly #consIndex: number;

  /**
   * Whether the last `read` made room in a ring that its producer may have seen full: then the producer sleeps until it
   * is notified.
   */
  producerWaits = false;

  /** @param bytes size of the buffer, a power of two. @param prodAddr and `consAddr`: where the indices lie. */
  constructor(memory: Memory, dataAddr: number, bytes: number, prodAddr: number, consAddr: number) {
    this.#memory = memory;
    this.#dataAddr = dataAddr;
    this.#bytes = bytes;
    this.#prodIndex = prodAddr >>> 2;
    this.#consIndex = consAddr >>> 2;
  }

  /** Index into `memory.i32` of the producer's index: the word to wait on for data from another thread. */
  get prodWord(): number {
    return this.#prodIndex;
  }

  /** Bytes ready to be read, or RING_BROKEN. */
  get available(): number {
    const used = this.#used();
    return used > this.#bytes ? RING_BROKEN : used;
  }

  /**
   * Appends up to `length` bytes from `from[offset]` on.
   * @returns how many were taken, 0 when the ring is full, RING_BROKEN for impossible indices.
   */
  write(from: Uint8Array, offset: number, length: number): number {
    const { i32, u8 } = this.#memory;
    const cons = Atomics.load(i32, this.#consIndex);
    const prod = Atomics.load(i32, this.#prodIndex);
    const used = (prod - cons) >>> 0;
    if (used > this.#bytes) return RING_BROKEN;
    const taken = Math.min(length, this.#bytes - used);
    if (taken === 0) return 0;
    const mask = this.#bytes - 1;
    for (let i = 0; i < taken; i++) u8[this.#dataAddr + ((prod + i) & mask)] = from[offset + i]!;
    // Sequentially consistent: a later look at the consumer's index cannot miss a `read` that missed this store.
    Atomics.store(i32, this.#prodIndex, (prod + taken) | 0);
    return taken;
  }

  /**
   * Takes up to `length` bytes into `into[offset]` on; sets `producerWaits`.
   * @returns how many came, 0 when the ring is empty, RING_BROKEN for impossible indices.
   */
  read(into: Uint8Array, offset: number, length: number): number {
    const { i32, u8 } = this.#memory;
    this.producerWaits = false;
    const prod = Atomics.load(i32, this.#prodIndex);
    const cons = Atomics.load(i32, this.#consIndex);
    const used = (prod - cons) >>> 0;
    if (used > this.#bytes) return RING_BROKEN;
    const taken = Math.min(length, used);
    if (taken === 0) return 0;
    const mask = this.#bytes - 1;
    for (let i = 0; i < taken; i++) into[offset + i] = u8[this.#dataAddr + ((cons + i) & mask)]!;
    Atomics.store(i32, this.#consIndex, (cons + taken) | 0);
    // Read after the store: a producer that missed the store has published all that made the ring full for it.
    this.producerWaits = (Atomics.load(i32, this.#prodIndex) - cons) >>> 0 >= this.#bytes;
    return taken;
  }

  #used(): number {
    const { i32 } = this.#memory;
    return (Atomics.load(i32, this.#prodIndex) - Atomics.load(i32, this.#consIndex)) >>> 0;
  }
}
