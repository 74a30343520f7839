import type { StampClock } from '@qanat/tcp';
import type { OrderCounter } from './flow-watch.ts';
import {
  MACHINE_DROP,
  MACHINE_NOTIFY_SENT,
  MACHINE_NOTIFY_SUPPRESSED,
  MACHINE_QUEUE,
  MACHINE_RING_PUSH,
  MACHINE_RING_REAP,
  MACHINE_RX_REAP,
  MACHINE_SLEEP,
  MACHINE_SLEEP_FAULT,
  MACHINE_WAKE,
  RING_RX,
} from './kinds.ts';
import { CHUNK_MACHINE } from './qflow-layout.ts';
import { saturate } from './record.ts';
import { type RowSink, RowStore } from './row-store.ts';
import { AT_TIME, EVENT_A, EVENT_B, EVENT_KIND, EVENT_ORDER, MACHINE_C, MACHINE_WORDS } from './slots.ts';
import type { MachineTable } from './tables.ts';

const NEVER = Number.POSITIVE_INFINITY;

/**
 * Records what happens to a domain, its rings and its bridge: fits the observers that os, netfront and netback define, so
 * that whoever puts a machine together hands it down to them.
 */
export class MachineRecorder {
  /** Those of the flows that are recorded with it. */
  stamps: StampClock | undefined;
  readonly #store: RowStore<typeof CHUNK_MACHINE>;
  readonly #order: OrderCounter;
  readonly #now: () => number;
  readonly #stringIndex: (text: string) => number;

  /**
   * @param capacity most rows that are held, a power of two. @param now the clock, in microseconds.
   * @param id of the source. @param stringIndex index of a text in the strings of the source.
   */
  constructor(
    capacity: number,
    now: () => number,
    order: OrderCounter,
    stringIndex: (text: string) => number,
    sink?: RowSink,
    id = 0,
  ) {
    this.#store = new RowStore(CHUNK_MACHINE, capacity, sink, id);
    this.#order = order;
    this.#now = now;
    this.#stringIndex = stringIndex;
  }

  get recorded(): number {
    return this.#store.recorded;
  }

  get overwritten(): number {
    return this.#store.overwritten;
  }

  /** Rows that the sink had no room for. */
  get lost(): number {
    return this.#store.lost;
  }

  table(): MachineTable {
    return this.#store.copy();
  }

  flush(): void {
    this.#store.flush();
  }

  // --- os ----------------------------------------------------------------------------------------------------------

  sleeps(nowUs: number, deadlineUs: number): void {
    this.#record(nowUs, MACHINE_SLEEP, deadlineUs === NEVER ? -1 : saturate(Math.max(deadlineUs - nowUs, 0)), 0, 0);
  }

  wakes(nowUs: number, port: number, portKind: number): void {
    this.#record(nowUs, MACHINE_WAKE, port, portKind, 0);
  }

  sleepFault(nowUs: number, fault: string): void {
    this.#record(nowUs, MACHINE_SLEEP_FAULT, this.#stringIndex(fault), 0, 0);
  }

  // --- netfront, netback ---------------------------------------------------------------------------------------------

  pushed(ring: number, occupancy: number, number: number): void {
    this.#record(this.#now(), MACHINE_RING_PUSH, ring, occupancy, number);
  }

  reaped(ring: number, occupancy: number, number: number): void {
    this.#record(this.#now(), ring === RING_RX ? MACHINE_RX_REAP : MACHINE_RING_REAP, ring, occupancy, number);
  }

  notified(port: number, sent: boolean): void {
    this.#record(this.#now(), sent ? MACHINE_NOTIFY_SENT : MACHINE_NOTIFY_SUPPRESSED, port, 0, 0);
  }

  queued(vif: number, packets: number, bytes: number): void {
    this.#record(this.#now(), MACHINE_QUEUE, vif, packets, bytes);
  }

  dropped(vif: number, reason: number): void {
    this.#record(this.#now(), MACHINE_DROP, vif, reason, 0);
  }

  #record(readUs: number, kind: number, a: number, b: number, c: number): void {
    const order = this.#order;
    // Segments that come before it have times before it.
    if (order.open !== undefined) order.open.closeRun();
    const nowUs = this.stamps === undefined ? readUs : this.stamps.align(readUs);
    const slot = this.#store.claim();
    const { words, doubles } = this.#store.slots;
    const at = slot * MACHINE_WORDS;
    doubles[slot * (MACHINE_WORDS >>> 1) + AT_TIME] = nowUs;
    words[at + EVENT_ORDER] = order.next;
    // Stays an int32, which is stored as quickly after 2^31 rows as before.
    order.next = (order.next + 1) | 0;
    words[at + EVENT_KIND] = kind;
    words[at + EVENT_A] = a;
    words[at + EVENT_B] = b;
    words[at + MACHINE_C] = c;
  }
}
