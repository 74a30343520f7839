import { type Memory, PACKET_CSUM_BLANK, PAGE_SIZE, type Packet } from '@qanat/bytes';
import {
  type FrontRing,
  NETIF_RSP_NULL,
  NETIF_RSP_OKAY,
  NETTXF_CSUM_BLANK,
  NETTXF_DATA_VALIDATED,
  NETTXF_EXTRA_INFO,
  NETTXF_MORE_DATA,
  XEN_NETIF_EXTRA_TYPE_GSO,
  XEN_NETIF_GSO_TYPE_TCPV4,
} from '@qanat/xen';
import type { LentPages } from './lent-pages.ts';
import { type RingWatch, watchTxPush, watchTxReap } from './ring-watch.ts';
import type { SpaceWaiters } from './space-waiters.ts';
import type { TxPool } from './tx-pool.ts';

const PAGE_MASK = PAGE_SIZE - 1;
const NOT_IN_FLIGHT = -1;

/** What the TX side counts. */
export interface TxCounters {
  packets: number;
  bytes: number;
  slots: number;
  /** Responses with a status other than OKAY. */
  errors: number;
  /** Of the packets, those whose payload was not copied. */
  referring: number;
  /** Packets of a connection that is gone. */
  dropped: number;
  /** Of the packets, super-segments; and those that went with the checksum blank. */
  gsoPackets: number;
  blankChecksums: number;
  /** How often `allocate` found no room. */
  ringFull: number;
  notifications: number;
}

/**
 * The transmit ring of one connection with a backend. Invariant: prepared slots + promised slots (`#promised`, those
 * of packets that are allocated and not yet transmitted) never exceed the ring, so `transmit` cannot fail.
 */
export class TxQueue {
  readonly ring: FrontRing;
  readonly waiters: SpaceWaiters;
  readonly #memory: Memory;
  readonly #pool: TxPool;
  readonly #lent: LentPages;
  readonly #counters: TxCounters;
  readonly #notify: () => void;
  readonly #watch: RingWatch;
  readonly #pushBatch: number;
  /** Buffer by request id, or NOT_IN_FLIGHT. */
  readonly #bufferOf: Int16Array;
  readonly #freeIds: Uint16Array;
  #freeIdCount = 0;
  /** Responses that a buffer waits for. */
  readonly #pending: Uint8Array;
  /** Slots promised to a buffer by `allocate`. */
  readonly #promise: Uint8Array;
  #promised = 0;
  /** Number of the packet in a buffer that refers to lent pages, where it is such a one. */
  readonly #number: Int32Array;
  readonly #refers: Uint8Array;
  #unpushed = 0;
  /** Slots of extra info that wait for their answer. */
  #extrasOut = 0;
  /** Somebody waits for the answers to what is published. */
  watched = false;

  constructor(
    memory: Memory,
    ring: FrontRing,
    pool: TxPool,
    lent: LentPages,
    waiters: SpaceWaiters,
    counters: TxCounters,
    pushBatch: number,
    notify: () => void,
    watch: RingWatch,
  ) {
    this.#memory = memory;
    this.ring = ring;
    this.#pool = pool;
    this.#lent = lent;
    this.waiters = waiters;
    this.#counters = counters;
    this.#pushBatch = pushBatch;
    this.#notify = notify;
    this.#watch = watch;
    this.#bufferOf = new Int16Array(ring.entries).fill(NOT_IN_FLIGHT);
    this.#freeIds = new Uint16Array(ring.entries);
    for (let id = ring.entries - 1; id >= 0; id--) this.#freeIds[this.#freeIdCount++] = id;
    this.#pending = new Uint8Array(pool.bufferCount);
    this.#promise = new Uint8Array(pool.bufferCount);
    this.#number = new Int32Array(pool.bufferCount);
    this.#refers = new Uint8Array(pool.bufferCount);
  }

