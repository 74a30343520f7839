import { NEVER } from '@qanat/clock';
import { grown } from './demux.ts';

const FIRST_CAPACITY = 16;

/**
 * Deadlines of connections that are no objects while they wait: a binary heap of (time, slot, serial) in typed arrays.
 * Nothing is taken out but the earliest: who looks at it finds by the serial number whether it still counts.
 */
export class DeadlineHeap {
  #atUs = new Float64Array(FIRST_CAPACITY);
  #slot = new Int32Array(FIRST_CAPACITY);
  #serial = new Int32Array(FIRST_CAPACITY);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The earliest deadline in microseconds, or NEVER. */
  get nextUs(): number {
    return this.#size > 0 ? this.#atUs[0]! : NEVER;
  }

  /** Slot and serial number of the earliest. */
  get slot(): number {
    return this.#slot[0]!;
  }

  get serial(): number {
    return this.#serial[0]!;
  }

  push(atUs: number, slot: number, serial: number): void {
    if (this.#size === this.#slot.length) this.#grow();
    let index = this.#size++;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#atUs[parent]! <= atUs) break;
      this.#move(parent, index);
      index = parent;
    }
    this.#place(index, atUs, slot, serial);
  }

  /** Takes the earliest off. */
  shift(): void {
    const last = --this.#size;
    if (last <= 0) {
      this.#size = 0;
      return;
    }
    const atUs = this.#atUs[last]!;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= last) break;
      if (child + 1 < last && this.#atUs[child + 1]! < this.#atUs[child]!) child++;
      if (this.#atUs[child]! >= atUs) break;
      this.#move(child, index);
      index = child;
    }
    this.#place(index, atUs, this.#slot[last]!, this.#serial[last]!);
  }

  #place(index: number, atUs: number, slot: number, serial: number): void {
    this.#atUs[index] = atUs;
    this.#slot[index] = slot;
    this.#serial[index] = serial;
  }

  #move(from: number, to: number): void {
    this.#place(to, this.#atUs[from]!, this.#slot[from]!, this.#serial[from]!);
  }

  #grow(): void {
    const atUs = new Float64Array(this.#atUs.length * 2);
    atUs.set(this.#atUs);
    this.#atUs = atUs;
    this.#slot = grown(this.#slot);
    this.#serial = grown(this.#serial);
  }
}
