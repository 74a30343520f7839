import type { Packet } from '@qanat/bytes';
import { challengeAck, failsPaws, inWindow, noteDuplicate, noteTimestamp } from './acceptability.ts';
import { synAckReported } from './accurate-ecn.ts';
import { processAck } from './ack.ts';
import { abort, enterTimeWait, finish, limitFinWait2, restartTimeWait } from './close.ts';
import type { Connection } from './connection.ts';
import { EVENT_CONNECT } from './context.ts';
import { sendSyn } from './control-output.ts';
import { count } from './counters.ts';
import { quicken } from './delayed-ack.ts';
import { negotiateEcn, receiveEcn } from './ecn.ts';
import { fastOpenAnswered } from './fast-open.ts';
import { armKeepAlive } from './keepalive.ts';
import { startMtuProbing } from './mtu-probe.ts';
import { resendWithoutBlame } from './non-congestion-loss.ts';
import { observeReceived, observeWindow } from './observe.ts';
import { startPacing } from './pacing.ts';
import { stopTimer } from './retransmit-timer.ts';
import type { Segment } from './segment.ts';
import { sendAck } from './segment-output.ts';
import { receives, takeFin, takeText } from './segment-text.ts';
import { seqGt, seqLeq, seqLt } from './seq.ts';
import {
  CLOSE_WAIT,
  CLOSED,
  CLOSING,
  ESTABLISHED,
  FIN_WAIT_1,
  FIN_WAIT_2,
  LAST_ACK,
  SYN_RECEIVED,
  SYN_SENT,
  TIME_WAIT,
} from './state.ts';
import { urgentArrives } from './urgent.ts';
import { ACK, FIN, HEADERS_BYTES, RST, SYN, URG } from './wire.ts';

/** What the layer must do with a segment after the connection has looked at it. */
export const DONE = 0;
/** Answer with <SEQ=SEG.ACK><CTL=RST>. */
export const ANSWER_RST = 1;
/** The connection is gone and the segment may open a new one (TIME-WAIT, RFC 6191). */
export const OPEN_AGAIN = 2;

/** SEGMENT ARRIVES, RFC 9293 section 3.10.7, for every state but LISTEN. `packet` stands at the TCP header. */
export function segmentArrives(c: Connection, segment: Segment, packet: Packet): number {
  const { tcp } = c;
  c.segsIn++;
  c.lastReceivedUs = tcp.nowUs;
  if (c.observer !== undefined) observeReceived(c, segment);
  const answer = c.state === SYN_SENT ? arrivesInSynSent(c, segment, packet) : arrivesSynchronized(c, segment, packet);
  if (c.state !== CLOSED) {
    tcp.touch(c);
    if (c.observer !== undefined) observeWindow(c);
  }
  return answer;
}

/** Section 3.10.7.3. */
function arrivesInSynSent(c: Connection, segment: Segment, packet: Packet): number {
  const { flags } = segment;
  if (flags & ACK && (seqLeq(segment.ack, c.iss) || seqGt(segment.ack, c.sndNxt))) {
    return flags & RST ? DONE : ANSWER_RST;
  }
  if (flags & RST) {
    // Believed only with an acceptable ACK (checked above); RFC 5961 section 3.2.
    if (flags & ACK) finish(c, 'ECONNREFUSED');
    return DONE;
  }
  if (!(flags & SYN)) return DONE;
  if (failsPawsInSynSent(c, segment)) {
    count(c, 'PAWSActive');
    return ANSWER_RST;
  }
  c.segAck = segment.ack;
  c.irs = segment.seq;
  c.rcvNxt = (segment.seq + 1) | 0;
  takeSynOptions(c, segment);
  negotiateEcn(c, segment);
  c.rcv.start(c.rcvNxt);
  c.rcvAdv = c.rcvNxt;
  c.sndWl1 = segment.seq;
  if (flags & ACK) {
    c.sndUna = (c.iss + 1) | 0;
    c.sndWl2 = c.sndUna;
    // The window of a SYN is never scaled (RFC 7323 section 2.2).
    c.sndWnd = segment.window;
    c.maxSndWnd = Math.max(segment.window, 1);
    // Karn: a SYN that was sent twice gives no sample without its timestamp.
    if (c.synRetries === 0) c.rtt.sample(segment.arrivedUs - c.synSentUs);
    establish(c);
    if (c.cookie !== undefined || c.rtx.packetsOut > 0) {
      fastOpenAnswered(c, segment, c.tcp.destinations.entry(c.localAddress, c.remoteAddress));
    }
    c.rcvAdv = (c.rcvNxt + Math.min(c.rcv.limit, 0xffff)) | 0;
    c.ackNow = true;
    if (flags & URG) urgentArrives(c, segment);
    // Data and FIN may come with it (section 3.5).
    if (segment.bytes > 0 || flags & FIN) {
      segment.seq = c.rcvNxt;
      takeText(c, segment, packet);
      takeFin(c, segment);
    }
    return DONE;
  }
  // Simultaneous open (MUST-10): our SYN again, now with the ACK of theirs.
  c.state = SYN_RECEIVED;
  c.sndWnd = segment.window;
  c.maxSndWnd = Math.max(segment.window, 1);
  c.sndWl2 = c.iss;
  sendSyn(c, false);
  return DONE;
}

