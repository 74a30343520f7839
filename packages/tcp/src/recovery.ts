import type { Connection } from './connection.ts';
import { count } from './counters.ts';
import { isCwndLimited } from './cwnd-validation.ts';
import { probeLost, settleSuspicion } from './mtu-probe.ts';
import { UNDONE_FRTO } from './observer.ts';
import { updatePacing } from './pacing.ts';
import { endReduction, reduce, startReduction } from './prr.ts';
import { rackDetectLoss } from './rack.ts';
import { finishRateSample, rateSample } from './rate.ts';
import { SEG_LOST, SEG_RETRANS, SEG_SACKED } from './retransmit-queue.ts';
import { markLostBySack } from './scoreboard.ts';
import type { Segment } from './segment.ts';
import { seqGeq, seqGt } from './seq.ts';
import { CA_CWR, CA_DISORDER, CA_LOSS, CA_OPEN, CA_RECOVERY } from './state.ts';
import { mayUndo, rememberForUndo, startUndo, undo, wasDelayed } from './undo.ts';

/** What an acknowledgment did, as bits. */
export const ACK_ADVANCED = 1;
/** SACK blocks marked segments. */
export const ACK_SACKED = 2;
/** A duplicate acknowledgment, RFC 5681 section 2. */
export const ACK_DUPLICATE = 4;
/** It carried a D-SACK block. */
export const ACK_DSACK = 8;
/** It acknowledged or SACKed a segment above the recovery point's data that was sent only once. */
export const ACK_ORIGINAL = 16;
/** It echoes congestion (ECE). */
export const ACK_ECE = 32;

/**
 * The congestion state machine: what an acknowledgment means for loss recovery and for cwnd.
 * @param what ACK_* bits. @param acked segments that left the queue. @param delivered segments newly known to have
 * arrived. @param rttUs 0 if none.
 */
export function onAcknowledgment(
  c: Connection,
  segment: Segment,
  what: number,
  acked: number,
  delivered: number,
  rttUs: number,
): void {
  const rtx = c.rtx;
  const advanced = (what & ACK_ADVANCED) !== 0;
  if (!c.sackOk) delivered += emulateSack(c, acked, (what & ACK_DUPLICATE) !== 0);
  c.delivered += delivered;
  if (what & ACK_ECE && c.accurateEcn === undefined) c.deliveredCe += delivered;
  const lostBefore = rtx.lostOut;
  const lostTotal = rtx.lostTotal;

  if (c.caState !== CA_OPEN || (what & ACK_ADVANCED) === 0 || rtx.sackedOut > 0 || what & (ACK_DSACK | ACK_ECE)) {
    advanceState(c, segment, what);
  }
  finishRateSample(c, segment.arrivedUs, delivered, rtx.lostTotal - lostTotal, rttUs);
  if (c.model !== undefined) {
    c.model.onSample(c, rateSample, segment.arrivedUs);
  } else if (c.caState === CA_CWR || c.caState === CA_RECOVERY) {
    reduce(c, delivered, Math.max(0, rtx.lostOut - lostBefore), advanced);
  } else if (advanced && delivered > 0) {
    growWindow(c, delivered, rttUs);
  }
  if (c.paced) updatePacing(c);
}

