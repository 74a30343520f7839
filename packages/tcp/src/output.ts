import { foldSum } from '@qanat/bytes';
import { NEVER } from '@qanat/clock';
import { updateChrono } from './chrono.ts';
import type { TcpConfig } from './config.ts';
import type { Connection } from './connection.ts';
import { count } from './counters.ts';
import { restartAfterIdle, validateCwnd } from './cwnd-validation.ts';
import { ackDue, noteAnswer } from './delayed-ack.ts';
import { ecnCodepoint, segmentEcnFlags, synEcnFlags } from './ecn.ts';
import { scheduleLossProbe } from './loss-probe.ts';
import { probeBytes, probeSent } from './mtu-probe.ts';
import type { TcpPath } from './network.ts';
import {
  OPT_NOP,
  OPT_SACK,
  synOptionsBytes,
  TIMESTAMPS_BYTES,
  TIMESTAMPS_PROLOGUE,
  writeSynOptions,
} from './options.ts';
import { paceHolds, paceSent } from './pacing.ts';
import { rateSent } from './rate.ts';
import { SEG_FIN, SEG_LOST, SEG_RETRANS } from './retransmit-queue.ts';
import { rearmRto, setTimer } from './retransmit-timer.ts';
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
import { seqDiff, seqGeq, seqGt, seqLt } from './seq.ts';
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
import { TIMER_LOSS_PROBE, TIMER_PERSIST } from './timer-modes.ts';
import { noteRetransmission } from './undo.ts';
import { urgentPointer } from './urgent.ts';
import { chooseWindow, windowWorthTelling } from './window.ts';
import {
  ACK,
  FIN,
  PSH,
  RST,
  SYN,
  TCP_ACK,
  TCP_CHECKSUM,
  TCP_HEADER_BYTES,
  TCP_OFFSET_FLAGS,
  TCP_SEQ,
  TCP_SRC_PORT,
  TCP_URGENT,
  URG,
} from './wire.ts';

/** Segments one connection may send before others get their turn. */
const BURST_SEGMENTS = 128;

const sackLeft = new Int32Array(4);
const sackRight = new Int32Array(4);

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
  // Before the handshake is complete the timer is that of the SYN-ACK.
  if (c.txBlocked || c.state === SYN_RECEIVED) return;
  if (rtx.packetsOut > packetsBefore) {
    if (stop === STOP_BUDGET) c.tcp.touch(c);
    if (packetsBefore === 0 || c.rtoMode === TIMER_LOSS_PROBE) rearmRto(c);
    scheduleLossProbe(c, false);
  } else if (rtx.packetsOut === 0) {
    if (stop !== STOP_PACED && c.rtoAtUs === NEVER && (seqDiff(c.snd.end, c.sndNxt) > 0 || (c.finQueued && !c.finSent)))
      startPersist(c);
  } else if (c.rtoAtUs === NEVER) {
    rearmRto(c);
  }
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

/**
 * Builds and sends one segment of an established connection.
 * @returns false when the device has no room (the connection then waits for `transmitReady`).
 */