function failsPawsInSynSent(c: Connection, segment: Segment): boolean {
  const { options, flags } = segment;
  if (!c.config.timestamps || !options.hasTimestamps || !(flags & ACK) || options.tsEcr === 0) return false;
  const age = (Math.floor(c.tcp.nowUs / 1000) + c.tsOffset - options.tsEcr) | 0;
  return age < 0 || age > 0x7000_0000;
}

/** Takes over what both ends agreed on. `c.config` holds our offer. */
export function takeSynOptions(c: Connection, segment: Segment): void {
  const { options } = segment;
  const { config } = c;
  c.peerMss = options.mss === 0 ? 536 : Math.max(options.mss, 48);
  c.windowScaleOk = config.windowScaling && options.windowShift >= 0;
  c.sndWndShift = c.windowScaleOk ? options.windowShift : 0;
  if (!c.windowScaleOk) c.rcvWndShift = 0;
  c.sackOk = config.sack && options.sackPermitted;
  c.timestampsOk = config.timestamps && options.hasTimestamps;
  if (c.timestampsOk) {
    c.tsRecent = options.tsVal;
    c.tsRecentUs = c.tcp.nowUs;
  }
  // What the peer will really send is not known yet; larger segments will tell.
  c.rcvMss = Math.max(1, Math.min(c.peerMss, c.path.deviceMtu - HEADERS_BYTES, 536) - (c.timestampsOk ? 12 : 0));
  c.updateMss();
}

/** A SYN with a good Fast Open cookie: its data, and even a FIN, are taken before the handshake ends. */
export function takeEarlyData(c: Connection, segment: Segment, packet: Packet): void {
  c.fastOpen = true;
  c.sndUna = (c.iss + 1) | 0;
  c.rcvAdv = (c.rcvNxt + Math.min(c.rcv.limit, 0xffff)) | 0;
  segment.seq = c.rcvNxt;
  segment.flags &= ~SYN;
  segment.len--;
  if (segment.bytes > 0) takeText(c, segment, packet);
  if (segment.flags & FIN) takeFin(c, segment);
  c.synDataAcked = c.bytesReceived > 0;
}

/** The handshake is complete. */
function establish(c: Connection): void {
  // The user may have shut down already: the FIN follows now, if it has not gone with early data. So may the peer have.
  if (c.finReceived) c.state = c.finQueued ? LAST_ACK : CLOSE_WAIT;
  else c.state = c.finQueued ? FIN_WAIT_1 : ESTABLISHED;
  stopTimer(c);
  c.backoff = 0;
  c.retries = 0;
  c.recoveryPoint = c.iss;
  c.establishedUs = c.tcp.nowUs;
  if (c.rtx.packetsOut === 0) {
    c.smallEnd = c.sndUna;
    c.cwndUsageSeq = c.sndUna;
  }
  c.retransmitHint = c.sndUna;
  c.lossMarked = c.sndUna;
  c.sackHigh = c.sndUna;
  c.snd.acknowledge(c.sndUna);
  // RFC 5681 section 3.1, RFC 6298 (5.7): a lost SYN is a sign of congestion.
  if (c.synRetries > 0) {
    c.cwnd = 1;
    c.rtt.afterSynLoss();
  }
  c.updateMss();
  startMtuProbing(c);
  c.cc.start(c, c.tcp.nowUs);
  startPacing(c);
  armKeepAlive(c);
  const { parent } = c;
  if (parent !== undefined) {
    c.parent = undefined;
    parent.established(c);
  } else {
    c.raise(EVENT_CONNECT);
  }
}

