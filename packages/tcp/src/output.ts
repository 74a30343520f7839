import { NEVER } from '@qanat/clock';
import { sendBurst } from './burst-output.ts';
import { updateChrono } from './chrono.ts';
import type { Connection } from './connection.ts';
import { count } from './counters.ts';
import { restartAfterIdle, validateCwnd } from './cwnd-validation.ts';
import { ackDue, noteAnswer } from './delayed-ack.ts';
import { scheduleLossProbe } from './loss-probe.ts';
import { probeBytes, probeSent } from './mtu-probe.ts';
import { paceHolds, paceSent } from './pacing.ts';
import { rateSent } from './rate.ts';
import { SEG_FIN, SEG_LOST, SEG_RETRANS } from './retransmit-queue.ts';
import { rearmRto, setTimer } from './retransmit-timer.ts';
import { sendAck, sendSegment, timestampNow } from './segment-output.ts';
import {
  holdsSmall,
  STOP_BUDGET,
  STOP_CWND,
  STOP_DEVICE,
  STOP_EMPTY,
  STOP_PACED,
  STOP_SMALL,
  STOP_WINDOW,
} from './send-policy.ts';
import { seqDiff, seqGeq, seqLt } from './seq.ts';
import {
  CA_CWR,
  CA_LOSS,
  CLOSE_WAIT,
  CLOSING,
  ESTABLISHED,
  FIN_WAIT_1,
  LAST_ACK,
  SYN_RECEIVED,
  SYN_SENT,
} from './state.ts';
import { SUPER_BLOCKED, SUPER_DEFERRED, sendSuperSegment } from './super-segment.ts';
import { TIMER_LOSS_PROBE, TIMER_PERSIST } from './timer-modes.ts';
import { noteRetransmission } from './undo.ts';
import { windowWorthTelling } from './window.ts';
import { ACK, FIN, PSH } from './wire.ts';

/** Segments one connection may send before others get their turn. */
const BURST_SEGMENTS = 128;

/** States in which data or a FIN may go out, as bits: asked with every segment, so a table. */
const SENDING_STATES = (1 << ESTABLISHED) | (1 << CLOSE_WAIT) | (1 << FIN_WAIT_1) | (1 << CLOSING) | (1 << LAST_ACK);

/** Sends whatever may be sent now: retransmissions, new data, FIN, and an acknowledgment if one is due. */
export function output(c: Connection): void {
  const state = c.state;
  if (maySend(state) || (c.fastOpen && state === SYN_RECEIVED)) sendData(c);
  if (state !== SYN_SENT && state !== SYN_RECEIVED) {
    if (c.ackNow || (c.lastAckSent !== c.rcvNxt && ackDue(c)) || (c.hasRead && windowWorthTelling(c))) sendAck(c);
    c.hasRead = false;
  }
  c.rearm();
}

/** Retransmissions first, then new data as far as cwnd, the window, Nagle and the device allow. */
function sendData(c: Connection): void {
  const rtx = c.rtx;
  let budget = BURST_SEGMENTS;
  if (rtx.lostOut > 0 && !c.sendNewFirst) budget = retransmitLost(c, budget);
  const packetsBefore = rtx.packetsOut;
  const stop = c.paced ? sendNewPaced(c, budget) : sendNew(c, budget);
  // The window is used up too where the application wrote just as much (Linux: tcp_write_xmit).
  const cwndLimited = stop === STOP_CWND || rtx.inFlight >= c.cwnd;
  if (cwndLimited || rtx.packetsOut > packetsBefore) validateCwnd(c, cwndLimited);
  updateChrono(c, stop);
  c.sendStop = stop;
  // Before the handshake is complete the timer is that of the SYN-ACK.
  if (c.txBlocked || c.state === SYN_RECEIVED) return;
  if (rtx.packetsOut > packetsBefore) {
    if (stop === STOP_BUDGET) c.tcp.touch(c);
    startTimer(c, packetsBefore);
  } else if (rtx.packetsOut === 0) {
    if (stop !== STOP_PACED && c.rtoAtUs === NEVER && (seqDiff(c.snd.end, c.sndNxt) > 0 || (c.finQueued && !c.finSent)))
      startPersist(c);
  } else if (c.rtoAtUs === NEVER) {
    rearmRto(c);
  }
}

