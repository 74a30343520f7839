import { type Memory, PAGE_SIZE } from '@qanat/bytes';
import {
  type BackRing,
  GNTST_OKAY,
  type Hypercalls,
  NETIF_RSP_ERROR,
  NETRXF_CSUM_BLANK,
  NETRXF_DATA_VALIDATED,
  NETRXF_EXTRA_INFO,
  NETRXF_MORE_DATA,
  NETTXF_CSUM_BLANK,
  NETTXF_DATA_VALIDATED,
  SRING_REQ_EVENT,
  XEN_NETIF_EXTRA_TYPE_GSO,
  XEN_NETIF_GSO_TYPE_TCPV4,
} from '@qanat/xen';
import { BLOCK_BYTES, type BufferPool } from './buffer-pool.ts';
import { RX_OFFSET } from './config.ts';
import type { Frame } from './frame.ts';
import type { PersistentGrants } from './persistent-grants.ts';

/** The frame is in the receiver's pages. */
export const COPY_DONE = 0;
/** The receiver's grants are bad: the frame is lost to it, and its slots were answered with an error. */
export const COPY_BAD_RECEIVER = 1;
/** The sender's grants are bad: nothing was used up. */
export const COPY_BAD_SENDER = 2;
export type CopyResult = typeof COPY_DONE | typeof COPY_BAD_RECEIVER | typeof COPY_BAD_SENDER;

/** Most pages of a frame of 65535 bytes. */
const MAX_PAGES = 17;

/** @returns the RX requests that a frame of `bytes` takes: its pages, and one for the extra info of a super-segment. */
export function rxSlots(bytes: number, gsoSize: number): number {
  const pages = (RX_OFFSET + bytes + PAGE_SIZE - 1) >>> 12;
  return gsoSize > 0 ? pages + 1 : pages;
}

/**
 * The backend's end of an RX ring: puts frames into the pages that the frontend posted, and answers request i in slot i.
 * A request is used up and answered in one step, so one index serves both directions.
 */
export class RxWriter {
  readonly ring: BackRing;
  readonly domid: number;
  /** What the frontend did wrong. Then the ring is not touched any more. */
  fault: string | undefined;
  readonly #hypercalls: Hypercalls;
  readonly #i32: Int32Array;
  readonly #grants: PersistentGrants | undefined;
  /** A page of our own, to find out whose grant is bad. */
  readonly #scratchAddr: number;
  /** Next request, as int32. */
  #cons: number;
  /** The producer as it was last looked at. */
  #prod: number;
  readonly #ids = new Int32Array(MAX_PAGES);
  readonly #refs = new Int32Array(MAX_PAGES);

  /** @param grants of the frontend, where its pages stay mapped. */
  constructor(
    memory: Memory,
    hypercalls: Hypercalls,
    ring: BackRing,
    domid: number,
    scratchAddr: number,
    grants: PersistentGrants | undefined,
  ) {
    this.#i32 = memory.i32;
    this.#grants = grants;
    this.#hypercalls = hypercalls;
    this.ring = ring;
    this.domid = domid;
    this.#scratchAddr = scratchAddr;
    this.#cons = ring.reqCons | 0;
    this.#prod = this.#cons;
  }

