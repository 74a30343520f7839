import { NEVER } from '@qanat/clock';
import type { Connection } from './connection.ts';

/** Whether R2, or the user timeout (RFC 5482), is passed. Call once per timeout. */
export function givenUp(c: Connection): boolean {
  const nowUs = c.tcp.nowUs;
  if (c.stalledSinceUs === NEVER) c.stalledSinceUs = nowUs - c.rtt.rtoUs;
  const { userTimeoutUs, retries2, orphanRetries } = c.config;
  // Nobody waits for the outcome: a peer that only keeps its window closed shall not hold the memory for ever.
  if (c.orphaned && c.backoff >= orphanRetries) return true;
  if (userTimeoutUs > 0) return nowUs - c.stalledSinceUs >= userTimeoutUs;
  return c.retries >= retries2;
}