/** New data is in flight: the RTO runs from the first of it, and the loss probe from the last. */
function startTimer(c: Connection, packetsBefore: number): void {
  // Where no deadline is set the probe's needs no other to compare with.
  if (packetsBefore === 0 && c.rtoAtUs === NEVER && scheduleLossProbe(c, true)) return;
  if (packetsBefore === 0 || c.rtoAtUs === NEVER || c.rtoMode === TIMER_LOSS_PROBE) rearmRto(c);
  scheduleLossProbe(c, false);
}

/** New data after what is lost: lost segments that the pace holds back come first. @returns why it stopped (STOP_*). */
function sendNewPaced(c: Connection, budget: number): number {
  const { rtx } = c;
  const lostWait = rtx.lostOut > rtx.retransOut && !c.sendNewFirst && rtx.inFlight < c.cwnd && paceHolds(c);
  const stop = lostWait ? STOP_PACED : sendNew(c, budget);
  c.paceHeld = stop === STOP_PACED;
  c.paceWaited = c.paceHeld;
  return stop;
}

/** Sends up to `budget` new segments. @returns why it stopped (STOP_*). */
function sendNew(c: Connection, budget: number): number {
  const { snd, rtx } = c;
  while (budget > 0) {
    const unsent = seqDiff(snd.end, c.sndNxt);
    const finDue = c.finQueued && !c.finSent;
    if (unsent <= 0 && !finDue) return STOP_EMPTY;
    if (rtx.packetsOut === 0 && c.lastSentUs > 0) restartAfterIdle(c);
    if (rtx.inFlight >= c.cwnd) return STOP_CWND;
    if (c.paced && paceHolds(c)) return STOP_PACED;
    const window = seqDiff((c.sndUna + c.sndWnd) | 0, c.sndNxt);
    if (c.mtuProbe !== undefined && trySendingProbe(c)) {
      budget--;
      continue;
    }
    if (c.path.gsoMaxBytes > 0) {
      const segments = sendSuperSegment(c, unsent, window, finDue);
      if (segments > 0) {
        budget -= segments;
        continue;
      }
      if (segments === SUPER_BLOCKED) return STOP_DEVICE;
      if (segments === SUPER_DEFERRED) return (c.cwnd - rtx.inFlight) * c.mss < window ? STOP_CWND : STOP_WINDOW;
    } else {
      const burst = unsent > c.mss ? sendBurst(c, budget) : 0;
      if (burst > 0) {
        budget -= burst;
        if (c.txBlocked) return STOP_DEVICE;
        continue;
      }
    }
    let bytes = Math.min(unsent, c.mss);
    if (c.eorCount > 0) bytes = c.untilEndOfRecord(bytes);
    let fin = finDue && bytes === unsent;
    if (bytes > window) {
      // Sender silly-window avoidance, RFC 9293 section 3.8.6.2.1: a part only if it is half of the largest window.
      if (window <= 0 || window * 2 < c.maxSndWnd) return STOP_WINDOW;
      bytes = window;
      fin = false;
    } else if (fin && bytes === window) {
      fin = false;
      if (bytes === 0) return STOP_WINDOW;
    }
    if (bytes < c.mss && !fin && bytes === unsent && holdsSmall(c)) return STOP_SMALL;
    if (!sendNewSegment(c, bytes, fin, bytes === unsent)) return STOP_DEVICE;
    budget--;
  }
  return STOP_BUDGET;
}

/** A segment larger than usual, to learn whether the path takes it (RFC 4821). */
function trySendingProbe(c: Connection): boolean {
  const bytes = probeBytes(c);
  if (bytes === 0) return false;
  const seq = c.sndNxt;
  if (!sendNewSegment(c, bytes, false, false)) return false;
  probeSent(c, seq, bytes);
  return true;
}

/** One new segment from SND.NXT on. @returns false when the device is full. */
export function sendNewSegment(c: Connection, bytes: number, fin: boolean, push: boolean): boolean {
  if (!sendSegment(c, c.sndNxt, ACK | (push && bytes > 0 ? PSH : 0) | (fin ? FIN : 0), bytes, false)) return false;
  const length = bytes + (fin ? 1 : 0);
  c.rtx.push(c.sndNxt, length, fin ? SEG_FIN : 0, c.tcp.nowUs);
  rateSent(c, c.rtx.tail - 1);
  if (c.paced) paceSent(c, bytes);
  c.sndNxt = (c.sndNxt + length) | 0;
  if (fin) c.finSent = true;
  if (bytes < c.mss) c.smallEnd = c.sndNxt;
  if (bytes > 0) noteAnswer(c);
  if (c.caState >= CA_CWR) c.prrOut++;
  return true;
}