  /** Slots that are neither taken nor promised. */
  get freeSlots(): number {
    // There are fewer ids than slots only where the backend has answered requests as if they were extra info.
    return Math.min(this.ring.freeRequests(), this.#freeIdCount) - this.#promised;
  }

  /** Slots that hold a request or an unread answer. */
  get usedSlots(): number {
    return this.ring.entries - this.ring.freeRequests();
  }

  /** Requests that are published and not answered as far as we looked. */
  get outstanding(): number {
    return this.ring.entries - this.ring.freeRequests() - this.#unpushed;
  }

  /** Whether `alloc(frameBytes, slots)` would succeed. */
  hasRoom(frameBytes: number, slots = this.#pool.slotsFor(frameBytes)): boolean {
    return slots <= this.freeSlots && this.#pool.has(frameBytes);
  }

  /** Whether the first who waits would get what it needs. */
  get hasRoomForFirst(): boolean {
    return this.hasRoom(this.waiters.firstFrameBytes, this.waiters.firstSlots);
  }

  /**
   * @param slots for the frame in a buffer, and those that it refers to besides.
   * @returns a packet for a frame of at most `frameBytes` with its slots promised, or null.
   */
  alloc(frameBytes: number, slots = this.#pool.slotsFor(frameBytes)): Packet | null {
    if (slots > this.freeSlots) return null;
    const packet = this.#pool.alloc(frameBytes);
    if (packet === null) return null;
    this.#promise[packet.token] = slots;
    this.#promised += slots;
    return packet;
  }

  /** Takes back a packet that `alloc` handed out. @returns false when it is not out. */
  release(packet: Packet): boolean {
    const buffer = packet.token;
    if (this.#promise[buffer] === 0) return false;
    this.#promised -= this.#promise[buffer]!;
    this.#promise[buffer] = 0;
    this.#pool.free(buffer);
    return true;
  }

  /** Writes the requests of a packet that `alloc` handed out. @returns false when it is not out. */
  transmit(packet: Packet): boolean {
    const buffer = packet.token;
    if (this.#promise[buffer] === 0) return false;
    this.#promised -= this.#promise[buffer]!;
    this.#promise[buffer] = 0;
    const { i32 } = this.#memory;
    const ring = this.ring;
    const counters = this.#counters;
    let addr = packet.addr;
    const { fragCount } = packet;
    let left = packet.headLen;
    let size = packet.len; // The first request carries the size of the whole packet (netif.h).
    let slots = 0;
    let flags = 0;
    if (packet.flags & PACKET_CSUM_BLANK) {
      flags = NETTXF_CSUM_BLANK | NETTXF_DATA_VALIDATED;
      counters.blankChecksums++;
    }
    const { gsoSize } = packet;
    if (gsoSize > 0) flags |= NETTXF_EXTRA_INFO;
    do {
      const offset = addr & PAGE_MASK;
      const bytes = Math.min(left, PAGE_SIZE - offset);
      if (slots > 0) size = bytes;
      left -= bytes;
      const id = this.#freeIds[--this.#freeIdCount]!;
      this.#bufferOf[id] = buffer;
      const slot = ring.nextRequest() >>> 2;
      i32[slot] = this.#pool.refOf(addr);
      i32[slot + 1] = offset | ((left > 0 || fragCount > 0 ? flags | NETTXF_MORE_DATA : flags) << 16);
      i32[slot + 2] = id | (size << 16);
      if (slots === 0 && gsoSize > 0) this.#writeGso(gsoSize);
      flags = 0;
      addr += bytes;
      slots++;
    } while (left > 0);
    if (fragCount > 0) slots += this.#refer(packet, buffer);
    this.#pending[buffer] = slots;
    if (gsoSize > 0) slots++;
    counters.packets++;
    counters.bytes += packet.len;
    counters.slots += slots;
    // Only whole packets are published: a backend that sees half of one must take it for broken.
    this.#unpushed += slots;
    if (this.#unpushed >= this.#pushBatch) this.push();
    return true;
  }

  /** The slots after the first, which refer to lent pages. @returns how many. */
  #refer(packet: Packet, buffer: number): number {
    const { i32 } = this.#memory;
    const { fragCount, fragAddr, fragLen } = packet;
    for (let i = 0; i < fragCount; i++) {
      const addr = fragAddr[i]!;
      const id = this.#freeIds[--this.#freeIdCount]!;
      this.#bufferOf[id] = buffer;
      const slot = this.ring.nextRequest() >>> 2;
      i32[slot] = this.#lent.refOf(addr);
      i32[slot + 1] = (addr & PAGE_MASK) | ((i + 1 < fragCount ? NETTXF_MORE_DATA : 0) << 16);
      i32[slot + 2] = id | (fragLen[i]! << 16);
    }
    this.#number[buffer] = this.#lent.next();
    this.#refers[buffer] = 1;
    this.#counters.referring++;
    return fragCount;
  }

  /** All slots of a buffer's packet are answered. */
  #answered(buffer: number): void {
    if (this.#refers[buffer] === 1) {
      this.#refers[buffer] = 0;
      this.#lent.answer(this.#number[buffer]!);
    }
    this.#pool.free(buffer);
  }

  /** The slot behind a packet's first says that it is a super-segment (struct netif_extra_info). */
  #writeGso(gsoSize: number): void {
    const { i32 } = this.#memory;
    const slot = this.ring.nextRequest() >>> 2;
    i32[slot] = XEN_NETIF_EXTRA_TYPE_GSO | (gsoSize << 16);
    i32[slot + 1] = XEN_NETIF_GSO_TYPE_TCPV4;
    i32[slot + 2] = 0;
    this.#extrasOut++;
    this.#counters.gsoPackets++;
  }

  /** Publishes what was queued, and notifies the backend if it asked for it. */
  push(): void {
    if (this.#unpushed === 0) return;
    this.#unpushed = 0;
    const notify = this.ring.pushRequestsAndCheckNotify();
    if (this.#watch.watched.observer !== undefined) watchTxPush(this.#watch, this.ring, notify);
    if (!notify) return;
    this.#counters.notifications++;
    this.#notify();
  }

  /** Takes the responses that are there. @returns what is wrong with them, or undefined. */
  reap(): string | undefined {
    const ring = this.ring;
    const cons = ring.rspCons | 0;
    const count = ((ring.rspProd | 0) - cons) >>> 0;
    if (count > this.outstanding) return `tx rsp_prod is ${count} ahead of ${this.outstanding} requests`;
    const { i32 } = this.#memory;
    const bufferOf = this.#bufferOf;
    for (let i = 0; i < count; i++) {
      const word = i32[ring.slotAddr(cons + i) >>> 2]!;
      const status = word >> 16;
      // The answer to extra info has no id; it comes with that of its packet.
      if (status === NETIF_RSP_NULL && this.#extrasOut > 0) {
        this.#extrasOut--;
        ring.rspCons = cons + i + 1;
        continue;
      }
      const id = word & 0xffff;
      const buffer = id < ring.entries ? bufferOf[id]! : NOT_IN_FLIGHT;
      if (buffer === NOT_IN_FLIGHT) return `tx response for id ${id}, which is not in flight`;
      bufferOf[id] = NOT_IN_FLIGHT;
      this.#freeIds[this.#freeIdCount++] = id;
      if (--this.#pending[buffer]! === 0) this.#answered(buffer);
      ring.rspCons = cons + i + 1;
      if (status !== NETIF_RSP_OKAY && status !== NETIF_RSP_NULL) this.#counters.errors++;
    }
    if (count > 0 && this.#watch.watched.observer !== undefined) watchTxReap(this.#watch, ring);
    return undefined;
  }

  /** Wakes who waits for room, in order, while the first one's need is met. Each is woken at most once. */
  wakeWaiters(): void {
    const { waiters } = this;
    for (let left = waiters.size; left > 0 && waiters.size > 0; left--) {
      if (!this.hasRoomForFirst) return;
      waiters.shift()();
    }
  }

  /**
   * Asks for the next event. With nobody waiting, an event at half a ring of responses is soon enough: `allocate`
   * reaps by itself. With somebody waiting, it must come once enough slots are free, and it cannot be asked for later
   * than the last published request is answered.
   * @returns whether the responses that were asked for are there already: then reap again before sleeping.
   */
  arm(): boolean {
    const half = this.ring.entries >>> 1;
    let count = half;
    // Who waits for answers waits for the last one, at the most.
    if (this.watched && this.outstanding > 0) count = Math.min(count, this.outstanding);
    if (this.waiters.size > 0) {
      const { outstanding } = this;
      // Nothing is under way: whoever holds the promised packets wakes the waiters by transmit or release.
      if (outstanding === 0) return false;
      const missing = this.waiters.firstSlots - this.freeSlots;
      count = Math.min(outstanding, Math.max(missing, outstanding >>> 1, 1));
    }
    this.ring.armResponseEvent(count);
    return this.ring.unconsumedResponses() >= count;
  }

  /** The backend is gone: everything in flight is given up. Packets that are handed out stay with their holders. */
  abandon(): void {
    for (let id = 0; id < this.#bufferOf.length; id++) {
      const buffer = this.#bufferOf[id]!;
      if (buffer === NOT_IN_FLIGHT) continue;
      this.#bufferOf[id] = NOT_IN_FLIGHT;
      if (--this.#pending[buffer]! === 0) {
        this.#answered(buffer);
        this.#counters.dropped++;
      }
    }
  }

  /** Takes over the packets that another connection's queue has handed out. */
  inherit(from: TxQueue): void {
    this.#promise.set(from.#promise);
    this.#promised = from.#promised;
  }

  /** Sleep audit: what would never wake anybody, or undefined. */
  sleepFault(): string | undefined {
    if (this.#unpushed > 0) return `${this.#unpushed} tx requests are prepared and not published`;
    if (this.waiters.size === 0) return this.watched ? this.ring.sleepFault() : undefined;
    if (this.hasRoomForFirst) {
      return `a waiter needs ${this.waiters.firstSlots} tx slots and ${this.freeSlots} are free`;
    }
    if (this.outstanding === 0 && this.#promised === 0) return 'a waiter for tx space, and nothing under way';
    return this.ring.sleepFault();
  }
}