  /** Whether `slots` requests are posted. Looks at the producer only when those seen before are not enough. */
  hasRoom(slots: number): boolean {
    if ((this.#prod - this.#cons) >>> 0 >= slots) return true;
    if (this.fault !== undefined) return false;
    const prod = this.ring.reqProd | 0;
    const posted = (prod - this.#cons) >>> 0;
    if (posted > this.ring.entries) {
      this.fault = `rx req_prod is ${posted} ahead`;
      this.#prod = this.#cons;
      return false;
    }
    this.#prod = prod;
    return posted >= slots;
  }

  /** Copies a frame from its sender's pages into posted ones. The caller has seen `hasRoom`. */
  copyFrame(frame: Frame): CopyResult {
    const i32 = this.#i32;
    const { len } = frame;
    if (frame.slots === 1 && frame.gsoSize === 0 && len <= PAGE_SIZE - RX_OFFSET) {
      const slot = this.ring.slotAddr(this.#cons) >>> 2;
      const id = i32[slot]! & 0xffff;
      const ref = i32[slot + 1]!;
      if (this.#copyAcross(frame, frame.refs[0]!, frame.offsets[0]!, ref, RX_OFFSET, len)) {
        i32[slot] = id | (RX_OFFSET << 16);
        i32[slot + 1] = rxFlags(frame.flags) | (len << 16);
        this.#cons = (this.#cons + 1) | 0;
        return COPY_DONE;
      }
    }
    return this.#copySlots(frame);
  }

  /** Copies within mapped pages where both are, else by a grant operation. @returns false when one of the grants is bad. */
  #copyAcross(frame: Frame, ref: number, offset: number, toRef: number, at: number, bytes: number): boolean {
    if (frame.grants !== undefined && this.#grants !== undefined) {
      const from = frame.grants.readable(ref);
      const to = this.#grants.writable(toRef);
      if (from !== 0 && to !== 0) {
        this.#grants.kernel.copy(to + at, from + offset, bytes);
        return true;
      }
    }
    const { domid } = this;
    return this.#hypercalls.grantCopyAcross(frame.domid, ref, offset, domid, toRef, at, bytes) === GNTST_OKAY;
  }

  /** Copies bytes of Dom0's into a posted page. @returns false when its grant is bad. */
  #copyOut(addr: number, toRef: number, at: number, bytes: number): boolean {
    const to = this.#grants === undefined ? 0 : this.#grants.writable(toRef);
    if (to === 0) return this.#hypercalls.grantCopyOut(addr, this.domid, toRef, at, bytes) === GNTST_OKAY;
    this.#grants!.kernel.copy(to + at, addr, bytes);
    return true;
  }

  #copySlots(frame: Frame): CopyResult {
    const pages = this.#takePages(frame.len, frame.gsoSize);
    let piece = 0;
    let from = 0;
    let left = frame.len;
    for (let page = 0; page < pages; page++) {
      let at = page === 0 ? RX_OFFSET : 0;
      while (at < PAGE_SIZE && left > 0) {
        const bytes = Math.min(PAGE_SIZE - at, frame.sizes[piece]! - from);
        const ref = frame.refs[piece]!;
        const offset = frame.offsets[piece]! + from;
        if (!this.#copyAcross(frame, ref, offset, this.#refs[page]!, at, bytes)) {
          // One status for both ends: reading the source alone tells whose fault it is.
          if (this.#hypercalls.grantCopyIn(frame.domid, ref, offset, this.#scratchAddr, bytes) !== GNTST_OKAY) {
            return COPY_BAD_SENDER;
          }
          this.#answerError(rxSlots(frame.len, frame.gsoSize));
          return COPY_BAD_RECEIVER;
        }
        at += bytes;
        from += bytes;
        left -= bytes;
        if (from === frame.sizes[piece]!) {
          piece++;
          from = 0;
        }
      }
    }
    this.#answer(pages, frame.len, rxFlags(frame.flags), frame.gsoSize);
    return COPY_DONE;
  }

  /** Copies a packet of Dom0's buffers into posted pages. The caller has seen `hasRoom`. Never COPY_BAD_SENDER. */
  copyBuffer(pool: BufferPool, packet: number): CopyResult {
    const len = pool.length[packet]!;
    const gsoSize = pool.gsoSize[packet]!;
    const pages = this.#takePages(len, gsoSize);
    let block = packet;
    let from = 0;
    let left = len;
    for (let page = 0; page < pages; page++) {
      let at = page === 0 ? RX_OFFSET : 0;
      while (at < PAGE_SIZE && left > 0) {
        const bytes = Math.min(PAGE_SIZE - at, BLOCK_BYTES - from, left);
        if (!this.#copyOut(pool.addrOf(block) + from, this.#refs[page]!, at, bytes)) {
          this.#answerError(rxSlots(len, gsoSize));
          return COPY_BAD_RECEIVER;
        }
        at += bytes;
        from += bytes;
        left -= bytes;
        if (from === BLOCK_BYTES) {
          block = pool.next[block]!;
          from = 0;
        }
      }
    }
    this.#answer(pages, len, rxFlags(pool.flags[packet]!), gsoSize);
    return COPY_DONE;
  }

  /** Copies `bytes` bytes of Dom0's, at `addr`, into posted pages. The caller has seen `hasRoom`. Never COPY_BAD_SENDER. */
  copyBytes(addr: number, bytes: number, flags: number): CopyResult {
    const pages = this.#takePages(bytes, 0);
    let left = bytes;
    for (let page = 0; page < pages; page++) {
      const at = page === 0 ? RX_OFFSET : 0;
      const part = Math.min(PAGE_SIZE - at, left);
      if (!this.#copyOut(addr, this.#refs[page]!, at, part)) {
        this.#answerError(pages);
        return COPY_BAD_RECEIVER;
      }
      addr += part;
      left -= part;
    }
    this.#answer(pages, bytes, rxFlags(flags), 0);
    return COPY_DONE;
  }

  /**
   * Copies the requests for a frame out of the ring: answers go into the same slots. The extra info of a super-segment
   * takes the second slot, and that slot's page stays empty.
   * @returns how many pages the frame takes.
   */
  #takePages(bytes: number, gsoSize: number): number {
    const pages = rxSlots(bytes, 0);
    const skip = gsoSize > 0 ? 1 : 0;
    for (let page = 0; page < pages; page++) {
      const slot = this.ring.slotAddr(this.#cons + (page === 0 ? 0 : page + skip)) >>> 2;
      this.#ids[page] = this.#i32[slot]! & 0xffff;
      this.#refs[page] = this.#i32[slot + 1]!;
    }
    return pages;
  }

  #answer(pages: number, bytes: number, flags: number, gsoSize: number): void {
    const i32 = this.#i32;
    let left = bytes;
    if (gsoSize > 0) flags |= NETRXF_EXTRA_INFO;
    for (let page = 0; page < pages; page++) {
      const offset = page === 0 ? RX_OFFSET : 0;
      const size = Math.min(left, PAGE_SIZE - offset);
      left -= size;
      const slot = this.ring.slotAddr(this.#cons) >>> 2;
      this.#cons = (this.#cons + 1) | 0;
      i32[slot] = this.#ids[page]! | (offset << 16);
      i32[slot + 1] = (page === 0 ? flags : 0) | (left > 0 ? NETRXF_MORE_DATA : 0) | (size << 16);
      if (page === 0 && gsoSize > 0) {
        const extra = this.ring.slotAddr(this.#cons) >>> 2;
        this.#cons = (this.#cons + 1) | 0;
        i32[extra] = XEN_NETIF_EXTRA_TYPE_GSO | (gsoSize << 16);
        i32[extra + 1] = XEN_NETIF_GSO_TYPE_TCPV4;
      }
    }
  }

  /** Answers the next `slots` requests with an error. */
  #answerError(slots: number): void {
    for (let i = 0; i < slots; i++) {
      const slot = this.ring.slotAddr(this.#cons) >>> 2;
      // The id stays as it is.
      this.#i32[slot] = this.#i32[slot]! & 0xffff;
      this.#i32[slot + 1] = NETIF_RSP_ERROR << 16;
      this.#cons = (this.#cons + 1) | 0;
    }
  }

  /** Publishes the answers. @returns whether the frontend asked for an event. */
  push(): boolean {
    this.ring.reqCons = this.#cons;
    this.ring.rspProdPvt = this.#cons;
    return this.ring.pushResponsesAndCheckNotify();
  }

  /** Asks for an event when `slots` requests are posted. @returns whether they are already. `push` comes first. */
  arm(slots: number): boolean {
    this.ring.armRequestEvent(slots);
    return this.hasRoom(slots);
  }

  /** Sleep audit: whether `slots` requests are there or will come without an event. */
  isDeaf(slots: number): boolean {
    const { ring } = this;
    const posted = (ring.reqProd - ring.reqCons) >>> 0;
    const event = (this.#i32[(ring.addr + SRING_REQ_EVENT) >>> 2]! - ring.reqCons) >>> 0;
    // The event must come after what is posted now and not after what is needed.
    return posted >= slots || event <= posted || event > slots;
  }

  /** Answers that are not published. */
  get unpushed(): number {
    return (this.#cons - (this.ring.rspProdPvt | 0)) >>> 0;
  }
}

/** Bits 0 and 1 are swapped between the rings; a blank checksum implies validated data (netif.h). */
function rxFlags(txFlags: number): number {
  return (
    ((txFlags & NETTXF_CSUM_BLANK) !== 0 ? NETRXF_CSUM_BLANK | NETRXF_DATA_VALIDATED : 0) |
    ((txFlags & NETTXF_DATA_VALIDATED) !== 0 ? NETRXF_DATA_VALIDATED : 0)
  );
}
