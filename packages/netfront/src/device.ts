import { type Memory, PACKET_CSUM_BLANK, PAGE_SIZE, type Packet } from '@qanat/bytes';
import type { Clock } from '@qanat/clock';
import { ETH_HEADER_BYTES } from '@qanat/ethernet';
import { flowQueue, NO_FLOW } from '@qanat/ipv4';
import { finishChecksum, type Lending, type Netif, type NetifUp, NO_OFFLOAD, type Offload } from '@qanat/link';
import type { NetfrontConfig } from './config.ts';
import { type NetfrontCounters, sumCounters } from './counters.ts';
import { DeviceQueue, type QueueHost } from './device-queue.ts';
import type { LendingDevice, LentPages } from './lent-pages.ts';
import type { RxQueue } from './rx-queue.ts';
import type { TxPool } from './tx-pool.ts';
import type { TxQueue } from './tx-queue.ts';

/** What the device needs of its surroundings. */
export interface DeviceHost {
  readonly memory: Memory;
  readonly clock: Clock;
  /** Runs a task soon, outside of the current call. */
  defer(task: () => void): void;
  /** The backend broke the rules; the device has stopped using its rings. */
  onBroken(reason: string): void;
  /** The stack has no more use for the device. */
  onClose(): void;
}

/** The rings of one queue of a connection. */
export interface QueuePair {
  readonly tx: TxQueue;
  readonly rx: RxQueue;
}

/** Where frames go before the stack has attached. */
const NOBODY: NetifUp = { receive() {}, receiveDone() {}, transmitReady() {} };

/**
 * The network device of a vif, as the stack sees it: one queue or several, by which flows are spread. It outlives
 * connections with backends: without one it is a device that is full, and says `transmitReady` when there is one again.
 */
export class NetfrontDevice implements Netif, QueueHost, LendingDevice {
  readonly name: string;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly memory: Memory;
  readonly clock: Clock;
  readonly config: NetfrontConfig;
  /** What the present backend takes, or the last one took. */
  offload: Offload = NO_OFFLOAD;
  up: NetifUp = NOBODY;
  readonly lent: LentPages;
  watchesAnswers = false;
  /** How far answers were when the stack began to wait. */
  #watchedFrom = 0;
  isClosed = false;
  readonly #host: DeviceHost;
  readonly #maxFrameBytes: number;
  /** Those that were ever in use: the first `#count` are. There is always one. */
  readonly #queues: DeviceQueue[];
  readonly #first: DeviceQueue;
  #count = 1;
  /** The transmit ring, where there is one only: the short way. */
  #onlyTx: TxQueue | undefined;
  #isConnected = false;
  readonly #tellAnswers = (): void => this.tellAnswers();
  readonly stackReady = (): void => this.up.transmitReady();

  /** @param pool of the first queue. */
  constructor(
    host: DeviceHost,
    config: NetfrontConfig,
    pool: TxPool,
    lent: LentPages,
    options: { readonly name: string; readonly mac: Uint8Array; readonly mtu: number },
  ) {
    this.#host = host;
    this.config = config;
    this.memory = host.memory;
    this.clock = host.clock;
    this.name = options.name;
    this.mac = options.mac;
    this.mtu = options.mtu;
    this.#maxFrameBytes = pool.maxFrameBytes;
    this.lent = lent;
    lent.serve(this);
    this.#first = new DeviceQueue(this, pool, 0);
    this.#queues = [this.#first];
  }

  /** Whether there ever was a backend. */
  wasConnected = false;

  /** Whether there is a backend that takes frames. */
  get connected(): boolean {
    return this.#isConnected;
  }

  /** Queues that were agreed on with the present backend; 1 without one. */
  get txQueues(): number {
    return this.#count;
  }

  /** All queues that there ever were. */
  get queues(): readonly DeviceQueue[] {
    return this.#queues;
  }

