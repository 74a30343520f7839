import type { Connection } from './connection.ts';
import { EVENT_URGENT } from './context.ts';
import type { Segment } from './segment.ts';
import { seqDiff, seqGeq, seqGt } from './seq.ts';

/**
 * The urgent mechanism, RFC 9293 section 3.8.5 with RFC 6093: the pointer names the byte after the urgent data
 * (MUST-62), and urgent data stays in the stream; the application is told that it is coming (MUST-32).
 */

/** The urgent pointer for a segment at `seq`, or 0 when nothing urgent lies ahead of it. */
export function urgentPointer(c: Connection, seq: number): number {
  if (!c.urgentSending) return 0;
  // Everything urgent has arrived; the mark would come round after 2^31 bytes.
  if (seqGeq(c.sndUna, c.sndUp)) {
    c.urgentSending = false;
    return 0;
  }
  const ahead = seqDiff(c.sndUp, seq);
  if (ahead <= 0) return 0;
  // Too far to say: the pointer can only be as large as its field (RFC 6093 section 6 keeps what there is).
  return Math.min(ahead, 0xffff);
}

/** What is queued up to now is urgent (SEND with the urgent flag). */
export function sendUrgent(c: Connection): void {
  c.urgentSending = true;
  c.sndUp = c.snd.end;
}

/** Sixth check of section 3.10.7.4: the URG bit. */
export function urgentArrives(c: Connection, segment: Segment): void {
  const pointer = (segment.seq + segment.urgent) | 0;
  if (c.urgentReceived && !seqGt(pointer, c.rcvUp)) return;
  // Nothing urgent lies ahead of what was read.
  if (!seqGt(pointer, c.rcv.readSeq)) return;
  c.urgentReceived = true;
  c.rcvUp = pointer;
  c.raise(EVENT_URGENT);
}

/** The application has read on: past the urgent data there is none any more. */
export function urgentRead(c: Connection): void {
  if (c.urgentReceived && seqGeq(c.rcv.readSeq, c.rcvUp)) c.urgentReceived = false;
}

/** Bytes from the next to be read up to the end of urgent data, 0 when there are none (SIOCATMARK's question). */
export function urgentBytes(c: Connection): number {
  if (!c.urgentReceived) return 0;
  return Math.max(0, seqDiff(c.rcvUp, c.rcv.readSeq));
}
