import { seqDiff } from './seq.ts';

const FIRST_PACKETS = 32;

/**
 * Packets of new data that refer to the memory of a send queue and were not answered by the device, in the order in which
 * they went out, which is that of the stream: the device's number of each, and where its data begins.
 */
export class ReferringPackets {
  #numbers = new Int32Array(FIRST_PACKETS);
  #starts = new Int32Array(FIRST_PACKETS);
  #head = 0;
  count = 0;

  /** As many as the device has under way: `forget` comes first. */
  push(number: number, start: number): void {
    const size = this.#numbers.length;
    if (this.count === size) this.#grow(size);
    const at = (this.#head + this.count++) & (this.#numbers.length - 1);
    this.#numbers[at] = number;
    this.#starts[at] = start;
  }

  /** Forgets those up to the device's packet `done`. */
  forget(done: number): void {
    const mask = this.#numbers.length - 1;
    while (this.count > 0 && seqDiff(done, this.#numbers[this.#head]!) >= 0) {
      this.#head = (this.#head + 1) & mask;
      this.count--;
    }
  }

  /** Where the data of the first begins; there must be one. */
  get firstStart(): number {
    return this.#starts[this.#head]!;
  }

  #grow(size: number): void {
    const [numbers, starts] = [this.#numbers, this.#starts];
    this.#numbers = new Int32Array(2 * size);
    this.#starts = new Int32Array(2 * size);
    for (let i = 0; i < size; i++) {
      const from = (this.#head + i) & (size - 1);
      this.#numbers[i] = numbers[from]!;
      this.#starts[i] = starts[from]!;
    }
    this.#head = 0;
  }
}
