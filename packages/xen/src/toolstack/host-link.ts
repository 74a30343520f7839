import { PAGE_SIZE } from '@qanat/bytes';
import { Hypercalls } from '../hypercalls.ts';
import type { Hypervisor } from '../hypervisor.ts';
import { FRAME_XEN } from '../machine-layout.ts';
import { SHARED_EVTCHN_MASK } from '../shared-info.ts';
import { XenstoreClient } from '../xenstore/client.ts';
import type { ToolstackLink } from '../xenstore/xenstored.ts';

/**
 * The toolstack's way into the machine: it has no domain, so it borrows Dom0's rights, with a xenstore page of its own
 * and ports of Dom0 that only it uses. Made before Dom0 runs.
 */
export class HostLink {
  readonly client: XenstoreClient;
  /** For xenstored. */
  readonly link: ToolstackLink;
  readonly #hypervisor: Hypervisor;
  readonly #hypercalls: Hypercalls;
  #tasks: (() => void)[] = [];

  /** @throws RangeError when the machine has no page left. */
  constructor(hypervisor: Hypervisor) {
    this.#hypervisor = hypervisor;
    this.#hypercalls = new Hypercalls(hypervisor, 0);
    const pageAddr = hypervisor.frames.allocate(1, FRAME_XEN);
    if (pageAddr === 0) throw new RangeError(`no ${PAGE_SIZE} bytes of machine memory left for the toolstack`);
    const port = this.#hypercalls.evtchnAllocUnbound(0);
    const sendPort = this.bind(0, port);
    this.link = { pageAddr, port };
    this.client = new XenstoreClient({
      memory: hypervisor.memory,
      pageAddr,
      notify: () => void this.#hypercalls.evtchnSend(sendPort),
      defer: (task) => void this.#tasks.push(task),
    });
  }

  /**
   * Binds a port that a domain offers to Dom0. Its events go nowhere: the toolstack looks at the shared page instead.
   * @returns Dom0's port, or a negative errno.
   */
  bind(domid: number, remotePort: number): number {
    const port = this.#hypercalls.evtchnBindInterdomain(domid, remotePort);
    const dom0 = this.#hypervisor.domain(0);
    if (port > 0 && dom0 !== undefined) {
      const word = ((dom0.sharedInfoAddr + SHARED_EVTCHN_MASK) >>> 2) + (port >>> 5);
      Atomics.or(this.#hypervisor.memory.i32, word, 1 << (port & 31));
    }
    return port;
  }

  /** Sends an event through a port that `bind` made. */
  send(port: number): void {
    if (this.#hypervisor.domain(0)?.state === 'alive') this.#hypercalls.evtchnSend(port);
  }

  close(port: number): void {
    if (port > 0 && this.#hypervisor.domain(0)?.state === 'alive') this.#hypercalls.evtchnClose(port);
  }

  /** Takes answers and events from xenstored, and runs what they led to. */
  pump(): void {
    this.client.onEvent();
    while (this.#tasks.length > 0) {
      const tasks = this.#tasks;
      this.#tasks = [];
      for (const task of tasks) task();
    }
  }
}
