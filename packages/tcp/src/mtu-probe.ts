import type { Connection } from './connection.ts';
import { count } from './counters.ts';
import { MtuProbe } from './mtu-state.ts';
import { TIMESTAMPS_BYTES } from './options.ts';
import { seqDiff, seqGeq } from './seq.ts';
import { CA_OPEN } from './state.ts';
import { HEADERS_BYTES } from './wire.ts';

/** The search ends when it is this close [tcp_probe_threshold]. */
const SEARCH_THRESHOLD_BYTES = 8;
/** A failed or finished search is taken up again after this [tcp_probe_interval]. */
const SEARCH_AGAIN_US = 600_000_000;
/** The window must bear the loss of a probe. */
const LEAST_CWND = 11;
/** Timeouts in a row that look like a black hole [tcp_retries1]. */
const BLACK_HOLE_TIMEOUTS = 3;
const LEAST_MSS = 48;

/** Packet size of a segment with `mss` bytes of payload. */
function packetBytes(c: Connection, mss: number): number {
  return mss + HEADERS_BYTES + (c.timestampsOk ? TIMESTAMPS_BYTES : 0);
}

/** Payload of a packet of `bytes`. */
export function payloadOf(c: Connection, bytes: number): number {
  return bytes - HEADERS_BYTES - (c.timestampsOk ? TIMESTAMPS_BYTES : 0);
}

/** The connection is established: the search begins at the configured base. */
export function startMtuProbing(c: Connection): void {
  const { mtuProbing, baseMss } = c.config;
  if (mtuProbing === 'off') return;
  const high = Math.min(c.pathMtu, c.peerMss + HEADERS_BYTES);
  c.mtuProbe = new MtuProbe(mtuProbing === 'always', baseMss + HEADERS_BYTES, high);
  c.updateMss();
}

/**
 * The size of the probe to send now, as payload bytes, or 0: there must be no loss about, a window that bears one, and
 * data behind the probe that would show its loss by duplicates (RFC 4821 section 7.4).
 */
export function probeBytes(c: Connection): number {
  const probe = c.mtuProbe;
  if (probe === undefined || !probe.enabled || probe.size > 0) return 0;
  if (c.caState !== CA_OPEN || c.rtx.sackedOut > 0) return 0;
  // Below the base after a suspicion, a window of small segments is soon too small for everything else.
  const small = probe.searchLow < c.config.baseMss + HEADERS_BYTES;
  if (c.cwnd < (small ? c.config.dupThresh + 2 : LEAST_CWND)) return 0;
  const nowUs = c.tcp.nowUs;
  if (probe.searchHigh - probe.searchLow < SEARCH_THRESHOLD_BYTES) {
    if (nowUs - probe.doneUs < SEARCH_AGAIN_US) return 0;
    probe.searchHigh = Math.min(c.pathMtu, c.peerMss + HEADERS_BYTES);
    probe.doneUs = nowUs;
    if (probe.searchHigh - probe.searchLow < SEARCH_THRESHOLD_BYTES) return 0;
  }
  const size = (probe.searchLow + probe.searchHigh + 1) >>> 1;
  const bytes = payloadOf(c, size);
  const needed = bytes + (c.config.dupThresh + 1) * c.mss;
  if (seqDiff(c.snd.end, c.sndNxt) < needed) return 0;
  if (seqDiff((c.sndUna + c.sndWnd) | 0, c.sndNxt) < needed) return 0;
  if (c.rtx.inFlight + 2 > c.cwnd) return 0;
  return bytes > c.mss ? bytes : 0;
}

/** A probe of `bytes` payload went out at `seq`. */
export function probeSent(c: Connection, seq: number, bytes: number): void {
  const probe = c.mtuProbe!;
  probe.size = packetBytes(c, bytes);
  probe.startSeq = seq;
  probe.endSeq = (seq + bytes) | 0;
  count(c, 'TCPMTUPProbes');
}

/** SND.UNA moved: was the probe delivered? */
export function probeDelivered(c: Connection): void {
  const probe = c.mtuProbe;
  if (probe === undefined || probe.size === 0 || !seqGeq(c.sndUna, probe.endSeq)) return;
  probe.searchLow = probe.size;
  probe.size = 0;
  probe.doneUs = c.tcp.nowUs;
  count(c, 'TCPMTUPSuccess');
  c.updateMss();
}

/**
 * A loss begins. @returns true when it is the probe that was lost: that says something of the MTU and nothing of
 * congestion (RFC 4821 section 7.5).
 */
export function probeLost(c: Connection): boolean {
  const probe = c.mtuProbe;
  if (probe === undefined || probe.size === 0) return false;
  const alone = c.sndUna === probe.startSeq;
  if (alone) {
    probe.searchHigh = probe.size - 1;
    count(c, 'TCPMTUPFail');
  }
  probe.size = 0;
  probe.doneUs = c.tcp.nowUs;
  return alone;
}

/** Timeouts in a row: the path may be a black hole for large packets. Halves towards the base. */
export function suspectBlackHole(c: Connection): void {
  const { config, tcp } = c;
  if (config.mtuProbing === 'off' || c.retries < BLACK_HOLE_TIMEOUTS) return;
  const probe = c.mtuProbe;
  if (probe === undefined) return;
  if (probe.trustedLow === 0) {
    probe.trustedLow = probe.searchLow;
    probe.trustedEnabled = probe.enabled;
  }
  if (!probe.enabled) {
    probe.enabled = true;
    probe.doneUs = tcp.nowUs;
  } else {
    const mss = Math.max(Math.min(config.baseMss, payloadOf(c, probe.searchLow) >> 1), LEAST_MSS);
    probe.searchLow = packetBytes(c, mss);
  }
  probe.size = 0;
  c.updateMss();
}

/** The timeouts are over. @param spurious what was taken for lost arrived, large as it was: there is no black hole. */
export function settleSuspicion(c: Connection, spurious: boolean): void {
  const probe = c.mtuProbe;
  if (probe === undefined || probe.trustedLow === 0) return;
  if (spurious) {
    probe.searchLow = Math.max(probe.searchLow, probe.trustedLow);
    probe.enabled = probe.trustedEnabled;
    c.updateMss();
  }
  probe.trustedLow = 0;
}
