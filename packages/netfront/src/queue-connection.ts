import type { Kernel } from '@qanat/os';
import { FrontRing, NETIF_RX_SLOT_BYTES, NETIF_TX_SLOT_BYTES } from '@qanat/xen';
import type { NetfrontConfig } from './config.ts';
import type { DeviceQueue } from './device-queue.ts';
import type { Reclaimer } from './reclaimer.ts';
import type { RxPages } from './rx-pages.ts';
import { RxQueue } from './rx-queue.ts';
import { TxQueue } from './tx-queue.ts';
import { receivesGso } from './vif-nodes.ts';

/** What one queue of a connection with a backend consists of: two ring pages and an event channel offered to it. */
export class QueueConnection {
  readonly tx: TxQueue;
  readonly rx: RxQueue;
  /** Grant references of the ring pages. */
  readonly txRingRef: number;
  readonly rxRingRef: number;
  /** Our end of the event channel of the TX ring, and of that of the RX ring: one and the same unless they are split. */
  readonly port: number;
  readonly rxPort: number;
  readonly #kernel: Kernel;
  readonly #reclaimer: Reclaimer;
  readonly #rxPages: RxPages;
  readonly #ringAddrs: number[] = [];
  readonly #ringRefs: number[] = [];

  /** @param number vif << 8 | queue. @throws Error when pages, grant references or ports run out; then nothing is left behind. */
  constructor(
    kernel: Kernel,
    backendId: number,
    queue: DeviceQueue,
    rxPages: RxPages,
    reclaimer: Reclaimer,
    config: NetfrontConfig,
    split: boolean,
    number: number,
  ) {
    this.#kernel = kernel;
    this.#reclaimer = reclaimer;
    this.#rxPages = rxPages;
    let port = -1;
    let rxPort = -1;
    try {
      this.txRingRef = this.#grantRing(backendId);
      this.rxRingRef = this.#grantRing(backendId);
      rxPages.grant(backendId);
      port = this.#allocPort(backendId);
      rxPort = split ? this.#allocPort(backendId) : port;
    } catch (error) {
      if (port >= 0) kernel.hypercalls.evtchnClose(port);
      this.#giveBack();
      throw error;
    }
    this.port = port;
    this.rxPort = rxPort;
    const notifyTx = (): void => {
      kernel.hypercalls.evtchnSend(port);
    };
    const notifyRx = (): void => {
      kernel.hypercalls.evtchnSend(rxPort);
    };
    const { memory } = kernel;
    const start = config.ringStartIndex;
    const txRing = FrontRing.init(memory, this.#ringAddrs[0]!, NETIF_TX_SLOT_BYTES, undefined, start);
    const rxRing = FrontRing.init(memory, this.#ringAddrs[1]!, NETIF_RX_SLOT_BYTES, undefined, start);
    const { tx, rx } = queue.counters;
    const watch = { watched: kernel.watched, port, number };
    const { pool, lent, waiters } = queue;
    this.tx = new TxQueue(memory, txRing, pool, lent, waiters, tx, config.txPushBatch, notifyTx, watch);
    this.rx = new RxQueue(memory, rxRing, rxPages, rx, config, receivesGso(config), notifyRx, {
      ...watch,
      port: rxPort,
    });
    const poll = (): void => queue.poll();
    kernel.activations.bind(port, poll);
    if (rxPort !== port) kernel.activations.bind(rxPort, poll);
  }

  /** Closes the channel and takes all grants back; what the backend still uses is left to the reclaimer. */
  close(): void {
    this.#closePort(this.port);
    if (this.rxPort !== this.port) this.#closePort(this.rxPort);
    this.#giveBack();
  }

  #allocPort(backendId: number): number {
    const port = this.#kernel.hypercalls.evtchnAllocUnbound(backendId);
    if (port < 0) throw new Error(`no event channel to domain ${backendId} (error ${-port})`);
    return port;
  }

  #closePort(port: number): void {
    this.#kernel.activations.unbind(port);
    this.#kernel.hypercalls.evtchnClose(port);
  }

  #grantRing(backendId: number): number {
    const addr = this.#kernel.pages.alloc();
    if (addr === 0) throw new Error('no memory for a ring page');
    this.#ringAddrs.push(addr);
    const ref = this.#kernel.grants.grantAccess(backendId, addr, false);
    if (ref < 0) throw new Error('no grant reference for a ring page');
    this.#ringRefs.push(ref);
    return ref;
  }

  #giveBack(): void {
    const { grants, pages } = this.#kernel;
    for (const [i, addr] of this.#ringAddrs.entries()) {
      const ref = this.#ringRefs[i];
      if (ref === undefined || grants.endAccess(ref)) pages.free(addr);
      else this.#reclaimer.add(ref, addr, 1);
    }
    this.#ringAddrs.length = 0;
    this.#ringRefs.length = 0;
    this.#rxPages.revoke();
  }
}
