import type { Packet } from '@qanat/bytes';
import { noteTimestamp } from './acceptability.ts';
import { type Connection, EVENT_READABLE } from './connection.ts';
import { measureAsReceiver } from './rcv-rtt.ts';
import type { Segment } from './segment.ts';
import { seqDiff } from './seq.ts';
import { ESTABLISHED } from './state.ts';
import { growWindow } from './window.ts';
import { ACK, PSH } from './wire.ts';

/**
 * Header prediction (Van Jacobson 1990; RFC 7323 appendix D): the next segment of a stream that only comes in carries
 * data at RCV.NXT within the window, and acknowledges and offers what the one before did. Such a segment passes every
 * check of RFC 9293 section 3.10.7.4, and of all that is done there only this is left to do.
 * @returns false when it is another: nothing was done then.
 */
export function takesPredicted(c: Connection, segment: Segment, packet: Packet): boolean {
  const { rcv } = c;
  const { bytes, options } = segment;
  if (
    c.state !== ESTABLISHED ||
    c.longWay ||
    (segment.flags & ~PSH) !== ACK ||
    segment.seq !== c.rcvNxt ||
    segment.ack !== c.sndUna ||
    // Nothing of ours is unacknowledged or waits for a window.
    c.sndNxt !== c.sndUna ||
    c.probing ||
    c.sndWnd === 0 ||
    segment.window << c.sndWndShift !== c.sndWnd ||
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
  if (!rcv.ensure((segment.seq + bytes) | 0)) return false;
  c.segAck = segment.ack;
  c.moreComing = false;
  c.sndWl1 = segment.seq;
  c.sndWl2 = segment.ack;
  noteTimestamp(c, segment);
  c.dataSegsIn++;
  measureAsReceiver(c, segment);
  c.dataReceivedUs = c.tcp.nowUs;
  const size = packet.gsoSize > 0 && packet.gsoSize < bytes ? packet.gsoSize : bytes;
  if (size > c.rcvMss) c.rcvMss = Math.min(size, c.path.deviceMtu - 40);
  growWindow(c, bytes);
  rcv.insert(segment.seq, packet, segment.dataOffset, bytes);
  c.bytesReceived += bytes;
  c.rcvNxt = rcv.nextSeq;
  c.raise(EVENT_READABLE);
  return true;
}
