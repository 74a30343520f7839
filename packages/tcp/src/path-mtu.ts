import type { Connection } from './connection.ts';
import { retransmitWithoutBlame } from './non-congestion-loss.ts';
import { SEG_FIN } from './retransmit-queue.ts';

/** Linux's floor for what ICMP may say [min_pmtu]; a smaller figure is an attack or an error (RFC 5927 section 7). */
export const MIN_PATH_MTU = 552;

/** RFC 1191 section 7.1: plateaus for routers that do not say their MTU. */
const PLATEAUS = [32000, 17914, 8166, 4352, 2002, 1492, 1006, 552];

/**
 * The MTU that an ICMP "fragmentation needed" asks for.
 * @param mtu as reported, 0 by an old router. @param totalLength of the packet that was too large.
 */
export function reportedMtu(mtu: number, totalLength: number): number {
  if (mtu === 0) mtu = PLATEAUS.find((plateau) => plateau < totalLength) ?? MIN_PATH_MTU;
  return Math.max(mtu, MIN_PATH_MTU);
}

/**
 * The path takes less than was thought: what is in flight and too large is sent again in smaller pieces, at once and
 * without a word to congestion control (RFC 1191 section 6.5), as no more data than before is in the network.
 */
export function mtuReduced(c: Connection): void {
  const before = c.mss;
  c.updateMss();
  if (c.mss >= before) return;
  const { rtx } = c;
  let lost = false;
  for (let i = rtx.head; i < rtx.tail; i++) {
    const bytes = rtx.len[i]! - (rtx.flags[i]! & SEG_FIN ? 1 : 0);
    if (bytes > c.mss && !rtx.isSacked(i)) {
      rtx.markLostAgain(i);
      lost = true;
    }
  }
  if (lost) retransmitWithoutBlame(c);
}
