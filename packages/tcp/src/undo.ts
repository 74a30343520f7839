import type { Connection } from './connection.ts';
import { SEEN_UNDO, UNDONE_DSACK, UNDONE_EIFEL } from './observer.ts';
import type { Segment } from './segment.ts';

/**
 * Undoing a window reduction that was needless: D-SACK says that every retransmission was a duplicate (RFC 3708), or
 * the echoed timestamp that the original arrived (Eifel, RFC 3522 and RFC 4015).
 */

/** Remembers what is to be restored; at the start of a recovery or a timeout. */
export function rememberForUndo(c: Connection): void {
  c.undoCwnd = c.cwnd;
  c.undoSsthresh = c.ssthresh;
}

/** Begins to count retransmissions from SND.UNA. */
export function startUndo(c: Connection): void {
  c.undoPossible = true;
  c.undoMarker = c.sndUna;
  // -1: nothing retransmitted yet, so there is nothing whose duplicates could be counted down to zero.
  c.undoRetrans = c.rtx.retransOut > 0 ? c.rtx.retransOut : -1;
}

export function noteRetransmission(c: Connection, tsVal: number): void {
  if (c.undoRetrans < 0) c.undoRetrans = 0;
  c.undoRetrans++;
  if (!c.retransStamped) {
    c.retransStamped = true;
    c.retransStamp = tsVal;
  }
}

/** Eifel detection: the segment echoes a timestamp from before the first retransmission. */
export function wasDelayed(c: Connection, segment: Segment): boolean {
  const { options } = segment;
  return (
    c.retransStamped &&
    c.timestampsOk &&
    options.hasTimestamps &&
    options.tsEcr !== 0 &&
    ((options.tsEcr - c.retransStamp) | 0) < 0
  );
}

export function mayUndo(c: Connection, segment: Segment): boolean {
  return c.undoPossible && (c.undoRetrans === 0 || wasDelayed(c, segment));
}

/**
 * Restores cwnd and ssthresh. @param unmark the loss marks were wrong too.
 * @param reason what told so (UNDONE_*), for an observer.
 */
export function undo(c: Connection, unmark: boolean, reason = c.undoRetrans === 0 ? UNDONE_DSACK : UNDONE_EIFEL): void {
  if (unmark) {
    c.rtx.clearLost();
    c.lossMarked = c.sndUna;
  }
  if (c.undoCwnd > 0 && c.config.congestion !== 'none') {
    c.cwnd = Math.max(c.cwnd, c.undoCwnd);
    if (c.undoSsthresh > c.ssthresh) c.ssthresh = c.undoSsthresh;
    c.cc.onUndo(c);
  }
  c.undoPossible = false;
  // The next episode is judged by its own first retransmission.
  if (c.rtx.retransOut === 0) c.retransStamped = false;
  c.ecnReduced = false;
  c.cwndLimited = true;
  if (c.observer !== undefined) c.observer.happened(c.tcp.stampMark(), SEEN_UNDO, reason, c.cwnd * c.mss);
}
