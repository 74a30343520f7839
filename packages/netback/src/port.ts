import { NEVER, Timer } from '@qanat/clock';
import { ETH_HEADER_BYTES, ETH_TYPE_IPV4 } from '@qanat/ethernet';
import { FLOW_HASH_BYTES, flowQueue, NO_FLOW, packetFlowHash } from '@qanat/ipv4';
import { DelayQueue, finishChecksum, type Impairment } from '@qanat/link';
import { LOST_NO_CARRIER, LOST_ON_LINK, LOST_OTHER, LOST_QUEUE_FULL } from '@qanat/os';
import { NETIF_RSP_ERROR, NETIF_RSP_OKAY, NETIF_RX_RING_ENTRIES, NETTXF_CSUM_BLANK } from '@qanat/xen';
import { NO_BLOCK } from './buffer-pool.ts';
import type { Frame } from './frame.ts';
import { copyFrameHead } from './frame-copy.ts';
import { type PortCounters, sumPortCounters } from './port-counters.ts';
import { type PortHost, PortQueue, type QueueRings } from './port-queue.ts';

const HASHED_BYTES = ETH_HEADER_BYTES + FLOW_HASH_BYTES;

/** Where a port's frames go: the bridge. */
export interface FrameSink {
  /** @returns NETIF_RSP_OKAY, or NETIF_RSP_ERROR when the sender's pages cannot be read. */
  forward(from: Port, frame: Frame, nowUs: number): number;
}

/** A connected frontend. */
export interface PortRings {
  /** At least one. */
  readonly queues: readonly QueueRings[];
  /** The frontend takes blank checksums. */
  readonly checksum: boolean;
  /** The frontend takes super-segments. */
  readonly gso: boolean;
}

/**
 * A port of a bridge: one frontend, with one queue or several. Each frame goes to the queue of its flow (those of TCP and
 * UDP; the others to the first), so that flows keep their order. An impaired link lies before the queues: what it is made
 * for, a cable, is one.
 */
export class Port {
  readonly name: string;
  readonly domid: number;
  /** domain << 8 | device, for an observer. */
  readonly vif: number;
  readonly impairment: Impairment | undefined;
  /** The bridge that it is plugged into, and its number there (-1 while on none). */
  bridge: FrameSink | undefined;
  bridgePort = -1;
  /** Those that were ever in use: the first `queueCount` are. There is always one. */
  readonly queues: PortQueue[];
  queueCount = 1;
  /** What the frontend did wrong; then nothing is exchanged with it any more. */
  fault: string | undefined;
  readonly #host: PortHost;
  readonly #txqueuelen: number;
  readonly #first: PortQueue;
  readonly #delayed = new DelayQueue();
  readonly #timer: Timer;
  #rings: PortRings | undefined;

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
    this.name = options.name;
    this.domid = options.domid;
    this.vif = (options.domid << 8) | (options.index ?? 0);
    this.impairment = options.impairment;
    this.#txqueuelen = options.txqueuelen;
    this.#first = new PortQueue(host, this, 0, options.txqueuelen);
    this.queues = [this.#first];
    this.#timer = new Timer((nowUs) => this.#arrive(nowUs));
  }

  get isConnected(): boolean {
    return this.#rings !== undefined;
  }

  /** What all queues have counted: a fresh copy. */
  get counters(): PortCounters {
    return sumPortCounters(this.queues.map(({ counters }) => counters));
  }

  /** Packets that wait in the queues. */
  get queued(): number {
    return this.queues.reduce((sum, { waiting }) => sum + waiting.size, 0);
  }

  /** Most packets that wait in one queue. */
  get txqueuelen(): number {
    return this.#txqueuelen;
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
    const rings = this.#rings;
    if (rings === undefined || this.fault !== undefined) {
      this.#first.lost(LOST_NO_CARRIER);
      return NETIF_RSP_OKAY;
    }
    const queue = this.queueCount === 1 ? this.#first : this.#queueOf(frame);
    if ((frame.flags & NETTXF_CSUM_BLANK) !== 0 && !this.#takesBlank(rings, frame.gsoSize)) {
      return this.#lower(queue, frame, nowUs);
    }
    return this.impairment === undefined ? queue.put(frame, nowUs) : this.#impair(queue, frame, 0, frame.len, nowUs);
  }

