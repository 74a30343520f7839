import type { Connection } from './connection.ts';
import { count } from './counters.ts';
import { rackDelivered } from './rack.ts';
import { noteDelivered } from './rate.ts';
import { SEG_EVER_RETRANS, SEG_LOST, SEG_RETRANS, SEG_SACKED } from './retransmit-queue.ts';
import type { Segment } from './segment.ts';
import { seqGeq, seqGt, seqLeq, seqLt } from './seq.ts';

/** What `markSacks` found besides the number of marks: scratch of one call, read at once by the caller. */
export const sackFindings = {
  /** When the newest of the marked segments that were sent once was sent, 0 if none. */
  sentUs: 0,
  /** The first block reports a duplicate (RFC 2883 section 4). */
  dsack: false,
  /** The right edge of that block. */
  dsackRight: 0,
  /** A segment that was sent once and lies at or below the recovery point was marked. */
  original: false,
};

/**
 * Marks what the SACK blocks of a segment report (RFC 2018, RFC 6675 section 5 Update()).
 * Blocks below SND.UNA (D-SACK, RFC 2883), above SND.NXT or inverted mark nothing.
 * @returns segments newly marked; more is in `sackFindings`.
 */
export function markSacks(c: Connection, segment: Segment): number {
  const { sackCount, sackLeft, sackRight } = segment.options;
  const { rtx, rack } = c;
  const highBefore = c.sackHigh;
  let marked = 0;
  let sentUs = 0;
  sackFindings.original = false;
  const dsack = noteDsack(c, segment);
  for (let b = dsack ? 1 : 0; b < sackCount; b++) {
    const left = sackLeft[b]!;
    const right = sackRight[b]!;
    if (seqGeq(left, right) || seqGt(right, c.sndNxt)) {
      count(c, 'TCPSACKDiscard');
      continue;
    }
    if (seqLeq(right, c.sndUna)) continue;
    for (let i = rtx.find(left); i < rtx.tail && seqLt(rtx.seq[i]!, right); i++) {
      const flags = rtx.flags[i]!;
      if (flags & SEG_SACKED || !rtx.covered(i, left, right)) continue;
      if (flags & SEG_LOST) rtx.lostOut--;
      if (flags & SEG_RETRANS) rtx.retransOut--;
      rtx.flags[i] = (flags & ~(SEG_LOST | SEG_RETRANS)) | SEG_SACKED;
      rtx.sackedOut++;
      marked++;
      noteDelivered(rtx, i);
      const everRetransmitted = (flags & SEG_EVER_RETRANS) !== 0;
      if (!everRetransmitted) {
        if (rtx.sentUs[i]! > sentUs) sentUs = rtx.sentUs[i]!;
        if (seqLeq(rtx.endOf(i), c.recoveryPoint)) sackFindings.original = true;
        // It was overtaken by one sent later (RFC 8985 section 6.2, step 3).
        if (seqLt(rtx.seq[i]!, highBefore) && !rack.reorderingSeen) {
          rack.reorderingSeen = true;
          count(c, 'TCPSACKReorder');
        }
      }
      rackDelivered(c, i, everRetransmitted, segment.arrivedUs);
    }
    if (rtx.sackedOut > 0 && seqGt(right, c.sackHigh)) c.sackHigh = right;
  }
  sackFindings.sentUs = sentUs;
  return marked;
}

/** RFC 2883 section 4: the first block is a D-SACK if it lies below the ACK, or within the second. */
function noteDsack(c: Connection, segment: Segment): boolean {
  const { sackCount, sackLeft, sackRight } = segment.options;
  const left = sackLeft[0]!;
  const right = sackRight[0]!;
  const dsack =
    sackCount > 0 &&
    seqLt(left, right) &&
    (seqLt(left, segment.ack) || (sackCount > 1 && seqGeq(left, sackLeft[1]!) && seqLeq(right, sackRight[1]!)));
  sackFindings.dsack = dsack;
  if (!dsack) return false;
  sackFindings.dsackRight = right;
  count(c, 'TCPDSACKRecv');
  c.dsackDups++;
  if (c.undoPossible && c.undoRetrans > 0 && seqGeq(left, c.undoMarker)) c.undoRetrans--;
  // A needless retransmission: RACK's window was too narrow (a needless probe says nothing of it).
  if (!(c.probing && c.probeRetransmitted && right === c.probeHigh)) c.rack.dsackSeen = true;
  return true;
}

/**
 * RFC 6675 IsLost(): a segment is lost when `dupThresh` segments above it are SACKed. Marks are made upwards once.
 * @returns whether there is a newly lost segment.
 */
export function markLostBySack(c: Connection): boolean {
  const rtx = c.rtx;
  if (rtx.sackedOut < c.config.dupThresh) return false;
  // From the top down to the dupThresh-th SACKed segment: everything below it that is not SACKed is lost.
  let above = 0;
  let i = Math.min(rtx.find(c.sackHigh), rtx.tail) - 1;
  for (; i >= rtx.head; i--) {
    if (rtx.flags[i]! & SEG_SACKED && ++above === c.config.dupThresh) break;
  }
  if (i < rtx.head) return false;
  const limit = rtx.seq[i]!;
  const from = seqGt(c.lossMarked, c.sndUna) ? c.lossMarked : c.sndUna;
  if (seqGeq(from, limit)) return false;
  const before = rtx.lostOut;
  for (let k = rtx.find(from); k < i; k++) {
    const flags = rtx.flags[k]!;
    // What was retransmitted already is not marked by this rule again.
    if (flags & (SEG_SACKED | SEG_RETRANS)) continue;
    rtx.markLost(k);
    if (seqLt(rtx.seq[k]!, c.retransmitHint)) c.retransmitHint = rtx.seq[k]!;
  }
  c.lossMarked = limit;
  return rtx.lostOut > before;
}
