import type { Memory } from '@qanat/bytes';
import type { TimerQueue } from '@qanat/clock';
import type { TcpSegmenter } from '@qanat/link';
import {
  LOST_NO_BUFFER,
  LOST_NO_CARRIER,
  LOST_OTHER,
  LOST_QUEUE_FULL,
  WATCHED_RX,
  WATCHED_TX,
  type Watched,
} from '@qanat/os';
import { type Hypercalls, NETIF_RSP_ERROR, NETIF_RSP_OKAY } from '@qanat/xen';
import { BufferPool, NO_BLOCK } from './buffer-pool.ts';
import type { Frame } from './frame.ts';
import { copyFrameIn } from './frame-copy.ts';
import { PacketQueue } from './packet-queue.ts';
import type { PersistentGrants } from './persistent-grants.ts';
import type { Port } from './port.ts';
import { newPortCounters, type PortCounters } from './port-counters.ts';
import { COPY_BAD_RECEIVER, COPY_BAD_SENDER, COPY_DONE, type RxWriter, rxSlots } from './rx-writer.ts';
import type { TxReader } from './tx-reader.ts';

/** What a port and its queues need of the backend that they belong to. */
export interface PortHost {
  readonly hypercalls: Hypercalls;
  readonly pool: BufferPool;
  readonly timers: TimerQueue;
  /** A page of Dom0's. */
  readonly scratchAddr: number;
  readonly memory: Memory;
  /** Pages of Dom0's in a row, for the longest frame. */
  readonly stagingAddr: number;
  readonly segmenter: TcpSegmenter;
  readonly watched: Watched;
  /** Something is unpublished on the queue's rings, or it broke: `finish` must follow in this pass. */
  touch(queue: PortQueue): void;
  /** Publishes what the queues have that were touched outside of a pass. */
  finishTouched(): void;
}

/** Rings and event channels of one queue of a connected frontend. */
export interface QueueRings {
  readonly tx: TxReader;
  readonly rx: RxWriter;
  /** Our end of the event channel. */
  readonly eventPort: number;
  /** Of the RX ring; the same unless the frontend has split them. */
  readonly rxEventPort: number;
  /** The frontend takes packets of several slots. */
  readonly scatterGather: boolean;
  /** The frontend's pages that stay mapped, where it keeps them. */
  readonly grants: PersistentGrants | undefined;
}

/**
 * One queue of a port: a pair of rings, and the packets that wait for pages on the RX ring, at most `txqueuelen`. Frames go
 * straight from the sender's pages into posted ones when nothing waits and pages are there. A queue has its own turn in
 * a pass and its own share of the buffers: one that stands still holds up nobody but its own flows.
 */
export class PortQueue {
  readonly port: Port;
  readonly counters: PortCounters = newPortCounters();
  readonly waiting: PacketQueue;
  rings: QueueRings | undefined;
  /** The backend's marks: the queue waits for its turn; it is in the list of touched queues. */
  isRunnable = false;
  isTouched = false;
  /** Bytes that wait. */
  queuedBytes = 0;
  readonly #host: PortHost;
  readonly #index: number;
  /** Blocks of packet buffers that the queue holds. */
  #blocks = 0;

  constructor(host: PortHost, port: Port, index: number, txqueuelen: number) {
    this.#host = host;
    this.port = port;
    this.#index = index;
    this.waiting = new PacketQueue(txqueuelen);
  }

