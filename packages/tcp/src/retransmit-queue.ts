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
/** When it was last sent, the application had left a gap in the stream: its rate sample is no measure of the path. */
export const SEG_APP_LIMITED = 32;

/** Arrays of so many numbers V8 keeps in its heap: cheap to make, for the many connections that send a little. */
const START_CAPACITY = 8;
const GROWTH = 4;

const NO_WORDS = new Int32Array(0);
const NO_TIMES = new Float64Array(0);
const NO_FLAGS = new Uint8Array(0);

/** Who wants to know of every segment that is deemed lost, while it can still be looked at. */
export interface LossListener {
  /** The segment at `index` was marked lost, or its retransmission was; `lostTotal` counts it already. */
  segmentLost(index: number): void;
}

/**
 * The segments in flight, oldest first, as parallel typed arrays. Index `head` up to `tail` are live; what is
 * acknowledged leaves at `head`. Counts are kept so that the pipe (RFC 6675) is known without a walk.
 */
export class RetransmitQueue {
  #capacity = 0;
  head = 0;
  tail = 0;
  /** First sequence number of the segment (int32). */
  seq = NO_WORDS;
  /** Sequence numbers it takes (a FIN counts). */
  len = NO_WORDS;
  flags = NO_FLAGS;
  /** When it was last sent, in microseconds. */
  sentUs = NO_TIMES;
  /** Number of its last transmission: orders what was sent in one instant (int32, it wraps). */
  order = NO_WORDS;
  /** Number of the last transmission of all. */
  transmissions = 0;
  /**
   * What `rate` noted when it was last sent (draft-ietf-ccwg-bbr-06 section 4.1.2.1.2): the connection's `deliveredUs`
   * and `firstSentUs`, its counts of segments delivered and lost (modulo 2^32), and the flight with it.
   */
  deliveredUs = NO_TIMES;
  firstSentUs = NO_TIMES;
  delivered = NO_WORDS;
  lostBefore = NO_WORDS;
  flight = NO_WORDS;

