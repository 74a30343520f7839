import { Packet } from '@qanat/bytes';
import { ETH_HEADER_BYTES } from '@qanat/ethernet';
import type { NetifUp } from '@qanat/link';
import { type Kernel, WATCHED_RX } from '@qanat/os';
import { type FrontRing, GRANT_ENTRIES } from '@qanat/xen';

/** Receiving as in 2013: pages are posted before the ring is drained, and handed up one by one. */
export class RxPath {
  readonly ring: FrontRing;
  readonly #kernel: Kernel;
  readonly #backendId: number;
  readonly #notify: () => void;
  /** Page by request id, which is the grant reference; 0 while not posted. */
  readonly #pageOf = new Int32Array(GRANT_ENTRIES);
  /** Pages that are not posted. */
  readonly #pages: number[] = [];
  readonly #packet = new Packet();
  packets = 0;

  constructor(kernel: Kernel, backendId: number, ring: FrontRing, notify: () => void) {
    this.#kernel = kernel;
    this.#backendId = backendId;
    this.ring = ring;
    this.#notify = notify;
    for (let i = 0; i < ring.entries; i++) {
      const addr = kernel.pages.alloc();
      if (addr === 0) throw new Error('no memory for a receive page');
      this.#pages.push(addr);
    }
  }

  /** Posts a page, freshly granted, in every free slot. */
  refill(): void {
    const { ring } = this;
    const { i32 } = this.#kernel.memory;
    for (let free = ring.freeRequests(); free > 0; free--) {
      const addr = this.#pages.pop()!;
      const ref = this.#kernel.grants.grantAccess(this.#backendId, addr, false);
      if (ref < 0) throw new Error('no grant reference for a receive page');
      this.#pageOf[ref] = addr;
      const slot = ring.nextRequest() >>> 2;
      i32[slot] = ref;
      i32[slot + 1] = ref;
    }
    const notify = ring.pushRequestsAndCheckNotify();
    this.#kernel.watched.observer?.pushed(WATCHED_RX, (ring.reqProdPvt - ring.rspProd) | 0, 0);
    if (notify) this.#notify();
  }

  /** rx_poll: hands up what has come. Each packet is worked off completely, answers and all, before the next. */
  poll(up: NetifUp): void {
    const { ring } = this;
    const { i32 } = this.#kernel.memory;
    const before = ring.rspCons;
    do {
      for (let left = ring.unconsumedResponses(); left > 0; left--) {
        const slot = ring.nextResponse() >>> 2;
        const id = i32[slot]! & 0xffff;
        const offset = i32[slot]! >>> 16;
        const bytes = i32[slot + 1]! >> 16;
        const addr = this.#pageOf[id]!;
        if (addr === 0) throw new Error(`rx response for id ${id}, which is not in flight`);
        this.#pageOf[id] = 0;
        this.#kernel.grants.endAccess(id);
        if (bytes >= ETH_HEADER_BYTES) {
          this.packets++;
          this.#packet.set(addr + offset, bytes);
          this.#packet.arrivedUs = this.#kernel.clock.now();
          up.receive(this.#packet);
          up.receiveDone();
        }
        this.#pages.push(addr);
      }
    } while (ring.finalCheckForResponses());
    if (ring.rspCons === before) return;
    this.#kernel.watched.observer?.reaped(WATCHED_RX, (ring.reqProdPvt - ring.rspProd) | 0, 0);
  }

  /** Sleep audit: what would never wake anybody, or undefined. */
  sleepFault(): string | undefined {
    const { ring } = this;
    const free = ring.freeRequests();
    if (free === ring.entries) return `no receive page is posted: ${free} were drained after the refill`;
    return ring.sleepFault();
  }
}
