import { NEVER } from '@qanat/clock';
import { type Connection, EVENT_WRITABLE } from './connection.ts';
import { onAcknowledgment } from './recovery.ts';
import { SEG_EVER_RETRANS, SEG_SACKED } from './retransmit-queue.ts';
import { markSacks } from './scoreboard.ts';
import type { Segment } from './segment.ts';
import { seqDiff, seqGeq, seqGt, seqLt } from './seq.ts';

/**
 * The ACK field of an acceptable segment in a synchronized state (RFC 9293 section 3.10.7.4, fifth check, with the
 * range of RFC 5961 section 5).
 * @returns false when the segment is to be dropped and answered with an ACK.
 */
export function processAck(c: Connection, segment: Segment): boolean {
  const ack = segment.ack;
  c.segAck = ack;
  if (seqGt(ack, c.sndNxt)) return false;
  const { rtx } = c;
  if (seqLt(ack, c.sndUna)) {
    if (seqLt(ack, (c.sndUna - c.maxSndWnd) | 0)) return false;
    // Reordered: its SACK blocks are news all the same; its data is taken by the caller.
    if (c.sackOk && segment.options.sackCount > 0) {
      const marked = markSacks(c, segment);
      if (marked > 0) onAcknowledgment(c, 0, marked, marked, false, 0);
    }
    return true;
  }
  const nowUs = c.tcp.nowUs;
  const packetsBefore = rtx.packetsOut;
  const marked = c.sackOk && segment.options.sackCount > 0 ? markSacks(c, segment) : 0;
  const sackSentUs = marked > 0 ? c.tcp.sackSentUs : 0;
  const windowChanged = updateWindow(c, segment);

  let acked = 0;
  let sackedBefore = 0;
  let sentUs = 0;
  let retransmitted = false;
  const advanced = seqDiff(ack, c.sndUna);
  if (advanced > 0) {
    while (rtx.head < rtx.tail && seqGeq(ack, rtx.endOf(rtx.head))) {
      const flags = rtx.flags[rtx.head]!;
      if (flags & SEG_SACKED) sackedBefore++;
      else if (flags & SEG_EVER_RETRANS) retransmitted = true;
      else sentUs = rtx.sentUs[rtx.head]!;
      acked++;
      rtx.shift();
    }
    if (rtx.packetsOut > 0) {
      const part = seqDiff(ack, rtx.seq[rtx.head]!);
      if (part > 0) rtx.trimHead(part);
    }
    c.sndUna = ack;
    c.snd.acknowledge(ack);
    c.bytesAcked += advanced;
    if (c.wantWrite && c.snd.free * 3 >= c.snd.limit) {
      c.wantWrite = false;
      c.raise(EVENT_WRITABLE);
    }
  }

  const rttUs = measure(c, segment, sentUs, sackSentUs, advanced > 0, retransmitted);
  if (advanced > 0) {
    c.stalledSinceUs = NEVER;
    c.retries = 0;
    // Karn: the backoff stays until a segment that was sent once is acknowledged (RFC 6298 section 5).
    if (rttUs > 0) c.backoff = 0;
    // RFC 6298 (5.2), (5.3).
    c.persisting = false;
    c.rtoAtUs = rtx.packetsOut > 0 ? nowUs + c.rtoUs : NEVER;
  } else if (c.persisting) {
    // Any answer means that the peer lives: probing goes on without bound (RFC 9293 section 3.8.6.1).
    c.stalledSinceUs = NEVER;
    c.retries = 0;
    if (windowChanged && c.sndWnd > 0) {
      c.persisting = false;
      c.rtoAtUs = NEVER;
      c.backoff = 0;
    }
  }
  const duplicate = advanced === 0 && segment.len === 0 && !windowChanged && packetsBefore > 0;
  if (acked > 0 || marked > 0 || duplicate) {
    onAcknowledgment(c, acked, acked - sackedBefore + marked, marked, duplicate, rttUs);
  }
  return true;
}

/**
 * SND.WND, if the segment is newer than the last one that set it (SND.WL1, SND.WL2).
 * @returns whether the window differs now.
 */
function updateWindow(c: Connection, segment: Segment): boolean {
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

/** Takes a round-trip sample if the acknowledgment gives one. @returns it in microseconds, or 0. */
function measure(
  c: Connection,
  segment: Segment,
  sentUs: number,
  sackSentUs: number,
  advanced: boolean,
  retransmitted: boolean,
): number {
  let rttUs = 0;
  if (sentUs > 0 && !retransmitted) {
    rttUs = segment.arrivedUs - sentUs;
  } else if (sackSentUs > 0) {
    rttUs = segment.arrivedUs - sackSentUs;
  } else if (advanced && c.timestampsOk && segment.options.hasTimestamps && segment.options.tsEcr !== 0) {
    // The echo tells which transmission is acknowledged (RFC 7323 section 4), at a millisecond's grain.
    const ms = (Math.floor(segment.arrivedUs / 1000) + c.tsOffset - segment.options.tsEcr) | 0;
    if (ms >= 0 && ms < 600_000) rttUs = Math.max(ms, 1) * 1000;
  }
  if (rttUs <= 0) {
    if (sentUs === 0 && sackSentUs === 0) return 0;
    rttUs = 1;
  }
  c.rtt.sample(rttUs);
  return rttUs;
}
