import { type Memory, PACKET_CSUM_BLANK, type Packet } from '@qanat/bytes';
import type { Clock } from '@qanat/clock';
import { ETH_HEADER_BYTES } from '@qanat/ethernet';
import { finishChecksum, type Netif, type NetifUp, NO_OFFLOAD, type Offload } from '@qanat/link';
import type { NetfrontConfig } from './config.ts';
import type { RxCounters, RxQueue } from './rx-queue.ts';
import { SpaceWaiters } from './space-waiters.ts';
import type { TxPool } from './tx-pool.ts';
import type { TxCounters, TxQueue } from './tx-queue.ts';

/** What a vif counts, over all its connections. */
export interface NetfrontCounters {
  readonly tx: TxCounters;
  readonly rx: RxCounters;
  /** Passes over the rings. */
  polls: number;
}

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

/** Bytes pass 2^31: a counter that first held a fraction stays a double, and need not change its kind on the way. */
const FRACTION = 0.5;

/** Where frames go before the stack has attached. */
const NOBODY: NetifUp = { receive() {}, receiveDone() {}, transmitReady() {} };

/**
 * The network device of a vif, as the stack sees it. It outlives connections with backends: without one it is a
 * device that is full, and says `transmitReady` when there is one again.
 *
 * Order of a pass: reap TX responses and wake who waits for room, drain RX, post the pages again, final check. When
 * the check finds more, another pass is queued behind the loop's timers and events; nothing here waits or recurses.
 */
