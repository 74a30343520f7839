import { PAGE_SIZE } from '@qanat/bytes';
import type { Kernel } from '@qanat/os';
import { NETIF_RX_RING_ENTRIES } from '@qanat/xen';
import type { Reclaimer } from './reclaimer.ts';

const NO_GRANT = -1;

/** The pages that a vif posts for receiving, one per slot of the ring; granted to the backend while it is connected. */
export class RxPages {
  /** Page per slot of the ring. */
  readonly addrs = new Int32Array(NETIF_RX_RING_ENTRIES);
  /** Grant reference per slot of the ring. */
  readonly refs = new Int32Array(NETIF_RX_RING_ENTRIES).fill(NO_GRANT);
  /** A page of our own, where the heads of packets in small pieces are put together. */
  readonly headAddr: number;
  readonly #kernel: Kernel;
  readonly #reclaimer: Reclaimer;

  /** @throws Error when the domain is out of pages. */
  constructor(kernel: Kernel, reclaimer: Reclaimer) {
    this.#kernel = kernel;
    this.#reclaimer = reclaimer;
    this.headAddr = kernel.pages.alloc();
    if (this.headAddr === 0) throw new Error('no memory for a receive page');
  }

  /** Grants every page to the backend. @throws Error when pages or grant references run out. */
  grant(domid: number): void {
    for (let i = 0; i < this.addrs.length; i++) {
      if (this.addrs[i] === 0) {
        const addr = this.#kernel.pages.alloc();
        if (addr === 0) throw new Error('no memory for a receive page');
        // What is granted can be read: nothing of ours may be left in it.
        this.#kernel.memory.kernel.fill(addr, 0, PAGE_SIZE);
        this.addrs[i] = addr;
      }
      const ref = this.#kernel.grants.grantAccess(domid, this.addrs[i]!, false);
      if (ref < 0) throw new Error('no grant reference for a receive page');
      this.refs[i] = ref;
    }
  }

  /** Takes the grants back. A page that the backend still uses is left to the reclaimer and replaced by the next `grant`. */
  revoke(): void {
    for (let i = 0; i < this.refs.length; i++) {
      const ref = this.refs[i]!;
      if (ref === NO_GRANT) continue;
      this.refs[i] = NO_GRANT;
      if (this.#kernel.grants.endAccess(ref)) continue;
      this.#reclaimer.add(ref, this.addrs[i]!, 1);
      this.addrs[i] = 0;
    }
  }

  /** Gives the pages back to the domain; `revoke` comes first. */
  free(): void {
    for (let i = 0; i < this.addrs.length; i++) {
      if (this.addrs[i] !== 0) this.#kernel.pages.free(this.addrs[i]!);
      this.addrs[i] = 0;
    }
    this.#kernel.pages.free(this.headAddr);
  }
}
