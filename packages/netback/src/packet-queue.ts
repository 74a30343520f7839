/** A bounded first-in first-out queue of packets (first blocks of a BufferPool). */
export class PacketQueue {
  readonly capacity: number;
  readonly #entries: Int32Array;
  #head = 0;
  #size = 0;

  /** @param capacity in packets, at least 1. */
  constructor(capacity: number) {
    this.capacity = capacity;
    this.#entries = new Int32Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** @returns false when the queue is full. */
  push(packet: number): boolean {
    if (this.#size === this.capacity) return false;
    let tail = this.#head + this.#size;
    if (tail >= this.capacity) tail -= this.capacity;
    this.#entries[tail] = packet;
    this.#size++;
    return true;
  }

  /** The oldest packet; the queue must not be empty. */
  peek(): number {
    return this.#entries[this.#head]!;
  }

  /** Takes the oldest packet; the queue must not be empty. */
  shift(): number {
    const packet = this.#entries[this.#head]!;
    this.#head = this.#head + 1 === this.capacity ? 0 : this.#head + 1;
    this.#size--;
    return packet;
  }
}