  /**
   * Sends a frame to the frontend, now or when there are pages.
   * @returns NETIF_RSP_ERROR when the frame cannot be read, NETIF_RSP_OKAY otherwise, delivered or lost.
   */
  put(frame: Frame, nowUs: number): number {
    const rings = this.rings!;
    const { gsoSize } = frame;
    const slots = rxSlots(frame.len, gsoSize);
    if (slots > 1 && !rings.scatterGather) {
      this.lost(LOST_OTHER);
      return NETIF_RSP_OKAY;
    }
    if (this.waiting.size === 0 && rings.rx.hasRoom(slots)) {
      const result = rings.rx.copyFrame(frame);
      if (result === COPY_BAD_SENDER) return NETIF_RSP_ERROR;
      this.#delivered(result, frame.len, gsoSize);
      return NETIF_RSP_OKAY;
    }
    if (this.#isFullOrBroken(rings)) return NETIF_RSP_OKAY;
    const packet = this.reserve(frame.len);
    if (packet === NO_BLOCK) return NETIF_RSP_OKAY;
    if (!this.fill(packet, frame, frame.flags)) return NETIF_RSP_ERROR;
    this.#enqueue(packet, nowUs);
    return NETIF_RSP_OKAY;
  }

  /** Whether a frame of `bytes` bytes, which is no super-segment, has no more slots than the frontend takes. */
  takes(bytes: number): boolean {
    return this.rings!.scatterGather || rxSlots(bytes, 0) === 1;
  }

  /** As `put`, of `bytes` bytes in Dom0's memory. */
  putBytes(addr: number, bytes: number, flags: number, nowUs: number): void {
    const rings = this.rings!;
    if (!this.takes(bytes)) {
      this.lost(LOST_OTHER);
      return;
    }
    if (this.waiting.size === 0 && rings.rx.hasRoom(rxSlots(bytes, 0))) {
      this.#delivered(rings.rx.copyBytes(addr, bytes, flags), bytes, 0);
      return;
    }
    if (this.#isFullOrBroken(rings)) return;
    const packet = this.storeBytes(addr, bytes, flags);
    if (packet !== NO_BLOCK) this.#enqueue(packet, nowUs);
  }

  /** As `put`, of a packet that is in the buffers, which `store` or `clone` made. */
  putPacket(packet: number, nowUs: number): void {
    const rings = this.rings!;
    if (this.#isFullOrBroken(rings)) {
      this.free(packet);
      return;
    }
    this.#enqueue(packet, nowUs);
    if (this.waiting.size === 1) this.drain(1, nowUs);
  }

  #isFullOrBroken(rings: QueueRings): boolean {
    if (rings.rx.fault !== undefined) {
      this.#host.touch(this);
      return true;
    }
    if (this.waiting.size < this.waiting.capacity) return false;
    this.counters.queueDrops++;
    this.#host.watched.observer?.dropped(this.port.vif, LOST_QUEUE_FULL);
    this.#host.touch(this);
    return true;
  }

  #delivered(result: number, bytes: number, gsoSize: number): void {
    const { counters } = this;
    if (result === COPY_BAD_RECEIVER) {
      counters.rxErrors++;
    } else {
      if (gsoSize > 0) counters.rxGso++;
      counters.rxPackets++;
      counters.rxBytes += bytes;
    }
    this.#host.touch(this);
  }

  /** Copies a frame into a buffer of its length. @returns false when it cannot be read; then the buffer is free. */
  fill(packet: number, frame: Frame, flags: number): boolean {
    const { pool, hypercalls } = this.#host;
    pool.flags[packet] = flags;
    pool.gsoSize[packet] = frame.gsoSize;
    if (copyFrameIn(hypercalls, frame, pool, packet)) return true;
    this.free(packet);
    return false;
  }

  /** @returns a buffer with bytes of Dom0's, or NO_BLOCK. */
  storeBytes(addr: number, bytes: number, flags: number): number {
    const packet = this.reserve(bytes);
    if (packet === NO_BLOCK) return NO_BLOCK;
    this.#host.pool.flags[packet] = flags;
    this.#host.pool.copyFrom(packet, addr, bytes);
    return packet;
  }

  /** @returns a copy of a buffer, or NO_BLOCK. */
  clone(packet: number): number {
    const { pool } = this.#host;
    const copy = this.reserve(pool.length[packet]!);
    if (copy !== NO_BLOCK) pool.copy(copy, packet);
    return copy;
  }