/** Section 3.10.7.4: SYN-RECEIVED and everything after. */
function arrivesSynchronized(c: Connection, segment: Segment, packet: Packet): number {
  let { flags } = segment;
  // First: sequence number. PAWS comes before (RFC 7323 section 5.3).
  if (failsPaws(c, segment)) {
    count(c, 'PAWSEstab');
    if (c.state === TIME_WAIT && reopens(c, segment)) return OPEN_AGAIN;
    noteOld(c, segment);
    challengeAck(c, segment);
    return DONE;
  }
  if (c.state === SYN_RECEIVED && flags & SYN && !(flags & RST) && segment.seq === c.irs) {
    if (!(flags & ACK)) return synAgain(c);
    if (!c.passive && acknowledgesOurSyn(c, segment)) {
      synAckCrosses(c, segment);
      flags = segment.flags;
    }
  }
  if (!(segment.seq === c.rcvNxt && segment.len <= c.rcvWnd) && !inWindow(c, segment)) {
    return unacceptable(c, segment);
  }
  // Second: RST (RFC 5961 section 3.2).
  if (flags & RST) {
    if (segment.seq === c.rcvNxt) resetArrives(c);
    else challengeAck(c, segment);
    return DONE;
  }
  // Fourth: SYN (RFC 5961 section 4.2). Third, security, is not implemented by anybody.
  if (flags & SYN) {
    if (c.state === TIME_WAIT && reopens(c, segment)) return OPEN_AGAIN;
    count(c, 'TCPSYNChallenge');
    challengeAck(c, segment);
    return DONE;
  }
  // Fifth: ACK.
  if (!(flags & ACK)) return DONE;
  const opening = c.state === SYN_RECEIVED;
  if (opening) {
    if (!acknowledgesOurSyn(c, segment)) return ANSWER_RST;
    if (segment.len === 0 && c.synRetries < c.deferAccept && !c.fastOpen) return deferAccept(c, segment);
    if (c.parent?.acceptQueueFull === true && !c.fastOpen) {
      c.tcp.stats.ListenOverflows++;
      c.tcp.stats.ListenDrops++;
      return DONE;
    }
    acknowledgesSyn(c, segment);
    if (c.accurateEcn !== undefined) synAckReported(c.accurateEcn, segment);
  } else if (c.state === TIME_WAIT) {
    return arrivesInTimeWait(c, segment);
  }
  if (!processAck(c, segment)) {
    challengeAck(c, segment);
    return DONE;
  }
  // Early data that went before a SYN-ACK that was lost, or with a SYN that was taken without it, goes again at once.
  if (opening && c.rtx.packetsOut > 0 && (c.synRetries > 0 || !c.passive)) resendWithoutBlame(c);
  noteTimestamp(c, segment);
  receiveEcn(c, segment);
  if (c.finSent && c.sndUna === c.sndNxt) finAcknowledged(c);
  // A closed connection must not be handed data that nobody will read (SHLD-3, section 3.6.1). The RST is that of
  // CLOSED, <SEQ=SEG.ACK>, as Linux answers.
  if (segment.bytes > 0 && c.orphaned && seqGt((segment.seq + segment.bytes) | 0, c.rcvNxt)) {
    count(c, 'TCPAbortOnData');
    abort(c, undefined, false);
    return ANSWER_RST;
  }
  // Sixth: URG. Seventh: text. Eighth: FIN.
  if (flags & URG && receives(c)) urgentArrives(c, segment);
  if (segment.bytes > 0) takeText(c, segment, packet);
  if (flags & FIN || c.finPending) takeFin(c, segment);
  return DONE;
}

