import { LRUCache } from 'lru-cache';
import type { ArpConfig } from './config.ts';
import type { ArpEntry } from './entry.ts';

/**
 * Neighbours by address, in three sections that cannot evict each other's entries: `active` (we send to them),
 * `waiting` (asked for, or failed), `learned` (they asked for us). What others send fills `learned` only.
 */
export class ArpTable {
  readonly active: LRUCache<number, ArpEntry>;
  readonly waiting: LRUCache<number, ArpEntry>;
  readonly learned: LRUCache<number, ArpEntry>;
  #nowUs = 1;

  /** @param onForgotten called for an entry that made room for another, or that nobody had looked up for long. */
  constructor(config: ArpConfig, onForgotten: (entry: ArpEntry) => void) {
    // lru-cache takes a start time of 0 for "no time to live"; virtual time begins at 0.
    const perf = { now: () => this.#nowUs + 1 };
    const dispose = (entry: ArpEntry, _ip: number, reason: LRUCache.DisposeReason): void => {
      if (reason !== 'delete') onForgotten(entry);
    };
    // ttlResolution 0: otherwise lru-cache would set host timers to cache the time.
    const aging = { ttl: config.forgetUs, ttlResolution: 0, perf, dispose } as const;
    this.active = new LRUCache({ max: config.maxEntries, updateAgeOnGet: true, ...aging });
    this.learned = new LRUCache({ max: config.maxLearned, ...aging });
    this.waiting = new LRUCache({ max: config.maxWaiting, dispose });
  }

  /** Tells the time to the caches. */
  setNow(nowUs: number): void {
    this.#nowUs = nowUs;
  }

  /** @returns the entry of that address in any section, without counting as use. */
  find(ip: number): ArpEntry | undefined {
    return this.active.peek(ip) ?? this.waiting.peek(ip) ?? this.learned.peek(ip);
  }

  /** Puts an entry into a section, out of the one it was in; its time to live begins anew. */
  move(entry: ArpEntry, section: LRUCache<number, ArpEntry>): void {
    if (section !== this.active) this.active.delete(entry.ip);
    if (section !== this.waiting) this.waiting.delete(entry.ip);
    if (section !== this.learned) this.learned.delete(entry.ip);
    section.set(entry.ip, entry);
  }

  delete(entry: ArpEntry): void {
    this.active.delete(entry.ip);
    this.waiting.delete(entry.ip);
    this.learned.delete(entry.ip);
  }

  /** All entries, the most recently used of each section first. */
  *entries(): Generator<ArpEntry> {
    yield* this.active.values();
    yield* this.waiting.values();
    yield* this.learned.values();
  }

  get size(): number {
    return this.active.size + this.waiting.size + this.learned.size;
  }
}
