import { foldSum } from '@qanat/bytes';
import type { Connection } from './connection.ts';
import { noteAnswer } from './delayed-ack.ts';
import { TIMESTAMPS_BYTES, TIMESTAMPS_PROLOGUE } from './options.ts';
import { rateSent } from './rate.ts';
import { acknowledged, LEAST_BY_REFERENCE, timestampNow } from './segment-output.ts';
import { seqDiff } from './seq.ts';
import { CA_CWR } from './state.ts';
import { chooseWindow } from './window.ts';
import { ACK, TCP_ACK, TCP_CHECKSUM, TCP_HEADER_BYTES, TCP_OFFSET_FLAGS, TCP_SEQ, TCP_SRC_PORT } from './wire.ts';

/**
 * Sends full segments of new data one after the other, as far as cwnd, the window and `most` allow. What is the same in
 * all of them is worked out once. Segments that are special in any way, and the last one, are left to `sendNewSegment`.
 * @returns how many went out; when the device refused one, the connection waits for `transmitReady` (`txBlocked`).
 */
export function sendBurst(c: Connection, most: number): number {
  const { mss, rtx, tcp, path } = c;
  const window = seqDiff((c.sndUna + c.sndWnd) | 0, c.sndNxt);
  // The last segment pushes.
  const segments = Math.min(
    most,
    c.cwnd - rtx.inFlight,
    Math.floor((seqDiff(c.snd.end, c.sndNxt) - 1) / mss),
    Math.floor(window / mss),
  );
  if (segments < 2 || !isPlain(c)) return 0;
  // Long segments may be sent without a copy.
  if (mss >= LEAST_BY_REFERENCE && path.lending?.ready) return 0;
  const { memory, nowUs } = tcp;
  const { view } = memory;
  const stamped = c.timestampsOk;
  const header = TCP_HEADER_BYTES + (stamped ? TIMESTAMPS_BYTES : 0);
  const ports = (c.localPort << 16) | c.remotePort;
  const ack = c.rcvNxt;
  const offsetFlags = (header << 10) | ACK;
  const flagsWindow = (offsetFlags << 16) | chooseWindow(c);
  const tsVal = stamped ? timestampNow(c) : 0;
  const tsEcr = stamped ? c.tsRecent : 0;
  const sameSum = c.headerSum + header + mss + halves(ack) + halves(flagsWindow);
  const headerSum = stamped ? sameSum + halves(TIMESTAMPS_PROLOGUE) + halves(tsVal) + halves(tsEcr) : sameSum;
  const pseudo = foldSum(c.headerSum - c.localPort - c.remotePort + header + mss) << 16;
  const offload = path.checksumOffload;
  const tos = c.config.tos & ~3;
  const first = c.sndNxt;
  let sent = 0;
  for (; sent < segments; sent++) {
    const addr = path.reserve(header + mss, c.flowHash);
    if (addr === 0) {
      tcp.blockOnDevice(c);
      break;
    }
    const seq = c.sndNxt;
    view.setInt32(addr + TCP_SRC_PORT, ports);
    view.setInt32(addr + TCP_SEQ, seq);
    view.setInt32(addr + TCP_ACK, ack);
    view.setInt32(addr + TCP_OFFSET_FLAGS, flagsWindow);
    if (stamped) {
      view.setInt32(addr + TCP_HEADER_BYTES, TIMESTAMPS_PROLOGUE);
      view.setInt32(addr + TCP_HEADER_BYTES + 4, tsVal);
      view.setInt32(addr + TCP_HEADER_BYTES + 8, tsEcr);
    }
    if (offload) {
      c.snd.copy(seq, addr + header, mss);
      view.setInt32(addr + TCP_CHECKSUM, pseudo);
    } else {
      const sum = headerSum + halves(seq) + c.snd.copySum(seq, addr + header, mss);
      view.setInt32(addr + TCP_CHECKSUM, (~foldSum(sum) & 0xffff) << 16);
    }
    path.send(header + mss, tos, 0);
    rtx.push(seq, mss, 0, nowUs);
    rateSent(c, rtx.tail - 1);
    c.sndNxt = (seq + mss) | 0;
  }
  if (sent > 0) {
    if (c.observer !== undefined) {
      c.observer.dataSent(first, ack, ACK, mss, flagsWindow & 0xffff, stamped, tsVal, tsEcr, sent, c);
    }
    acknowledged(c);
    tcp.stats.OutSegs += sent;
    c.segsOut += sent;
    c.dataSegsOut += sent;
    c.bytesSent += sent * mss;
    c.lastSentUs = nowUs;
    noteAnswer(c);
    if (c.caState >= CA_CWR) c.prrOut += sent;
  }
  return sent;
}

/** Whether segments need nothing but header, timestamps and data. */
function isPlain(c: Connection): boolean {
  return (
    !c.longWay &&
    !c.paced &&
    c.eorCount === 0 &&
    !c.ecnOk &&
    !c.urgentSending &&
    c.rcv.rangeCount === 0 &&
    c.dsackLeft === c.dsackRight &&
    (c.mtuProbe === undefined || !c.mtuProbe.enabled)
  );
}

/** The two halves of a word, as a checksum adds them. */
function halves(word: number): number {
  return (word >>> 16) + (word & 0xffff);
}