/** The peer is there, but a listener that waits for data does not want it yet (Linux: TCP_DEFER_ACCEPT). */
function deferAccept(c: Connection, segment: Segment): number {
  c.acceptDeferred = true;
  // The time until data comes is no round trip.
  c.synSentUs = 0;
  noteTimestamp(c, segment);
  c.tcp.stats.TCPDeferAcceptDrop++;
  return DONE;
}

/** The peer did not get our SYN-ACK: it gets it again, as Linux answers. */
function synAgain(c: Connection): number {
  sendSyn(c, true);
  // Which of the two it will acknowledge cannot be told (Karn).
  c.synSentUs = 0;
  return DONE;
}

/** Simultaneous open (figure 8, line 7): the SYN is known, its ACK is news. The window of a SYN is not scaled. */
function synAckCrosses(c: Connection, segment: Segment): void {
  segment.flags &= ~SYN;
  segment.seq = c.rcvNxt;
  segment.len--;
  segment.window >>>= c.sndWndShift;
}

/** A segment outside the window: an ACK tells the peer where we are, unless it is a RST. */
function unacceptable(c: Connection, segment: Segment): number {
  const { flags } = segment;
  if (flags & RST) return DONE;
  if (c.state === TIME_WAIT) {
    if (flags & SYN && reopens(c, segment)) return OPEN_AGAIN;
    if (flags & FIN) restartTimeWait(c);
  }
  if (flags & SYN) count(c, 'TCPSYNChallenge');
  noteOld(c, segment);
  if (segment.bytes > 0) quicken(c, 1);
  challengeAck(c, segment);
  return DONE;
}

/** Reports what is not accepted as a duplicate only if it begins below RCV.NXT (RFC 2883); TIME-WAIT has no SACK. */
function noteOld(c: Connection, segment: Segment): void {
  if (c.state !== TIME_WAIT && seqLt(segment.seq, c.rcvNxt)) noteDuplicate(c, segment);
}

/** Whether a SYN may start a new connection over one in TIME-WAIT (RFC 6191; MAY-2). */
function reopens(c: Connection, segment: Segment): boolean {
  if (!(segment.flags & SYN) || segment.flags & (RST | ACK)) return false;
  if (c.timestampsOk && segment.options.hasTimestamps) {
    const age = (segment.options.tsVal - c.tsRecent) | 0;
    if (age > 0) return true;
    if (age < 0) return false;
  }
  return seqGt(segment.seq, c.rcvNxt);
}

function resetArrives(c: Connection): void {
  switch (c.state) {
    case SYN_RECEIVED:
      // Back to LISTEN if it came from there, which the listener sees to; refused if not (MUST-11).
      finish(c, c.fastOpen ? 'ECONNRESET' : 'ECONNREFUSED');
      break;
    case TIME_WAIT:
      // TIME-WAIT assassination is what RFC 1337 warns of.
      if (!c.config.rfc1337) finish(c, undefined);
      break;
    case CLOSING:
    case LAST_ACK:
      finish(c, undefined);
      break;
    default:
      finish(c, 'ECONNRESET');
  }
}

function acknowledgesOurSyn(c: Connection, segment: Segment): boolean {
  return seqGt(segment.ack, c.iss) && seqLeq(segment.ack, c.sndNxt);
}

function acknowledgesSyn(c: Connection, segment: Segment): void {
  c.sndUna = (c.iss + 1) | 0;
  c.sndWnd = segment.window << c.sndWndShift;
  c.maxSndWnd = Math.max(c.maxSndWnd, c.sndWnd);
  c.sndWl1 = segment.seq;
  c.sndWl2 = c.sndUna;
  if (c.synRetries === 0 && c.synSentUs > 0) c.rtt.sample(segment.arrivedUs - c.synSentUs);
  establish(c);
}

function arrivesInTimeWait(c: Connection, segment: Segment): number {
  if (segment.flags & FIN) {
    restartTimeWait(c);
    sendAck(c);
  } else if (segment.bytes > 0) {
    sendAck(c);
  }
  return DONE;
}

/** Our FIN is acknowledged. */
function finAcknowledged(c: Connection): void {
  switch (c.state) {
    case FIN_WAIT_1:
      c.state = FIN_WAIT_2;
      limitFinWait2(c);
      break;
    case CLOSING:
      enterTimeWait(c);
      break;
    case LAST_ACK:
      finish(c, undefined);
      break;
  }
}
