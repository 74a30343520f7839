import type { Connection } from './connection.ts';
import { endReduction, reduce, startReduction } from './prr.ts';
import { SEG_LOST, SEG_RETRANS, SEG_SACKED } from './retransmit-queue.ts';
import { markLostBySack } from './scoreboard.ts';
import { seqGeq, seqGt, seqLt } from './seq.ts';
import { CA_CWR, CA_DISORDER, CA_LOSS, CA_OPEN, CA_RECOVERY } from './state.ts';

/**
 * The congestion state machine: what an acknowledgment means for loss recovery and for cwnd.
 * @param acked segments that left the queue with SND.UNA. @param delivered those, less the ones SACKed before, and the
 * newly SACKed. @param duplicate a duplicate acknowledgment (RFC 5681 section 2). @param rttUs 0 if none.
 */
export function onAcknowledgment(
  c: Connection,
  acked: number,
  delivered: number,
  newlySacked: number,
  duplicate: boolean,
  rttUs: number,
): void {
  const rtx = c.rtx;
  const advanced = acked > 0;
  if (!c.sackOk) delivered += emulateSack(c, acked, duplicate);
  const lostBefore = rtx.lostOut;

  if (c.caState >= CA_RECOVERY && seqGeq(c.sndUna, c.recoveryPoint)) leaveRecovery(c);
  if (c.caState === CA_LOSS) {
    if (c.sackOk) markLostBySack(c);
    else if (advanced) markHeadLost(c);
    growWindow(c, delivered, rttUs);
    return;
  }
  if (c.caState === CA_RECOVERY) {
    if (c.sackOk) {
      if (newlySacked > 0 || advanced) markLostBySack(c);
      // A partial acknowledgment: the segment at SND.UNA is lost too (RFC 6582), if nothing else says so.
      if (advanced && rtx.packetsOut > 0 && rtx.lostOut === 0 && rtx.retransOut === 0) markHeadLost(c);
    } else if (advanced) {
      markHeadLost(c);
    }
    reduce(c, delivered, Math.max(0, rtx.lostOut - lostBefore), advanced);
    return;
  }

  if (c.sackOk ? newlySacked > 0 && markLostBySack(c) : enoughDuplicates(c)) {
    enterRecovery(c);
    reduce(c, delivered, rtx.lostOut - lostBefore, advanced);
    return;
  }
  if (c.caState === CA_CWR) {
    if (seqLt(c.sndUna, c.recoveryPoint)) {
      reduce(c, delivered, 0, advanced);
      return;
    }
    endReduction(c);
  }
  c.caState = rtx.sackedOut > 0 ? CA_DISORDER : CA_OPEN;
  if (delivered > 0) growWindow(c, delivered, rttUs);
}

/** RFC 6582 section 3.2, step 2: duplicates of a past recovery start no new one. */
function enoughDuplicates(c: Connection): boolean {
  return c.dupAcks >= c.config.dupThresh && seqGt(c.sndUna, c.recoveryPoint);
}

/** Grows cwnd if the flight used it up. */
function growWindow(c: Connection, acked: number, rttUs: number): void {
  if (acked <= 0) return;
  const limited = c.cwndLimited || (c.cwnd < c.ssthresh && c.cwnd < 2 * c.maxPacketsOut) || c.caState === CA_LOSS;
  if (limited) c.cc.onAck(c, acked, rttUs, c.tcp.nowUs);
}

/** Without SACK, each duplicate acknowledgment stands for one segment that arrived (RFC 6582, as Linux counts). */
function emulateSack(c: Connection, acked: number, duplicate: boolean): number {
  const rtx = c.rtx;
  if (duplicate) {
    c.dupAcks++;
    if (rtx.sackedOut + rtx.lostOut < rtx.packetsOut) {
      rtx.sackedOut++;
      return 1;
    }
    return 0;
  }
  if (acked > 0) {
    c.dupAcks = 0;
    // One segment filled the hole; the rest had been counted by duplicates.
    const counted = Math.min(rtx.sackedOut, acked - 1);
    rtx.sackedOut = acked - 1 >= rtx.sackedOut ? 0 : rtx.sackedOut - (acked - 1);
    if (rtx.sackedOut > rtx.packetsOut - rtx.lostOut) rtx.sackedOut = Math.max(0, rtx.packetsOut - rtx.lostOut);
    return -counted;
  }
  return 0;
}

function enterRecovery(c: Connection): void {
  const stats = c.tcp.stats;
  if (c.sackOk) stats.TCPSackRecovery++;
  else stats.TCPRenoRecovery++;
  c.recoveryPoint = c.sndNxt;
  if (c.caState < CA_CWR) {
    c.ssthresh = c.cc.onLoss(c, c.tcp.nowUs);
    startReduction(c);
  }
  c.caState = CA_RECOVERY;
  c.retransmitHint = c.sndUna;
  if (!c.sackOk) markHeadLost(c);
}

function leaveRecovery(c: Connection): void {
  if (c.caState === CA_RECOVERY) endReduction(c);
  if (!c.sackOk) c.rtx.sackedOut = 0;
  c.caState = c.rtx.sackedOut > 0 ? CA_DISORDER : CA_OPEN;
  c.dupAcks = 0;
  c.prrOut = 0;
}

/** Deems the segment at SND.UNA lost. */
export function markHeadLost(c: Connection): void {
  const rtx = c.rtx;
  if (rtx.packetsOut === 0) return;
  if (rtx.flags[rtx.head]! & (SEG_SACKED | SEG_LOST | SEG_RETRANS)) return;
  // Emulated SACKs are a count only: keep it within what is out.
  if (!c.sackOk && rtx.sackedOut + rtx.lostOut >= rtx.packetsOut && rtx.sackedOut > 0) rtx.sackedOut--;
  rtx.markLost(rtx.head);
  c.retransmitHint = c.sndUna;
}

/** A retransmission timeout, RFC 6298 (5.4)-(5.6) and RFC 5681 section 3.1: everything in flight is taken for lost. */
export function enterLoss(c: Connection): void {
  const rtx = c.rtx;
  const fresh = c.caState <= CA_DISORDER || seqGeq(c.sndUna, c.recoveryPoint) || c.caState !== CA_LOSS;
  if (fresh) {
    c.priorCwnd = c.cwnd;
    c.ssthresh = c.cc.onLoss(c, c.tcp.nowUs);
    c.cc.onTimeout(c);
  }
  // The receiver dropped what it had SACKed (RFC 2018 section 8): believe nothing it said.
  if (rtx.packetsOut > 0 && c.sackOk && rtx.flags[rtx.head]! & SEG_SACKED) {
    c.tcp.stats.TCPSACKReneging++;
    rtx.clearSacks();
  }
  if (!c.sackOk) rtx.sackedOut = 0;
  rtx.markAllLost();
  if (c.config.congestion !== 'none') c.cwnd = 1;
  c.caState = CA_LOSS;
  c.recoveryPoint = c.sndNxt;
  c.retransmitHint = c.sndUna;
  c.lossMarked = c.sndUna;
  c.dupAcks = 0;
  c.cwndLimited = true;
}
