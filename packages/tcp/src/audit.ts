import { NEVER } from '@qanat/clock';
import type { Connection } from './connection.ts';
import { maySend } from './output.ts';
import { SEG_LOST, SEG_RETRANS, SEG_SACKED } from './retransmit-queue.ts';
import { seqDiff, seqGt, seqLt } from './seq.ts';
import { CLOSED, SYN_RECEIVED, SYN_SENT, TIME_WAIT } from './state.ts';

/**
 * What must hold for a connection whenever nobody works on it (between batches): the sequence variables are in order,
 * the retransmission queue covers what is in flight and its counts are right, and whoever waits for something has a
 * deadline. For simulations and tests; a walk over the queue is too dear for anything else.
 * @returns what is wrong, in words, or undefined.
 */
export function auditConnection(c: Connection): string | undefined {
  if (c.state === CLOSED) return 'a closed connection is still known';
  return auditSequence(c) ?? auditQueue(c) ?? auditDeadlines(c);
}

function auditSequence(c: Connection): string | undefined {
  if (seqGt(c.sndUna, c.sndNxt)) return `SND.UNA ${c.sndUna} is past SND.NXT ${c.sndNxt}`;
  if (c.state === SYN_SENT) return undefined;
  if (seqGt(c.rcvNxt, c.rcvAdv)) return `RCV.NXT ${c.rcvNxt} is past the window's right edge ${c.rcvAdv}`;
  // The window's unit is its scale: the right edge may lie past the buffer by part of one.
  if (c.rcv.readable < 0 || c.rcv.readable >= c.rcv.limit + (1 << c.rcvWndShift))
    return `${c.rcv.readable} bytes are readable`;
  if (c.state === SYN_RECEIVED || c.state === TIME_WAIT) return undefined;
  const held = seqDiff(c.rcvNxt, c.rcv.nextSeq);
  if (held !== (c.finReceived ? 1 : 0)) return `RCV.NXT is ${held} past what is held in order`;
  if (c.snd.bytes < 0 || c.snd.bytes > c.snd.limit)
    return `the send queue holds ${c.snd.bytes} of ${c.snd.limit} bytes`;
  const unsent = seqDiff(c.snd.end, c.sndNxt);
  if (unsent < (c.finSent ? -1 : 0)) return `SND.NXT is ${-unsent} past the end of what was written`;
  return undefined;
}

function auditQueue(c: Connection): string | undefined {
  const { rtx } = c;
  if (c.state === SYN_RECEIVED || c.state === SYN_SENT || c.state === TIME_WAIT) return undefined;
  let [sacked, lost, retrans] = [0, 0, 0];
  let seq = c.sndUna;
  for (let i = rtx.head; i < rtx.tail; i++) {
    if (rtx.seq[i] !== seq || rtx.len[i]! <= 0) {
      return `segment ${i - rtx.head} in flight is ${rtx.seq[i]}+${rtx.len[i]}, not from ${seq} on`;
    }
    seq = rtx.endOf(i);
    const flags = rtx.flags[i]!;
    if (flags & SEG_SACKED) sacked++;
    if (flags & SEG_LOST) lost++;
    if (flags & SEG_RETRANS) retrans++;
    if (flags & SEG_SACKED && flags & (SEG_LOST | SEG_RETRANS)) return `segment ${i - rtx.head} is SACKed and lost`;
  }
  if (seq !== c.sndNxt) return `what is in flight ends at ${seq}, SND.NXT is ${c.sndNxt}`;
  // Without SACK, duplicate acknowledgments are counted and no segment is marked.
  if (c.sackOk && sacked !== rtx.sackedOut) return `${sacked} segments are SACKed, ${rtx.sackedOut} are counted`;
  if (lost !== rtx.lostOut) return `${lost} segments are lost, ${rtx.lostOut} are counted`;
  if (retrans !== rtx.retransOut) return `${retrans} segments are sent again, ${rtx.retransOut} are counted`;
  if (rtx.sackedOut < 0 || rtx.inFlight < 0) return `${rtx.inFlight} segments in flight, ${rtx.sackedOut} SACKed`;
  if (!(c.cwnd >= 1 && Number.isInteger(c.cwnd))) return `cwnd is ${c.cwnd}`;
  return undefined;
}

/** The sleep invariant: no connection waits for something that nothing will ever tell it. */
function auditDeadlines(c: Connection): string | undefined {
  const armed = c.timer.deadlineUs;
  const pacedAtUs = c.paceHeld ? Math.ceil(c.paceAtUs) : NEVER;
  const first = Math.min(c.rtoAtUs, c.delayedAckAtUs, c.keepAliveAtUs, c.lifeAtUs, pacedAtUs);
  if (armed > first) return `the timer is armed for ${armed}, a deadline is at ${first}`;
  // Whoever waits for room in the device is told by it; who has a turn due gets it.
  if (c.txBlocked || c.touched) return undefined;
  if (c.state === SYN_SENT || c.state === SYN_RECEIVED) {
    return c.rtoAtUs === NEVER ? 'a handshake without a retransmission timer' : undefined;
  }
  if (c.state === TIME_WAIT) return c.lifeAtUs === NEVER ? 'TIME-WAIT without an end' : undefined;
  if (c.ackNow) return 'an acknowledgment is due';
  if (seqLt(c.lastAckSent, c.rcvNxt) && c.delayedAckAtUs === NEVER)
    return 'an acknowledgment is owed and no timer runs';
  if (!maySend(c.state) || c.rtoAtUs !== NEVER) return undefined;
  if (c.rtx.packetsOut > 0) return `${c.rtx.packetsOut} segments are in flight and no retransmission timer runs`;
  if (c.paceHeld) return undefined;
  if (seqGt(c.snd.end, c.sndNxt) || (c.finQueued && !c.finSent)) return 'something is to be sent and no timer runs';
  return undefined;
}
