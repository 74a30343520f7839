import { seqDiff } from './seq.ts';

const FIRST_EXTENTS = 16;
/** More are refused until acknowledgments come: whoever lends bytes one by one copies them more cheaply. */
const MOST_EXTENTS = 4096;

/** The parts of a send queue that lie in memory which the application has lent, in the order of the stream. */
export class LentExtents {
  #starts = new Int32Array(FIRST_EXTENTS);
  #addrs = new Int32Array(FIRST_EXTENTS);
  #lengths = new Int32Array(FIRST_EXTENTS);
  /** Where the first is; from there on in a ring. */
  #head = 0;
  count = 0;

  /**
   * Appends `bytes` at `addr` as the bytes from `seq` on. What goes on where the last one ends is joined to it.
   * @returns false when there are too many.
   */
  add(seq: number, addr: number, bytes: number): boolean {
    if (this.count > 0) {
      const last = this.#at(this.count - 1);
      const length = this.#lengths[last]!;
      if (seqDiff(seq, this.#starts[last]!) === length && this.#addrs[last]! + length === addr) {
        this.#lengths[last] = length + bytes;
        return true;
      }
      if (this.count === this.#starts.length && !this.#grow()) return false;
    }
    const at = this.#at(this.count++);
    this.#starts[at] = seq;
    this.#addrs[at] = addr;
    this.#lengths[at] = bytes;
    return true;
  }

  /** @returns the number of the last extent that begins at `seq` or before it, or -1. */
  find(seq: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (seqDiff(seq, this.#starts[this.#at(middle)]!) >= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  startOf(index: number): number {
    return this.#starts[this.#at(index)]!;
  }

  addrOf(index: number): number {
    return this.#addrs[this.#at(index)]!;
  }

  lengthOf(index: number): number {
    return this.#lengths[this.#at(index)]!;
  }

  /** Lets go of what lies below `seq`. @returns how many bytes that was. */
  release(seq: number): number {
    let released = 0;
    while (this.count > 0) {
      const head = this.#head;
      const below = seqDiff(seq, this.#starts[head]!);
      if (below <= 0) break;
      const length = this.#lengths[head]!;
      if (below < length) {
        this.#starts[head] = seq;
        this.#addrs[head] = this.#addrs[head]! + below;
        this.#lengths[head] = length - below;
        return released + below;
      }
      released += length;
      this.#head = (head + 1) & (this.#starts.length - 1);
      this.count--;
    }
    return released;
  }

  #at(index: number): number {
    return (this.#head + index) & (this.#starts.length - 1);
  }

  #grow(): boolean {
    const size = this.#starts.length;
    if (size === MOST_EXTENTS) return false;
    const [starts, addrs, lengths] = [this.#starts, this.#addrs, this.#lengths];
    this.#starts = new Int32Array(2 * size);
    this.#addrs = new Int32Array(2 * size);
    this.#lengths = new Int32Array(2 * size);
    for (let i = 0; i < size; i++) {
      const from = (this.#head + i) & (size - 1);
      this.#starts[i] = starts[from]!;
      this.#addrs[i] = addrs[from]!;
      this.#lengths[i] = lengths[from]!;
    }
    this.#head = 0;
    return true;
  }
}