/** One segment of new data or the FIN if there is window for it, whatever cwnd says (a loss probe). */
export function sendOneNew(c: Connection): boolean {
  const window = seqDiff((c.sndUna + c.sndWnd) | 0, c.sndNxt);
  const unsent = Math.max(0, seqDiff(c.snd.end, c.sndNxt));
  const bytes = Math.min(unsent, c.mss);
  const fin = c.finQueued && !c.finSent && bytes === unsent;
  const length = bytes + (fin ? 1 : 0);
  if (length === 0 || length > window) return false;
  return sendNewSegment(c, bytes, fin, bytes === unsent);
}

/** The window keeps us from sending and nothing is in flight: probe (RFC 9293 section 3.8.6.1). */
function startPersist(c: Connection): void {
  if (c.txBlocked) return;
  const window = seqDiff((c.sndUna + c.sndWnd) | 0, c.sndNxt);
  const unsent = seqDiff(c.snd.end, c.sndNxt);
  // A corked segment goes after an RTO too (Linux: 200 ms and more).
  if (window > 0 && unsent > 0 && unsent <= window && !c.config.cork && !c.moreComing) return;
  setTimer(c, TIMER_PERSIST, c.tcp.nowUs + c.rtoUs);
}

/** Sends lost segments again while the pipe has room. @returns what is left of the budget. */
export function retransmitLost(c: Connection, budget: number): number {
  const rtx = c.rtx;
  if (seqLt(c.retransmitHint, c.sndUna)) c.retransmitHint = c.sndUna;
  let index = rtx.find(c.retransmitHint);
  while (budget > 0 && index < rtx.tail && rtx.inFlight < c.cwnd) {
    const flags = rtx.flags[index]!;
    if ((flags & (SEG_LOST | SEG_RETRANS)) !== SEG_LOST) {
      index++;
      continue;
    }
    if (c.paced && paceHolds(c)) break;
    const offset = index - rtx.head;
    if (!retransmitAt(c, index)) break;
    index = rtx.head + offset + 1;
    budget--;
  }
  c.retransmitHint = index < rtx.tail ? rtx.seq[index]! : c.sndNxt;
  return budget;
}

/** Sends one segment of the retransmission queue again. @returns false when the device or the window refuses. */
export function retransmitAt(c: Connection, index: number): boolean {
  const rtx = c.rtx;
  const seq = rtx.seq[index]!;
  // The peer shrank its window: only the first segment is tried (SHLD-16).
  if (seqGeq(seq, (c.sndUna + c.sndWnd) | 0) && seq !== c.sndUna && c.sndWnd > 0) return false;
  const isFin = (rtx.flags[index]! & SEG_FIN) !== 0;
  const data = rtx.len[index]! - (isFin ? 1 : 0);
  if (data > c.mss) {
    const offset = index - rtx.head;
    rtx.split(index, c.mss);
    index = rtx.head + offset;
  }
  const fin = (rtx.flags[index]! & SEG_FIN) !== 0;
  const bytes = rtx.len[index]! - (fin ? 1 : 0);
  const last = ((seq + bytes) | 0) === c.snd.end;
  if (!sendSegment(c, seq, ACK | (last && bytes > 0 ? PSH : 0) | (fin ? FIN : 0), bytes, true)) return false;
  rtx.markRetransmitted(index, c.tcp.nowUs);
  rateSent(c, index);
  if (c.paced) paceSent(c, bytes);
  noteRetransmission(c, timestampNow(c));
  c.totalRetrans++;
  c.bytesRetransmitted += bytes;
  c.prrOut++;
  const stats = c.tcp.stats;
  stats.RetransSegs++;
  if (c.caState === CA_LOSS) count(c, 'TCPSlowStartRetrans');
  else count(c, 'TCPFastRetrans');
  return true;
}

/** Whether a state may still send data or a FIN. */
export function maySend(state: number): boolean {
  return ((SENDING_STATES >>> state) & 1) === 1;
}
