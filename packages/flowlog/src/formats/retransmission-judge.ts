import { REASON_FAST, REASON_NONE, REASON_OTHER, REASON_PROBE, REASON_SYN } from '../segment-info.ts';

const FLAG_FIN = 0x01;
const FLAG_SYN = 0x02;
/** Duplicate acknowledgments after which a hole is sent again (RFC 5681). */
const DUPLICATE_THRESHOLD = 3;
/** While no round trip is known: segments that come so soon after those that follow them were reordered. */
const REORDER_US = 3000;
/** Holes that are remembered per direction; older ones are forgotten first. */
const MAX_HOLES = 64;

/** What a capture says about one direction of a connection. */
interface Side {
  /** Whether `next` means something. */
  known: boolean;
  /** One behind the highest sequence number that was sent. */
  next: number;
  /** Sequence numbers that were jumped over: left, right (exclusive), when. */
  readonly holes: { left: number; right: number; sinceUs: number }[];
  /** What the other side acknowledged last, and how often without news. */
  acked: number;
  duplicates: number;
}

/**
 * Says of each segment of a captured connection whether it was sent again: what was there before is a retransmission; what
 * fills a hole is one, too, unless it comes so soon that it was merely overtaken.
 */
export class RetransmissionJudge {
  readonly #sides: readonly [Side, Side] = [newSide(), newSide()];
  /** From the SYN to the ACK of the handshake; 0 when it is not known. */
  #roundTripUs = 0;
  #synUs = -1;

  /**
   * @param side 0 or 1: who sent it. @param bytes payload.
   * @returns why it was sent (REASON_*).
   */
  judge(side: number, timeUs: number, seq: number, ack: number, flags: number, bytes: number, sacks: number): number {
    const from = this.#sides[side]!;
    this.#handshake(timeUs, flags);
    this.#acknowledge(this.#sides[1 - side]!, ack, flags, bytes, sacks);
    const length = bytes + (flags & FLAG_SYN ? 1 : 0) + (flags & FLAG_FIN ? 1 : 0);
    const end = (seq + length) | 0;
    if (!from.known) {
      from.known = true;
      from.next = end;
      return REASON_NONE;
    }
    const ahead = (seq - from.next) | 0;
    if (ahead === -1 && bytes <= 1 && (flags & (FLAG_SYN | FLAG_FIN)) === 0) return REASON_PROBE;
    if (length === 0) return REASON_NONE;
    if (ahead >= 0) {
      if (ahead > 0) this.#leap(from, seq, timeUs);
      from.next = end;
      return REASON_NONE;
    }
    const filled = this.#fill(from, seq, end, timeUs);
    if (((end - from.next) | 0) > 0) from.next = end;
    if (filled) return REASON_NONE;
    if (flags & FLAG_SYN) return REASON_SYN;
    return from.duplicates >= DUPLICATE_THRESHOLD && seq === from.acked ? REASON_FAST : REASON_OTHER;
  }

  #handshake(timeUs: number, flags: number): void {
    if (flags & FLAG_SYN) {
      if (this.#synUs < 0) this.#synUs = timeUs;
    } else if (this.#roundTripUs === 0 && this.#synUs >= 0) this.#roundTripUs = Math.max(1, timeUs - this.#synUs);
  }

  #acknowledge(side: Side, ack: number, flags: number, bytes: number, sacks: number): void {
    if ((flags & 0x10) === 0) return;
    if (ack !== side.acked) {
      side.acked = ack;
      side.duplicates = 0;
    } else if (bytes === 0 || sacks > 0) side.duplicates++;
  }

  #leap(side: Side, seq: number, timeUs: number): void {
    if (side.holes.length === MAX_HOLES) side.holes.shift();
    side.holes.push({ left: side.next, right: seq, sinceUs: timeUs });
  }

  /** @returns whether the segment was only late: it fills a hole that is young. */
  #fill(side: Side, seq: number, end: number, timeUs: number): boolean {
    const { holes } = side;
    const at = holes.findIndex(({ left, right }) => ((seq - left) | 0) >= 0 && ((right - end) | 0) >= 0);
    if (at < 0) return false;
    const hole = holes[at]!;
    const { right, sinceUs } = hole;
    const rest = right !== end && holes.length < MAX_HOLES;
    if (hole.left === seq) {
      if (right === end) holes.splice(at, 1);
      else hole.left = end;
    } else {
      hole.right = seq;
      if (rest) holes.push({ left: end, right, sinceUs });
    }
    return timeUs - sinceUs < (this.#roundTripUs === 0 ? REORDER_US : Math.min(REORDER_US, this.#roundTripUs));
  }
}

function newSide(): Side {
  return { known: false, next: 0, holes: [], acked: 0, duplicates: 0 };
}
