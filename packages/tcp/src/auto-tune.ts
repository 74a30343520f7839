import type { Connection } from './connection.ts';
import { seqDiff } from './seq.ts';

/** What a send buffer begins with [tcp_wmem's default, as Linux accounts it]. */
const INITIAL_SNDBUF = 87_380;
/** What a receive window may be before the application has shown how fast it reads [tcp_rmem's default]. */
const INITIAL_RCVBUF = 131_072;

/** Of the send buffer: what a flow without anything to send is woken for. */
const STARVING_PARTS = 256;

/** The limits in force at the start of a connection. */
export function initialRcvLimit(c: Connection): number {
  return c.config.autoTune ? Math.min(INITIAL_RCVBUF, c.rcv.limit) : c.rcv.limit;
}

/**
 * Dynamic right-sizing of the receive window (as Linux does): an application that reads much in a round trip gets a
 * window of twice that and room for the sender's growth, up to the configured buffer. One that does not read gets none.
 */
export function tuneReceive(c: Connection, bytes: number): void {
  if (!c.config.autoTune) return;
  c.rcvCopied += bytes;
  const nowUs = c.tcp.nowUs;
  const rttUs = c.rtt.srttUs;
  if (rttUs === 0 || nowUs - c.rcvSpaceSinceUs < rttUs) return;
  const copied = c.rcvCopied;
  c.rcvCopied = 0;
  c.rcvSpaceSinceUs = nowUs;
  if (copied <= c.rcvSpace) return;
  // Twice what was read, 16 segments of slack, and as much again as the sender has grown since the last round.
  let window = 2 * copied + 16 * c.rcvMss;
  if (c.rcvSpace > 0) window += (window * (copied - c.rcvSpace)) / c.rcvSpace;
  c.rcvSpace = copied;
  if (window > c.rcvClamp) c.rcvClamp = Math.min(Math.ceil(window), c.rcv.limit);
}

/** Bytes that the send queue may hold now: twice the congestion window, at least what it began with. */
export function sndLimit(c: Connection): number {
  const { limit } = c.snd;
  if (!c.config.autoTune) return limit;
  return Math.min(limit, Math.max(INITIAL_SNDBUF, 2 * c.cwnd * c.mss));
}

/** Room in the send queue. */
export function sndFree(c: Connection): number {
  return Math.max(0, sndLimit(c) - c.snd.occupied);
}

/**
 * Whether the application is worth telling: a third of the buffer is free and little is unsent (tcp_notsent_lowat). A
 * paced flow that has nothing left to send is told sooner, or the part of the buffer that is free would be missing from
 * each round trip: its acknowledgments come one by one, not in bursts that free a third at once.
 */
export function worthWriting(c: Connection): boolean {
  const free = sndFree(c);
  const limit = sndLimit(c);
  const unsent = seqDiff(c.snd.end, c.sndNxt);
  if (unsent * 2 >= c.config.notsentLowat) return false;
  return free * 3 >= limit || (c.paceUsPerByte > 0 && unsent < c.mss && free * STARVING_PARTS >= limit);
}
