import type { Memory } from '@qanat/bytes';
import { NEVER, Timer, type TimerQueue } from '@qanat/clock';
import { ETH_HEADER_BYTES } from '@qanat/ethernet';
import { DelayQueue, finishChecksum, type Impairment, type TcpSegmenter } from '@qanat/link';
import {
  LOST_NO_BUFFER,
  LOST_NO_CARRIER,
  LOST_ON_LINK,
  LOST_OTHER,
  LOST_QUEUE_FULL,
  WATCHED_RX,
  WATCHED_TX,
  type Watched,
} from '@qanat/os';
import { type Hypercalls, NETIF_RSP_ERROR, NETIF_RSP_OKAY, NETIF_RX_RING_ENTRIES, NETTXF_CSUM_BLANK } from '@qanat/xen';
import { BufferPool, NO_BLOCK } from './buffer-pool.ts';
import type { Frame } from './frame.ts';
import { copyFrameHead, copyFrameIn } from './frame-copy.ts';
import { PacketQueue } from './packet-queue.ts';
import type { PersistentGrants } from './persistent-grants.ts';
import { COPY_BAD_RECEIVER, COPY_BAD_SENDER, COPY_DONE, type RxWriter, rxSlots } from './rx-writer.ts';
import type { TxReader } from './tx-reader.ts';

/** Bytes pass 2^31: a counter that first held a fraction stays a double, and need not change its kind on the way. */
const FRACTION = 0.5;

/** What a port counts. `tx` and `rx` are the frontend's words: what it sent, and what it was given. */
export interface PortCounters {
  txPackets: number;
  txBytes: number;
  /** Packets that were answered with an error: too short, not understood, or with bad grants. */
  txErrors: number;
  rxPackets: number;
  rxBytes: number;
  /** Of the packets given to it, those that had to wait in the queue. */
  rxQueued: number;
  /** Packets lost because the frontend's posted pages could not be written to. */
  rxErrors: number;
  /** Packets lost because the queue was full (txqueuelen). */
  queueDrops: number;
  /** Packets lost because the packet buffers ran low. */
  bufferDrops: number;
  /** Packets lost because the frontend is not connected, or cannot take what they are. */
  otherDrops: number;
  /** Of the packets given to it, super-segments. */
  rxGso: number;
  /** Checksums that were computed for it, and super-segments that were cut for it, and into how many. */
  checksums: number;
  gsoCut: number;
  gsoSegments: number;
  /** Most packets that waited at once. */
  queueHighWater: number;
  notifications: number;
}

/** What a port needs of the backend that it belongs to. */
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
  /** Something is unpublished on the port's rings, or it broke: `finish` must follow in this pass. */
  touch(port: Port): void;
  /** Publishes what the ports have that were touched outside of a pass. */
  finishTouched(): void;
}

/** Where a port's frames go: the bridge. */
export interface FrameSink {
  /** @returns NETIF_RSP_OKAY, or NETIF_RSP_ERROR when the sender's pages cannot be read. */
  forward(from: Port, frame: Frame, nowUs: number): number;
}

/** Rings and event channel of a connected frontend. */
export interface PortRings {
  readonly tx: TxReader;
  readonly rx: RxWriter;
  /** Our end of the event channel. */
  readonly eventPort: number;
  /** Of the RX ring; the same unless the frontend has split them. */
  readonly rxEventPort: number;
  /** The frontend takes packets of several slots. */
  readonly scatterGather: boolean;
  /** The frontend takes blank checksums. */
  readonly checksum: boolean;
  /** The frontend takes super-segments. */
  readonly gso: boolean;
  /** The frontend's pages that stay mapped, where it keeps them. */
  readonly grants: PersistentGrants | undefined;
}

/**
 * A port of a bridge: one frontend. Frames to it go straight from the sender's pages into posted ones when nothing
 * waits and pages are there; else into a queue of at most `txqueuelen` packets. An impaired link lies before the
 * queue.
 */
export class Port {
  readonly name: string;
  readonly domid: number;
  readonly counters: PortCounters = {
    txPackets: 0,
    txBytes: FRACTION,
    txErrors: 0,
    rxPackets: 0,
    rxBytes: FRACTION,
    rxQueued: 0,
    rxErrors: 0,
    queueDrops: 0,
    bufferDrops: 0,
    otherDrops: 0,
    rxGso: 0,
    checksums: 0,
    gsoCut: 0,
    gsoSegments: 0,
    queueHighWater: 0,
    notifications: 0,
  };
  readonly impairment: Impairment | undefined;
  readonly queue: PacketQueue;
  /** The bridge that it is plugged into, and its number there (-1 while on none). */
  bridge: FrameSink | undefined;
  bridgePort = -1;
  rings: PortRings | undefined;
  /** What the frontend did wrong; then nothing is exchanged with it any more. */
  fault: string | undefined;
  /** The backend's marks: the port waits for its turn; it is in the list of touched ports. */
  isRunnable = false;
  isTouched = false;
  readonly #host: PortHost;
  readonly #delayed = new DelayQueue();
  readonly #timer: Timer;
  /** domain << 8 | device, for an observer. */
  readonly #vif: number;
  #queuedBytes = 0;
  /** Blocks of packet buffers that the port holds. */
  #blocks = 0;

