/** Counters of one ARP instance; they only grow. */
export interface ArpStats {
  received: number;
  malformed: number;
  /** Packets with our own MAC as sender: a loop in the link. */
  own: number;
  requestsSent: number;
  repliesSent: number;
  /** Probes and announcements of our own address. */
  claimsSent: number;
  /** Entries that got the MAC they waited for. */
  resolved: number;
  /** Entries made because their owner asked for us. */
  learned: number;
  /** MACs that changed. */
  changed: number;
  /** Changes refused because the MAC had just changed. */
  locked: number;
  /** Next hops that did not answer. */
  failed: number;
  /** Packets that claimed our address. */
  conflicts: number;
  pendingQueued: number;
  pendingSent: number;
  pendingDropped: number;
}

export function newArpStats(): ArpStats {
  return {
    received: 0,
    malformed: 0,
    own: 0,
    requestsSent: 0,
    repliesSent: 0,
    claimsSent: 0,
    resolved: 0,
    learned: 0,
    changed: 0,
    locked: 0,
    failed: 0,
    conflicts: 0,
    pendingQueued: 0,
    pendingSent: 0,
    pendingDropped: 0,
  };
}