function advanceState(c: Connection, segment: Segment, what: number): void {
  const { rtx } = c;
  const advanced = (what & ACK_ADVANCED) !== 0;

  if (c.caState >= CA_CWR && seqGeq(c.sndUna, c.recoveryPoint)) {
    if (c.caState === CA_CWR) {
      endReduction(c);
      c.caState = CA_OPEN;
    } else if (c.caState === CA_RECOVERY) {
      recovered(c, segment);
    }
  }
  if (c.caState === CA_LOSS) {
    duringLoss(c, segment, what);
    if (c.caState === CA_LOSS) identifyLoss(c, segment, advanced);
    return;
  }
  if (c.caState === CA_RECOVERY) {
    if (advanced) {
      if (c.undoPossible && wasDelayed(c, segment)) {
        // The hole was filled by the original: reordering, not loss (Eifel). Wait for what was sent again.
        c.rack.reorderingSeen = true;
        if (rtx.retransOut > 0) return;
        undo(c, true);
        c.caState = rtx.sackedOut > 0 ? CA_DISORDER : CA_OPEN;
        return;
      }
      if (!c.sackOk) markHeadLost(c);
    }
    identifyLoss(c, segment, advanced);
    return;
  }
  if (what & ACK_DSACK && c.undoPossible && c.undoRetrans === 0) undo(c, false);
  identifyLoss(c, segment, advanced);
  if (c.sackOk ? rtx.lostOut > 0 : enoughDuplicates(c)) {
    enterRecovery(c);
    return;
  }
  if (what & ACK_ECE) enterCwr(c);
  if (c.caState !== CA_CWR) c.caState = rtx.sackedOut > 0 ? CA_DISORDER : CA_OPEN;
}

function identifyLoss(c: Connection, segment: Segment, advanced: boolean): void {
  if (!c.sackOk) {
    if (c.caState === CA_LOSS && advanced) markHeadLost(c);
    return;
  }
  if (c.config.rack) {
    rackDetectLoss(c, segment.arrivedUs);
    return;
  }
  markLostBySack(c);
  // A partial acknowledgment of data below a SACK that nothing else deems lost (RFC 6675 section 5, NextSeg (3)).
  const { rtx } = c;
  if (c.caState === CA_RECOVERY && advanced && rtx.sackedOut > 0 && rtx.lostOut === 0 && rtx.retransOut === 0) {
    markHeadLost(c);
  }
}

/** In CA_LOSS: F-RTO (RFC 5682 section 3.1, with SACK) decides whether the timeout was spurious. */
function duringLoss(c: Connection, segment: Segment, what: number): void {
  const advanced = (what & ACK_ADVANCED) !== 0;
  const recoveredNow = seqGeq(c.sndUna, c.recoveryPoint);
  c.sendNewFirst = false;
  if (advanced && mayUndo(c, segment)) {
    undoLoss(c);
    return;
  }
  if (c.frto) {
    // Step 3.b: data that was sent only once arrived, so not everything was lost.
    if (what & ACK_ORIGINAL) {
      count(c, 'TCPSpuriousRTOs');
      undoLoss(c, UNDONE_FRTO);
      return;
    }
    if (seqGt(c.sndNxt, c.recoveryPoint)) {
      // Step 3.a: the new data came back as duplicates: the loss was real.
      if (what & (ACK_SACKED | ACK_DUPLICATE)) c.frto = false;
    } else if (advanced && !recoveredNow) {
      // Step 2.b: try new data instead of retransmitting.
      c.recoveryPoint = c.sndNxt;
      if (c.hasNewToSend) {
        c.sendNewFirst = true;
        return;
      }
      c.frto = false;
    }
  }
  if (recoveredNow) recovered(c, segment);
}

function undoLoss(c: Connection, reason?: number): void {
  undo(c, true, reason);
  settleSuspicion(c, true);
  c.retries = 0;
  c.frto = false;
  c.caState = c.rtx.sackedOut > 0 ? CA_DISORDER : CA_OPEN;
}

/** SND.UNA has reached the recovery point. */
function recovered(c: Connection, segment: Segment): void {
  const spurious = mayUndo(c, segment);
  if (spurious) {
    undo(c, false);
  } else {
    if (c.caState === CA_RECOVERY) endReduction(c);
    if (c.model !== undefined) c.model.onExitRecovery(c);
    if (c.rack.reoWndPersist > 0) c.rack.reoWndPersist--;
  }
  settleSuspicion(c, spurious);
  if (!c.sackOk) c.rtx.sackedOut = 0;
  c.caState = c.rtx.sackedOut > 0 ? CA_DISORDER : CA_OPEN;
  c.dupAcks = 0;
  c.prrOut = 0;
  c.frto = false;
  if (c.rtx.retransOut === 0) c.retransStamped = false;
}

