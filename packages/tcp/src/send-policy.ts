import type { Connection } from './connection.ts';
import { seqGt, seqLeq } from './seq.ts';

/** Why sending stopped. */
export const STOP_EMPTY = 0;
export const STOP_CWND = 1;
export const STOP_WINDOW = 2;
/** Nagle, cork or MSG_MORE hold a small segment back. */
export const STOP_SMALL = 3;
export const STOP_DEVICE = 4;
/** Its turn is over: others come first. */
export const STOP_BUDGET = 5;
/** The pace: more goes out when the time for it has come. */
export const STOP_PACED = 6;

/**
 * Whether a segment smaller than the MSS, the last of what was written, shall wait for more: corked (TCP_CORK), or said
 * to be followed (MSG_MORE), or Nagle's rule (RFC 9293 section 3.7.4) in Minshall's form: one small segment in flight
 * at a time, so that a write of many segments and a bit is not held up by its own full ones.
 */
export function holdsSmall(c: Connection): boolean {
  if (c.config.cork || c.moreComing) return true;
  // In flight is what lies above SND.UNA and not above SND.NXT: an old mark comes round after 2^31 bytes.
  return !c.config.noDelay && seqGt(c.smallEnd, c.sndUna) && seqLeq(c.smallEnd, c.sndNxt);
}
