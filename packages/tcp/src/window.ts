import type { Connection } from './connection.ts';
import { seqDiff, seqGt } from './seq.ts';

/** Whether the application has read so much that the peer should hear of it. */
export function windowWorthTelling(c: Connection): boolean {
  const { rcv } = c;
  const grown = rcv.free - seqDiff(c.rcvAdv, c.rcvNxt);
  if (grown <= 0 || c.finReceived) return false;
  const half = rcv.limit >>> 1;
  const twoSegments = 2 * c.rcvMss;
  return grown >= Math.min(half, twoSegments);
}

/** The window field to advertise; moves the right edge (RFC 9293 section 3.8.6.2.2: never left, not in silly steps). */
export function chooseWindow(c: Connection): number {
  const rcv = c.rcv;
  const current = seqDiff(c.rcvAdv, c.rcvNxt);
  const free = rcv.free;
  const half = rcv.limit >>> 1;
  const step = Math.min(half, c.rcvMss);
  const shift = c.rcvWndShift;
  let field: number;
  if (free - current >= step) {
    field = free >>> shift;
    // Rounding down must not take back what was offered.
    if (field << shift < current) field = (current + (1 << shift) - 1) >>> shift;
  } else {
    field = current > 0 ? (current + (1 << shift) - 1) >>> shift : 0;
  }
  if (field > 0xffff) field = 0xffff;
  const edge = (c.rcvNxt + (field << shift)) | 0;
  if (seqGt(edge, c.rcvAdv)) c.rcvAdv = edge;
  return field;
}
