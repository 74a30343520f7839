import { seqGeq, seqGt, seqLeq, seqLt } from './seq.ts';

/** Most separate out-of-order ranges that are kept; a segment that would make one more is dropped. */
const MAX_RANGES = 128;
/** Room for so many at first; it doubles as needed. */
const FIRST_RANGES = 8;

/**
 * Which bytes of the receive window have come out of order: ranges of sequence numbers, ascending, apart from each
 * other. Made when a connection first needs it.
 */
export class ReceiveRanges {
  count = 0;
  #left = new Int32Array(FIRST_RANGES);
  #right = new Int32Array(FIRST_RANGES);
  /** When each range last grew: SACK reports the most recent first (RFC 2018 section 4). */
  #stamp = new Int32Array(FIRST_RANGES);
  #stamps = 0;

  /** Whether `[left, right)` is held already, entirely. */
  holds(left: number, right: number): boolean {
    for (let i = 0; i < this.count; i++) {
      if (seqLeq(this.#left[i]!, left) && seqGeq(this.#right[i]!, right)) {
        // SACK reports it next: behind a D-SACK stands the block that it is part of (RFC 2883 section 4).
        this.#stamp[i] = ++this.#stamps & 0x7fffffff;
        return true;
      }
    }
    return false;
  }

  /**
   * Picks the SACK blocks to report, the most recent first, into `left` and `right` from index `at` on.
   * @returns how many there are then, at most `most`.
   */
  sackBlocks(left: Int32Array, right: Int32Array, at: number, most: number): number {
    const count = Math.min(at + this.count, most);
    let bound = 0x7fffffff;
    for (let k = at; k < count; k++) {
      let best = -1;
      let bestStamp = -1;
      for (let i = 0; i < this.count; i++) {
        const stamp = this.#stamp[i]!;
        if (stamp < bound && stamp > bestStamp) {
          best = i;
          bestStamp = stamp;
        }
      }
      left[k] = this.#left[best]!;
      right[k] = this.#right[best]!;
      bound = bestStamp;
    }
    return count;
  }

  /** Takes off the ranges that `next` has reached. @returns where in-order data ends then. */
  absorb(next: number): number {
    let gone = 0;
    while (gone < this.count && seqLeq(this.#left[gone]!, next)) {
      if (seqGt(this.#right[gone]!, next)) next = this.#right[gone]!;
      gone++;
    }
    if (gone > 0) this.#remove(0, gone);
    return next;
  }

  /** Notes that [left, right) has come. @returns false when that would be one range too many. */
  add(left: number, right: number): boolean {
    const count = this.count;
    let at = count;
    // New data mostly extends the last range: search from the end.
    while (at > 0 && seqGeq(this.#right[at - 1]!, left)) at--;
    let past = at;
    while (past < count && seqLeq(this.#left[past]!, right)) past++;
    if (past === at) {
      if (count === MAX_RANGES) return false;
      if (count === this.#left.length) this.#grow();
      this.#left.copyWithin(at + 1, at, count);
      this.#right.copyWithin(at + 1, at, count);
      this.#stamp.copyWithin(at + 1, at, count);
      this.#left[at] = left;
      this.#right[at] = right;
      this.count = count + 1;
    } else {
      if (seqLt(left, this.#left[at]!)) this.#left[at] = left;
      const last = this.#right[past - 1]!;
      this.#right[at] = seqGt(right, last) ? right : last;
      if (past - at > 1) this.#remove(at + 1, past - at - 1);
    }
    this.#stamp[at] = ++this.#stamps & 0x7fffffff;
    return true;
  }

  #remove(at: number, gone: number): void {
    this.#left.copyWithin(at, at + gone, this.count);
    this.#right.copyWithin(at, at + gone, this.count);
    this.#stamp.copyWithin(at, at + gone, this.count);
    this.count -= gone;
  }

  #grow(): void {
    const capacity = this.#left.length * 2;
    this.#left = grown(this.#left, capacity);
    this.#right = grown(this.#right, capacity);
    this.#stamp = grown(this.#stamp, capacity);
  }
}

function grown(from: Int32Array, capacity: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(capacity);
  to.set(from);
  return to;
}
