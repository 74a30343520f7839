import type { Connection } from './connection.ts';

/** Proportional Rate Reduction, RFC 6937 with the slow start reduction bound as Linux has it. */
export function startReduction(c: Connection): void {
  c.prrDelivered = 0;
  c.prrOut = 0;
  c.priorCwnd = c.cwnd;
}

/**
 * Sets cwnd for an acknowledgment during recovery.
 * @param delivered segments newly acknowledged or SACKed. @param newlyLost segments newly deemed lost.
 * @param advanced whether SND.UNA moved.
 */
export function reduce(c: Connection, delivered: number, newlyLost: number, advanced: boolean): void {
  if (delivered <= 0 || c.priorCwnd === 0 || c.config.congestion === 'none') return;
  const inFlight = c.rtx.inFlight;
  const delta = c.ssthresh - inFlight;
  c.prrDelivered += delivered;
  let send: number;
  if (delta < 0) {
    send = Math.ceil((c.ssthresh * c.prrDelivered) / c.priorCwnd) - c.prrOut;
  } else {
    send = Math.max(c.prrDelivered - c.prrOut, delivered);
    if (advanced && newlyLost === 0) send++;
    if (send > delta) send = delta;
  }
  // Always allowed: the first retransmission of a recovery, and without SACK that of a hole which a partial
  // acknowledgment shows (RFC 6582 section 3.2, step 3).
  const least = c.prrOut === 0 || (!c.sackOk && advanced && newlyLost > 0) ? 1 : 0;
  c.cwnd = inFlight + Math.max(send, least);
}

/** The reduction is complete. A model has set cwnd all along. */
export function endReduction(c: Connection): void {
  if (c.model === undefined && c.config.congestion !== 'none') c.cwnd = c.ssthresh;
}