  /**
   * Takes buffers, if the queue has not got its share yet: never more than what would be left for the others, and of that
   * no more than its part among the queues of its port. So a frontend that posts no pages cannot starve the others, nor
   * one of its queues the next.
   * @returns a buffer for a packet of `bytes` bytes, the queue's until `free`; NO_BLOCK where there is none.
   */
  reserve(bytes: number): number {
    const { pool } = this.#host;
    const blocks = BufferPool.blocksOf(bytes);
    const isAllowed = (this.#blocks + blocks) * this.port.queueCount <= pool.freeBlocks - blocks;
    const packet = isAllowed ? pool.alloc(bytes) : NO_BLOCK;
    if (packet === NO_BLOCK) {
      this.counters.bufferDrops++;
      this.#host.watched.observer?.dropped(this.port.vif, LOST_NO_BUFFER);
      return NO_BLOCK;
    }
    this.#blocks += blocks;
    pool.queue[packet] = this.#index;
    return packet;
  }

  free(packet: number): void {
    const { pool } = this.#host;
    this.#blocks -= BufferPool.blocksOf(pool.length[packet]!);
    pool.free(packet);
  }

  #enqueue(packet: number, nowUs: number): void {
    const { waiting, counters } = this;
    waiting.push(packet);
    this.queuedBytes += this.#host.pool.length[packet]!;
    if (this.#host.watched.observer !== undefined) this.port.tellQueued(nowUs);
    if (waiting.size > counters.queueHighWater) counters.queueHighWater = waiting.size;
    this.#host.touch(this);
  }

  /** Gives the frontend at most `limit` packets that wait, as far as it has posted pages. @returns how many. */
  drain(limit: number, nowUs: number): number {
    const { rings, waiting, port } = this;
    if (rings === undefined || port.fault !== undefined) return 0;
    const { pool } = this.#host;
    let packets = 0;
    while (packets < limit && waiting.size > 0) {
      const packet = waiting.peek();
      const bytes = pool.length[packet]!;
      const gsoSize = pool.gsoSize[packet]!;
      if (!rings.rx.hasRoom(rxSlots(bytes, gsoSize))) break;
      waiting.shift();
      this.queuedBytes -= bytes;
      const result = rings.rx.copyBuffer(pool, packet);
      if (result === COPY_DONE) this.counters.rxQueued++;
      this.#delivered(result, bytes, gsoSize);
      this.free(packet);
      packets++;
    }
    if (packets > 0 && this.#host.watched.observer !== undefined) port.tellQueued(nowUs);
    if (rings.rx.fault !== undefined) this.#host.touch(this);
    return packets;
  }

  /** RX requests that the first packet that waits takes. */
  #headSlots(): number {
    const { pool } = this.#host;
    const packet = this.waiting.peek();
    return rxSlots(pool.length[packet]!, pool.gsoSize[packet]!);
  }

  /**
   * Publishes what was prepared on both rings, with at most one event for each event channel.
   * @returns false when the frontend is broken.
   */
  publish(): boolean {
    const { rings, port } = this;
    if (rings === undefined) return true;
    port.fault ??= rings.tx.fault ?? rings.rx.fault;
    if (port.fault !== undefined) return false;
    const rxAnswers = rings.rx.unpushed;
    const txAnswers = rings.tx.unpushed;
    const rx = rxAnswers > 0 && rings.rx.push();
    const tx = txAnswers > 0 && rings.tx.push();
    if (this.#host.watched.observer !== undefined) this.#tellPush(rings, rxAnswers, txAnswers, rx || tx);
    const { eventPort, rxEventPort } = rings;
    if (rx) this.#notify(rxEventPort);
    if (tx && !(rx && eventPort === rxEventPort)) this.#notify(eventPort);
    return true;
  }

  #notify(eventPort: number): void {
    this.counters.notifications++;
    this.#host.hypercalls.evtchnSend(eventPort);
  }

  /**
   * Asks for the events that the queue needs next: of more requests to read, and, while packets wait, of enough pages for
   * the first one. `publish` comes first.
   * @returns whether there is something to do already.
   */
  arm(): boolean {
    const { rings, waiting } = this;
    if (rings === undefined) return false;
    const rxReady = waiting.size > 0 && rings.rx.arm(this.#headSlots());
    return rings.tx.arm() || rxReady;
  }

  /** The rings go away. Packets that wait are dropped. */
  disconnect(): void {
    this.rings = undefined;
    while (this.waiting.size > 0) this.drop(this.waiting.shift());
    this.queuedBytes = 0;
  }

  /** Drops a packet of the buffers because the frontend is gone. */
  drop(packet: number): void {
    this.lost(LOST_NO_CARRIER);
    this.free(packet);
  }

  /** Counts a packet that is lost for a reason of its own. @param reason LOST_*. */
  lost(reason: number): void {
    this.counters.otherDrops++;
    this.#host.watched.observer?.dropped(this.port.vif, reason);
  }

  #tellPush(rings: QueueRings, rxAnswers: number, txAnswers: number, notified: boolean): void {
    const { observer } = this.#host.watched;
    const number = (this.port.vif << 8) | this.#index;
    if (rxAnswers > 0) observer?.pushed(WATCHED_RX, rxAnswers, number);
    if (txAnswers > 0) observer?.pushed(WATCHED_TX, txAnswers, number);
    if (rxAnswers + txAnswers > 0) observer?.notified(rings.eventPort, notified);
  }

  /** Sleep audit: what would never wake the queue, or undefined. */
  sleepFault(): string | undefined {
    const { rings, waiting } = this;
    if (rings === undefined) return undefined;
    const name = `${this.port.name} queue ${this.#index}`;
    if (rings.tx.unpushed + rings.rx.unpushed > 0) return `${name}: answers are prepared and not published`;
    const fault = rings.tx.ring.sleepFault();
    if (fault !== undefined) return `${name}: tx: ${fault}`;
    if (waiting.size === 0) return undefined;
    const slots = this.#headSlots();
    if (rings.rx.isDeaf(slots)) {
      return `${name}: ${waiting.size} packets wait for ${slots} rx requests, and their coming raises no event`;
    }
    return undefined;
  }
}