  /** What all queues have counted, over all connections: a fresh copy. */
  get counters(): NetfrontCounters {
    return sumCounters(this.#queues.map(({ counters }) => counters));
  }

  /** Slots of the transmit rings that hold a request, or an answer that was not read yet; 0 without a backend. */
  get txSlotsUsed(): number {
    return this.#queues.reduce((sum, { txSlotsUsed }) => sum + txSlotsUsed, 0);
  }

  /** The queue of that number, made with a pool of its own where it is new. Numbers come without gaps. */
  addQueue(index: number, pool: TxPool): DeviceQueue {
    this.#queues[index] ??= new DeviceQueue(this, pool, index);
    return this.#queues[index];
  }

  get lending(): Lending {
    return this.lent;
  }

  attach(up: NetifUp): void {
    this.up = up;
  }

  allocate(frameBytes: number, flow = NO_FLOW): Packet | null {
    if (!(frameBytes <= this.#maxFrameBytes)) {
      throw new RangeError(`a frame of ${frameBytes} bytes on ${this.name}, which takes ${this.#maxFrameBytes}`);
    }
    const packet = this.#onlyTx === undefined ? null : this.#onlyTx.alloc(frameBytes);
    return packet ?? this.#queueOf(flow).allocate(frameBytes);
  }

  /** A packet with room for headers of `headBytes`, which refers to `pieces` pieces of lent pages. @returns as `allocate`. */
  allocateReferring(headBytes: number, pieces: number, flow = NO_FLOW): Packet | null {
    return this.#queueOf(flow).allocateReferring(headBytes, pieces);
  }

  /** Takes in answers that are there. */
  lookForAnswers(): void {
    for (let i = 0; i < this.#count; i++) this.#queues[i]!.lookForAnswers();
  }

  /** Has the stack told (`transmitReady`) when more packets that refer to lent pages are answered, or given up. */
  watchAnswers(): void {
    this.#watchedFrom = this.lent.done;
    this.watchesAnswers = true;
    if (this.#isConnected) for (let i = 0; i < this.#count; i++) this.#queues[i]!.watchAnswers(true);
    else this.#host.defer(this.#tellAnswers);
  }

  tellAnswers(): void {
    const { lent } = this;
    if (!this.watchesAnswers || (lent.done === this.#watchedFrom && lent.done !== lent.sent)) return;
    this.watchesAnswers = false;
    for (const queue of this.#queues) queue.watchAnswers(false);
    this.up.transmitReady();
  }

  #queueOf(flow: number): DeviceQueue {
    return this.#count === 1 ? this.#first : this.#queues[flowQueue(flow, this.#count)]!;
  }

  /**
   * Has `wake` called once there is room for a frame of `frameBytes` of a flow, never from inside this call. Waiters are
   * woken in order; one that still finds no room asks again.
   */
  waitForSpace(frameBytes: number, wake: () => void, flow = NO_FLOW): void {
    this.#queueOf(flow).waitForSpace(frameBytes, wake);
  }

  transmit(packet: Packet): void {
    if (!this.#isConnected || !this.#lower(packet)) this.#queues[packet.queue]!.drop(packet);
    else if (this.#onlyTx === undefined || packet.queue > 0) this.#queues[packet.queue]!.transmit(packet);
    else if (!this.#onlyTx.transmit(packet)) this.#first.counters.tx.dropped++;
  }

  /** A backend may take less than the one before, for which a packet was made. @returns false when it cannot be sent. */
  #lower(packet: Packet): boolean {
    if (packet.fragCount > 0) return this.lent.isOpen;
    if (packet.gsoSize > 0 && (this.offload.gsoMaxBytes === 0 || packet.len <= this.mtu + ETH_HEADER_BYTES))
      return false;
    if ((packet.flags & PACKET_CSUM_BLANK) === 0 || this.offload.txChecksum) return true;
    packet.flags &= ~PACKET_CSUM_BLANK;
    return finishChecksum(this.memory, packet.addr, packet.len);
  }

  release(packet: Packet): void {
    this.#queues[packet.queue]!.release(packet);
  }

  flush(): void {
    this.#first.flush();
    for (let i = 1; i < this.#count; i++) this.#queues[i]!.flush();
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#host.onClose();
  }

  /** A backend is there: the rings are ready to be used. There is a queue for each pair of them (`addQueue`). */
  connect(pairs: readonly QueuePair[]): void {
    this.wasConnected = true;
    this.#isConnected = true;
    // Packets of several slots, with blank checksums.
    this.lent.isOpen = this.offload.txChecksum && (this.offload.gsoMaxBytes > 0 || this.mtu > PAGE_SIZE);
    this.#count = pairs.length;
    this.#onlyTx = pairs.length === 1 ? pairs[0]!.tx : undefined;
    for (const [i, queue] of this.#queues.entries()) {
      const pair = pairs[i];
      if (pair === undefined) queue.wakeAll();
      else queue.connect(pair.tx, pair.rx);
    }
  }

  /** The backend is gone, or shall be: the rings are not touched any more. */
  disconnect(): void {
    this.lent.isOpen = false;
    for (const queue of this.#queues) queue.disconnect();
    if (this.watchesAnswers) this.#host.defer(this.#tellAnswers);
    this.#isConnected = false;
    this.#count = 1;
    this.#onlyTx = undefined;
  }

  defer(task: () => void): void {
    this.#host.defer(task);
  }

  break(reason: string): void {
    this.disconnect();
    this.#host.onBroken(reason);
  }

  /** One pass over the rings of every queue. */
  poll(): void {
    for (let i = 0; i < this.#count; i++) this.#queues[i]!.poll();
  }

  /** Sleep audit: what would never wake the device, or undefined. */
  sleepFault(): string | undefined {
    for (const [i, queue] of this.#queues.entries()) {
      const fault = queue.sleepFault();
      if (fault !== undefined) return i === 0 ? fault : `queue ${i}: ${fault}`;
    }
    return undefined;
  }
}
