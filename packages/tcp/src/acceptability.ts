import type { Connection } from './connection.ts';
import { count } from './counters.ts';
import type { Segment } from './segment.ts';
import { sendAck } from './segment-output.ts';
import { seqDiff, seqGt, seqLeq, seqLt } from './seq.ts';
import { RST, SYN } from './wire.ts';

/** RFC 7323 section 5.5: after 24 days the saved timestamp may have wrapped and says nothing. */
const PAWS_IDLE_US = 24 * 86_400 * 1e6;

/**
 * The four cases of RFC 9293 section 3.10.7.4 (first check): does any part of the segment lie in the window?
 * Two allowances, as Linux makes them: an ACK without data from the right edge counts, for there stands a peer that has
 * used its window up; and at RCV.NXT of a closed window ACK, URG and RST count (MUST-66), the text is trimmed away.
 */
export function inWindow(c: Connection, segment: Segment): boolean {
  const window = seqDiff(c.rcvAdv, c.rcvNxt);
  const offset = seqDiff(segment.seq, c.rcvNxt);
  if (window === 0) return offset === 0;
  if (segment.len === 0) return offset >= 0 && (offset < window || (offset === window && !(segment.flags & RST)));
  const endOffset = (offset + segment.len) | 0;
  return offset < window && endOffset > 0;
}

/** PAWS, RFC 7323 section 5.3 (R1): an older timestamp on anything but a RST means an old duplicate. */
export function failsPaws(c: Connection, segment: Segment): boolean {
  if (!c.timestampsOk || !segment.options.hasTimestamps || segment.flags & RST) return false;
  if (((segment.options.tsVal - c.tsRecent) | 0) >= 0) return false;
  return c.tcp.nowUs - c.tsRecentUs < PAWS_IDLE_US;
}

/** TS.Recent, RFC 7323 section 4.3: from a segment that covers Last.ACK.sent. */
export function noteTimestamp(c: Connection, segment: Segment): void {
  const options = segment.options;
  if (!c.timestampsOk || !options.hasTimestamps) return;
  const { nowUs } = c.tcp;
  if (!seqLeq(segment.seq, c.lastAckSent)) return;
  if (((options.tsVal - c.tsRecent) | 0) >= 0 || nowUs - c.tsRecentUs >= PAWS_IDLE_US) {
    c.tsRecent = options.tsVal;
    c.tsRecentUs = nowUs;
  }
}

/**
 * Answers a segment that cannot be accepted with an ACK, RFC 9293 section 3.10.7.4 and RFC 5961. Answers are limited in
 * rate (section 7 there), but not those to data or a FIN: they are no part of a loop, and a lossy link would crawl.
 */
export function challengeAck(c: Connection, segment: Segment): void {
  const { nowUs } = c.tcp;
  if (segment.len === 0 || segment.flags & (SYN | RST)) {
    if (nowUs - c.challengeAtUs < c.config.challengeAckIntervalUs) {
      count(c, 'TCPACKSkippedChallenge');
      return;
    }
    c.challengeAtUs = nowUs;
  }
  count(c, 'TCPChallengeACK');
  sendAck(c);
}

/** RFC 2883: a segment that brought nothing new is reported as a D-SACK block. */
export function noteDuplicate(c: Connection, segment: Segment): void {
  if (!c.sackOk || !c.config.dsack || segment.bytes === 0) return;
  const end = (segment.seq + segment.bytes) | 0;
  c.dsackLeft = segment.seq;
  c.dsackRight = seqGt(end, c.rcvNxt) && seqLt(segment.seq, c.rcvNxt) ? c.rcvNxt : end;
}
