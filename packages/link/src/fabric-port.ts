import { type Memory, PACKET_CSUM_BLANK, PACKET_DATA_VALIDATED, type Packet } from '@qanat/bytes';
import { Timer } from '@qanat/clock';
import { ETH_HEADER_BYTES } from '@qanat/ethernet';
import { DelayQueue } from './delay-queue.ts';
import type { Fabric } from './fabric.ts';
import type { Impairment } from './impairment.ts';
import type { Netif, NetifUp, Offload } from './netif.ts';
import { finishChecksum } from './offload-software.ts';

/** What has passed a port of a link, as its host sees it, and what was dropped on the way. */
export interface PortCounters {
  txFrames: number;
  txBytes: number;
  rxFrames: number;
  rxBytes: number;
  /** Frames for this port that found its queue full, or nobody there. */
  rxDrops: number;
  /** Frames of this port that were too short, too long or had nowhere to go. */
  txDrops: number;
  /** How often `allocate` found the device full. */
  fullWaits: number;
}

export interface PortOptions {
  readonly name: string;
  /** Six bytes. */
  readonly mac: Uint8Array;
  /** Most buffers that this port may have out (with its host, or on the way): the length of its ring. */
  readonly ringFrames: number;
  /** Most frames that wait for this port's host, where no impairment has a queue of its own. */
  readonly queueFrames: number;
  /** What happens to frames on the way to this port's host. */
  readonly impairment: Impairment | undefined;
}

/** One end of a link. Frames go out by its fabric, and come in over a queue that a timer empties in batches. */
export class FabricPort implements Netif {
  readonly name: string;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly memory: Memory;
  readonly offload: Offload;
  readonly counters: PortCounters = {
    txFrames: 0,
    txBytes: 0,
    rxFrames: 0,
    rxBytes: 0,
    rxDrops: 0,
    txDrops: 0,
    fullWaits: 0,
  };
  readonly index: number;
  readonly impairment: Impairment | undefined;
  /** Buffers on this port's account: with its host, or on the way from it. */
  held = 0;
  /** Buffers with copies (floods, duplicates) that were made for this port. */
  copiesHeld = 0;
  /** `allocate` has failed and `transmitReady` is owed. */
  waiting = false;
  closed = false;
  readonly #fabric: Fabric;
  readonly #ringFrames: number;
  readonly #timer: Timer;
  #up: NetifUp | undefined;
  /** Tokens of frames that were transmitted and not yet flushed. */
  readonly #staged: Int32Array;
  #stagedCount = 0;
  /** Tokens of frames that wait for the host: a ring; unused when an impairment delays them. */
  readonly #queue: Int32Array;
  #queueHead = 0;
  #queueLength = 0;
  readonly #delayed: DelayQueue | undefined;

  constructor(fabric: Fabric, index: number, options: PortOptions) {
    this.#fabric = fabric;
    this.index = index;
    this.name = options.name;
    this.mac = options.mac;
    this.mtu = fabric.mtu;
    this.offload = fabric.offload;
    this.memory = fabric.memory;
    this.impairment = options.impairment;
    this.#ringFrames = options.ringFrames;
    this.#staged = new Int32Array(options.ringFrames);
    this.#delayed = options.impairment === undefined ? undefined : new DelayQueue();
    this.#queue = new Int32Array(options.impairment === undefined ? options.queueFrames : 0);
    this.#timer = new Timer((nowUs) => this.#onTurn(nowUs));
  }

  attach(up: NetifUp): void {
    this.#up = up;
  }

  /** @throws RangeError when the frame would be longer than the link takes. */
  allocate(frameBytes: number): Packet | null {
    if (frameBytes > this.#fabric.pool.frameBytes) {
      throw new RangeError(`${this.name}: a frame of ${frameBytes} bytes on a link with an MTU of ${this.mtu}`);
    }
    const packet = this.closed ? null : this.takeBuffer();
    if (packet !== null) return packet;
    if (!this.waiting && !this.closed) {
      this.waiting = true;
      this.#fabric.waitingPorts++;
      this.counters.fullWaits++;
    }
    return null;
  }

