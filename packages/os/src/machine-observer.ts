/**
 * What a recorder may see of a domain, its rings and its bridge. Kernel and drivers call it and never look at what comes back;
 * numbers only, so that watching costs no allocation.
 */
export interface MachineObserver {
  /** The domain goes to sleep. @param deadlineUs NEVER when it waits for events alone. */
  sleeps(nowUs: number, deadlineUs: number): void;
  /** It woke. @param port an event that is pending, -1 when none is. @param portKind PORT_*. */
  wakes(nowUs: number, port: number, portKind: number): void;
  /** The sleep auditor found work left. */
  sleepFault(nowUs: number, fault: string): void;
  /**
   * Slots of a ring were published.
   * @param ring WATCHED_TX or WATCHED_RX. @param occupancy see `docs/FLOWLOG.md`. @param number vif << 8 | queue.
   */
  pushed(ring: number, occupancy: number, number: number): void;
  /** Slots of a frontend's ring are taken off it. */
  reaped(ring: number, occupancy: number, number: number): void;
  /** The other end was notified, or had not asked for it. */
  notified(port: number, sent: boolean): void;
  /** The queue of a port of the bridge changed. @param vif domain << 8 | device. */
  queued(vif: number, packets: number, bytes: number): void;
  /** The bridge dropped a frame. @param reason LOST_*. */
  dropped(vif: number, reason: number): void;
}

export const WATCHED_TX = 0;
export const WATCHED_RX = 1;

export const PORT_INTERDOMAIN = 0;
export const PORT_VIRQ = 1;
export const PORT_IPI = 2;

export const LOST_QUEUE_FULL = 1;
export const LOST_NO_BUFFER = 2;
export const LOST_NO_CARRIER = 3;
/** An impaired link lost it. */
export const LOST_ON_LINK = 4;
export const LOST_OTHER = 15;

/** The one place where a kernel and its drivers look for an observer: off, that is a branch. */
export interface Watched {
  observer: MachineObserver | undefined;
}
