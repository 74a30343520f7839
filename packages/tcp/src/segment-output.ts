import { foldSum } from '@qanat/bytes';
import { NEVER } from '@qanat/clock';
import type { Connection } from './connection.ts';
import { ecnCodepoint, segmentEcnFlags } from './ecn.ts';
import { observeSent } from './observe.ts';
import { OPT_NOP, OPT_SACK, TIMESTAMPS_BYTES, TIMESTAMPS_PROLOGUE } from './options.ts';
import { pieceAddrs, pieceBytes } from './send-queue.ts';
import { urgentPointer } from './urgent.ts';
import { chooseWindow } from './window.ts';
import {
  ACK,
  RST,
  TCP_ACK,
  TCP_CHECKSUM,
  TCP_HEADER_BYTES,
  TCP_OFFSET_FLAGS,
  TCP_SEQ,
  TCP_SRC_PORT,
  URG,
} from './wire.ts';

/** Payload from here on is not copied where the device can read it in place: less is copied sooner than its pages are looked up. */
export const LEAST_BY_REFERENCE = 8192;

const sackLeft = new Int32Array(4);
const sackRight = new Int32Array(4);

/**
 * Builds and sends one segment of an established connection.
 * @param segments how many the packet holds, more than one where the device cuts it (segments of MSS but for the last).
 * @returns false when the device has no room (the connection then waits for `transmitReady`).
 */
export function sendSegment(
  c: Connection,
  seq: number,
  flags: number,
  bytes: number,
  retransmission: boolean,
  segments = 1,
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
  // What goes again is copied: so packets that refer to memory are in the order of the stream.
  const pieces = bytes >= LEAST_BY_REFERENCE && path.checksumOffload && !retransmission ? piecesOf(c, seq, bytes) : 0;
  const addr = pieces > 0 ? path.reserveHeader(header, pieces, c.flowHash) : path.reserve(header + bytes, c.flowHash);
  if (addr === 0) {
    tcp.blockOnDevice(c);
    return false;
  }
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
  let tsVal = 0;
  if (stamps > 0) {
    tsVal = timestampNow(c);
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
    if (pieces > 0) for (let i = 0; i < pieces; i++) path.refer(pieceAddrs[i]!, pieceBytes[i]!);
    else if (bytes > 0) c.snd.copy(seq, at, bytes);
    const pseudo = c.headerSum - c.localPort - c.remotePort + header + bytes;
    view.setInt32(addr + TCP_CHECKSUM, (foldSum(pseudo) << 16) | urgent);
  } else {
    if (bytes > 0) sum += c.snd.copySum(seq, at, bytes);
    // The urgent pointer shares the word.
    view.setInt32(addr + TCP_CHECKSUM, ((~foldSum(sum) & 0xffff) << 16) | urgent);
  }
  path.send(header + bytes, (c.config.tos & ~3) | ecnCodepoint(c, newData), segments > 1 ? c.mss : 0);
  if (pieces > 0) c.snd.referred(seq);
  if (newData) c.ecnReduced = false;
  acknowledged(c);
  if (withheld) c.ackNow = true;
  tcp.stats.OutSegs += segments;
  c.segsOut += segments;
  if (bytes > 0) {
    c.dataSegsOut += segments;
    c.bytesSent += bytes;
    c.lastSentUs = tcp.nowUs;
  }
  if (c.observer !== undefined) {
    const has = stamps > 0;
    if (newData && sackCount === 0)
      c.observer.dataSent(seq, ack, flags, bytes, window, has, tsVal, has ? c.tsRecent : 0, 1, c);
    else observeSent(c, seq, ack, flags, bytes, window, retransmission, tsVal, has, sackCount, sackLeft, sackRight);
  }
  return true;
}

/** @returns the pieces of pages that new data lies in, 0 where it must be copied. */
function piecesOf(c: Connection, seq: number, bytes: number): number {
  return c.path.lending === undefined ? 0 : c.snd.pieces(seq, bytes);
}

/** An acknowledgment went out, and the window with it: nothing of that kind is due any more. */
export function acknowledged(c: Connection): void {
  c.lastAckSent = c.rcvNxt;
  c.ackNow = false;
  c.hasRead = false;
  c.delayedAckAtUs = NEVER;
}

/** TSval: milliseconds with a random offset per connection (RFC 7323 sections 5.4 and 7.1). */
export function timestampNow(c: Connection): number {
  return (c.tcp.nowMs + c.tsOffset) | 0;
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