export class NetfrontDevice implements Netif {
  readonly name: string;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly memory: Memory;
  /** What the present backend takes, or the last one took. */
  offload: Offload = NO_OFFLOAD;
  readonly counters: NetfrontCounters = {
    tx: {
      packets: 0,
      bytes: FRACTION,
      slots: 0,
      errors: 0,
      dropped: 0,
      gsoPackets: 0,
      blankChecksums: 0,
      ringFull: 0,
      notifications: 0,
    },
    rx: {
      packets: 0,
      bytes: FRACTION,
      slots: 0,
      errors: 0,
      dropped: 0,
      gsoPackets: 0,
      blankChecksums: 0,
      groJoined: 0,
      notifications: 0,
    },
    polls: 0,
  };
  readonly waiters = new SpaceWaiters();
  readonly pool: TxPool;
  readonly #host: DeviceHost;
  readonly #config: NetfrontConfig;
  #up: NetifUp = NOBODY;
  #tx: TxQueue | undefined;
  #rx: RxQueue | undefined;
  /** The queue whose promises live packets hold while there is no connection. */
  #lastTx: TxQueue | undefined;
  #isQueued = false;
  #isPolling = false;
  #isClosed = false;
  readonly #poll = (): void => {
    this.#isQueued = false;
    this.poll();
  };
  readonly #stackReady = (): void => this.#up.transmitReady();

  constructor(
    host: DeviceHost,
    config: NetfrontConfig,
    pool: TxPool,
    options: { readonly name: string; readonly mac: Uint8Array; readonly mtu: number },
  ) {
    this.#host = host;
    this.counters.tx.bytes = 0;
    this.counters.rx.bytes = 0;
    this.#config = config;
    this.pool = pool;
    this.memory = host.memory;
    this.name = options.name;
    this.mac = options.mac;
    this.mtu = options.mtu;
  }

  /** Whether there ever was a backend. */
  wasConnected = false;

  /** Whether there is a backend that takes frames. */
  get connected(): boolean {
    return this.#tx !== undefined;
  }

  /** Slots of the transmit ring that hold a request, or an answer that was not read yet; 0 without a backend. */
  get txSlotsUsed(): number {
    return this.#tx?.usedSlots ?? 0;
  }

  attach(up: NetifUp): void {
    this.#up = up;
  }

  allocate(frameBytes: number): Packet | null {
    if (!(frameBytes <= this.pool.maxFrameBytes)) {
      throw new RangeError(`a frame of ${frameBytes} bytes on ${this.name}, which takes ${this.pool.maxFrameBytes}`);
    }
    const tx = this.#tx;
    if (tx !== undefined) {
      const packet = tx.alloc(frameBytes);
      if (packet !== null) return packet;
      return this.#allocateFull(tx, frameBytes);
    }
    if (!this.#isClosed) this.waiters.add(frameBytes, this.#stackReady);
    return null;
  }

  #allocateFull(tx: TxQueue, frameBytes: number): Packet | null {
    const fault = tx.reap();
    if (fault !== undefined) {
      this.#break(fault);
    } else {
      const packet = tx.alloc(frameBytes);
      if (packet !== null) return packet;
    }
    this.counters.tx.ringFull++;
    this.waitForSpace(frameBytes, this.#stackReady);
    return null;
  }

  /**
   * Has `wake` called once there is room for a frame of `frameBytes`, never from inside this call. Waiters are woken
   * in order; one that still finds no room asks again.
   */
  waitForSpace(frameBytes: number, wake: () => void): void {
    if (this.#isClosed) return;
    this.waiters.add(frameBytes, wake);
    const tx = this.#tx;
    if (tx === undefined) return;
    // What is not published cannot be answered, and who waits need not flush.
    tx.push();
    if (!this.#isPolling) this.#checkWaiters(tx);
  }

  /** Somebody waits: makes sure that something will wake them. */
  #checkWaiters(tx: TxQueue): void {
    if (tx.hasRoom(this.waiters.firstFrameBytes) || tx.arm()) this.#queuePoll();
  }

  transmit(packet: Packet): void {
    const tx = this.#tx;
    if (tx !== undefined && this.#lower(packet)) {
      if (!tx.transmit(packet)) this.counters.tx.dropped++;
      return;
    }
    this.counters.tx.dropped++;
    (tx ?? this.#lastTx)?.release(packet);
  }

  /** A backend may take less than the one before, for which a packet was made. @returns false when it cannot be sent. */
  #lower(packet: Packet): boolean {
    if (packet.gsoSize > 0 && (this.offload.gsoMaxBytes === 0 || packet.len <= this.mtu + ETH_HEADER_BYTES))
      return false;
    if ((packet.flags & PACKET_CSUM_BLANK) === 0 || this.offload.txChecksum) return true;
    packet.flags &= ~PACKET_CSUM_BLANK;
    return finishChecksum(this.memory, packet.addr, packet.len);
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

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#host.onClose();
  }

  /** A backend is there: the rings are ready to be used. */
  connect(tx: TxQueue, rx: RxQueue): void {
    if (this.#lastTx !== undefined) tx.inherit(this.#lastTx);
    this.#lastTx = undefined;
    this.wasConnected = true;
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

  #queuePoll(): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    this.#host.defer(this.#poll);
  }

  #break(reason: string): void {
    this.disconnect();
    this.#host.onBroken(reason);
  }

  /** One pass over both rings: what an event of the backend asks for. */
  poll(): void {
    const tx = this.#tx;
    const rx = this.#rx;
    if (tx === undefined || rx === undefined) return;
    this.counters.polls++;
    this.#isPolling = true;
    try {
      const fault = tx.reap();
      if (fault !== undefined) {
        this.#break(fault);
        return;
      }
      if (this.waiters.size > 0) tx.wakeWaiters();
      if (this.#rx !== rx) return;
      const packets = rx.hasWork ? rx.drain(this.#up, this.#config.rxBatch, this.#host.clock.now()) : 0;
      if (packets > 0) this.#up.receiveDone();
      if (this.#rx !== rx) return;
      if (rx.fault !== undefined) {
        this.#break(rx.fault);
        return;
      }
      rx.push();
      tx.push();
      const moreRx = packets === this.#config.rxBatch && rx.hasWork;
      // Both are armed before either answer counts.
      const rxReady = moreRx || rx.arm();
      const txReady = (this.waiters.size > 0 && tx.hasRoom(this.waiters.firstFrameBytes)) || tx.arm();
      if (rxReady || txReady) this.#queuePoll();
    } finally {
      this.#isPolling = false;
    }
  }

  /** Sleep audit: what would never wake the device, or undefined. */
  sleepFault(): string | undefined {
    if (this.#tx === undefined || this.#rx === undefined) return undefined;
    return this.#tx.sleepFault() ?? this.#rx.sleepFault();
  }
}