  constructor(
    host: PortHost,
    options: {
      readonly name: string;
      readonly domid: number;
      /** Number of the device in its domain; default 0. */
      readonly index?: number;
      readonly txqueuelen: number;
      readonly impairment: Impairment | undefined;
    },
  ) {
    this.#host = host;
    this.counters.txBytes = 0;
    this.counters.rxBytes = 0;
    this.name = options.name;
    this.domid = options.domid;
    this.#vif = (options.domid << 8) | (options.index ?? 0);
    this.impairment = options.impairment;
    this.queue = new PacketQueue(options.txqueuelen);
    this.#timer = new Timer((nowUs) => this.#arrive(nowUs));
  }

  /** Packets under way on the impaired link. */
  get delayed(): number {
    return this.#delayed.size;
  }

  /**
   * Sends a frame to the frontend.
   * @returns NETIF_RSP_ERROR when the frame cannot be read, NETIF_RSP_OKAY otherwise, delivered or lost.
   */
  deliver(frame: Frame, nowUs: number): number {
    const { rings } = this;
    if (rings === undefined || this.fault !== undefined) {
      this.#lost(LOST_NO_CARRIER);
      return NETIF_RSP_OKAY;
    }
    const { gsoSize } = frame;
    if ((frame.flags & NETTXF_CSUM_BLANK) !== 0 && !this.#takesBlank(rings, gsoSize)) return this.#lower(frame, nowUs);
    const slots = rxSlots(frame.len, gsoSize);
    if (slots > 1 && !rings.scatterGather) {
      this.#lost(LOST_OTHER);
      return NETIF_RSP_OKAY;
    }
    if (this.impairment === undefined && this.queue.size === 0 && rings.rx.hasRoom(slots)) {
      const result = rings.rx.copyFrame(frame);
      if (result === COPY_BAD_SENDER) return NETIF_RSP_ERROR;
      this.#delivered(result, frame.len, gsoSize);
      return NETIF_RSP_OKAY;
    }
    if (rings.rx.fault !== undefined) {
      this.#host.touch(this);
      return NETIF_RSP_OKAY;
    }
    return this.#take(frame, 0, frame.len, nowUs);
  }

  /** Whether a frame can go as it is whose checksum is blank. An impaired link carries what a cable would. */
  #takesBlank(rings: PortRings, gsoSize: number): boolean {
    return this.impairment === undefined && (gsoSize > 0 ? rings.gso : rings.checksum);
  }

