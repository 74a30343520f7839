import { NEVER } from '@qanat/clock';
import { settleAnswers } from './answers.ts';
import { worthWriting } from './auto-tune.ts';
import type { Connection } from './connection.ts';
import { EVENT_WRITABLE } from './context.ts';
import { count } from './counters.ts';
import { reportsCongestion } from './ecn.ts';
import { probeAcknowledged, scheduleLossProbe } from './loss-probe.ts';
import { probeDelivered } from './mtu-probe.ts';
import { rackDelivered, rackUpdateWindow } from './rack.ts';
import { checkAppLimited, noteDelivered, startRateSample } from './rate.ts';
import {
  ACK_ADVANCED,
  ACK_DSACK,
  ACK_DUPLICATE,
  ACK_ECE,
  ACK_ORIGINAL,
  ACK_SACKED,
  onAcknowledgment,
} from './recovery.ts';
import { SEG_EVER_RETRANS, SEG_SACKED } from './retransmit-queue.ts';
import { rearmRto, setTimer, stopTimer } from './retransmit-timer.ts';
import { markSacks, sackFindings } from './scoreboard.ts';
import type { Segment } from './segment.ts';
import { seqDiff, seqGeq, seqGt, seqLeq, seqLt } from './seq.ts';
import { TIMER_REORDER, TIMER_RETRANSMIT } from './timer-modes.ts';

/** Marks that lie behind SND.UNA stay within 2^30: further back they would seem to lie ahead. */
export const MAX_BEHIND = 0x3fff_ffff;

/**
 * The ACK field of an acceptable segment in a synchronized state (RFC 9293 section 3.10.7.4, fifth check, with the
 * range of RFC 5961 section 5).
 * @returns false when the segment is to be dropped and answered with an ACK.
 */
export function processAck(c: Connection, segment: Segment): boolean {
  const ack = segment.ack;
  c.segAck = ack;
  if (seqGt(ack, c.sndNxt)) return false;
  // What an acknowledgment lets out follows TCP_NODELAY and TCP_CORK; MSG_MORE was for its own call.
  c.moreComing = false;
  startRateSample();
  const { rtx } = c;
  if (rtx.packetsOut > 0) checkAppLimited(c);
  const hasSacks = c.sackOk && segment.options.sackCount > 0;
  if (seqLt(ack, c.sndUna)) {
    if (seqLt(ack, (c.sndUna - c.maxSndWnd) | 0)) return false;
    // Reordered: its SACK blocks are news all the same; its data is taken by the caller.
    if (hasSacks) {
      const marked = markSacks(c, segment);
      if (marked > 0 || sackFindings.dsack) {
        const what = (marked > 0 ? ACK_SACKED : 0) | (sackFindings.dsack ? ACK_DSACK : 0);
        onAcknowledgment(c, segment, what, 0, marked, 0);
      }
    }
    return true;
  }
  const packetsBefore = rtx.packetsOut;
  const headSentUs = packetsBefore > 0 ? rtx.sentUs[rtx.head]! : 0;
  const highBefore = c.sackHigh;
  let what = 0;
  let marked = 0;
  let sackSentUs = 0;
  if (hasSacks) {
    marked = markSacks(c, segment);
    sackSentUs = sackFindings.sentUs;
    if (marked > 0) what |= ACK_SACKED;
    if (sackFindings.dsack) what |= ACK_DSACK;
    if (marked > 0 && sackFindings.original) what |= ACK_ORIGINAL;
  }
  const windowChanged = updateWindow(c, segment);
  const advanced = seqDiff(ack, c.sndUna);
  if (advanced > 0) what |= ACK_ADVANCED | cumulate(c, segment, ack, advanced, highBefore);
  const acked = advanced > 0 ? cumulated.segments : 0;
  const delivered = acked - (advanced > 0 ? cumulated.sackedBefore : 0) + marked;
  if (reportsCongestion(c, segment, delivered)) what |= ACK_ECE;

  const rttUs = answersOldDuplicate(what, ack, advanced) ? 0 : measure(c, segment, sackSentUs, what);
  if (c.sackOk && c.config.rack) rackUpdateWindow(c);
  if (c.probing) {
    const pureDuplicate = (what & (ACK_ADVANCED | ACK_SACKED)) === 0 && segment.len === 0 && !windowChanged;
    probeAcknowledged(c, ack, (what & ACK_DSACK) !== 0 && sackFindings.dsackRight === c.probeHigh, pureDuplicate);
  }
  let rearm = false;
  if (advanced > 0) {
    c.softError = undefined;
    c.stalledSinceUs = NEVER;
    c.retries = 0;
    // Karn: the backoff stays until a segment that was sent once is acknowledged (RFC 6298 section 5).
    if (rttUs > 0) c.backoff = 0;
    rearm = true;
  } else if (c.persisting || c.sndWnd === 0) {
    // Any answer means that the peer lives: probing goes on without bound (RFC 9293 section 3.8.6.1), and so does
    // retransmission into a window that shrank to zero.
    c.stalledSinceUs = NEVER;
    c.retries = 0;
    if (c.persisting && windowChanged && c.sndWnd > 0) {
      stopTimer(c);
      c.backoff = 0;
    }
  } else if (marked > 0 && rttUs > 0 && rttUs > segment.arrivedUs - headSentUs) {
    // What was sent before the head's last transmission was delivered since: the path moves, so may the timeout.
    rearm = true;
  }
  // RFC 6298 (5.2), (5.3); in an open state a loss probe takes the place of the RTO.
  if (rearm && c.rtoMode !== TIMER_REORDER) startTimer(c);

  if (segment.len === 0 && advanced === 0 && !windowChanged && packetsBefore > 0 && !(what & ACK_DSACK)) {
    what |= ACK_DUPLICATE;
  }
  if (what !== 0) {
    const stateBefore = c.caState;
    onAcknowledgment(c, segment, what, acked, delivered, rttUs);
    // A state that was left or entered changes which timer is right.
    if (rearm && stateBefore !== c.caState && c.rtoMode !== TIMER_REORDER) startTimer(c);
  }
  if (rtx.packetsOut === 0) {
    if (!c.persisting) stopTimer(c);
  } else if (advanced > 0 && rtx.isSacked(rtx.head)) {
    // The receiver took back what it had SACKed (RFC 2018 section 8): soon, unless the rest of the hole's ACK is under way.
    setTimer(c, TIMER_RETRANSMIT, c.tcp.nowUs + Math.max(c.rtt.srttUs / 2, RENEGING_DELAY_US));
  }
  return true;
}