/** RFC 6582 section 3.2, step 2: duplicates of a past recovery start no new one. */
function enoughDuplicates(c: Connection): boolean {
  return c.dupAcks >= c.config.dupThresh && seqGt(c.sndUna, c.recoveryPoint);
}

/** Grows cwnd if the flight used it up. */
function growWindow(c: Connection, acked: number, rttUs: number): void {
  if (isCwndLimited(c)) c.cc.onAck(c, acked, rttUs, c.tcp.nowUs);
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

/** Starts fast recovery. */
export function enterRecovery(c: Connection): void {
  if (c.sackOk) count(c, 'TCPSackRecovery');
  else count(c, 'TCPRenoRecovery');
  c.recoveryPoint = c.sndNxt;
  c.probing = false;
  startUndo(c);
  if (probeLost(c)) {
    // Only the probe is missing: repair it without reducing the window.
    startReduction(c);
    c.ssthresh = Math.max(c.cwnd, 2);
  } else if (c.caState < CA_CWR) {
    rememberForUndo(c);
    c.ssthresh = c.cc.onLoss(c, c.tcp.nowUs);
    startReduction(c);
    c.ecnReduced = c.ecnOk;
  }
  c.caState = CA_RECOVERY;
  c.retransmitHint = c.sndUna;
  if (!c.sackOk) markHeadLost(c);
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
  const newEpisode = c.caState < CA_RECOVERY;
  if (c.caState <= CA_DISORDER || seqGeq(c.sndUna, c.recoveryPoint) || (c.caState === CA_LOSS && c.retries === 0)) {
    rememberForUndo(c);
    c.ssthresh = c.cc.onLoss(c, c.tcp.nowUs);
    c.cc.onTimeout(c);
    startUndo(c);
  } else if (c.model !== undefined) {
    c.model.onTimeout(c);
  }
  // The receiver dropped what it had SACKed (RFC 2018 section 8): believe nothing it said.
  if (rtx.packetsOut > 0 && c.sackOk && rtx.flags[rtx.head]! & SEG_SACKED) {
    count(c, 'TCPSACKReneging');
    rtx.clearSacks();
  }
  if (!c.sackOk) rtx.sackedOut = 0;
  rtx.markAllLost();
  if (c.config.congestion !== 'none') c.cwnd = 1;
  c.caState = CA_LOSS;
  c.ecnReduced = c.ecnOk;
  c.recoveryPoint = c.sndNxt;
  c.retransmitHint = c.sndUna;
  c.lossMarked = c.sndUna;
  c.dupAcks = 0;
  c.cwndLimited = true;
  c.probing = false;
  c.sendNewFirst = false;
  // RFC 5682 section 3.2: not again for a segment that timed out twice in one recovery.
  c.frto = c.config.frto && c.sackOk && (newEpisode || c.retries > 0);
}

/** Congestion without loss (ECN, RFC 3168 section 6.1.2): the window is reduced once a round trip. */
export function enterCwr(c: Connection): void {
  c.probing = false;
  if (c.caState >= CA_CWR) return;
  c.undoPossible = false;
  c.recoveryPoint = c.sndNxt;
  if (c.model !== undefined) {
    c.model.onCongestion(c, c.tcp.nowUs);
  } else {
    c.ssthresh = c.cc.onLoss(c, c.tcp.nowUs);
    startReduction(c);
  }
  c.ecnReduced = true;
  c.caState = CA_CWR;
}

/** A late look at the whole queue: whether the timer of RACK's reordering window found losses. */
export function reorderTimeout(c: Connection): void {
  const before = c.rtx.lostOut;
  rackDetectLoss(c, c.tcp.nowUs);
  if (c.rtx.lostOut > before && c.caState < CA_RECOVERY) {
    enterRecovery(c);
    if (c.model === undefined) reduce(c, 1, 0, false);
  }
}
