import { PAGE_SIZE } from '@qanat/bytes';
import { ETH_HEADER_BYTES } from '@qanat/ethernet';
import type { Offload } from '@qanat/link';
import type { Kernel } from '@qanat/os';
import { NETIF_TX_RING_ENTRIES } from '@qanat/xen';
import type { NetfrontConfig } from './config.ts';
import { type DeviceHost, NetfrontDevice } from './device.ts';
import type { DeviceQueue } from './device-queue.ts';
import { LentPages } from './lent-pages.ts';
import type { Reclaimer } from './reclaimer.ts';
import { RxPages } from './rx-pages.ts';
import { TxPool } from './tx-pool.ts';
import type { VifNodes } from './vif-nodes.ts';

/** What a queue keeps over all its connections. */
interface QueueResources {
  readonly queue: DeviceQueue;
  readonly pool: TxPool;
  readonly rxPages: RxPages;
  /** Domain that its transmit pages are granted to, -1 for none. */
  grantedTo: number;
}

/**
 * What a vif keeps over all its connections: the device that the stack holds, and for each queue that there ever was its
 * buffers and their grants. Queues share nothing, so that one which stands still leaves the others their buffers.
 */
export class VifResources {
  readonly device: NetfrontDevice;
  readonly #kernel: Kernel;
  readonly #reclaimer: Reclaimer;
  readonly #queues: QueueResources[] = [];
  readonly #lent: LentPages;
  readonly #frameBytes: number;
  readonly #gso: boolean;

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
    this.#frameBytes = nodes.mtu + ETH_HEADER_BYTES;
    this.#gso = nodes.txGso;
    const pool = this.#makePool();
    const host: DeviceHost = {
      memory: kernel.memory,
      clock: kernel.clock,
      defer: (task) => kernel.loop.defer(task),
      ...events,
    };
    this.#lent = new LentPages(kernel, reclaimer, config.lentPages);
    const options = { name: `eth${index}`, mac: nodes.mac, mtu: nodes.mtu };
    this.device = new NetfrontDevice(host, config, pool, this.#lent, options);
    this.#addQueue(0, pool);
  }

  #makePool(): TxPool {
    const { memory, pages } = this.#kernel;
    return new TxPool(memory, pages, NETIF_TX_RING_ENTRIES, this.#frameBytes, this.#gso);
  }

  #addQueue(index: number, pool: TxPool): QueueResources {
    let rxPages: RxPages;
    try {
      rxPages = new RxPages(this.#kernel, this.#reclaimer);
    } catch (error) {
      this.#kernel.pages.free(pool.firstAddr, pool.pageCount);
      throw error;
    }
    const resources = { queue: this.device.addQueue(index, pool), pool, rxPages, grantedTo: -1 };
    this.#queues[index] = resources;
    return resources;
  }

  /** Pages that hold the transmit buffers of a queue. */
  get transmitPages(): number {
    return this.#queues[0]!.pool.pageCount;
  }

  /** Whether the buffers of a queue are there. */
  hasQueue(index: number): boolean {
    return index < this.#queues.length;
  }

  /** What a backend with those nodes and our buffers allow: long ones are there if the first backend wanted them. */
  offloadWith(nodes: VifNodes): Offload {
    const { pool } = this.#queues[0]!;
    const gso = nodes.txGso && pool.gso;
    return { txChecksum: nodes.txChecksum, gsoMaxBytes: gso ? pool.maxFrameBytes - ETH_HEADER_BYTES : 0 };
  }

  /**
   * @returns a queue, whose transmit pages are granted to the backend's domain, once: they stay granted over reconnects.
   * Queues are asked for in their order.
   * @throws Error when pages or grant references run out.
   */
  grantQueue(index: number, domid: number): QueueResources {
    const resources = this.#queues[index] ?? this.#addQueue(index, this.#makePool());
    this.#lent.grantTo(domid);
    if (resources.grantedTo === domid) return resources;
    this.#revokeTransmitPages(resources);
    const { refs, firstAddr } = resources.pool;
    for (let i = 0; i < refs.length; i++) {
      const ref = this.#kernel.grants.grantAccess(domid, firstAddr + i * PAGE_SIZE, true);
      if (ref < 0) {
        this.#revokeTransmitPages(resources);
        throw new Error('no grant reference for a transmit page');
      }
      refs[i] = ref;
    }
    resources.grantedTo = domid;
    return resources;
  }

  /** Takes all grants back and frees the pages; what somebody still holds is left where it is. */
  close(): void {
    for (const resources of this.#queues) {
      const inUse = this.#revokeTransmitPages(resources);
      const { firstAddr, pageCount, freeBuffers, bufferCount } = resources.pool;
      // A packet that the stack still holds may be written to: then its pages stay out of use.
      if (!inUse && freeBuffers === bufferCount) this.#kernel.pages.free(firstAddr, pageCount);
      resources.rxPages.free();
    }
    this.#lent.close();
  }

  /** @returns whether the backend still uses one of them. */
  #revokeTransmitPages(resources: QueueResources): boolean {
    const { refs } = resources.pool;
    let inUse = false;
    for (let i = 0; i < refs.length; i++) {
      const ref = refs[i]!;
      if (ref < 0) continue;
      refs[i] = -1;
      if (this.#kernel.grants.endAccess(ref)) continue;
      this.#reclaimer.add(ref, 0, 0);
      inUse = true;
    }
    resources.grantedTo = -1;
    return inUse;
  }
}
