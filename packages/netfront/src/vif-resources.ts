import { PAGE_SIZE } from '@qanat/bytes';
import { ETH_HEADER_BYTES } from '@qanat/ethernet';
import type { Offload } from '@qanat/link';
import type { Kernel } from '@qanat/os';
import { NETIF_TX_RING_ENTRIES } from '@qanat/xen';
import type { NetfrontConfig } from './config.ts';
import { type DeviceHost, NetfrontDevice } from './device.ts';
import type { Reclaimer } from './reclaimer.ts';
import { RxPages } from './rx-pages.ts';
import { TxPool } from './tx-pool.ts';
import type { VifNodes } from './vif-nodes.ts';

/** What a vif keeps over all its connections: the device that the stack holds, its buffers, and their grants. */
export class VifResources {
  readonly device: NetfrontDevice;
  readonly rxPages: RxPages;
  readonly #kernel: Kernel;
  readonly #reclaimer: Reclaimer;
  readonly #pool: TxPool;
  #grantedTo = -1;

  /** @throws Error when the domain is out of pages. */
  constructor(
    kernel: Kernel,
    index: number,
    nodes: VifNodes,
    config: NetfrontConfig,
    reclaimer: Reclaimer,
    events: Pick<DeviceHost, 'onBroken' | 'onClose'>,
  ) {
    this.#kernel = kernel;
    this.#reclaimer = reclaimer;
    const frameBytes = nodes.mtu + ETH_HEADER_BYTES;
    this.#pool = new TxPool(kernel.memory, kernel.pages, NETIF_TX_RING_ENTRIES, frameBytes, nodes.txGso);
    this.rxPages = new RxPages(kernel, reclaimer);
    const host: DeviceHost = {
      memory: kernel.memory,
      clock: kernel.clock,
      defer: (task) => kernel.loop.defer(task),
      ...events,
    };
    this.device = new NetfrontDevice(host, config, this.#pool, { name: `eth${index}`, mac: nodes.mac, mtu: nodes.mtu });
  }

  /** What a backend with those nodes and our buffers allow: long ones are there if the first backend wanted them. */
  offloadWith(nodes: VifNodes): Offload {
    const gso = nodes.txGso && this.#pool.gso;
    return { txChecksum: nodes.txChecksum, gsoMaxBytes: gso ? this.#pool.maxFrameBytes - ETH_HEADER_BYTES : 0 };
  }

  /**
   * Grants the transmit pages to the backend's domain, once: they stay granted over reconnects.
   * @throws Error when grant references run out.
   */
  grantTransmitPages(domid: number): void {
    if (this.#grantedTo === domid) return;
    this.#revokeTransmitPages();
    const { refs, firstAddr } = this.#pool;
    for (let i = 0; i < refs.length; i++) {
      const ref = this.#kernel.grants.grantAccess(domid, firstAddr + i * PAGE_SIZE, true);
      if (ref < 0) {
        this.#revokeTransmitPages();
        throw new Error('no grant reference for a transmit page');
      }
      refs[i] = ref;
    }
    this.#grantedTo = domid;
  }

  /** Takes all grants back and frees the pages; what somebody still holds is left where it is. */
  close(): void {
    const inUse = this.#revokeTransmitPages();
    const { firstAddr, pageCount, freeBuffers, bufferCount } = this.#pool;
    // A packet that the stack still holds may be written to: then its pages stay out of use.
    if (!inUse && freeBuffers === bufferCount) this.#kernel.pages.free(firstAddr, pageCount);
    this.rxPages.free();
  }

  /** @returns whether the backend still uses one of them. */
  #revokeTransmitPages(): boolean {
    const { refs } = this.#pool;
    let inUse = false;
    for (let i = 0; i < refs.length; i++) {
      const ref = refs[i]!;
      if (ref < 0) continue;
      refs[i] = -1;
      if (this.#kernel.grants.endAccess(ref)) continue;
      this.#reclaimer.add(ref, 0, 0);
      inUse = true;
    }
    this.#grantedTo = -1;
    return inUse;
  }
}
