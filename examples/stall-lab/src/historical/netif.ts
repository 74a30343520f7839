import type { Memory, Packet } from '@qanat/bytes';
import { parseMac } from '@qanat/ethernet';
import { type Netif, type NetifUp, NO_OFFLOAD, type Offload } from '@qanat/link';
import type { Kernel } from '@qanat/os';
import {
  FrontRing,
  NETIF_RX_SLOT_BYTES,
  NETIF_TX_SLOT_BYTES,
  SHARED_EVTCHN_MASK,
  SHARED_EVTCHN_PENDING,
  XenbusState,
} from '@qanat/xen';
import type { EventWaiters } from './event-waiters.ts';
import { type RingState, ringState } from './ring-state.ts';
import { RxPath } from './rx-path.ts';
import { HEADER_ONLY_BYTES, TxBuffers } from './tx-buffers.ts';
import { type TxHolder, TxPath } from './tx-path.ts';

/** What a driver looked like at one instant. */
export interface DriverState {
  readonly port: number;
  readonly pending: boolean;
  readonly masked: boolean;
  readonly tx: RingState;
  readonly rx: RingState;
  /** Who holds the lock of the transmit ring, if anybody. */
  readonly holder: TxHolder | undefined;
  /** Packets that wait for that lock. */
  readonly queued: number;
}

/** Where frames go before the stack has attached. */
const NOBODY: NetifUp = { receive() {}, receiveDone() {}, transmitReady() {} };

/**
 * The network driver of 2013, on the rings, grants and event channels of this machine. A pass: post receive pages, drain
 * the receive ring (what the stack answers is sent from within), read the transmit answers, wait for an event.
 */
export class Netif2013 implements Netif {
  readonly name = 'eth0';
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly memory: Memory;
  readonly offload: Offload = NO_OFFLOAD;
  readonly port: number;
  readonly tx: TxPath;
  readonly rx: RxPath;
  readonly txRef: number;
  readonly rxRef: number;
  readonly #kernel: Kernel;
  readonly #waiters: EventWaiters;
  readonly #buffers: TxBuffers;
  #up: NetifUp = NOBODY;
  #isFull = false;
  #hasRoom = false;
  /** The frame of one page that the backend has not answered. */
  #ack: Packet | undefined;
  readonly #listen = (): void => this.#pass();

  constructor(kernel: Kernel, waiters: EventWaiters, backendId: number, masked: boolean) {
    const { memory, pages, grants, hypercalls, activations } = kernel;
    const [vif] = kernel.config.vifs;
    if (vif === undefined) throw new Error('the domain has no vif');
    this.#kernel = kernel;
    this.#waiters = waiters;
    this.memory = memory;
    this.mac = parseMac(vif.mac);
    this.mtu = vif.mtu;
    const txAddr = pages.alloc();
    const rxAddr = pages.alloc();
    this.txRef = grants.grantAccess(backendId, txAddr, false);
    this.rxRef = grants.grantAccess(backendId, rxAddr, false);
    this.port = hypercalls.evtchnAllocUnbound(backendId);
    const notify = (): void => void hypercalls.evtchnSend(this.port);
    this.#buffers = new TxBuffers(pages);
    this.tx = new TxPath(
      kernel,
      backendId,
      FrontRing.init(memory, txAddr, NETIF_TX_SLOT_BYTES),
      this.#buffers,
      waiters,
      notify,
    );
    this.tx.onBufferFree = (buffer) => this.#bufferFree(buffer);
    this.rx = new RxPath(kernel, backendId, FrontRing.init(memory, rxAddr, NETIF_RX_SLOT_BYTES), notify);
    // Events reach nobody by name: every pass of the loop wakes all who wait.
    activations.bind(this.port, () => {});
    if (masked) activations.mask(this.port);
    kernel.loop.addAudit('netif of 2013', () => this.tx.sleepFault() ?? this.rx.sleepFault());
  }

  /** Begins to listen: the first pass posts the receive pages. */
  start(): void {
    this.#pass();
  }

  attach(up: NetifUp): void {
    this.#up = up;
  }

  /**
   * A buffer. Null where the pool is empty, and for a pure ACK while another is under way: one thread wrote them all, and
   * it stood still until the backend had answered. What the next one acknowledges has piled up meanwhile: hence the bursts.
   */
  allocate(frameBytes: number): Packet | null {
    const isAck = frameBytes <= HEADER_ONLY_BYTES;
    const packet = isAck && this.#ack !== undefined ? null : this.#buffers.alloc(frameBytes);
    if (packet === null) this.#isFull = true;
    else if (isAck) this.#ack = packet;
    return packet;
  }

  transmit(packet: Packet): void {
    this.tx.send(packet);
  }

  release(packet: Packet): void {
    this.#buffers.free(packet.token);
    this.#bufferFree(packet.token);
  }

  /** Nothing to do: every packet was published, and notified, by itself. */
  flush(): void {}

  close(): void {
    this.#kernel.activations.unbind(this.port);
  }

  state(): DriverState {
    const { memory, domain } = this.#kernel;
    const bit = 1 << (this.port & 31);
    const has = (offset: number): boolean =>
      (Atomics.load(memory.i32, ((domain.sharedInfoAddr + offset) >>> 2) + (this.port >>> 5)) & bit) !== 0;
    return {
      port: this.port,
      pending: has(SHARED_EVTCHN_PENDING),
      masked: has(SHARED_EVTCHN_MASK),
      tx: ringState(memory, this.tx.ring),
      rx: ringState(memory, this.rx.ring),
      holder: this.tx.holder,
      queued: this.tx.queued,
    };
  }

  #pass(): void {
    this.rx.refill();
    this.rx.poll(this.#up);
    this.tx.poll();
    if (this.#isFull && this.#hasRoom) {
      this.#isFull = false;
      this.#hasRoom = false;
      this.#up.transmitReady();
    }
    this.#waiters.wait(this.#listen);
  }

  #bufferFree(buffer: number): void {
    if (this.#ack?.token === buffer) this.#ack = undefined;
    this.#hasRoom = true;
  }
}

/**
 * Plugs the vif of a domain as the driver of the time did: rings and state Connected in one transaction, without waiting
 * for the backend; only then it is seen whether the backend follows.
 * @param onUp called once, when the backend is connected.
 */
export function plug2013(
  kernel: Kernel,
  waiters: EventWaiters,
  masked: boolean,
  onUp: (netif: Netif2013) => void,
): Netif2013 {
  const { xenstore } = kernel;
  const path = 'device/vif/0';
  const backendId = 0;
  const netif = new Netif2013(kernel, waiters, backendId, masked);
  xenstore.read(`${path}/backend`, (error, backend) => {
    if (error !== undefined) throw error;
    xenstore.transaction(
      (tx) =>
        tx.writeAll(path, {
          'tx-ring-ref': netif.txRef,
          'rx-ring-ref': netif.rxRef,
          'event-channel': netif.port,
          'request-rx-copy': 1,
          'feature-rx-notify': 1,
          'feature-sg': 1,
          'feature-no-csum-offload': 1,
          state: XenbusState.Connected,
        }),
      (failed) => {
        if (failed !== undefined) throw failed;
        let isUp = false;
        xenstore.watch(`${backend}/state`, () => {
          xenstore.read(`${backend}/state`, (_error, state) => {
            if (isUp || Number(state) !== XenbusState.Connected) return;
            isUp = true;
            netif.start();
            onUp(netif);
          });
        });
      },
    );
  });
  return netif;
}
