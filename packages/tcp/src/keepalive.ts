import { NEVER } from '@qanat/clock';
import { abort } from './close.ts';
import type { Connection } from './connection.ts';
import { count } from './counters.ts';
import { sendProbe } from './segment-output.ts';

/** Arms keepalive (off by default, RFC 9293 section 3.8.4) when the connection is established or heard from. */
export function armKeepAlive(c: Connection): void {
  if (!c.config.keepAlive) return;
  c.keepAliveSent = 0;
  c.keepAliveAtUs = c.tcp.nowUs + c.config.keepAliveIdleUs;
}

/** The keepalive timer: probes an idle peer, gives up after `keepAliveProbes` without an answer (MUST-26). */
export function keepAliveTimer(c: Connection): void {
  const { config } = c;
  const idleUs = c.tcp.nowUs - c.lastReceivedUs;
  if (c.rtx.packetsOut > 0 || c.persisting) {
    c.keepAliveAtUs = c.tcp.nowUs + config.keepAliveIdleUs;
    return;
  }
  if (idleUs < config.keepAliveIdleUs) {
    c.keepAliveSent = 0;
    c.keepAliveAtUs = c.lastReceivedUs + config.keepAliveIdleUs;
    return;
  }
  if (c.keepAliveSent >= config.keepAliveProbes) {
    c.keepAliveAtUs = NEVER;
    abort(c, c.softError ?? 'ETIMEDOUT', true);
    return;
  }
  c.keepAliveSent++;
  count(c, 'TCPKeepAlive');
  sendProbe(c);
  c.keepAliveAtUs = c.tcp.nowUs + config.keepAliveIntervalUs;
}
