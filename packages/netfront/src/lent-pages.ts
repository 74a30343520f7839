import { PAGE_SHIFT, PAGE_SIZE, type Packet, PageAllocator } from '@qanat/bytes';
import type { Lending } from '@qanat/link';
import type { Kernel } from '@qanat/os';
import { XEN_NETIF_NR_SLOTS_MIN } from '@qanat/xen';
import type { Reclaimer } from './reclaimer.ts';

/** Packets that may refer to pages and be unanswered at a time: more than all rings of a vif hold. */
const UNANSWERED = 4096;
/** Fewer pages in a row are not worth it. */
const LEAST_PAGES = 64;

/** Who sends packets that refer to pages, and takes in their answers. */
export interface LendingDevice {
  allocateReferring(headBytes: number, pieces: number, flow?: number): Packet | null;
  lookForAnswers(): void;
  watchAnswers(): void;
}

/**
 * Pages of a vif that packets may refer to: granted read-only to the backend for good, so that it may keep them mapped.
 * They are taken from the domain when the first are asked for. The backend can read them at any time: they hold nothing
 * but what is to be sent. Pages that are given back stay granted, and are not given out again before all packets that
 * were under way then are answered.
 */
export class LentPages implements Lending {
  /** The header's slot is one of those that every backend takes. */
  readonly maxPieces = XEN_NETIF_NR_SLOTS_MIN - 1;
  sent = 0;
  done = 0;
  /** There is a backend that takes packets with blank checksums, of several slots. */
  isOpen = false;
  readonly #kernel: Kernel;
  readonly #reclaimer: Reclaimer;
  readonly #most: number;
  #pages: PageAllocator | undefined;
  #firstAddr = 0;
  #bytes = 0;
  /** Grant reference per page, -1 while it has none. */
  #refs = new Int32Array(0);
  #grantedTo = -1;
  #isGranted = false;
  #isRefused = false;
  /** By packet number: which of those after `done` are answered. */
  readonly #answered = new Uint8Array(UNANSWERED);
  /** Pages that were given back: address, count, and the packet after which they are free; in turns. */
  #leaving: number[] = [];
  #device: LendingDevice | undefined;

  /** @param most pages at the most; 0: none, ever. */
  constructor(kernel: Kernel, reclaimer: Reclaimer, most: number) {
    this.#kernel = kernel;
    this.#reclaimer = reclaimer;
    this.#most = most;
  }

  /** Says who sends the packets. */
  serve(device: LendingDevice): void {
    this.#device = device;
  }

  get ready(): boolean {
    return this.isOpen && this.#isGranted && ((this.sent - this.done) | 0) < UNANSWERED;
  }

  /** Pages that are given out, those that wait for answers included. */
  get pagesInUse(): number {
    return this.#pages === undefined ? 0 : this.#pages.frameCount - this.#pages.freePages;
  }

  holds(addr: number, bytes: number): boolean {
    const at = addr - this.#firstAddr;
    return at >= 0 && at + bytes <= this.#bytes;
  }

  alloc(count: number): number {
    if (this.#pages === undefined && !this.#open()) return 0;
    return this.#pages!.allocContiguous(count);
  }

  free(addr: number, count: number): void {
    if (this.sent === this.done) this.#pages!.free(addr, count);
    else this.#leaving.push(addr, count, this.sent);
  }

  allocate(headBytes: number, pieces: number, flow?: number): Packet | null {
    return this.#device!.allocateReferring(headBytes, pieces, flow);
  }

  look(): void {
    this.#device!.lookForAnswers();
  }

  watch(): void {
    this.#device!.watchAnswers();
  }

  /** Grant reference of the page that `addr` lies in. */
  refOf(addr: number): number {
    return this.#refs[(addr - this.#firstAddr) >>> PAGE_SHIFT]!;
  }

  /** A packet that refers to pages is on its ring. @returns its number. */
  next(): number {
    this.sent = (this.sent + 1) | 0;
    return this.sent;
  }

  /** A packet is answered, in any order. */
  answer(number: number): void {
    const answered = this.#answered;
    answered[number & (UNANSWERED - 1)] = 1;
    let { done } = this;
    while (done !== this.sent && answered[(done + 1) & (UNANSWERED - 1)] === 1) {
      done = (done + 1) | 0;
      answered[done & (UNANSWERED - 1)] = 0;
    }
    this.done = done;
    if (this.#leaving.length > 0) this.#freeLeaving();
  }

  #freeLeaving(): void {
    const leaving = this.#leaving;
    let i = 0;
    for (; i < leaving.length && ((this.done - leaving[i + 2]!) | 0) >= 0; i += 3) {
      this.#pages!.free(leaving[i]!, leaving[i + 1]!);
    }
    if (i > 0) this.#leaving = leaving.slice(i);
  }

  /** Takes the pages from the domain: no more than a quarter of what it has left. @returns whether there are some. */
  #open(): boolean {
    const { pages, memory } = this.#kernel;
    if (this.#isRefused) return false;
    let count = this.#most;
    while (count * 4 > pages.freePages) count >>>= 1;
    for (; count >= LEAST_PAGES; count >>>= 1) {
      this.#firstAddr = pages.allocContiguous(count);
      if (this.#firstAddr !== 0) break;
    }
    if (count < LEAST_PAGES) {
      this.#isRefused = true;
      return false;
    }
    this.#bytes = count * PAGE_SIZE;
    memory.kernel.fill(this.#firstAddr, 0, this.#bytes);
    this.#pages = new PageAllocator(this.#firstAddr, this.#bytes);
    this.#refs = new Int32Array(count).fill(-1);
    if (this.#grantedTo >= 0) this.#grant();
    return true;
  }

  /** The pages are the backend's domain's to read; those that come later, too. Twice is harmless. */
  grantTo(domid: number): void {
    if (this.#grantedTo === domid) return;
    this.revoke();
    this.#grantedTo = domid;
    this.#grant();
  }

  /** Where references run out, the pages are used and copied from as any others. */
  #grant(): void {
    const refs = this.#refs;
    for (let i = 0; i < refs.length; i++) {
      const ref = this.#kernel.grants.grantAccess(this.#grantedTo, this.#firstAddr + i * PAGE_SIZE, true);
      if (ref < 0) {
        this.#endAccess();
        return;
      }
      refs[i] = ref;
    }
    this.#isGranted = refs.length > 0;
  }

  /** Takes the grants back. @returns whether the backend still uses one of the pages. */
  revoke(): boolean {
    this.#grantedTo = -1;
    return this.#endAccess();
  }

  #endAccess(): boolean {
    let inUse = false;
    this.#isGranted = false;
    const refs = this.#refs;
    for (let i = 0; i < refs.length; i++) {
      const ref = refs[i]!;
      if (ref < 0) continue;
      refs[i] = -1;
      if (this.#kernel.grants.endAccess(ref)) continue;
      this.#reclaimer.add(ref, 0, 0);
      inUse = true;
    }
    return inUse;
  }

  /** The device is closed: gives the pages back to the domain, unless somebody still has some. */
  close(): void {
    const inUse = this.revoke();
    this.isOpen = false;
    this.#isRefused = true;
    if (inUse || this.#pages === undefined || this.pagesInUse > 0) return;
    this.#kernel.pages.free(this.#firstAddr, this.#bytes >>> PAGE_SHIFT);
    this.#pages = undefined;
    this.#bytes = 0;
  }
}
