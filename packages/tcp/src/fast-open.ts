import { processAck } from './ack.ts';
import type { Connection } from './connection.ts';
import { count } from './counters.ts';
import { type DestinationMetrics, noteSynLoss, pausedByLoss } from './destination-metrics.ts';
import { resendWithoutBlame } from './non-congestion-loss.ts';
import type { ParsedOptions } from './options.ts';
import type { Segment } from './segment.ts';
import { HEADERS_BYTES } from './wire.ts';

/**
 * TCP Fast Open, RFC 7413, the client's side: data goes with the SYN if an earlier connection brought a cookie, else a
 * cookie is asked for. What the server does not take is sent again when the handshake is complete.
 */

/** Why data went without Fast Open, or twice (Linux: tcpi_fastopen_client_fail). */
export const FAST_OPEN_NO_COOKIE = 1;
export const FAST_OPEN_NOT_ACKED = 2;
export const FAST_OPEN_SYN_AGAIN = 3;

const NO_COOKIE = new Uint8Array(0);
/** MSS of a destination that never told one. */
const DEFAULT_MSS = 536;
/** Options that may share the SYN with data (the most a header holds). */
const OPTIONS_ROOM = 40;

/** Before the first SYN: shall it carry a cookie, and with it data, or ask for one? */
export function prepareFastOpen(c: Connection, metrics: DestinationMetrics | undefined): void {
  if (metrics !== undefined && pausedByLoss(metrics, c.tcp.nowUs)) return;
  if (c.config.fastOpenClientNoCookie) {
    c.synDataRoom = dataRoom(c, metrics);
    return;
  }
  const cookie = metrics?.cookie ?? NO_COOKIE;
  c.cookie = cookie;
  c.cookieExperimental = cookie.length > 0 ? metrics!.experimental : metrics?.tried === 1;
  if (cookie.length === 0) {
    c.fastOpenFail = FAST_OPEN_NO_COOKIE;
    return;
  }
  c.synDataRoom = dataRoom(c, metrics);
}

/** Payload that the SYN has room for, by the MSS of the last time. */
function dataRoom(c: Connection, metrics: DestinationMetrics | undefined): number {
  const known = metrics?.mss ?? 0;
  const mss = Math.min(c.pathMtu - HEADERS_BYTES, known > 0 ? known : DEFAULT_MSS);
  return Math.max(0, (c.config.mss > 0 ? Math.min(mss, c.config.mss) : mss) - OPTIONS_ROOM);
}

/**
 * The SYN-ACK has come to a SYN with a Fast Open option; the connection is established, SND.UNA is after the SYN.
 * Keeps what it says for the next time, and sends the SYN's data again if it was not taken.
 */
export function fastOpenAnswered(c: Connection, segment: Segment, metrics: DestinationMetrics): void {
  const { options } = segment;
  const sentData = c.rtx.packetsOut > 0;
  // The window of a SYN is not scaled.
  const shift = c.sndWndShift;
  c.sndWndShift = 0;
  processAck(c, segment);
  c.sndWndShift = shift;
  const refused = c.rtx.packetsOut > 0;
  learn(c, options, metrics, sentData, refused);
  if (refused) {
    c.fastOpenFail = c.synRetries > 0 ? FAST_OPEN_SYN_AGAIN : FAST_OPEN_NOT_ACKED;
    count(c, 'TCPFastOpenActiveFail');
    resendWithoutBlame(c);
  } else if (sentData) {
    c.synDataAcked = true;
    count(c, 'TCPFastOpenActive');
  }
}

function learn(
  c: Connection,
  options: ParsedOptions,
  metrics: DestinationMetrics,
  sentData: boolean,
  refused: boolean,
): void {
  metrics.mss = c.peerMss;
  const gotCookie = options.cookieBytes > 0;
  if (gotCookie) {
    metrics.cookie = options.cookie.slice(0, options.cookieBytes);
    metrics.experimental = options.cookieExperimental;
  }
  // Only the plain SYN got through: the one with data was lost, by chance or by somebody's will.
  if (c.synRetries > 0 && !gotCookie && refused) {
    noteSynLoss(metrics, c.tcp.nowUs);
    return;
  }
  metrics.losses = 0;
  if (c.synRetries === 0 && !gotCookie && !sentData && metrics.cookie.length === 0) {
    // Asked and not answered: the other kind of option next time, then no more than that.
    metrics.tried = Math.max(metrics.tried, c.cookieExperimental ? 2 : 1);
  }
}