export function sendSegment(
  c: Connection,
  seq: number,
  flags: number,
  bytes: number,
  retransmission: boolean,
): boolean {
  const { tcp, path } = c;
  const memory = tcp.memory;
  const stamps = c.timestampsOk && (flags & RST) === 0 ? TIMESTAMPS_BYTES : 0;
  let sackCount = 0;
  let sackBytes = 0;
  let withheld = false;
  if (c.rcv.rangeCount > 0 || c.dsackLeft !== c.dsackRight) {
    sackCount = c.sackOk ? collectSackBlocks(c, stamps > 0 ? 3 : 4) : 0;
    if (sackCount > 0) sackBytes = 4 + sackCount * 8;
    // Data of a full segment leaves no room for SACK blocks: if they are due, an acknowledgment without data follows.
    if (bytes > 0 && bytes + sackBytes > c.mss) {
      withheld = sackCount > 0 && c.ackNow;
      sackCount = 0;
      sackBytes = 0;
    }
  }
  const header = TCP_HEADER_BYTES + stamps + sackBytes;
  const addr = path.reserve(header + bytes);
  if (addr === 0) {
    tcp.blockOnDevice(c);
    return false;
  }
  const startUs = c.observer === undefined ? 0 : tcp.readClock();
  const view = memory.view;
  const ack = c.rcvNxt;
  const window = chooseWindow(c);
  const newData = bytes > 0 && !retransmission;
  flags |= segmentEcnFlags(c, newData);
  const urgent = c.urgentSending ? urgentPointer(c, seq) : 0;
  if (urgent > 0) flags |= URG;
  const offsetFlags = (header << 10) | flags;
  view.setInt32(addr + TCP_SRC_PORT, (c.localPort << 16) | c.remotePort);
  view.setInt32(addr + TCP_SEQ, seq);
  view.setInt32(addr + TCP_ACK, ack);
  view.setInt32(addr + TCP_OFFSET_FLAGS, (offsetFlags << 16) | window);
  let sum =
    c.headerSum +
    header +
    bytes +
    (seq >>> 16) +
    (seq & 0xffff) +
    (ack >>> 16) +
    (ack & 0xffff) +
    offsetFlags +
    window +
    urgent;
  let at = addr + TCP_HEADER_BYTES;
  if (stamps > 0) {
    const tsVal = timestampNow(c);
    const tsEcr = c.tsRecent;
    view.setInt32(at, TIMESTAMPS_PROLOGUE);
    view.setInt32(at + 4, tsVal);
    view.setInt32(at + 8, tsEcr);
    sum += 0x090b + (tsVal >>> 16) + (tsVal & 0xffff) + (tsEcr >>> 16) + (tsEcr & 0xffff);
    at += TIMESTAMPS_BYTES;
  }
  if (sackCount > 0) {
    writeSackBlocks(c, at, sackCount);
    sum += memory.kernel.sum(at, sackBytes);
    at += sackBytes;
  }
  if (path.checksumOffload) {
    // Only the pseudo-header sum (CHECKSUM_PARTIAL); the device or the peer does the rest.
    if (bytes > 0) c.snd.copySum(seq, at, bytes);
    const pseudo = c.headerSum - c.localPort - c.remotePort + header + bytes;
    view.setInt32(addr + TCP_CHECKSUM, (foldSum(pseudo) << 16) | urgent);
  } else {
    if (bytes > 0) sum += c.snd.copySum(seq, at, bytes);
    // The urgent pointer shares the word.
    view.setInt32(addr + TCP_CHECKSUM, ((~foldSum(sum) & 0xffff) << 16) | urgent);
  }
  path.send(header + bytes, (c.config.tos & ~3) | ecnCodepoint(c, newData));
  if (newData) c.ecnReduced = false;
  acknowledged(c);
  if (withheld) c.ackNow = true;
  tcp.stats.OutSegs++;
  c.segsOut++;
  if (bytes > 0) {
    c.dataSegsOut++;
    c.bytesSent += bytes;
    c.lastSentUs = tcp.nowUs;
  }
  if (c.observer !== undefined) {
    const endUs = tcp.readClock();
    c.observer.segmentSent(seq, ack, flags, bytes, window, endUs, endUs - startUs, retransmission);
  }
  return true;
}

/** An acknowledgment went out: nothing of that kind is due any more. */
function acknowledged(c: Connection): void {
  c.lastAckSent = c.rcvNxt;
  c.ackNow = false;
  c.delayedAckAtUs = NEVER;
}

/** TSval: milliseconds with a random offset per connection (RFC 7323 sections 5.4 and 7.1). */
export function timestampNow(c: Connection): number {
  return (Math.floor(c.tcp.nowUs / 1000) + c.tsOffset) | 0;
}

function collectSackBlocks(c: Connection, most: number): number {
  let count = 0;
  if (c.dsackLeft !== c.dsackRight) {
    sackLeft[0] = c.dsackLeft;
    sackRight[0] = c.dsackRight;
    count = 1;
  }
  return c.rcv.sackBlocks(sackLeft, sackRight, count, most);
}

function writeSackBlocks(c: Connection, addr: number, count: number): void {
  const view = c.tcp.memory.view;
  view.setInt32(addr, (OPT_NOP << 24) | (OPT_NOP << 16) | (OPT_SACK << 8) | (2 + count * 8));
  for (let i = 0; i < count; i++) {
    view.setInt32(addr + 4 + i * 8, sackLeft[i]!);
    view.setInt32(addr + 8 + i * 8, sackRight[i]!);
  }
  c.dsackLeft = c.dsackRight;
}

/** A pure acknowledgment: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>. */
export function sendAck(c: Connection): void {
  if (sendSegment(c, c.sndNxt, ACK, 0, false)) c.tcp.stats.TCPPureAcks++;
  else c.ackNow = true;
}

/** A window or keepalive probe as Linux sends it: no data, one below SND.UNA, so that the peer must answer. */
export function sendProbe(c: Connection): void {
  sendSegment(c, (c.sndUna - 1) | 0, ACK, 0, false);
}

