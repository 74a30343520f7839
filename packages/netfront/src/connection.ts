import type { Kernel } from '@qanat/os';
import { NETIF_RX_RING_ENTRIES } from '@qanat/xen';
import type { NetfrontConfig } from './config.ts';
import { QueueConnection } from './queue-connection.ts';
import type { Reclaimer } from './reclaimer.ts';
import type { VifResources } from './vif-resources.ts';

/** Pages of both rings, and one for the heads of packets. */
const OTHER_PAGES = 3;

/**
 * A connection with a backend: one queue or several. The first must be had; of the others as many are made as leave the
 * domain half of what it has.
 */
export class Connection {
  readonly queues: readonly QueueConnection[];

  /**
   * @param wanted queues, at least 1.
   * @throws Error when pages, grant references or ports do not even suffice for one queue; then nothing is left behind.
   */
  constructor(
    kernel: Kernel,
    index: number,
    backendId: number,
    resources: VifResources,
    reclaimer: Reclaimer,
    config: NetfrontConfig,
    wanted: number,
    split: boolean,
  ) {
    const queues: QueueConnection[] = [];
    for (let i = 0; i < wanted; i++) {
      if (i > 0 && !resources.hasQueue(i) && !hasRoom(kernel, resources)) break;
      try {
        const { queue, rxPages } = resources.grantQueue(i, backendId);
        const number = (index << 8) | i;
        queues.push(new QueueConnection(kernel, backendId, queue, rxPages, reclaimer, config, split, number));
      } catch (error) {
        if (i > 0) break;
        throw error;
      }
    }
    this.queues = queues;
  }

  /** Closes the channels and takes all grants back; what the backend still uses is left to the reclaimer. */
  close(): void {
    for (const queue of this.queues) queue.close();
  }
}

/** Whether another queue takes no more than half of the pages and grant references that are left. */
function hasRoom(kernel: Kernel, resources: VifResources): boolean {
  const pages = resources.transmitPages + NETIF_RX_RING_ENTRIES + OTHER_PAGES;
  return 2 * pages <= kernel.pages.freePages && 2 * pages <= kernel.grants.free;
}
