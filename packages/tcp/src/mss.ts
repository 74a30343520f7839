import type { Connection } from './connection.ts';
import { TIMESTAMPS_BYTES } from './options.ts';
import { HEADERS_BYTES } from './wire.ts';

/** Larger windows than this are not cut into equal segments: the rest of one is small against them. */
const EVEN_WINDOW_BYTES = 32_768;

/**
 * Eff.snd.MSS (RFC 9293 section 3.7.1): the least of what the peer takes, what the path carries and what was
 * configured, less the options that every segment carries; and at most half of the largest window the peer has
 * offered, so that small windows do not stop the flow (the peer's whole window where that is below 536). A window of
 * few segments is cut into equal ones: silly-window avoidance would leave what remains of it unused.
 */
export function effectiveMss(c: Connection): number {
  let mss = Math.min(c.peerMss, c.pathMtu - HEADERS_BYTES);
  if (c.config.mss > 0 && c.config.mss < mss) mss = c.config.mss;
  const probe = c.mtuProbe;
  if (probe?.enabled === true && probe.searchLow - HEADERS_BYTES < mss) mss = probe.searchLow - HEADERS_BYTES;
  if (c.timestampsOk) mss -= TIMESTAMPS_BYTES;
  const window = c.maxSndWnd;
  if (window > 0 && window <= EVEN_WINDOW_BYTES) {
    const segments = Math.max(Math.ceil(window / mss), window > 536 ? 2 : 1);
    mss = Math.floor(window / segments);
  }
  return mss > 0 ? mss : 1;
}
