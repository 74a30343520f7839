import type { Packet } from '@qanat/bytes';
import type { Clock } from '@qanat/clock';
import type { NetifUp } from '@qanat/link';
import type { NetfrontConfig } from './config.ts';
import { type NetfrontCounters, newCounters } from './counters.ts';
import type { LentPages } from './lent-pages.ts';
import type { RxQueue } from './rx-queue.ts';
import { SpaceWaiters } from './space-waiters.ts';
import type { TxPool } from './tx-pool.ts';
import type { TxQueue } from './tx-queue.ts';

/** Slots of a packet that refers to pages, beside theirs: headers and extra info. */
const REFERRING_SLOTS = 2;

/** What a queue needs of its device. */
export interface QueueHost {
  readonly config: NetfrontConfig;
  readonly clock: Clock;
  /** Who gets the frames. */
  readonly up: NetifUp;
  /** The stack has no more use for the device. */
  readonly isClosed: boolean;
  /** Pages of the device that packets may refer to. */
  readonly lent: LentPages;
  /** The stack waits for answers to packets that refer to them. */
  readonly watchesAnswers: boolean;
  /** Answers were taken in while it does. */
  tellAnswers(): void;
  /** Runs a task soon, outside of the current call. */
  defer(task: () => void): void;
  /** The backend broke the rules: stops using all rings, and says so. */
  break(reason: string): void;
  /** Says to the stack that there is room again. */
  readonly stackReady: () => void;
}

/**
 * One queue of a device: a transmit and a receive ring with their waiters and events. It outlives connections with backends:
 * without one it is full.
 *
 * Order of a pass: reap TX responses and wake who waits for room, drain RX, post the pages again, final check. When
 * the check finds more, another pass is queued behind the loop's timers and events; nothing here waits or recurses.
 */
