import type { Connection } from './connection.ts';
import { SEG_EVER_RETRANS, SEG_LOST, SEG_RETRANS, SEG_SACKED } from './retransmit-queue.ts';
import type { Segment } from './segment.ts';
import { seqGeq, seqGt, seqLeq, seqLt } from './seq.ts';

/**
 * Marks what the SACK blocks of a segment report (RFC 2018, RFC 6675 section 5 Update()).
 * Blocks below SND.UNA (D-SACK, RFC 2883), above SND.NXT or inverted mark nothing.
 * @returns segments newly marked. The newest send time among those never retransmitted is left in `c.tcp.sackSentUs`.
 */
export function markSacks(c: Connection, segment: Segment): number {
  const { sackCount, sackLeft, sackRight } = segment.options;
  const rtx = c.rtx;
  const stats = c.tcp.stats;
  let marked = 0;
  let sentUs = 0;
  for (let b = 0; b < sackCount; b++) {
    const left = sackLeft[b]!;
    const right = sackRight[b]!;
    if (seqGeq(left, right) || seqGt(right, c.sndNxt)) {
      stats.TCPSACKDiscard++;
      continue;
    }
    if (seqLeq(right, c.sndUna) || seqLeq(right, segment.ack)) {
      if (b === 0) stats.TCPDSACKRecv++;
      continue;
    }
    for (let i = rtx.find(left); i < rtx.tail && seqLt(rtx.seq[i]!, right); i++) {
      const flags = rtx.flags[i]!;
      if (flags & SEG_SACKED || !rtx.covered(i, left, right)) continue;
      if (flags & SEG_LOST) rtx.lostOut--;
      if (flags & SEG_RETRANS) rtx.retransOut--;
      rtx.flags[i] = (flags & ~(SEG_LOST | SEG_RETRANS)) | SEG_SACKED;
      rtx.sackedOut++;
      marked++;
      if (!(flags & SEG_EVER_RETRANS) && rtx.sentUs[i]! > sentUs) sentUs = rtx.sentUs[i]!;
    }
    if (rtx.sackedOut > 0 && seqGt(right, c.sackHigh)) c.sackHigh = right;
  }
  c.tcp.sackSentUs = sentUs;
  return marked;
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
