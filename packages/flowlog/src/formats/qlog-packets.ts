/** Numbers of the packets in flight, by where their segments lie: what an acknowledgment covers, what was lost. */
export class QlogPackets {
  /** Lowest and highest number of the packets that `acknowledge` found; -1: none. */
  lowest = -1;
  highest = -1;
  #seqs: number[] = [];
  #ends: number[] = [];
  #numbers: number[] = [];
  /** Those before it are acknowledged. */
  #first = 0;

  sent(seq: number, end: number, number: number): void {
    this.#seqs.push(seq);
    this.#ends.push(end);
    this.#numbers.push(number);
  }

  /** The segment at `seq` was sent again. @returns the number of the packet that was lost, -1 when none is known. */
  sentAgain(seq: number, end: number, number: number): number {
    const at = this.#seqs.indexOf(seq, this.#first);
    if (at < 0) return -1;
    const lost = this.#numbers[at]!;
    this.#ends[at] = end;
    this.#numbers[at] = number;
    return lost;
  }

  acknowledge(ack: number): void {
    this.lowest = -1;
    this.highest = -1;
    const ends = this.#ends;
    let at = this.#first;
    for (; at < ends.length && ((ack - ends[at]!) | 0) >= 0; at++) {
      const number = this.#numbers[at]!;
      if (this.lowest < 0 || number < this.lowest) this.lowest = number;
      if (number > this.highest) this.highest = number;
    }
    this.#first = at;
    if (at < COMPACT_ROWS || 2 * at < ends.length) return;
    this.#seqs = this.#seqs.slice(at);
    this.#ends = this.#ends.slice(at);
    this.#numbers = this.#numbers.slice(at);
    this.#first = 0;
  }
}

/** Fewer rows that are done with are not worth moving the others. */
const COMPACT_ROWS = 1024;
