import type { Connection } from './connection.ts';
import { noteAnswer } from './delayed-ack.ts';
import { TIMESTAMPS_BYTES } from './options.ts';
import { paceSent, pacingRate, sendQuantum } from './pacing.ts';
import { rateSentRun } from './rate.ts';
import { SEG_FIN } from './retransmit-queue.ts';
import { sendSegment } from './segment-output.ts';
import { holdsSmall } from './send-policy.ts';
import { CA_CWR, CA_RECOVERY } from './state.ts';
import { ACK, FIN, HEADERS_BYTES, PSH } from './wire.ts';

/**
 * Segmentation offload: several segments of new data go to the device as one packet with one header, and are cut
 * further down, if at all. The retransmission queue holds them one by one, so recovery does not know of it.
 */

/** With the timestamps option. */
const MOST_HEADERS_BYTES = HEADERS_BYTES + TIMESTAMPS_BYTES;
/** A sender that is about to fill the window waits for an acknowledgment only if it sent something this long ago. */
const DEFER_WITHIN_US = 1000;
/** Where a third of the window is open, that is enough to send [tcp_tso_win_divisor]. */
const WINDOW_DIVISOR = 3;
/** What the device takes at once is halved for each 512 us of round trip [tcp_tso_rtt_log]. */
const RTT_LOG = 9;

/** The device is full. */
export const SUPER_BLOCKED = -1;
/** There is nothing for it: one segment at a time. */
export const SUPER_NONE = 0;
/** More could go at once after the next acknowledgment, which is near: wait for it. */
export const SUPER_DEFERRED = -2;

/**
 * Sends several segments of new data from SND.NXT on as one packet, where the path takes that.
 * @param unsent bytes that wait. @param window bytes that the peer still takes. @param finDue a FIN follows them.
 * @returns the segments that it took, or SUPER_*.
 */
export function sendSuperSegment(c: Connection, unsent: number, window: number, finDue: boolean): number {
  const { mss, rtx } = c;
  // Who cuts a packet clears CWR in all segments but the first (RFC 3168): accurate ECN counts with that bit.
  if (unsent <= mss || c.urgentSending || c.accurateEcn !== undefined) return SUPER_NONE;
  const open = c.cwnd - rtx.inFlight;
  const most = mostSegments(c);
  if (most < 2) return SUPER_NONE;
  let limit = Math.min(unsent, window);
  if (shouldDefer(c, Math.min(open * mss, window), unsent, most)) return SUPER_DEFERRED;
  let isEnd = limit === unsent;
  if (c.eorCount > 0) {
    limit = c.untilEndOfRecord(limit);
    isEnd = false;
  }
  let segments = Math.floor(limit / mss);
  const allowed = Math.min(open, most);
  let bytes = segments * mss;
  let last = mss;
  if (segments >= allowed) {
    segments = allowed;
    bytes = segments * mss;
  } else if (isEnd && bytes < unsent && (finDue || !holdsSmall(c))) {
    // The rest that is smaller than a segment goes with them.
    last = unsent - bytes;
    segments++;
    bytes = unsent;
  }
  // A packet within the MTU goes as it is.
  if (segments < 2 || bytes + MOST_HEADERS_BYTES <= c.path.deviceMtu) return SUPER_NONE;
  const fin = finDue && bytes === unsent && bytes < window;
  const flags = ACK | (bytes === unsent ? PSH : 0) | (fin ? FIN : 0);
  if (!sendSegment(c, c.sndNxt, flags, bytes, false, segments)) return SUPER_BLOCKED;
  if (fin) last++;
  rtx.pushRun(c.sndNxt, segments, mss, last, fin ? SEG_FIN : 0, c.tcp.nowUs);
  rateSentRun(c, rtx.tail - segments);
  if (c.paced) paceSent(c, bytes);
  c.sndNxt = (c.sndNxt + bytes + (fin ? 1 : 0)) | 0;
  if (fin) c.finSent = true;
  if (bytes % mss !== 0) c.smallEnd = c.sndNxt;
  noteAnswer(c);
  if (c.caState >= CA_CWR) c.prrOut += segments;
  return segments;
}

/** Segments in one packet at most: what the device takes, and about a millisecond of the pace (Linux: tcp_tso_autosize). */
function mostSegments(c: Connection): number {
  const { mss } = c;
  const device = c.path.gsoMaxBytes - MOST_HEADERS_BYTES;
  const rate = pacingRate(c);
  let bytes = sendQuantum(rate, mss);
  const { minRttUs } = c.rtt;
  // Bursts are short against the round trip, unless that is short itself.
  if (!c.paced && minRttUs < 32 << RTT_LOG) bytes += device >>> (minRttUs >>> RTT_LOG);
  return Math.floor(Math.min(bytes, device) / mss);
}

/**
 * Whether to wait for the next acknowledgment, so that fewer and larger packets go out (Linux: tcp_tso_should_defer).
 * Something is in flight then: whoever waits is woken.
 */
function shouldDefer(c: Connection, room: number, unsent: number, most: number): boolean {
  const { rtx, mss } = c;
  if (rtx.packetsOut === 0 || c.caState >= CA_RECOVERY) return false;
  const { nowUs } = c.tcp;
  if (nowUs - c.lastSentUs > DEFER_WITHIN_US) return false;
  if (room >= most * mss || room >= unsent) return false;
  if (room * WINDOW_DIVISOR >= Math.min(c.sndWnd, c.cwnd * mss)) return false;
  // An acknowledgment that is half a round trip away is too far.
  return nowUs - rtx.sentUs[rtx.head]! >= c.rtt.srttUs / 2;
}
