import { addSum, type Packet, sumHeader } from '@qanat/bytes';
import { pseudoHeaderSum } from '@qanat/ipv4';
import { noteTimestamp } from './acceptability.ts';
import { updateWindow } from './ack.ts';
import type { Connection } from './connection.ts';
import { EVENT_READABLE } from './context.ts';
import { awaitsPlainAck, flightAcknowledged } from './flight-acknowledged.ts';
import { observeReceived, observeWindow } from './observe.ts';
import { measureAsReceiver } from './rcv-rtt.ts';
import type { Segment } from './segment.ts';
import { seqDiff } from './seq.ts';
import { ESTABLISHED } from './state.ts';
import { growWindow } from './window.ts';
import { ACK, HEADERS_BYTES, PROTOCOL_TCP, PSH } from './wire.ts';

/**
 * Header prediction (Van Jacobson 1990; RFC 7323 appendix D): the next segment of a stream carries data at RCV.NXT within
 * the window. It acknowledges what the one before did, or, as the answer to a request, all that is in flight. Such a segment passes every check of RFC 9293 section 3.10.7.4, and of all that is done there only
 * `takePredicted` is left to do.
 * @returns whether it is such a one; there is room for its data then. Its checksum need not have been verified.
 */
export function isPredicted(c: Connection, segment: Segment): boolean {
  const { rcv } = c;
  const { bytes, options } = segment;
  if (
    c.state !== ESTABLISHED ||
    c.longWay ||
    (segment.flags & ~PSH) !== ACK ||
    segment.seq !== c.rcvNxt ||
    // Nothing of ours is unacknowledged then or waits for a window.
    segment.ack !== c.sndNxt ||
    c.probing ||
    c.sndWnd === 0 ||
    segment.window === 0 ||
    bytes === 0 ||
    bytes > seqDiff(c.rcvAdv, c.rcvNxt) ||
    rcv.rangeCount > 0 ||
    c.finPending ||
    c.ecnOk ||
    c.orphaned ||
    c.persisting
  ) {
    return false;
  }
  if (c.timestampsOk) {
    if (!options.hasTimestamps || options.sackCount > 0 || ((options.tsVal - c.tsRecent) | 0) < 0) return false;
  } else if (options.sackCount > 0) {
    return false;
  }
  if (segment.ack !== c.sndUna && !awaitsPlainAck(c)) return false;
  return rcv.ensure((segment.seq + bytes) | 0);
}

/**
 * Puts the data of a predicted segment where it belongs, and verifies the checksum in the same pass: where that is
 * wrong, nobody will look at what was put there.
 */
export function storesWell(c: Connection, segment: Segment, packet: Packet): boolean {
  const { memory } = c.tcp;
  const { dataOffset } = segment;
  const header = pseudoHeaderSum(segment.src, segment.dst, PROTOCOL_TCP, packet.len);
  const sum = addSum(header, sumHeader(memory.view, packet.addr, dataOffset));
  return addSum(sum, c.rcv.putSum(segment.seq, packet.addr + dataOffset, segment.bytes)) === 0xffff;
}

/** A predicted segment whose checksum is right. @param stored its data is in the receive queue already. */
export function takePredicted(c: Connection, segment: Segment, packet: Packet, stored: boolean): void {
  const { rcv, tcp } = c;
  const { bytes } = segment;
  c.segsIn++;
  c.lastReceivedUs = tcp.nowUs;
  // What it says about our own data is news to an observer.
  const isNews = segment.ack !== c.sndUna || segment.window << c.sndWndShift !== c.sndWnd;
  if (c.observer !== undefined && isNews) observeReceived(c, segment);
  c.segAck = segment.ack;
  c.moreComing = false;
  if (segment.ack !== c.sndUna) flightAcknowledged(c, segment);
  else updateWindow(c, segment);
  noteTimestamp(c, segment);
  c.dataSegsIn++;
  measureAsReceiver(c, segment);
  c.dataReceivedUs = tcp.nowUs;
  const size = packet.gsoSize > 0 && packet.gsoSize < bytes ? packet.gsoSize : bytes;
  if (size > c.rcvMss) c.rcvMss = Math.min(size, c.path.deviceMtu - HEADERS_BYTES);
  growWindow(c, bytes);
  if (stored) rcv.advance(bytes);
  else rcv.insert(segment.seq, packet, segment.dataOffset, bytes);
  c.bytesReceived += bytes;
  c.rcvNxt = rcv.nextSeq;
  c.raise(EVENT_READABLE);
  if (c.observer === undefined) return;
  if (isNews) observeWindow(c);
  else c.observer.segmentExpected(segment, c);
}
