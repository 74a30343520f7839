import type { Connection } from './connection.ts';
import type { Segment } from './segment.ts';
import { seqDiff, seqGeq } from './seq.ts';

/** Beyond this many milliseconds an echoed timestamp says nothing about the path. */
const MOST_MS = 600_000;

/**
 * The round trip as a receiver can see it that sends no data itself (Linux: tcp_rcv_rtt_measure): by the timestamp that
 * a full segment echoes, else by the time in which a window of data comes.
 */
export function measureAsReceiver(c: Connection, segment: Segment): void {
  const { options } = segment;
  if (!c.timestampsOk || !options.hasTimestamps) measureByWindow(c);
  else if (options.tsEcr !== c.rcvRttEcr && segment.bytes >= c.rcvMss) measureByEcho(c, options.tsEcr);
}

function measureByEcho(c: Connection, tsEcr: number): void {
  c.rcvRttEcr = tsEcr;
  const ms = (c.tcp.nowMs + c.tsOffset - tsEcr) | 0;
  if (ms >= 0 && ms < MOST_MS) smooth(c, Math.max(ms, 1) * 1000);
}

function measureByWindow(c: Connection): void {
  const { nowUs } = c.tcp;
  if (c.rcvRttSinceUs !== 0) {
    if (!seqGeq(c.rcvNxt, c.rcvRttSeq)) return;
    const us = Math.max(nowUs - c.rcvRttSinceUs, 1);
    // A sender that does not fill the window makes it look long: only what is shorter counts.
    if (c.rcvRttUs === 0 || us < c.rcvRttUs) c.rcvRttUs = us;
  }
  c.rcvRttSeq = (c.rcvNxt + Math.max(seqDiff(c.rcvAdv, c.rcvNxt), 1)) | 0;
  c.rcvRttSinceUs = nowUs;
}

function smooth(c: Connection, us: number): void {
  if (c.rcvRttUs === 0) c.rcvRttUs = us;
  else c.rcvRttUs += (us - c.rcvRttUs) / 8;
}