  /** Segments marked SEG_SACKED; without SACK, duplicate ACKs stand for them. */
  sackedOut = 0;
  lostOut = 0;
  retransOut = 0;
  /** Live segments marked SEG_EVER_RETRANS. */
  everRetransmitted = 0;
  /** Segments deemed lost so far, retransmissions included. */
  lostTotal = 0;
  lossListener: LossListener | undefined;

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
    this.order[at] = this.transmissions = (this.transmissions + 1) | 0;
  }

  /**
   * As `push`, of `count` segments that follow each other: `len` each, but for the last, which takes `lastLen` and
   * `lastFlags`.
   */
  pushRun(seq: number, count: number, len: number, lastLen: number, lastFlags: number, nowUs: number): void {
    while (this.tail + count > this.#capacity) this.#makeRoom();
    let at = this.tail;
    const end = at + count;
    let order = this.transmissions;
    for (; at < end; at++) {
      this.seq[at] = seq;
      this.len[at] = len;
      this.flags[at] = 0;
      this.sentUs[at] = nowUs;
      order = (order + 1) | 0;
      this.order[at] = order;
      seq = (seq + len) | 0;
    }
    this.transmissions = order;
    this.len[end - 1] = lastLen;
    this.flags[end - 1] = lastFlags;
    this.tail = end;
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
    if (flags & SEG_EVER_RETRANS) this.everRetransmitted--;
    this.#advance(1);
  }

  /** Takes the oldest `count` segments off, none of which is marked. */
  shiftPlain(count: number): void {
    this.#advance(count);
  }

  #advance(count: number): void {
    this.head += count;
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
    this.#shiftUp(index);
    this.tail++;
    const flags = this.flags[index]!;
    if (flags & SEG_SACKED) this.sackedOut++;
    if (flags & SEG_LOST) this.lostOut++;
    if (flags & SEG_RETRANS) this.retransOut++;
    if (flags & SEG_EVER_RETRANS) this.everRetransmitted++;
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
    this.#lost(index);
  }

  /** Deems a segment lost, or its retransmission lost too. */
  markLostAgain(index: number): void {
    const flags = this.flags[index]!;
    if (flags & SEG_RETRANS) this.retransOut--;
    if (!(flags & SEG_LOST)) this.lostOut++;
    this.flags[index] = (flags & ~SEG_RETRANS) | SEG_LOST;
    if ((flags & (SEG_LOST | SEG_RETRANS)) !== SEG_LOST) this.#lost(index);
  }

  #lost(index: number): void {
    this.lostTotal++;
    if (this.lossListener !== undefined) this.lossListener.segmentLost(index);
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
    if (!(flags & SEG_EVER_RETRANS)) this.everRetransmitted++;
    this.flags[index] = flags | SEG_RETRANS | SEG_EVER_RETRANS;
    this.sentUs[index] = nowUs;
    this.order[index] = this.transmissions = (this.transmissions + 1) | 0;
  }

  /** After a timeout: everything not SACKed is lost, and no retransmission counts as in flight any more. */
  markAllLost(): void {
    for (let i = this.head; i < this.tail; i++) {
      if (this.flags[i]! & SEG_SACKED) this.flags[i] = this.flags[i]! & ~SEG_RETRANS;
      else this.markLostAgain(i);
    }
    this.retransOut = 0;
    this.lostOut = this.packetsOut - this.sackedOut;
  }

  /** Forgets every SACK (reneging, RFC 2018 section 8). */
  clearSacks(): void {
    for (let i = this.head; i < this.tail; i++) this.flags[i] = this.flags[i]! & ~SEG_SACKED;
    this.sackedOut = 0;
  }

  /** Forgets everything and gives the arrays back. */
  clear(): void {
    this.head = 0;
    this.tail = 0;
    this.sackedOut = 0;
    this.lostOut = 0;
    this.retransOut = 0;
    this.everRetransmitted = 0;
    this.#capacity = 0;
    this.seq = NO_WORDS;
    this.len = NO_WORDS;
    this.flags = NO_FLAGS;
    this.sentUs = NO_TIMES;
    this.order = NO_WORDS;
    this.deliveredUs = NO_TIMES;
    this.firstSentUs = NO_TIMES;
    this.delivered = NO_WORDS;
    this.lostBefore = NO_WORDS;
    this.flight = NO_WORDS;
  }

  /** Whether [left, right) of a segment lies in a SACK block. */
  covered(index: number, left: number, right: number): boolean {
    return seqLeq(left, this.seq[index]!) && !seqLt(right, this.endOf(index));
  }

  #makeRoom(): void {
    const live = this.tail - this.head;
    if (this.head > 0 && live <= this.#capacity >>> 1) {
      this.#shiftDown();
    } else {
      this.#capacity = Math.max(START_CAPACITY, this.#capacity * GROWTH);
      this.#grow();
    }
    this.head = 0;
    this.tail = live;
  }

  /** Makes the place at `index` twice: everything from there on moves up by one. */
  #shiftUp(index: number): void {
    const { tail } = this;
    this.seq.copyWithin(index + 1, index, tail);
    this.len.copyWithin(index + 1, index, tail);
    this.flags.copyWithin(index + 1, index, tail);
    this.sentUs.copyWithin(index + 1, index, tail);
    this.order.copyWithin(index + 1, index, tail);
    this.deliveredUs.copyWithin(index + 1, index, tail);
    this.firstSentUs.copyWithin(index + 1, index, tail);
    this.delivered.copyWithin(index + 1, index, tail);
    this.lostBefore.copyWithin(index + 1, index, tail);
    this.flight.copyWithin(index + 1, index, tail);
  }

  #shiftDown(): void {
    const { head, tail } = this;
    this.seq.copyWithin(0, head, tail);
    this.len.copyWithin(0, head, tail);
    this.flags.copyWithin(0, head, tail);
    this.sentUs.copyWithin(0, head, tail);
    this.order.copyWithin(0, head, tail);
    this.deliveredUs.copyWithin(0, head, tail);
    this.firstSentUs.copyWithin(0, head, tail);
    this.delivered.copyWithin(0, head, tail);
    this.lostBefore.copyWithin(0, head, tail);
    this.flight.copyWithin(0, head, tail);
  }

  #grow(): void {
    const { head, tail } = this;
    const capacity = this.#capacity;
    this.seq = grown(this.seq, new Int32Array(capacity), head, tail);
    this.len = grown(this.len, new Int32Array(capacity), head, tail);
    this.flags = grown(this.flags, new Uint8Array(capacity), head, tail);
    this.sentUs = grown(this.sentUs, new Float64Array(capacity), head, tail);
    this.order = grown(this.order, new Int32Array(capacity), head, tail);
    this.deliveredUs = grown(this.deliveredUs, new Float64Array(capacity), head, tail);
    this.firstSentUs = grown(this.firstSentUs, new Float64Array(capacity), head, tail);
    this.delivered = grown(this.delivered, new Int32Array(capacity), head, tail);
    this.lostBefore = grown(this.lostBefore, new Int32Array(capacity), head, tail);
    this.flight = grown(this.flight, new Int32Array(capacity), head, tail);
  }
}

function grown<T extends Int32Array | Uint8Array | Float64Array>(from: T, to: T, head: number, tail: number): T {
  to.set(from.subarray(head, tail));
  return to;
}