  /** A buffer on this port's account, or null when its ring is full. */
  takeBuffer(): Packet | null {
    if (this.held >= this.#ringFrames) return null;
    const packet = this.#fabric.pool.take(this.index);
    if (packet !== null) this.held++;
    return packet;
  }

  /** A buffer for a copy that comes out at this port, or null when it has as many as its ring is long. */
  takeCopyBuffer(): Packet | null {
    if (this.copiesHeld >= this.#ringFrames) return null;
    const packet = this.#fabric.pool.take(-1 - this.index);
    if (packet !== null) this.copiesHeld++;
    return packet;
  }

  transmit(packet: Packet): void {
    this.#fabric.pool.queue(packet);
    this.#staged[this.#stagedCount++] = packet.token;
  }

  release(packet: Packet): void {
    this.#fabric.pool.checkHeld(packet);
    this.#fabric.giveBack(packet);
    this.#fabric.wakeWaiting(this.#fabric.clock.now());
  }

  flush(): void {
    const count = this.#stagedCount;
    if (count === 0) return;
    const fabric = this.#fabric;
    const nowUs = fabric.clock.now();
    this.#stagedCount = 0;
    for (let i = 0; i < count; i++) {
      const packet = fabric.pool.packets[this.#staged[i]!]!;
      if (this.closed || packet.len < ETH_HEADER_BYTES || packet.len > fabric.pool.frameBytes) {
        this.counters.txDrops++;
        fabric.giveBack(packet);
        continue;
      }
      this.counters.txFrames++;
      this.counters.txBytes += packet.len;
      fabric.forward(this, packet, nowUs);
    }
    fabric.wakeWaiting(nowUs);
  }

  /** Whether somebody is there to receive. */
  get attached(): boolean {
    return !this.closed && this.#up !== undefined;
  }

  /** Takes a frame that shall come out here. */
  accept(packet: Packet, nowUs: number): void {
    if (!this.attached) {
      this.counters.rxDrops++;
      this.#fabric.giveBack(packet);
      return;
    }
    if (this.#delayed !== undefined) {
      if (packet.flags & PACKET_CSUM_BLANK) this.#lower(this.#delayed, packet, nowUs);
      else this.#acceptImpaired(this.#delayed, packet, nowUs);
      return;
    }
    // A blank checksum stands for data that nobody could harm.
    if (packet.flags & PACKET_CSUM_BLANK) packet.flags |= PACKET_DATA_VALIDATED;
    const capacity = this.#queue.length;
    if (this.#queueLength === capacity) {
      this.counters.rxDrops++;
      this.#fabric.giveBack(packet);
      return;
    }
    const tail = this.#queueHead + this.#queueLength++;
    this.#queue[tail < capacity ? tail : tail - capacity] = packet.token;
    this.#armFor(nowUs);
  }

  /** Makes what a cable carries of a frame with a blank checksum. What cannot be is dropped. */
  #lower(delayed: DelayQueue, packet: Packet, nowUs: number): void {
    const { gsoSize } = packet;
    packet.flags = 0;
    packet.gsoSize = 0;
    if (gsoSize === 0) {
      if (finishChecksum(this.memory, packet.addr, packet.len)) {
        this.#acceptImpaired(delayed, packet, nowUs);
        return;
      }
      this.counters.rxDrops++;
    } else {
      const { segmenter, memory } = this.#fabric;
      if (!segmenter.begin(packet.addr, packet.len, gsoSize, ETH_HEADER_BYTES, false)) this.counters.rxDrops++;
      else {
        while (segmenter.next()) {
          const part = this.takeCopyBuffer();
          if (part === null) {
            this.counters.rxDrops++;
            break;
          }
          part.set(part.addr, segmenter.len);
          memory.kernel.copy(part.addr, segmenter.addr, segmenter.len);
          this.#fabric.pool.queue(part);
          this.#acceptImpaired(delayed, part, nowUs);
        }
      }
    }
    this.#fabric.giveBack(packet);
  }

  #acceptImpaired(delayed: DelayQueue, packet: Packet, nowUs: number): void {
    const plan = this.impairment!.plan(nowUs, packet.len);
    if (plan.deliverAtUs === Number.POSITIVE_INFINITY) {
      this.#fabric.giveBack(packet);
      return;
    }
    if (plan.corruptBit >= 0) this.memory.u8[packet.addr + (plan.corruptBit >>> 3)]! ^= 1 << (plan.corruptBit & 7);
    delayed.push(packet.token, plan.deliverAtUs);
    if (plan.duplicateAtUs !== Number.POSITIVE_INFINITY) {
      const copy = this.#fabric.copyFor(this, packet);
      if (copy !== null) delayed.push(copy.token, plan.duplicateAtUs);
    }
    this.#armFor(delayed.nextUs);
  }

  /** Whether `allocate` would find a buffer. */
  get hasRoom(): boolean {
    return this.held < this.#ringFrames && this.#fabric.pool.hasRoom;
  }

  /** There is room again: this port's turn comes, and it says so to its host. */
  wake(nowUs: number): void {
    this.#armFor(nowUs);
  }

  close(): void {
    if (this.closed) return;
    this.flush();
    this.closed = true;
    if (this.waiting) {
      this.waiting = false;
      this.#fabric.waitingPorts--;
    }
    this.#fabric.timers.cancel(this.#timer);
    for (let packet = this.#pop(Number.POSITIVE_INFINITY); packet !== undefined; ) {
      this.counters.rxDrops++;
      this.#fabric.giveBack(packet);
      packet = this.#pop(Number.POSITIVE_INFINITY);
    }
    this.#fabric.portClosed(this);
    this.#fabric.wakeWaiting(this.#fabric.clock.now());
  }

  #armFor(us: number): void {
    if (us < this.#timer.deadlineUs) this.#fabric.timers.arm(this.#timer, us);
  }

  /** Takes the first frame that is due, or undefined. */
  #pop(nowUs: number): Packet | undefined {
    const packets = this.#fabric.pool.packets;
    if (this.#delayed !== undefined) return this.#delayed.nextUs <= nowUs ? packets[this.#delayed.pop()] : undefined;
    if (this.#queueLength === 0) return undefined;
    const token = this.#queue[this.#queueHead]!;
    this.#queueHead = this.#queueHead + 1 < this.#queue.length ? this.#queueHead + 1 : 0;
    this.#queueLength--;
    return packets[token];
  }

  /** One batch: the frames that are due, then what was owed to a sender that waits for room. */
  #onTurn(nowUs: number): void {
    const up = this.#up;
    if (up === undefined) return;
    let left = this.#delayed === undefined ? this.#queueLength : this.#delayed.size;
    let delivered = 0;
    try {
      for (; left > 0; left--) {
        const packet = this.#pop(nowUs);
        if (packet === undefined) break;
        delivered++;
        this.counters.rxFrames++;
        this.counters.rxBytes += packet.len;
        packet.arrivedUs = nowUs;
        try {
          up.receive(packet);
        } finally {
          this.#fabric.giveBack(packet);
        }
      }
      if (delivered > 0 && !this.closed) up.receiveDone();
      if (this.waiting && this.hasRoom) {
        this.waiting = false;
        this.#fabric.waitingPorts--;
        up.transmitReady();
      }
    } finally {
      if (!this.closed) {
        if (this.#delayed !== undefined) this.#armFor(this.#delayed.nextUs);
        else if (this.#queueLength > 0) this.#armFor(nowUs);
      }
      this.#fabric.wakeWaiting(nowUs);
    }
  }
}
