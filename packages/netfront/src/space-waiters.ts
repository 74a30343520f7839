/** Most parties that may wait for room in one ring; a driver has one (the stack), tests have a few. */
const MAX_WAITERS = 64;

/**
 * Who waits for room in a ring, first come first served. They belong to the ring: whoever frees slots wakes them, so
 * that no event is needed between the freeing and the waking. Nothing is allocated while they come and go.
 */
export class SpaceWaiters {
  readonly #frameBytes = new Int32Array(MAX_WAITERS);
  readonly #slots = new Int32Array(MAX_WAITERS);
  readonly #wake: (() => void)[] = [];
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** What the first one needs, a buffer and slots; there must be one. */
  get firstFrameBytes(): number {
    return this.#frameBytes[this.#head]!;
  }

  get firstSlots(): number {
    return this.#slots[this.#head]!;
  }

  /**
   * Queues a waiter. One that waits already stays where it is and needs the smaller of both: it is woken early
   * rather than never.
   * @throws RangeError when too many wait.
   */
  add(frameBytes: number, slots: number, wake: () => void): void {
    for (let i = 0; i < this.#size; i++) {
      const at = (this.#head + i) % MAX_WAITERS;
      if (this.#wake[at] === wake) {
        if (slots < this.#slots[at]! || (slots === this.#slots[at]! && frameBytes < this.#frameBytes[at]!)) {
          this.#frameBytes[at] = frameBytes;
          this.#slots[at] = slots;
        }
        return;
      }
    }
    if (this.#size === MAX_WAITERS) throw new RangeError(`${MAX_WAITERS} waiters for room in a ring are enough`);
    const tail = (this.#head + this.#size) % MAX_WAITERS;
    this.#frameBytes[tail] = frameBytes;
    this.#slots[tail] = slots;
    this.#wake[tail] = wake;
    this.#size++;
  }

  /** Takes the first one out. @returns how to wake it. */
  shift(): () => void {
    const wake = this.#wake[this.#head]!;
    this.#head = (this.#head + 1) % MAX_WAITERS;
    this.#size--;
    return wake;
  }
}
