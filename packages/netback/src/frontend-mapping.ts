import type { Kernel } from '@qanat/os';
import type { NetbackConfig } from './config.ts';
import type { FrontendNodes } from './frontend-nodes.ts';
import { type MapBudget, PersistentGrants } from './persistent-grants.ts';
import type { PortRings } from './port.ts';
import { RingMapping } from './ring-mapping.ts';

/**
 * All that is mapped of a connected frontend: the rings of its queues, and the pages that stay mapped. The latter have one
 * table for all queues, because references are the frontend's, not a queue's.
 */
export class FrontendMapping {
  readonly rings: PortRings;
  readonly #queues: RingMapping[] = [];
  readonly #grants: PersistentGrants | undefined;

  /**
   * @param onEvent called in the loop for every event of a queue.
   * @throws Error when one of the queues cannot be had; then nothing is left.
   */
  constructor(
    kernel: Kernel,
    domid: number,
    nodes: FrontendNodes,
    config: NetbackConfig,
    budget: MapBudget,
    scratchAddr: number,
    onEvent: (queue: number) => void,
  ) {
    const { hypercalls, memory } = kernel;
    const isPersistent = config.persistentGrants && nodes.persistent;
    const grants = isPersistent ? new PersistentGrants(hypercalls, memory.kernel, domid, budget) : undefined;
    this.#grants = grants;
    try {
      for (const [i, queue] of nodes.queues.entries()) {
        const run = (): void => onEvent(i);
        this.#queues.push(new RingMapping(kernel, domid, nodes, queue, config, grants, scratchAddr, run));
      }
    } catch (error) {
      this.close();
      throw error;
    }
    this.rings = {
      queues: this.#queues.map(({ rings }) => rings),
      checksum: nodes.checksum && config.checksumOffload,
      gso: nodes.gso && config.gso && config.checksumOffload,
    };
  }

  /** Closes the channels and unmaps everything. Nobody may touch it any more. */
  close(): void {
    for (const queue of this.#queues) queue.close();
    this.#queues.length = 0;
    this.#grants?.close();
  }
}
