import { CONSTANTS } from '../constants.ts';

const C = CONSTANTS as Readonly<Record<string, number>>;
export const POLL_READ = C['POLLIN']! | C['POLLRDNORM']!;
export const POLL_WRITE = C['POLLOUT']! | C['POLLWRNORM']!;
const POLLERR = C['POLLERR']!;
const POLLHUP = C['POLLHUP']!;
const POLLRDHUP = C['POLLRDHUP']!;

/** Of a socket that never had a connection. */
export const FRESH_MASK = POLLHUP | POLL_WRITE;

/** What readiness depends on. */
export interface ConnectionReadiness {
  /** An error waits to be told. */
  readonly error: boolean;
  /** The connection is over. */
  readonly closed: boolean;
  readonly connected: boolean;
  /** Nothing more will come in: the peer's FIN, or shutdown(SHUT_RD). */
  readonly readEnd: boolean;
  readonly writeEnd: boolean;
  readonly readable: boolean;
  readonly writable: boolean;
}

/** POLL* bits of a TCP socket, as Linux's tcp_poll gives them. */
export function connectionMask(r: ConnectionReadiness): number {
  const error = r.error ? POLLERR : 0;
  if (r.closed) return error | POLLHUP | POLL_WRITE | POLL_READ | POLLRDHUP;
  if (!r.connected) return error;
  let mask = error;
  if (r.readEnd && r.writeEnd) mask |= POLLHUP;
  if (r.readEnd) mask |= POLLRDHUP;
  if (r.readEnd || r.readable) mask |= POLL_READ;
  if (r.writeEnd || r.writable) mask |= POLL_WRITE;
  return mask;
}
