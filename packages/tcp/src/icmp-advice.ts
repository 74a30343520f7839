import { abort } from './close.ts';
import type { Connection } from './connection.ts';
import { reportTrouble } from './give-up.ts';
import { SYN_RECEIVED, SYN_SENT, type TcpErrorCode } from './state.ts';

/** An ICMP error about something that the connection has in flight. @param hard whether it says that it cannot be. */
export function adviceArrives(c: Connection, code: TcpErrorCode, hard: boolean): void {
  c.softError = code;
  // A connection that is being opened fails at once, as Linux does; an established one survives soft errors (MUST-56),
  // and hard ones too (RFC 5927 section 5: ICMP is not authenticated).
  // Half-open connections of a listener go by net and host unreachable too, as there: the peer asks again.
  const unreachable = code === 'EHOSTUNREACH' || code === 'ENETUNREACH';
  const halfOpen = c.state === SYN_RECEIVED && !c.fastOpen && (hard || (c.parent !== undefined && unreachable));
  if (c.state === SYN_SENT || halfOpen) abort(c, code, false);
  else reportTrouble(c, code);
}
