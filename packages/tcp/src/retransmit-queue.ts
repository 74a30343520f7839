import { seqGt, seqLeq, seqLt } from './seq.ts';

/** The segment was reported by SACK. */
export const SEG_SACKED = 1;
/** It is deemed lost. */
export const SEG_LOST = 2;
/** It was retransmitted since it was deemed lost, and that is in flight. */
export const SEG_RETRANS = 4;
/** It was retransmitted at some time: no RTT from it (Karn). */
export const SEG_EVER_RETRANS = 8;
/** It ends with the FIN, which counts one in its length. */
export const SEG_FIN = 16;

const START_CAPACITY = 16;

/**
 * The segments in flight, oldest first, as parallel typed arrays. Index `head` up to `tail` are live; what is
 * acknowledged leaves at `head`. Counts are kept so that the pipe (RFC 6675) is known without a walk.
 */
export class RetransmitQueue {
  #capacity = 0;
  head = 0;
  tail = 0;
  /** First sequence number of the segment (int32). */
  seq = new Int32Array(0);
  /** Sequence numbers it takes (a FIN counts). */
  len = new Int32Array(0);
  flags = new Uint8Array(0);
  /** When it was last sent, in microseconds. */
  sentUs = new Float64Array(0);
  /** Number of its last transmission: orders what was sent in one instant (int32, it wraps). */
  order = new Int32Array(0);
  #transmissions = 0;

  /** Segments marked SEG_SACKED; without SACK, duplicate ACKs stand for them. */
  sackedOut = 0;
  lostOut = 0;
  retransOut = 0;

  get packetsOut(): number {
    return this.tail - this.head;
  }

  /** Segments in flight: RFC 6675's pipe. */
  get inFlight(): number {
    return this.tail - this.head - this.sackedOut - this.lostOut + this.retransOut;
  }

