import { Timer } from '@qanat/clock';

/** Evicted, expired or flushed: whoever still holds the entry must look up again. */
export const ARP_FORGOTTEN = 0;
/** Being asked for by broadcast; there is no MAC. */
export const ARP_INCOMPLETE = 1;
/** Proved to be there not long ago. */
export const ARP_REACHABLE = 2;
/** The MAC is probably right; the next look-up makes sure of it. */
export const ARP_STALE = 3;
/** In use while a flow's progress or, later, unicast requests make sure of it (Linux: DELAY and PROBE). */
export const ARP_PROBE = 4;
/** Did not answer. */
export const ARP_FAILED = 5;

export const ARP_STATE_NAMES: readonly string[] = ['FORGOTTEN', 'INCOMPLETE', 'REACHABLE', 'STALE', 'PROBE', 'FAILED'];

/**
 * A neighbour. A flow may keep the entry that `Arp.lookup` gave it and send by `macHi`/`macLo` as long as `valid`
 * holds, without a hash look-up per packet; when it does not, it looks up again (an entry that merely became stale
 * comes back at once). `generation` changes with the MAC, for those who keep a finished header.
 */
export class ArpEntry {
  readonly ip: number;
  macHi = 0;
  macLo = 0;
  valid = false;
  generation = 0;
  state = ARP_INCOMPLETE;
  /** Requests sent in this state. */
  tries = 0;
  /** Last proof that the neighbour hears us. */
  confirmedUs = Number.NEGATIVE_INFINITY;
  /** When ARP_PROBE began. */
  probeSinceUs = Number.NEGATIVE_INFINITY;
  /** When the MAC was learned or changed. */
  updatedUs = Number.NEGATIVE_INFINITY;
  /** This entry's draw of `reachableUs`. */
  reachableUs = 0;
  /** Packets waiting, as a list in the PendingPool; -1 none. */
  pendingHead = -1;
  pendingTail = -1;
  pendingCount = 0;
  readonly timer: Timer;

  constructor(ip: number, onDue: (entry: ArpEntry, nowUs: number) => void) {
    this.ip = ip;
    this.timer = new Timer((nowUs) => onDue(this, nowUs));
  }
}
