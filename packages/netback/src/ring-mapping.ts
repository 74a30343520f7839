import type { Kernel } from '@qanat/os';
import { BackRing, GNTST_OKAY, NETIF_RX_SLOT_BYTES, NETIF_TX_SLOT_BYTES } from '@qanat/xen';
import type { NetbackConfig } from './config.ts';
import type { FrontendNodes } from './frontend-nodes.ts';
import { type MapBudget, PersistentGrants } from './persistent-grants.ts';
import type { PortRings } from './port.ts';
import { RxWriter } from './rx-writer.ts';
import { TxReader } from './tx-reader.ts';

/** The rings of a frontend, mapped, and its event channel, bound. */
export class RingMapping {
  readonly rings: PortRings;
  readonly #kernel: Kernel;
  readonly #handles: number[] = [];
  readonly #grants: PersistentGrants | undefined;
  #eventPort = -1;

  /**
   * @param onEvent called in the loop for every event of the frontend.
   * @throws Error when a page cannot be mapped, the channel not be bound, or a ring is not in order; then nothing is left.
   */
  constructor(
    kernel: Kernel,
    domid: number,
    nodes: FrontendNodes,
    config: NetbackConfig,
    budget: MapBudget,
    scratchAddr: number,
    onEvent: () => void,
  ) {
    this.#kernel = kernel;
    const { memory, hypercalls } = kernel;
    this.#grants =
      config.persistentGrants && nodes.persistent
        ? new PersistentGrants(hypercalls, memory.kernel, domid, budget)
        : undefined;
    try {
      const tx = BackRing.attach(memory, this.#map(domid, nodes.txRingRef, 'tx'), NETIF_TX_SLOT_BYTES);
      const rx = BackRing.attach(memory, this.#map(domid, nodes.rxRingRef, 'rx'), NETIF_RX_SLOT_BYTES);
      if (tx.requestOverflow() || rx.requestOverflow()) throw new Error('a ring holds more requests than it has slots');
      this.#eventPort = hypercalls.evtchnBindInterdomain(domid, nodes.eventChannel);
      if (this.#eventPort < 0) {
        throw new Error(`event channel ${nodes.eventChannel} cannot be bound (error ${-this.#eventPort})`);
      }
      this.rings = {
        tx: new TxReader(memory, tx, config.gso && config.checksumOffload),
        rx: new RxWriter(memory, hypercalls, rx, domid, scratchAddr, this.#grants),
        grants: this.#grants,
        eventPort: this.#eventPort,
        scatterGather: nodes.scatterGather,
        checksum: nodes.checksum && config.checksumOffload,
        gso: nodes.gso && config.gso && config.checksumOffload,
      };
      kernel.activations.bind(this.#eventPort, onEvent);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #map(domid: number, ref: number, which: string): number {
    const { status, handle, addr } = this.#kernel.hypercalls.grantMap(domid, ref, false);
    if (status !== GNTST_OKAY) throw new Error(`the ${which} ring cannot be mapped by grant ${ref} (status ${status})`);
    this.#handles.push(handle);
    return addr;
  }

  /** Closes the channel and unmaps the rings. Nobody may touch them any more. */
  close(): void {
    if (this.#eventPort > 0) {
      this.#kernel.activations.unbind(this.#eventPort);
      this.#kernel.hypercalls.evtchnClose(this.#eventPort);
      this.#eventPort = -1;
    }
    this.#grants?.close();
    for (const handle of this.#handles) this.#kernel.hypercalls.grantUnmap(handle);
    this.#handles.length = 0;
  }
}