  push(seq: number, len: number, flags: number, nowUs: number): void {
    if (this.tail === this.#capacity) this.#makeRoom();
    const at = this.tail++;
    this.seq[at] = seq;
    this.len[at] = len;
    this.flags[at] = flags;
    this.sentUs[at] = nowUs;
    this.order[at] = this.#transmissions = (this.#transmissions + 1) | 0;
  }

  endOf(index: number): number {
    return (this.seq[index]! + this.len[index]!) | 0;
  }

  /** Index of the first segment that ends after `seq`, `tail` if there is none. */
  find(seq: number): number {
    let low = this.head;
    let high = this.tail;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (seqGt(this.endOf(middle), seq)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Takes the oldest segment off, with its marks. */
  shift(): void {
    const flags = this.flags[this.head]!;
    if (flags & SEG_SACKED) this.sackedOut--;
    if (flags & SEG_LOST) this.lostOut--;
    if (flags & SEG_RETRANS) this.retransOut--;
    this.head++;
    if (this.head === this.tail) {
      this.head = 0;
      this.tail = 0;
    }
  }

  /** Cuts `bytes` off the front of the oldest segment (a partial acknowledgment). */
  trimHead(bytes: number): void {
    this.seq[this.head] = (this.seq[this.head]! + bytes) | 0;
    this.len[this.head] = this.len[this.head]! - bytes;
  }

  /** Splits a segment after `bytes`: both halves keep its marks. */
  split(index: number, bytes: number): void {
    if (this.tail === this.#capacity) {
      const offset = index - this.head;
      this.#makeRoom();
      index = this.head + offset;
    }
    this.seq.copyWithin(index + 1, index, this.tail);
    this.len.copyWithin(index + 1, index, this.tail);
    this.flags.copyWithin(index + 1, index, this.tail);
    this.sentUs.copyWithin(index + 1, index, this.tail);
    this.order.copyWithin(index + 1, index, this.tail);
    this.tail++;
    const flags = this.flags[index]!;
    if (flags & SEG_SACKED) this.sackedOut++;
    if (flags & SEG_LOST) this.lostOut++;
    if (flags & SEG_RETRANS) this.retransOut++;
    this.len[index] = bytes;
    this.flags[index] = flags & ~SEG_FIN;
    this.seq[index + 1] = (this.seq[index + 1]! + bytes) | 0;
    this.len[index + 1] = this.len[index + 1]! - bytes;
  }

  markLost(index: number): void {
    const flags = this.flags[index]!;
    if (flags & (SEG_LOST | SEG_SACKED)) return;
    this.flags[index] = flags | SEG_LOST;
    this.lostOut++;
  }

  /** Deems a segment lost, or its retransmission lost too. */
  markLostAgain(index: number): void {
    const flags = this.flags[index]!;
    if (flags & SEG_RETRANS) this.retransOut--;
    if (!(flags & SEG_LOST)) this.lostOut++;
    this.flags[index] = (flags & ~SEG_RETRANS) | SEG_LOST;
  }

  isSacked(index: number): boolean {
    return (this.flags[index]! & SEG_SACKED) !== 0;
  }

  /** Takes back every loss mark. */
  clearLost(): void {
    for (let i = this.head; i < this.tail; i++) {
      const flags = this.flags[i]!;
      if (flags & SEG_RETRANS) this.retransOut--;
      this.flags[i] = flags & ~(SEG_LOST | SEG_RETRANS);
    }
    this.lostOut = 0;
  }

  /** The retransmission of a lost segment is in flight. */
  markRetransmitted(index: number, nowUs: number): void {
    const flags = this.flags[index]!;
    if (!(flags & SEG_RETRANS)) this.retransOut++;
    this.flags[index] = flags | SEG_RETRANS | SEG_EVER_RETRANS;
    this.sentUs[index] = nowUs;
    this.order[index] = this.#transmissions = (this.#transmissions + 1) | 0;
  }

  /** After a timeout: everything not SACKed is lost, and no retransmission counts as in flight any more. */
  markAllLost(): void {
    for (let i = this.head; i < this.tail; i++) {
      const flags = this.flags[i]! & ~SEG_RETRANS;
      this.flags[i] = flags & SEG_SACKED ? flags : flags | SEG_LOST;
    }
    this.retransOut = 0;
    this.lostOut = this.packetsOut - this.sackedOut;
  }

  /** Forgets every SACK (reneging, RFC 2018 section 8). */
  clearSacks(): void {
    for (let i = this.head; i < this.tail; i++) this.flags[i] = this.flags[i]! & ~SEG_SACKED;
    this.sackedOut = 0;
  }

  clear(): void {
    this.head = 0;
    this.tail = 0;
    this.sackedOut = 0;
    this.lostOut = 0;
    this.retransOut = 0;
  }

  /** Whether [left, right) of a segment lies in a SACK block. */
  covered(index: number, left: number, right: number): boolean {
    return seqLeq(left, this.seq[index]!) && !seqLt(right, this.endOf(index));
  }

  #makeRoom(): void {
    const live = this.tail - this.head;
    if (this.head > 0 && live <= this.#capacity >>> 1) {
      this.seq.copyWithin(0, this.head, this.tail);
      this.len.copyWithin(0, this.head, this.tail);
      this.flags.copyWithin(0, this.head, this.tail);
      this.sentUs.copyWithin(0, this.head, this.tail);
      this.order.copyWithin(0, this.head, this.tail);
    } else {
      this.#capacity = Math.max(START_CAPACITY, this.#capacity * 2);
      this.seq = grown(this.seq, new Int32Array(this.#capacity), this.head, this.tail);
      this.len = grown(this.len, new Int32Array(this.#capacity), this.head, this.tail);
      this.flags = grown(this.flags, new Uint8Array(this.#capacity), this.head, this.tail);
      this.sentUs = grown(this.sentUs, new Float64Array(this.#capacity), this.head, this.tail);
      this.order = grown(this.order, new Int32Array(this.#capacity), this.head, this.tail);
    }
    this.head = 0;
    this.tail = live;
  }
}

function grown<T extends Int32Array | Uint8Array | Float64Array>(from: T, to: T, head: number, tail: number): T {
  to.set(from.subarray(head, tail));
  return to;
}