/** Least patience with a receiver that seems to renege, as Linux. */
const RENEGING_DELAY_US = 10_000;

function startTimer(c: Connection): void {
  if (!scheduleLossProbe(c, true)) rearmRto(c);
}

/** What `cumulate` found: scratch of one call. */
const cumulated = {
  /** Segments that left the queue, and those of them that SACK had reported. */
  segments: 0,
  sackedBefore: 0,
  /** When the newest that was sent once was sent, 0 if none; and whether any was sent more than once. */
  sentUs: 0,
  retransmitted: false,
};

/**
 * SND.UNA moves: takes acknowledged segments and bytes off.
 * @param highBefore the highest SACK before this acknowledgment. @returns ACK_ORIGINAL or 0.
 */
function cumulate(c: Connection, segment: Segment, ack: number, advanced: number, highBefore: number): number {
  const { rtx, rack } = c;
  let segments = 0;
  let sackedBefore = 0;
  let sentUs = 0;
  let retransmitted = false;
  let original = 0;
  if (isPlainFlight(c)) {
    segments = rtx.find(ack) - rtx.head;
    if (segments > 0) {
      const last = rtx.head + segments - 1;
      sentUs = rtx.sentUs[last]!;
      noteDelivered(rtx, last);
      if (c.sackOk) rackDelivered(c, last, false, segment.arrivedUs);
      rtx.shiftPlain(segments);
    }
  }
  while (rtx.head < rtx.tail && seqGeq(ack, rtx.endOf(rtx.head))) {
    const head = rtx.head;
    const flags = rtx.flags[head]!;
    if (flags & SEG_SACKED) {
      sackedBefore++;
    } else {
      const ever = (flags & SEG_EVER_RETRANS) !== 0;
      if (ever) {
        retransmitted = true;
      } else {
        sentUs = rtx.sentUs[head]!;
        if (seqLeq(rtx.endOf(head), c.recoveryPoint)) original = ACK_ORIGINAL;
        // It fills a hole that later segments had left behind: reordering, not loss.
        if (c.sackOk && seqLt(rtx.seq[head]!, highBefore) && !rack.reorderingSeen) {
          rack.reorderingSeen = true;
          count(c, 'TCPSACKReorder');
        }
      }
      noteDelivered(rtx, head);
      if (c.sackOk) rackDelivered(c, head, ever, segment.arrivedUs);
    }
    segments++;
    rtx.shift();
  }
  if (rtx.packetsOut > 0) {
    const part = seqDiff(ack, rtx.seq[rtx.head]!);
    if (part > 0) rtx.trimHead(part);
  }
  c.sndUna = ack;
  if (seqLt(c.sackHigh, ack)) c.sackHigh = ack;
  if (seqLt(c.lossMarked, ack)) c.lossMarked = ack;
  if (seqDiff(ack, c.recoveryPoint) > MAX_BEHIND) c.recoveryPoint = (ack - 1) | 0;
  const { lent } = c.snd;
  c.snd.acknowledge(ack);
  if (c.snd.kept !== ack || c.snd.lent !== lent) settleAnswers(c, lent);
  c.bytesAcked += advanced;
  c.path.confirm();
  if (c.mtuProbe !== undefined) probeDelivered(c);
  if (c.wantWrite && worthWriting(c)) {
    c.wantWrite = false;
    c.raise(EVENT_WRITABLE);
  }
  cumulated.segments = segments;
  cumulated.sackedBefore = sackedBefore;
  cumulated.sentUs = sentUs;
  cumulated.retransmitted = retransmitted;
  return original;
}