  /** @returns the queue of a frame's flow. Whoever sent it finds out what is wrong with its grants when it is copied. */
  #queueOf(frame: Frame): PortQueue {
    if (!frame.isHashed) {
      frame.isHashed = true;
      const { hypercalls, memory, scratchAddr } = this.#host;
      const bytes = Math.min(frame.len, HASHED_BYTES);
      frame.flowHash =
        copyFrameHead(hypercalls, frame, scratchAddr, bytes) &&
        memory.view.getUint16(scratchAddr + ETH_HEADER_BYTES - 2) === ETH_TYPE_IPV4
          ? packetFlowHash(memory, scratchAddr + ETH_HEADER_BYTES, bytes - ETH_HEADER_BYTES)
          : NO_FLOW;
    }
    return this.queues[flowQueue(frame.flowHash, this.queueCount)]!;
  }

  /** Whether a frame can go as it is whose checksum is blank. An impaired link carries what a cable would. */
  #takesBlank(rings: PortRings, gsoSize: number): boolean {
    return this.impairment === undefined && (gsoSize > 0 ? rings.gso : rings.checksum);
  }

  /** Does what the frontend, or the link to it, cannot: computes the checksum, cuts a super-segment. */
  #lower(queue: PortQueue, frame: Frame, nowUs: number): number {
    const { hypercalls, stagingAddr, segmenter, memory } = this.#host;
    const { counters } = queue;
    if (!copyFrameHead(hypercalls, frame, stagingAddr, frame.len)) return NETIF_RSP_ERROR;
    if (frame.gsoSize === 0) {
      if (finishChecksum(memory, stagingAddr, frame.len)) {
        counters.checksums++;
        this.#deliverBytes(queue, stagingAddr, frame.len, 0, nowUs);
      } else {
        queue.lost(LOST_OTHER);
      }
      return NETIF_RSP_OKAY;
    }
    const blank = this.impairment === undefined && this.#rings?.checksum === true;
    if (!segmenter.begin(stagingAddr, frame.len, frame.gsoSize, ETH_HEADER_BYTES, blank)) {
      queue.lost(LOST_OTHER);
      return NETIF_RSP_OKAY;
    }
    counters.gsoCut++;
    while (segmenter.next()) {
      counters.gsoSegments++;
      if (!blank) counters.checksums++;
      this.#deliverBytes(queue, segmenter.addr, segmenter.len, blank ? NETTXF_CSUM_BLANK : 0, nowUs);
    }
    return NETIF_RSP_OKAY;
  }

  /** As `deliver`, of a frame in Dom0's memory; it is lost where it cannot be taken. */
  #deliverBytes(queue: PortQueue, addr: number, bytes: number, flags: number, nowUs: number): void {
    if (this.impairment === undefined) queue.putBytes(addr, bytes, flags, nowUs);
    else this.#impair(queue, undefined, addr, bytes, nowUs);
  }

  /** Puts a frame, or without one `bytes` at `addr`, on the impaired link. */
  #impair(queue: PortQueue, frame: Frame | undefined, addr: number, bytes: number, nowUs: number): number {
    const { pool, watched, timers } = this.#host;
    if (!queue.takes(bytes)) {
      queue.lost(LOST_OTHER);
      return NETIF_RSP_OKAY;
    }
    const { deliverAtUs, duplicateAtUs, corruptBit, queueFull } = this.impairment!.plan(nowUs, bytes);
    if (watched.observer !== undefined && !queueFull && this.impairment!.queued(nowUs) > 0) this.tellQueued(nowUs);
    if (deliverAtUs === NEVER) {
      watched.observer?.dropped(this.vif, queueFull ? LOST_QUEUE_FULL : LOST_ON_LINK);
      return NETIF_RSP_OKAY;
    }
    // What a link may corrupt, nobody has validated.
    const packet = frame === undefined ? queue.storeBytes(addr, bytes, 0) : queue.reserve(bytes);
    if (packet === NO_BLOCK) return NETIF_RSP_OKAY;
    if (frame !== undefined && !queue.fill(packet, frame, 0)) return NETIF_RSP_ERROR;
    // The copy is made before a bit is flipped: damage happens to one of them.
    const duplicate = duplicateAtUs === NEVER ? NO_BLOCK : queue.clone(packet);
    if (corruptBit >= 0) pool.flipBit(packet, corruptBit);
    this.#delayed.push(packet, deliverAtUs);
    if (duplicate !== NO_BLOCK) this.#delayed.push(duplicate, duplicateAtUs);
    timers.arm(this.#timer, this.#delayed.nextUs);
    return NETIF_RSP_OKAY;
  }

  /** Packets come out of the impaired link; at most a ring of them, then others have their turn. */
  #arrive(nowUs: number): void {
    const { hypercalls, timers, pool } = this.#host;
    hypercalls.grantCopyBegin();
    for (let i = 0; i < NETIF_RX_RING_ENTRIES && this.#delayed.nextUs <= nowUs; i++) {
      const packet = this.#delayed.pop();
      this.queues[pool.queue[packet]!]!.putPacket(packet, nowUs);
    }
    hypercalls.grantCopyEnd();
    if (this.#delayed.size > 0) timers.arm(this.#timer, this.#delayed.nextUs);
    this.#host.finishTouched();
  }

  connect(rings: PortRings): void {
    this.fault = undefined;
    this.#rings = rings;
    this.queueCount = rings.queues.length;
    for (const [i, queueRings] of rings.queues.entries()) {
      this.queues[i] ??= new PortQueue(this.#host, this, i, this.#txqueuelen);
      this.queues[i].rings = queueRings;
    }
  }

  /** The rings go away. Packets that wait are dropped. */
  disconnect(): void {
    const { pool, timers } = this.#host;
    this.#rings = undefined;
    timers.cancel(this.#timer);
    for (const queue of this.queues) queue.disconnect();
    while (this.#delayed.size > 0) {
      const packet = this.#delayed.pop();
      this.queues[pool.queue[packet]!]!.drop(packet);
    }
  }

  /** Says to an observer what waits: for pages of the frontend, and before that for an impaired link. */
  tellQueued(nowUs: number): void {
    let packets = this.queued;
    let bytes = this.queues.reduce((sum, { queuedBytes }) => sum + queuedBytes, 0);
    if (this.impairment !== undefined) {
      packets += this.impairment.queued(nowUs);
      bytes += this.impairment.queuedBytes(nowUs);
    }
    this.#host.watched.observer?.queued(this.vif, packets, bytes);
  }

  /** Sleep audit: what would never wake the port, or undefined. */
  sleepFault(): string | undefined {
    if (this.fault !== undefined) return undefined;
    for (const queue of this.queues) {
      const fault = queue.sleepFault();
      if (fault !== undefined) return fault;
    }
    return undefined;
  }
}
