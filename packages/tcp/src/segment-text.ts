import type { Packet } from '@qanat/bytes';
import { noteDuplicate } from './acceptability.ts';
import { enterTimeWait } from './close.ts';
import type { Connection } from './connection.ts';
import { EVENT_END, EVENT_READABLE } from './context.ts';
import { count } from './counters.ts';
import { measureAsReceiver } from './rcv-rtt.ts';
import type { Segment } from './segment.ts';
import { sendAck } from './segment-output.ts';
import { seqDiff, seqGeq, seqGt, seqLt } from './seq.ts';
import { CLOSE_WAIT, CLOSING, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, SYN_RECEIVED } from './state.ts';
import { growWindow } from './window.ts';
import { FIN, HEADERS_BYTES } from './wire.ts';

/** What a segment brings: text and FIN, the last steps of RFC 9293 section 3.10.7.4. */

/** Whether the peer may still send; after its FIN text and urgent pointers mean nothing. */
export function receives(c: Connection): boolean {
  const { state } = c;
  if (state === ESTABLISHED || state === FIN_WAIT_1 || state === FIN_WAIT_2) return true;
  return state === SYN_RECEIVED && c.fastOpen;
}

/** Seventh: the segment text, trimmed to the window, wherever it belongs. */
export function takeText(c: Connection, segment: Segment, packet: Packet): void {
  const { rcv } = c;
  if (!receives(c)) return;
  let seq = segment.seq;
  let offset = segment.dataOffset;
  let bytes = segment.bytes;
  c.dataSegsIn++;
  measureAsReceiver(c, segment);
  c.dataReceivedUs = c.tcp.nowUs;
  // A packet that was put together from several says what they were.
  const size = packet.gsoSize > 0 && packet.gsoSize < bytes ? packet.gsoSize : bytes;
  if (size > c.rcvMss) c.rcvMss = Math.min(size, c.path.deviceMtu - HEADERS_BYTES);
  const before = seqDiff(c.rcvNxt, seq);
  if (before > 0) {
    if (before >= bytes) {
      // Nothing new.
      noteDuplicate(c, segment);
      c.ackNow = true;
      return;
    }
    noteDuplicate(c, segment);
    seq = c.rcvNxt;
    offset += before;
    bytes -= before;
  }
  const beyond = seqDiff((seq + bytes) | 0, c.rcvAdv);
  if (beyond > 0) {
    bytes -= beyond;
    c.ackNow = true;
    // A FIN past the edge is not there yet.
    segment.flags &= ~FIN;
    if (bytes <= 0) return;
  }
  if (!rcv.ensure((seq + bytes) | 0)) {
    count(c, 'TCPRcvQDrop');
    return;
  }
  growWindow(c, bytes);
  if (seq === c.rcvNxt) {
    const hadRanges = rcv.rangeCount > 0;
    rcv.insert(seq, packet, offset, bytes);
    c.bytesReceived += seqDiff(rcv.nextSeq, c.rcvNxt);
    c.rcvNxt = rcv.nextSeq;
    // A hole that fills is acknowledged at once (RFC 5681 section 4.2).
    if (hadRanges) c.ackNow = true;
    c.raise(EVENT_READABLE);
    return;
  }
  // Out of order: keep it, and say at once what is missing (SHLD-31, RFC 5681 section 4.2).
  c.ackNow = true;
  if (rcv.holds(seq, (seq + bytes) | 0)) {
    noteDuplicate(c, segment);
    return;
  }
  if (rcv.insert(seq, packet, offset, bytes)) count(c, 'TCPOFOQueue');
  else count(c, 'TCPOFODrop');
}

/** Eighth: the FIN bit, honoured once everything before it is here. */
export function takeFin(c: Connection, segment: Segment): void {
  if (segment.flags & FIN && !c.finReceived) {
    c.finSeq = (segment.seq + segment.bytes) | 0;
    c.finPending = true;
  }
  if (!c.finPending) return;
  if (seqLt(c.rcvNxt, c.finSeq)) {
    // Out of order, even without text: say at once what is missing.
    if (segment.flags & FIN) c.ackNow = true;
    return;
  }
  c.finPending = false;
  if (c.finReceived || seqGt(c.rcvNxt, c.finSeq)) return;
  c.finReceived = true;
  c.rcvNxt = (c.rcvNxt + 1) | 0;
  if (seqGeq(c.rcvNxt, c.rcvAdv)) c.rcvAdv = c.rcvNxt;
  c.ackNow = true;
  c.raise(EVENT_END);
  switch (c.state) {
    // In SYN-RECEIVED it came with a SYN: `establish` will see to it.
    case ESTABLISHED:
      c.state = CLOSE_WAIT;
      break;
    case FIN_WAIT_1:
      // Had our FIN been acknowledged by this segment, we would be in FIN-WAIT-2.
      c.state = CLOSING;
      break;
    case FIN_WAIT_2:
      sendAck(c);
      enterTimeWait(c);
      break;
  }
}
