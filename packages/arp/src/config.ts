/** Every tunable of address resolution. Times in microseconds. */
export interface ArpConfig {
  /** Neighbours that we talk to. Linux gc_thresh3. */
  readonly maxEntries: number;
  /** Neighbours that asked for us and that we never sent to; kept apart, so that a flood of requests evicts nobody. */
  readonly maxLearned: number;
  /** Next hops that are being asked for, or have failed just now. */
  readonly maxWaiting: number;
  /** How long a proof of reachability holds; each entry draws 0.5 to 1.5 of it. Linux base_reachable_time (30 s). */
  readonly reachableUs: number;
  /** An entry nobody looks up is forgotten after this. Linux gc_stale_time is 60 s; RFC 1122 section 2.3.2.1. */
  readonly forgetUs: number;
  /** How long a flow may prove a stale entry right before ARP asks. Linux delay_first_probe_time (5 s). */
  readonly delayUs: number;
  /** Between two requests to one address; RFC 1122 section 2.3.2.1 allows one a second. Linux retrans_time. */
  readonly retryUs: number;
  /** Broadcast requests before a next hop counts as unreachable. Linux mcast_solicit. */
  readonly broadcastTries: number;
  /** Unicast requests that refresh an entry in use, before broadcasts. Linux ucast_solicit. */
  readonly unicastTries: number;
  /** For how long a failed next hop is answered with "unreachable" at once. As long as a retry would take. */
  readonly failedUs: number;
  /** A MAC that has just changed does not change again within this time. Linux locktime (1 s). */
  readonly lockUs: number;
  /** Packets that wait for one next hop; the oldest is dropped. (RFC 1122 section 2.3.2.2 asks for at least one.) */
  readonly maxPendingPerEntry: number;
  /** Packets that wait in all; the longest queue loses its oldest. */
  readonly maxPending: number;
  /** Probe for the address before using it (RFC 5227 section 2.1). Off, as in Linux: a guest shall be up at once. */
  readonly probe: boolean;
  /** What to do when another host keeps using our address: RFC 5227 section 2.4 (b) or (c). */
  readonly defence: 'give-up' | 'defend';
  /** RFC 5227 section 1.1: PROBE_WAIT. */
  readonly probeWaitUs: number;
  /** PROBE_NUM. */
  readonly probeCount: number;
  /** PROBE_MIN. */
  readonly probeMinUs: number;
  /** PROBE_MAX. */
  readonly probeMaxUs: number;
  /** ANNOUNCE_WAIT. */
  readonly announceWaitUs: number;
  /** ANNOUNCE_NUM. */
  readonly announceCount: number;
  /** ANNOUNCE_INTERVAL. */
  readonly announceIntervalUs: number;
  /** DEFEND_INTERVAL. */
  readonly defendIntervalUs: number;
}

export const ARP_DEFAULTS: ArpConfig = {
  maxEntries: 1024,
  maxLearned: 256,
  maxWaiting: 256,
  reachableUs: 30_000_000,
  forgetUs: 60_000_000,
  delayUs: 5_000_000,
  retryUs: 1_000_000,
  broadcastTries: 3,
  unicastTries: 3,
  failedUs: 1_000_000,
  lockUs: 1_000_000,
  maxPendingPerEntry: 16,
  maxPending: 64,
  probe: false,
  defence: 'defend',
  probeWaitUs: 1_000_000,
  probeCount: 3,
  probeMinUs: 1_000_000,
  probeMaxUs: 2_000_000,
  announceWaitUs: 2_000_000,
  announceCount: 2,
  announceIntervalUs: 2_000_000,
  defendIntervalUs: 10_000_000,
};
