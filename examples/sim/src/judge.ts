import { NEVER } from '@qanat/clock';
import type { Application } from './application.ts';
import type { Scenario } from './scenario.ts';

/** Errors of a network that did not deliver for a while. */
const WEATHER_ERRORS = ['ETIMEDOUT', 'EHOSTUNREACH'];
/** Errors that the peer's stack makes. */
const PEER_ERRORS = ['ECONNRESET', 'ECONNREFUSED'];

/** @returns what is wrong with the error that an application was told of, or undefined. */
export function judgeError(application: Application, scenario: Scenario): string | undefined {
  const { error, peer, name } = application;
  if (error === undefined) return undefined;
  if (PEER_ERRORS.includes(error)) {
    // A handshake that the peer's stack gave up, of which its application never heard.
    const halfOpen = peer.flow === undefined && scenario.disturbances.length > 0;
    if (halfOpen || peer.goneUs <= application.errorUs) return undefined;
    return `${name} was told ${error}, its peer did nothing of the kind`;
  }
  if (WEATHER_ERRORS.includes(error)) {
    const peerGone = peer.goneUs < application.errorUs;
    const explained = scenario.disturbances.length > 0 || isImpatient(application) || isImpatient(peer) || peerGone;
    return explained ? undefined : `${name} was told ${error} on a link that lost nothing`;
  }
  return `${name} was told ${error}`;
}

/** Whether an end gives up so early that waiting in a queue may do. */
function isImpatient({ spec: { tcp } }: Application): boolean {
  return (tcp.userTimeoutUs ?? 0) > 0 || (tcp.retries2 ?? 15) < 10 || tcp.keepAlive === true;
}

/**
 * Whether an end may wait for ever by the rules of TCP: its peer has gone, the news of that was lost, and it has
 * nothing to send which would be answered with a reset.
 */
export function isStrandable(application: Application): boolean {
  const { flow, peer } = application;
  if (flow === undefined || (peer.goneUs === NEVER && peer.flow !== undefined)) return false;
  const { state } = flow;
  return flow.unacknowledged === 0 && (state === 'ESTABLISHED' || state === 'FIN-WAIT-2');
}