export class DeviceQueue {
  readonly counters: NetfrontCounters = newCounters();
  readonly waiters = new SpaceWaiters();
  readonly pool: TxPool;
  readonly #host: QueueHost;
  #tx: TxQueue | undefined;
  #rx: RxQueue | undefined;
  /** The ring whose promises live packets hold while there is no connection. */
  #lastTx: TxQueue | undefined;
  #isQueued = false;
  #isPolling = false;
  readonly #poll = (): void => {
    this.#isQueued = false;
    this.poll();
  };

  /** @param pool of its own: its packets bear the number `index`. */
  constructor(host: QueueHost, pool: TxPool, index: number) {
    this.#host = host;
    this.pool = pool;
    for (const packet of pool.packets) packet.queue = index;
  }

  /** Slots of the transmit ring that hold a request, or an answer that was not read yet; 0 without a backend. */
  get txSlotsUsed(): number {
    return this.#tx?.usedSlots ?? 0;
  }

  /** Pages of the device that packets may refer to. */
  get lent(): LentPages {
    return this.#host.lent;
  }

  allocate(frameBytes: number): Packet | null {
    const slots = this.pool.slotsFor(frameBytes);
    const tx = this.#tx;
    if (tx !== undefined) {
      const packet = tx.alloc(frameBytes, slots);
      if (packet !== null) return packet;
      return this.#allocateFull(tx, frameBytes, slots);
    }
    if (!this.#host.isClosed) this.waiters.add(frameBytes, slots, this.#host.stackReady);
    return null;
  }

  /** A packet with room for headers of `headBytes`, which refers to `pieces` pieces of lent pages. @returns as `allocate`. */
  allocateReferring(headBytes: number, pieces: number): Packet | null {
    const tx = this.#tx;
    if (tx === undefined) return null;
    const slots = pieces + REFERRING_SLOTS;
    return tx.alloc(headBytes, slots) ?? this.#allocateFull(tx, headBytes, slots);
  }

  #allocateFull(tx: TxQueue, frameBytes: number, slots: number): Packet | null {
    const fault = tx.reap();
    if (fault !== undefined) {
      this.#host.break(fault);
    } else {
      const packet = tx.alloc(frameBytes, slots);
      if (packet !== null) return packet;
    }
    this.counters.tx.ringFull++;
    this.waitForSpace(frameBytes, this.#host.stackReady, slots);
    return null;
  }

  /**
   * Has `wake` called once there is room for a frame of `frameBytes`, never from inside this call. Waiters are woken
   * in order; one that still finds no room asks again.
   */
  waitForSpace(frameBytes: number, wake: () => void, slots = this.pool.slotsFor(frameBytes)): void {
    if (this.#host.isClosed) return;
    this.waiters.add(frameBytes, slots, wake);
    const tx = this.#tx;
    if (tx === undefined) return;
    // What is not published cannot be answered, and who waits need not flush.
    tx.push();
    if (!this.#isPolling) this.#checkWaiters(tx);
  }

  /** Takes in answers that are there. */
  lookForAnswers(): void {
    const tx = this.#tx;
    if (tx === undefined) return;
    const fault = tx.reap();
    if (fault !== undefined) this.#host.break(fault);
    else if (this.waiters.size > 0 && !this.#isPolling) this.#checkWaiters(tx);
  }

  /** Somebody waits for answers, or nobody any more. */
  watchAnswers(watched: boolean): void {
    const tx = this.#tx;
    if (tx === undefined) return;
    tx.watched = watched;
    if (!watched) return;
    // What is not published cannot be answered.
    tx.push();
    if (!this.#isPolling && tx.arm()) this.#queuePoll();
  }

  /** Somebody waits: makes sure that something will wake them. */
  #checkWaiters(tx: TxQueue): void {
    if (tx.hasRoomForFirst || tx.arm()) this.#queuePoll();
  }

  /** Sends a packet of its own; without a backend it is lost. */
  transmit(packet: Packet): void {
    if (this.#tx === undefined) this.drop(packet);
    else if (!this.#tx.transmit(packet)) this.counters.tx.dropped++;
  }

  /** Loses a packet that cannot be sent. */
  drop(packet: Packet): void {
    this.counters.tx.dropped++;
    (this.#tx ?? this.#lastTx)?.release(packet);
  }

  release(packet: Packet): void {
    const tx = this.#tx ?? this.#lastTx;
    tx?.release(packet);
    if (this.#tx !== undefined && this.waiters.size > 0 && !this.#isPolling) this.#checkWaiters(this.#tx);
  }

  flush(): void {
    const tx = this.#tx;
    if (tx === undefined) return;
    tx.push();
    if (this.waiters.size > 0 && !this.#isPolling) this.#checkWaiters(tx);
  }

  /** A backend is there: the rings are ready to be used. */
  connect(tx: TxQueue, rx: RxQueue): void {
    if (this.#lastTx !== undefined) tx.inherit(this.#lastTx);
    this.#lastTx = undefined;
    this.#tx = tx;
    this.#rx = rx;
    this.#queuePoll();
  }

  /** The backend is gone, or shall be: the rings are not touched any more. */
  disconnect(): void {
    this.#tx?.abandon();
    this.#rx?.stop();
    this.#lastTx = this.#tx ?? this.#lastTx;
    this.#tx = undefined;
    this.#rx = undefined;
  }

  /** The device goes on without this queue: who waits for room in it may ask elsewhere. */
  wakeAll(): void {
    for (let left = this.waiters.size; left > 0; left--) this.#host.defer(this.waiters.shift());
  }

  #queuePoll(): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    this.#host.defer(this.#poll);
  }

  /** One pass over both rings: what an event of the backend asks for. */
  poll(): void {
    const tx = this.#tx;
    const rx = this.#rx;
    if (tx === undefined || rx === undefined) return;
    const host = this.#host;
    const { rxBatch } = host.config;
    this.counters.polls++;
    this.#isPolling = true;
    try {
      const fault = tx.reap();
      if (fault !== undefined) {
        host.break(fault);
        return;
      }
      if (this.waiters.size > 0) tx.wakeWaiters();
      if (host.watchesAnswers) host.tellAnswers();
      if (this.#rx !== rx) return;
      const packets = rx.hasWork ? rx.drain(host.up, rxBatch, host.clock.now()) : 0;
      if (packets > 0) host.up.receiveDone();
      if (this.#rx !== rx) return;
      if (rx.fault !== undefined) {
        host.break(rx.fault);
        return;
      }
      rx.push();
      tx.push();
      const moreRx = packets === rxBatch && rx.hasWork;
      // Both are armed before either answer counts.
      const rxReady = moreRx || rx.arm();
      const txReady = (this.waiters.size > 0 && tx.hasRoomForFirst) || tx.arm();
      if (rxReady || txReady) this.#queuePoll();
    } finally {
      this.#isPolling = false;
    }
  }

  /** Sleep audit: what would never wake the queue, or undefined. */
  sleepFault(): string | undefined {
    if (this.#tx === undefined || this.#rx === undefined) return undefined;
    return this.#tx.sleepFault() ?? this.#rx.sleepFault();
  }
}
