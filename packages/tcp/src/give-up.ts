import { NEVER } from '@qanat/clock';
import type { Connection } from './connection.ts';
import { EVENT_TROUBLE } from './context.ts';
import type { TcpErrorCode } from './state.ts';

/** Notes a retransmission that a timeout caused, the `retries`-th of the segment: R1 (RFC 9293 section 3.8.3). */
export function noteRetry(c: Connection, retries: number): void {
  if (retries < c.config.retries1) return;
  c.path.doubt();
  if (retries === c.config.retries1) reportTrouble(c, c.softError ?? 'ETIMEDOUT');
}

/** Tells the user of an error that does not end the connection. */
export function reportTrouble(c: Connection, code: TcpErrorCode): void {
  if (c.orphaned) return;
  c.trouble = code;
  c.raise(EVENT_TROUBLE);
}

/**
 * Whether R2, or the user timeout (RFC 5482), is passed. Call once per timeout.
 * @param probing whether it is a closed window that is being probed, nothing is in flight.
 */
export function givenUp(c: Connection, probing: boolean): boolean {
  const nowUs = c.tcp.nowUs;
  if (c.stalledSinceUs === NEVER) c.stalledSinceUs = nowUs - c.rtt.rtoUs;
  const { userTimeoutUs, retries2, orphanRetries } = c.config;
  // Nobody waits for the outcome: a peer that only keeps its window closed shall not hold the memory for ever. One that
  // answers probes has until they are as far apart as they get (Linux: tcp_probe_timer).
  if (c.orphaned && c.backoff >= orphanRetries && (!probing || c.rtoUs >= c.config.maxRtoUs)) return true;
  if (userTimeoutUs > 0) return nowUs - c.stalledSinceUs >= userTimeoutUs;
  return c.retries >= retries2;
}