  /** Does what the frontend, or the link to it, cannot: computes the checksum, cuts a super-segment. */
  #lower(frame: Frame, nowUs: number): number {
    const { hypercalls, stagingAddr, segmenter, memory } = this.#host;
    const { counters } = this;
    if (!copyFrameHead(hypercalls, frame, stagingAddr, frame.len)) return NETIF_RSP_ERROR;
    if (frame.gsoSize === 0) {
      if (finishChecksum(memory, stagingAddr, frame.len)) {
        counters.checksums++;
        this.#deliverBytes(stagingAddr, frame.len, 0, nowUs);
      } else {
        this.#lost(LOST_OTHER);
      }
      return NETIF_RSP_OKAY;
    }
    const blank = this.impairment === undefined && this.rings?.checksum === true;
    if (!segmenter.begin(stagingAddr, frame.len, frame.gsoSize, ETH_HEADER_BYTES, blank)) {
      this.#lost(LOST_OTHER);
      return NETIF_RSP_OKAY;
    }
    counters.gsoCut++;
    while (segmenter.next()) {
      counters.gsoSegments++;
      if (!blank) counters.checksums++;
      this.#deliverBytes(segmenter.addr, segmenter.len, blank ? NETTXF_CSUM_BLANK : 0, nowUs);
    }
    return NETIF_RSP_OKAY;
  }

  /** As `deliver`, of a frame in Dom0's memory; it is lost where it cannot be taken. */
  #deliverBytes(addr: number, bytes: number, flags: number, nowUs: number): void {
    const { rings } = this;
    if (rings === undefined || this.fault !== undefined) return;
    const slots = rxSlots(bytes, 0);
    if (slots > 1 && !rings.scatterGather) {
      this.#lost(LOST_OTHER);
    } else if (this.impairment === undefined && this.queue.size === 0 && rings.rx.hasRoom(slots)) {
      this.#delivered(rings.rx.copyBytes(addr, bytes, flags), bytes, 0);
    } else if (rings.rx.fault !== undefined) {
      this.#host.touch(this);
    } else {
      this.#take(undefined, addr, bytes, nowUs, flags);
    }
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

  /** Copies a frame, or without one `bytes` at `addr`, into Dom0's buffers, for the impaired link or the queue. */
  #take(frame: Frame | undefined, addr: number, bytes: number, nowUs: number, flags = 0): number {
    const { impairment } = this;
    let deliverAtUs = nowUs;
    let duplicateAtUs = NEVER;
    let corruptBit = -1;
    if (impairment === undefined) {
      if (this.queue.size === this.queue.capacity) {
        this.counters.queueDrops++;
        this.#host.watched.observer?.dropped(this.#vif, LOST_QUEUE_FULL);
        this.#host.touch(this);
        return NETIF_RSP_OKAY;
      }
    } else {
      const plan = impairment.plan(nowUs, bytes);
      if (plan.deliverAtUs === NEVER) {
        this.#host.watched.observer?.dropped(this.#vif, LOST_ON_LINK);
        return NETIF_RSP_OKAY;
      }
      deliverAtUs = plan.deliverAtUs;
      duplicateAtUs = plan.duplicateAtUs;
      corruptBit = plan.corruptBit;
    }
    const packet = this.#allocate(bytes);
    if (packet === NO_BLOCK) return NETIF_RSP_OKAY;
    const { pool, hypercalls } = this.#host;
    if (frame === undefined) {
      pool.flags[packet] = flags;
      pool.copyFrom(packet, addr, bytes);
    } else {
      // What a link may corrupt, nobody has validated.
      pool.flags[packet] = impairment === undefined ? frame.flags : 0;
      pool.gsoSize[packet] = frame.gsoSize;
      if (!copyFrameIn(hypercalls, frame, pool, packet)) {
        this.#free(packet);
        return NETIF_RSP_ERROR;
      }
    }
    if (impairment === undefined) {
      this.#enqueue(packet);
      return NETIF_RSP_OKAY;
    }
    // The copy is made before a bit is flipped: damage happens to one of them.
    const duplicate = duplicateAtUs === NEVER ? NO_BLOCK : this.#clone(packet);
    if (corruptBit >= 0) pool.flipBit(packet, corruptBit);
    this.#delayed.push(packet, deliverAtUs);
    if (duplicate !== NO_BLOCK) this.#delayed.push(duplicate, duplicateAtUs);
    this.#host.timers.arm(this.#timer, this.#delayed.nextUs);
    return NETIF_RSP_OKAY;
  }

  /** Packets come out of the impaired link; at most a ring of them, then others have their turn. */
  #arrive(nowUs: number): void {
    const { hypercalls, timers } = this.#host;
    hypercalls.grantCopyBegin();
    for (let i = 0; i < NETIF_RX_RING_ENTRIES && this.#delayed.nextUs <= nowUs; i++) {
      const packet = this.#delayed.pop();
      if (this.queue.size === this.queue.capacity) {
        this.counters.queueDrops++;
        this.#host.watched.observer?.dropped(this.#vif, LOST_QUEUE_FULL);
        this.#free(packet);
      } else {
        this.#enqueue(packet);
        if (this.queue.size === 1) this.drain(1);
      }
    }
    hypercalls.grantCopyEnd();
    if (this.#delayed.size > 0) timers.arm(this.#timer, this.#delayed.nextUs);
    this.#host.finishTouched();
  }

  #enqueue(packet: number): void {
    this.queue.push(packet);
    this.#queuedBytes += this.#host.pool.length[packet]!;
    if (this.#host.watched.observer !== undefined) this.#tellQueue();
    if (this.queue.size > this.counters.queueHighWater) this.counters.queueHighWater = this.queue.size;
    this.#host.touch(this);
  }

  /** Gives the frontend at most `limit` packets of the queue, as far as it has posted pages. @returns how many. */
  drain(limit: number): number {
    const { rings, queue } = this;
    if (rings === undefined || this.fault !== undefined) return 0;
    const { pool } = this.#host;
    let packets = 0;
    while (packets < limit && queue.size > 0) {
      const packet = queue.peek();
      const bytes = pool.length[packet]!;
      const gsoSize = pool.gsoSize[packet]!;
      if (!rings.rx.hasRoom(rxSlots(bytes, gsoSize))) break;
      queue.shift();
      this.#queuedBytes -= bytes;
      const result = rings.rx.copyBuffer(pool, packet);
      if (result === COPY_DONE) this.counters.rxQueued++;
      this.#delivered(result, bytes, gsoSize);
      this.#free(packet);
      packets++;
    }
    if (packets > 0 && this.#host.watched.observer !== undefined) this.#tellQueue();
    if (rings.rx.fault !== undefined) this.#host.touch(this);
    return packets;
  }

  /** RX requests that the first packet of the queue takes. */
  #headSlots(): number {
    const { pool } = this.#host;
    const packet = this.queue.peek();
    return rxSlots(pool.length[packet]!, pool.gsoSize[packet]!);
  }

  /** Whether the head of the queue could be delivered. */
  get canDrain(): boolean {
    const { rings, queue } = this;
    if (rings === undefined || queue.size === 0) return false;
    return rings.rx.hasRoom(this.#headSlots());
  }

  /**
   * Publishes what was prepared on both rings, with at most one event for each event channel.
   * @returns false when the frontend is broken.
   */
  publish(): boolean {
    const { rings } = this;
    if (rings === undefined) return true;
    this.fault ??= rings.tx.fault ?? rings.rx.fault;
    if (this.fault !== undefined) return false;
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
   * Asks for the events that the port needs next: of more requests to read, and, while packets wait, of enough pages for
   * the first one. `publish` comes first.
   * @returns whether there is something to do already.
   */
  arm(): boolean {
    const { rings, queue } = this;
    if (rings === undefined) return false;
    const rxReady = queue.size > 0 && rings.rx.arm(this.#headSlots());
    return rings.tx.arm() || rxReady;
  }

  connect(rings: PortRings): void {
    this.fault = undefined;
    this.rings = rings;
  }

  /** The rings go away. Packets that wait are dropped. */
  disconnect(): void {
    this.rings = undefined;
    this.#host.timers.cancel(this.#timer);
    while (this.queue.size > 0) this.#drop(this.queue.shift());
    this.#queuedBytes = 0;
    while (this.#delayed.size > 0) this.#drop(this.#delayed.pop());
  }

  #lost(reason: number): void {
    this.counters.otherDrops++;
    this.#host.watched.observer?.dropped(this.#vif, reason);
  }

  #tellQueue(): void {
    this.#host.watched.observer?.queued(this.#vif, this.queue.size, this.#queuedBytes);
  }

  #tellPush(rings: PortRings, rxAnswers: number, txAnswers: number, notified: boolean): void {
    const { observer } = this.#host.watched;
    if (rxAnswers > 0) observer?.pushed(WATCHED_RX, rxAnswers, this.#vif << 8);
    if (txAnswers > 0) observer?.pushed(WATCHED_TX, txAnswers, this.#vif << 8);
    if (rxAnswers + txAnswers > 0) observer?.notified(rings.eventPort, notified);
  }

  #drop(packet: number): void {
    this.#lost(LOST_NO_CARRIER);
    this.#free(packet);
  }

  /**
   * Takes buffers, if the port has not got its share yet: never more than what would be left for the others. So a
   * frontend that posts no pages cannot starve them.
   */
  #allocate(bytes: number): number {
    const { pool } = this.#host;
    const blocks = BufferPool.blocksOf(bytes);
    const packet = this.#blocks + blocks <= pool.freeBlocks - blocks ? pool.alloc(bytes) : NO_BLOCK;
    if (packet === NO_BLOCK) {
      this.counters.bufferDrops++;
      this.#host.watched.observer?.dropped(this.#vif, LOST_NO_BUFFER);
    } else this.#blocks += blocks;
    return packet;
  }

  #clone(packet: number): number {
    const { pool } = this.#host;
    const copy = this.#allocate(pool.length[packet]!);
    if (copy !== NO_BLOCK) pool.copy(copy, packet);
    return copy;
  }

  #free(packet: number): void {
    const { pool } = this.#host;
    this.#blocks -= BufferPool.blocksOf(pool.length[packet]!);
    pool.free(packet);
  }

  /** Sleep audit: what would never wake the port, or undefined. */
  sleepFault(): string | undefined {
    const { rings, queue } = this;
    if (rings === undefined || this.fault !== undefined) return undefined;
    if (rings.tx.unpushed + rings.rx.unpushed > 0) return `${this.name}: answers are prepared and not published`;
    const fault = rings.tx.ring.sleepFault();
    if (fault !== undefined) return `${this.name}: tx: ${fault}`;
    if (queue.size === 0) return undefined;
    const slots = this.#headSlots();
    if (rings.rx.isDeaf(slots)) {
      return `${this.name}: ${queue.size} packets wait for ${slots} rx requests, and their coming raises no event`;
    }
    return undefined;
  }
}
