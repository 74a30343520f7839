import type { Connection } from './connection.ts';
import { seqDiff, seqGt } from './seq.ts';

/**
 * Whether the application has read so much that the peer should hear of it without waiting for more data: as Linux
 * has it, when the window would at least double (and grow by a segment or half the buffer, RFC 9293 section 3.8.6.2.2).
 */
export function windowWorthTelling(c: Connection): boolean {
  const { rcv } = c;
  const current = seqDiff(c.rcvAdv, c.rcvNxt);
  const free = freeWindow(c);
  if (c.finReceived || free < 2 * current) return false;
  return free - current >= Math.min(rcv.limit >>> 1, c.rcvMss);
}

/** Room for the peer's data, as far as the window has grown and the window field can say. */
function freeWindow(c: Connection): number {
  const room = Math.min(c.rcv.free, Math.max(0, c.rcvClamp - c.rcv.readable));
  return Math.min(room, c.rcvGrown, 0xffff << c.rcvWndShift);
}

/** Data has arrived: the peer uses the window, so it may be larger. */
export function growWindow(c: Connection, bytes: number): void {
  if (c.rcvGrown >= c.rcv.limit) return;
  c.rcvGrown += 2 * Math.max(bytes, c.rcvMss);
}

/** The window field to advertise; moves the right edge (RFC 9293 section 3.8.6.2.2: never left, not in silly steps). */
export function chooseWindow(c: Connection): number {
  const rcv = c.rcv;
  const current = seqDiff(c.rcvAdv, c.rcvNxt);
  const free = freeWindow(c);
  const half = rcv.limit >>> 1;
  const step = Math.min(half, c.rcvMss);
  const shift = c.rcvWndShift;
  let field: number;
  if (free - current >= step) {
    field = free >>> shift;
    // Rounding down must not take back what was offered.
    if (field << shift < current) field = keepOffer(c, current);
  } else {
    field = keepOffer(c, current);
  }
  if (field > 0xffff) field = 0xffff;
  const edge = (c.rcvNxt + (field << shift)) | 0;
  if (seqGt(edge, c.rcvAdv)) c.rcvAdv = edge;
  return field;
}

/**
 * The field for a window that stays as it is. Rounded up, it would creep by part of a unit with every segment, past any
 * buffer: less than one unit is allowed beyond the limit (the ring has room for it), then it is rounded down (RFC 7323
 * section 2.4). What was offered is accepted all the same.
 */
function keepOffer(c: Connection, current: number): number {
  const shift = c.rcvWndShift;
  const part = (1 << shift) - 1;
  const field = (current + part) >>> shift;
  return c.rcv.readable + (field << shift) > c.rcv.limit + part ? current >>> shift : field;
}

/** Smallest shift with which the whole buffer can be advertised. */
export function windowShiftFor(rcvBuf: number): number {
  let shift = 0;
  while (shift < 14 && rcvBuf >>> shift > 65535) shift++;
  return shift;
}