/** SYN or SYN-ACK, first or again. */
export function sendSyn(c: Connection, again: boolean): void {
  const { tcp, path } = c;
  const memory = tcp.memory;
  const reply = c.state === SYN_RECEIVED;
  // The device may have refused the first.
  if (c.segsOut === 0) again = false;
  const options = tcp.synOptions;
  options.mss = announcedMssFor(c.config, c.path);
  // A SYN-ACK mirrors what was offered; simultaneous open repeats our own offer.
  options.windowShift = c.config.windowScaling && (!reply || !c.passive || c.windowScaleOk) ? c.rcvWndShift : -1;
  options.sackPermitted = reply && c.passive ? c.sackOk : c.config.sack;
  options.timestamps = reply && c.passive ? c.timestampsOk : c.config.timestamps;
  options.tsVal = timestampNow(c);
  options.tsEcr = reply ? c.tsRecent : 0;
  // A second SYN is a plain one: what stopped the first may have been the cookie or the data (RFC 7413 section 4.1.3.1).
  options.cookie = again || (reply && !c.passive) ? undefined : c.cookie;
  options.cookieExperimental = c.cookieExperimental;
  const header = TCP_HEADER_BYTES + synOptionsBytes(options);
  const bytes = again || reply ? 0 : Math.min(c.snd.bytes, c.synDataRoom);
  const addr = path.reserve(header + bytes);
  if (addr === 0) {
    tcp.blockOnDevice(c);
    return;
  }
  const view = memory.view;
  const flags = (reply ? SYN | ACK : SYN) | synEcnFlags(c, reply);
  const ack = reply ? c.rcvNxt : 0;
  const free = c.rcv.free;
  const window = Math.min(free, 0xffff);
  view.setInt32(addr + TCP_SRC_PORT, (c.localPort << 16) | c.remotePort);
  view.setInt32(addr + TCP_SEQ, c.iss);
  view.setInt32(addr + TCP_ACK, ack);
  view.setInt32(addr + TCP_OFFSET_FLAGS, (((header << 10) | flags) << 16) | window);
  view.setInt32(addr + TCP_CHECKSUM, 0);
  writeSynOptions(memory, addr + TCP_HEADER_BYTES, options);
  if (bytes > 0) c.snd.copySum(c.sndNxt, addr + header, bytes);
  finishChecksum(c, addr, header + bytes);
  path.send(header + bytes, c.config.tos & ~3);
  if (reply) {
    const edge = (c.rcvNxt + window) | 0;
    if (seqGt(edge, c.rcvAdv)) c.rcvAdv = edge;
    c.lastAckSent = c.rcvNxt;
    c.ackNow = false;
  }
  c.segsOut++;
  tcp.stats.OutSegs++;
  if (again) {
    tcp.stats.RetransSegs++;
    c.totalRetrans++;
  } else {
    c.lastSentUs = tcp.nowUs;
    c.synSentUs = tcp.nowUs;
  }
  if (bytes > 0) {
    c.rtx.push(c.sndNxt, bytes, 0, tcp.nowUs);
    rateSent(c, c.rtx.tail - 1);
    c.sndNxt = (c.sndNxt + bytes) | 0;
    c.dataSegsOut++;
    c.bytesSent += bytes;
  }
  if (c.observer !== undefined) c.observer.segmentSent(c.iss, ack, flags, bytes, window, tcp.readClock(), 0, again);
}

function finishChecksum(c: Connection, addr: number, bytes: number): void {
  const { view, kernel } = c.tcp.memory;
  const pseudo = c.headerSum - c.localPort - c.remotePort + bytes;
  const sum = c.path.checksumOffload ? foldSum(pseudo) : ~foldSum(pseudo + kernel.sum(addr, bytes)) & 0xffff;
  view.setUint16(addr + TCP_CHECKSUM, sum);
  view.setUint16(addr + TCP_URGENT, 0);
}

/** The MSS to announce: what the path lets us receive, RFC 6691 (options are not subtracted). */
export function announcedMssFor(config: TcpConfig, path: TcpPath): number {
  const fromPath = path.deviceMtu - 40;
  return config.mss > 0 && config.mss < fromPath ? config.mss : fromPath;
}

/** Ends a connection with <SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>. */
export function sendReset(c: Connection): void {
  const { tcp, path } = c;
  const addr = path.reserve(TCP_HEADER_BYTES);
  if (addr === 0) return;
  writeBareHeader(c, addr, c.sndNxt, c.rcvNxt, RST | ACK);
  path.send(TCP_HEADER_BYTES, 0);
  tcp.stats.OutRsts++;
  tcp.stats.OutSegs++;
  c.segsOut++;
  if (c.observer !== undefined) {
    c.observer.segmentSent(c.sndNxt, c.rcvNxt, RST | ACK, 0, 0, tcp.readClock(), 0, false);
  }
}

function writeBareHeader(c: Connection, addr: number, seq: number, ack: number, flags: number): void {
  const view = c.tcp.memory.view;
  view.setInt32(addr + TCP_SRC_PORT, (c.localPort << 16) | c.remotePort);
  view.setInt32(addr + TCP_SEQ, seq);
  view.setInt32(addr + TCP_ACK, ack);
  view.setInt32(addr + TCP_OFFSET_FLAGS, ((TCP_HEADER_BYTES << 10) | flags) << 16);
  view.setInt32(addr + TCP_CHECKSUM, 0);
  finishChecksum(c, addr, TCP_HEADER_BYTES);
}

/** Whether a state may still send data or a FIN. */
export function maySend(state: number): boolean {
  return (
    state === ESTABLISHED || state === CLOSE_WAIT || state === FIN_WAIT_1 || state === CLOSING || state === LAST_ACK
  );
}
