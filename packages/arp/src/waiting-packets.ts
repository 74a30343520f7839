import type { ArpEntry } from './entry.ts';
import type { PendingPool } from './pending.ts';
import type { ArpPort } from './port.ts';
import type { ArpStats } from './stats.ts';

/** The packets that wait for neighbours: each in the queue of its entry, all in one pool. */
export class WaitingPackets {
  /** Resolved entries whose packets met a full device. */
  readonly #blocked = new Set<ArpEntry>();
  readonly #pool: PendingPool;
  readonly #port: ArpPort;
  readonly #stats: ArpStats;
  readonly #maxPerEntry: number;

  constructor(pool: PendingPool, port: ArpPort, stats: ArpStats, maxPerEntry: number) {
    this.#pool = pool;
    this.#port = port;
    this.#stats = stats;
    this.#maxPerEntry = maxPerEntry;
  }

  /** Whether some wait for room in the device only. */
  get isBlocked(): boolean {
    return this.#blocked.size > 0;
  }

  /** Packets that wait now. */
  get count(): number {
    return this.#pool.used;
  }

  /**
   * Copies a packet into the queue of `entry`. Where there is no room the oldest of that entry gives way, or else the
   * oldest of the longest queue. @param unresolved the entries that are being asked for.
   * @returns false when it is too long to wait or there is no memory: it is dropped, and counted.
   */
  append(entry: ArpEntry, addr: number, bytes: number, unresolved: Iterable<ArpEntry>): boolean {
    const pool = this.#pool;
    if (bytes <= pool.slotBytes) {
      if (entry.pendingCount >= this.#maxPerEntry) this.dropOldest(entry);
      else if (!pool.hasRoom) this.dropOldest(this.#longestQueue(unresolved) ?? entry);
      if (pool.append(entry, addr, bytes)) {
        this.#stats.pendingQueued++;
        return true;
      }
    }
    this.#stats.pendingDropped++;
    return false;
  }

  /** Sends what waits for a neighbour, as far as the device takes it. */
  drain(entry: ArpEntry): void {
    while (entry.pendingCount > 0) {
      if (!this.#port.sendPending(entry, this.#pool.headAddr(entry), this.#pool.headBytes(entry))) {
        this.#blocked.add(entry);
        return;
      }
      this.#pool.removeHead(entry);
      this.#stats.pendingSent++;
    }
  }

  /** The device has room again. */
  transmitReady(): void {
    for (const entry of this.#blocked) {
      this.#blocked.delete(entry);
      this.drain(entry);
      if (this.#blocked.has(entry)) return;
    }
  }

  /** The neighbour does not answer: its packets are handed to `ArpPort.dropPending`, one by one. */
  refuse(entry: ArpEntry): void {
    while (entry.pendingCount > 0) {
      this.#port.dropPending(entry.ip, this.#pool.headAddr(entry), this.#pool.headBytes(entry));
      this.dropOldest(entry);
    }
  }

  /** Nothing may wait on an entry any more that is forgotten. */
  forget(entry: ArpEntry): void {
    this.#blocked.delete(entry);
    while (entry.pendingCount > 0) this.dropOldest(entry);
  }

  dropOldest(entry: ArpEntry): void {
    if (entry.pendingCount === 0) return;
    this.#pool.removeHead(entry);
    this.#stats.pendingDropped++;
  }

  close(): void {
    this.#pool.close();
  }

  #longestQueue(unresolved: Iterable<ArpEntry>): ArpEntry | undefined {
    let longest: ArpEntry | undefined;
    for (const entry of unresolved) {
      if (entry.pendingCount > (longest?.pendingCount ?? 0)) longest = entry;
    }
    for (const entry of this.#blocked) {
      if (entry.pendingCount > (longest?.pendingCount ?? 0)) longest = entry;
    }
    return longest;
  }
}
