import type { Connection } from './connection.ts';

/** Loss-based congestion control is paced at these multiples of cwnd / SRTT [tcp_pacing_ss_ratio, tcp_pacing_ca_ratio]. */
const SLOW_START_GAIN = 2;
const AVOIDANCE_GAIN = 1.2;
/** A burst is what the rate gives in this time, at least two segments, at most 64 KB (draft-ietf-ccwg-bbr-06 5.6.3). */
const QUANTUM_US = 1000;
const MAX_QUANTUM_BYTES = 65536;
/** Shorter round trips are a burst or two: a window is not spread over them, and no timer is set. */
const LEAST_RTT_US = 2 * QUANTUM_US;
/**
 * The first segments of a connection are not paced, as in Linux: a short answer goes at once. Neither are windows that
 * are no larger: so much may be a burst (RFC 6928).
 */
const UNPACED_SEGMENTS = 10;
/** A host's timer that comes late is made good for, up to this. */
const CATCH_UP_US = 2000;

/** Whether the connection is to be paced at all; after a change of configuration or congestion control. */
export function startPacing(c: Connection): void {
  const { config, model } = c;
  c.paced = config.pacing || model !== undefined || config.maxPacingBytesPerSecond !== Number.POSITIVE_INFINITY;
  c.paceHeld = false;
  c.paceWaited = false;
  if (c.paced) updatePacing(c);
}

/** The most that is sent at once, in bytes, at `rate` bytes per second. */
export function sendQuantum(rate: number, mss: number): number {
  return Math.max(Math.min((rate * QUANTUM_US) / 1e6, MAX_QUANTUM_BYTES), 2 * mss);
}

/** Bytes per second: what congestion control says, within what the application allows; Infinity: no limit. */
export function pacingRate(c: Connection): number {
  const rate = c.model !== undefined ? c.model.pacingRate : windowRate(c);
  return Math.min(rate, c.config.maxPacingBytesPerSecond);
}

/** Linux's rate for a window: a little more than it, so that the window stays the limit. */
function windowRate(c: Connection): number {
  const { srttUs } = c.rtt;
  if (srttUs <= 0) return Number.POSITIVE_INFINITY;
  const gain = c.cwnd < c.ssthresh / 2 ? SLOW_START_GAIN : AVOIDANCE_GAIN;
  return (gain * Math.max(c.cwnd, c.rtx.packetsOut) * c.mss * 1e6) / srttUs;
}

/** Takes over the rate that the last acknowledgment led to; a round trip that is found to be short ends pacing. */
export function updatePacing(c: Connection): void {
  const { model, config, rtt } = c;
  const byWindow = model === undefined && config.maxPacingBytesPerSecond === Number.POSITIVE_INFINITY;
  if (byWindow && rtt.minRttUs < LEAST_RTT_US) {
    c.paced = false;
    c.paceHeld = false;
    c.paceWaited = false;
    c.paceUsPerByte = 0;
    return;
  }
  const small = byWindow && c.maxSndWnd <= UNPACED_SEGMENTS * c.mss;
  const rate = small ? Number.POSITIVE_INFINITY : pacingRate(c);
  if (rate === Number.POSITIVE_INFINITY) {
    c.paceUsPerByte = 0;
    c.paceQuantumUs = 0;
    return;
  }
  c.paceUsPerByte = 1e6 / rate;
  c.paceQuantumUs = sendQuantum(rate, c.mss) * c.paceUsPerByte;
}

/** Whether the next segment has to wait until `paceAtUs`: a whole burst is sent and its time not yet over. */
export function paceHolds(c: Connection): boolean {
  const aheadUs = c.paceAtUs - c.tcp.nowUs;
  return aheadUs > 0 && aheadUs >= c.paceQuantumUs;
}

/** `bytes` of payload went out: notes when they will have been paid for. */
export function paceSent(c: Connection, bytes: number): void {
  if (c.dataSegsOut < UNPACED_SEGMENTS) return;
  const { nowUs } = c.tcp;
  const earliest = c.paceWaited ? nowUs - CATCH_UP_US : nowUs;
  c.paceAtUs = Math.max(c.paceAtUs, earliest) + bytes * c.paceUsPerByte;
}
