import type { Kernel } from '@qanat/os';
import { BackRing, GNTST_OKAY, NETIF_RX_SLOT_BYTES, NETIF_TX_SLOT_BYTES } from '@qanat/xen';
import type { NetbackConfig } from './config.ts';
import type { FrontendNodes, QueueNodes } from './frontend-nodes.ts';
import type { PersistentGrants } from './persistent-grants.ts';
import type { QueueRings } from './port-queue.ts';
import { RxWriter } from './rx-writer.ts';
import { TxReader } from './tx-reader.ts';

/** The rings of one queue of a frontend, mapped, and its event channels, bound. */
export class RingMapping {
  readonly rings: QueueRings;
  readonly #kernel: Kernel;
  readonly #handles: number[] = [];
  readonly #eventPorts: number[] = [];

  /**
   * @param queue its nodes. @param grants of the frontend, where its pages stay mapped.
   * @param onEvent called in the loop for every event of the frontend.
   * @throws Error when a page cannot be mapped, the channel not be bound, or a ring is not in order; then nothing is left.
   */
  constructor(
    kernel: Kernel,
    domid: number,
    nodes: FrontendNodes,
    queue: QueueNodes,
    config: NetbackConfig,
    grants: PersistentGrants | undefined,
    scratchAddr: number,
    onEvent: () => void,
  ) {
    this.#kernel = kernel;
    const { memory, hypercalls } = kernel;
    try {
      const tx = BackRing.attach(memory, this.#map(domid, queue.txRingRef, 'tx'), NETIF_TX_SLOT_BYTES);
      const rx = BackRing.attach(memory, this.#map(domid, queue.rxRingRef, 'rx'), NETIF_RX_SLOT_BYTES);
      if (tx.requestOverflow() || rx.requestOverflow()) throw new Error('a ring holds more requests than it has slots');
      const { eventChannel, rxEventChannel } = queue;
      const eventPort = this.#bind(domid, eventChannel);
      const rxEventPort = rxEventChannel === eventChannel ? eventPort : this.#bind(domid, rxEventChannel);
      this.rings = {
        tx: new TxReader(memory, tx, config.gso && config.checksumOffload),
        rx: new RxWriter(memory, hypercalls, rx, domid, scratchAddr, grants),
        grants,
        eventPort,
        rxEventPort,
        scatterGather: nodes.scatterGather,
      };
      for (const port of this.#eventPorts) kernel.activations.bind(port, onEvent);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** @returns our end of a channel. */
  #bind(domid: number, channel: number): number {
    const port = this.#kernel.hypercalls.evtchnBindInterdomain(domid, channel);
    if (port < 0) throw new Error(`event channel ${channel} cannot be bound (error ${-port})`);
    this.#eventPorts.push(port);
    return port;
  }

  #map(domid: number, ref: number, which: string): number {
    const { status, handle, addr } = this.#kernel.hypercalls.grantMap(domid, ref, false);
    if (status !== GNTST_OKAY) throw new Error(`the ${which} ring cannot be mapped by grant ${ref} (status ${status})`);
    this.#handles.push(handle);
    return addr;
  }

  /** Closes the channel and unmaps the rings. Nobody may touch them any more. */
  close(): void {
    for (const port of this.#eventPorts) {
      this.#kernel.activations.unbind(port);
      this.#kernel.hypercalls.evtchnClose(port);
    }
    this.#eventPorts.length = 0;
    for (const handle of this.#handles) this.#kernel.hypercalls.grantUnmap(handle);
    this.#handles.length = 0;
  }
}