/**
 * No segment in flight was SACKed, deemed lost or sent twice, and no loss episode is near: of all that leave the queue
 * at once only the last one tells anything.
 */
export function isPlainFlight(c: Connection): boolean {
  const { rtx, sndUna } = c;
  return (
    rtx.sackedOut === 0 &&
    rtx.lostOut === 0 &&
    rtx.everRetransmitted === 0 &&
    seqLeq(c.sackHigh, sndUna) &&
    seqLeq(c.recoveryPoint, sndUna)
  );
}

/**
 * SND.WND, if the segment is newer than the last one that set it (SND.WL1, SND.WL2).
 * @returns whether the window differs now.
 */
export function updateWindow(c: Connection, segment: Segment): boolean {
  const { seq, ack } = segment;
  if (!(seqLt(c.sndWl1, seq) || (c.sndWl1 === seq && seqGeq(ack, c.sndWl2)))) return false;
  const window = segment.window << c.sndWndShift;
  const changed = window !== c.sndWnd;
  c.sndWnd = window;
  c.sndWl1 = seq;
  c.sndWl2 = ack;
  if (window > c.maxSndWnd) {
    c.maxSndWnd = window;
    c.updateMss();
  }
  return changed;
}

/**
 * Whether the acknowledgment answers a duplicate of what was acknowledged before it: what it reports as new came some
 * time ago, and the news of it was lost.
 */
function answersOldDuplicate(what: number, ack: number, advanced: number): boolean {
  return (what & ACK_DSACK) !== 0 && seqLeq(sackFindings.dsackRight, (ack - advanced) | 0);
}

/**
 * Takes a round-trip sample if the acknowledgment gives one that is not ambiguous (Karn; RFC 6298 section 3).
 * @returns it in microseconds, or 0.
 */
function measure(c: Connection, segment: Segment, sackSentUs: number, what: number): number {
  const { options } = segment;
  const advanced = (what & ACK_ADVANCED) !== 0;
  let rttUs = 0;
  if (advanced && cumulated.sentUs > 0 && !cumulated.retransmitted) {
    rttUs = Math.max(segment.arrivedUs - cumulated.sentUs, 1);
  } else if (what & ACK_DSACK) {
    // Of something sent twice, both have come: the echo is that of the first, the answer that to the second.
    return 0;
  } else if (advanced && c.timestampsOk && options.hasTimestamps && options.tsEcr !== 0) {
    // The echo tells which transmission filled the hole (RFC 7323 section 4), at a millisecond's grain. What SACK reports
    // beside it came before.
    const ms = (Math.floor(segment.arrivedUs / 1000) + c.tsOffset - options.tsEcr) | 0;
    if (ms >= 0 && ms < 600_000) rttUs = Math.max(ms, 1) * 1000;
  } else if (sackSentUs > 0) {
    rttUs = Math.max(segment.arrivedUs - sackSentUs, 1);
  }
  if (rttUs > 0) c.rtt.sample(rttUs);
  return rttUs;
}
