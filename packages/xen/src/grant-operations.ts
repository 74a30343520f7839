import type { Memory } from '@qanat/bytes';
import { PAGE_SHIFT, PAGE_SIZE } from '@qanat/bytes';
import type { FrameTable } from './frame-table.ts';
import {
  GNTST_BAD_COPY_ARG,
  GNTST_BAD_DOMAIN,
  GNTST_BAD_GNTREF,
  GNTST_BAD_HANDLE,
  GNTST_BAD_PAGE,
  GNTST_GENERAL_ERROR,
  GNTST_NO_DEVICE_SPACE,
  GNTST_OKAY,
  GTF_PERMIT_ACCESS,
  GTF_READING,
  GTF_READONLY,
  GTF_TYPE_MASK,
  GTF_WRITING,
} from './grant-layout.ts';
import {
  DOM_COPYING,
  DOM_FOREIGN_MAPS,
  DOM_GRANT_PINS,
  DOM_GRANT_TABLE,
  DOM_MAPTRACK,
  DOM_STATE,
  DOMAIN_ALIVE,
  GRANT_ENTRIES,
  MACHINE_ADDR,
  MACHINE_GRANT_LOCK,
  MAPTRACK_ENTRIES,
  MAPTRACK_ENTRY_BYTES,
} from './machine-layout.ts';
import type { MachineState } from './machine-state.ts';
import { acquireLock, releaseLock } from './spin-lock.ts';

const LOCK = (MACHINE_ADDR + MACHINE_GRANT_LOCK) >>> 2;
const USE_READ = GTF_READING;
const USE_WRITE = GTF_READING | GTF_WRITING;
/** As often as Xen tries on an entry that its owner keeps changing. */
const UNSTABLE_TRIES = 5;
const PIN_READ = 1;
const PIN_WRITE = 0x1_0001;
const NO_BITS = 0;
const NO_REF = -1;

/** What GNTTABOP_map_grant_ref answers. */
export interface GrantMapping {
  /** GNTST_*. */
  readonly status: number;
  /** For `grantUnmap`, -1 after a failure. */
  readonly handle: number;
  /** Where the page lies, 0 after a failure. */
  readonly addr: number;
}

/**
 * Grant operations of one domain on the pages of others (xen/common/grant_table.c), called on its own CPU. Only the
 * domain that an entry names can use it, so uses of one entry never race with each other, only with its owner, who may
 * change it at any time: an entry's flags and domid are read once, in one load, and claimed by compare-and-swap.
 */
export class GrantOperations {
  readonly #state: MachineState;
  readonly #frames: FrameTable;
  readonly #memory: Memory;
  readonly #i32: Int32Array;
  readonly #domid: number;
  readonly #record: number;
  readonly #copyingIndex: number;
  readonly #releaseOwner: (domid: number) => void;
  /** The flags that the last `#claim` set itself, and must take back. */
  #claimed = 0;
  #batching = false;
  /** The source and the destination that are claimed, or NO_REF. */
  #srcDomid = 0;
  #srcRef = NO_REF;
  #srcAddr = 0;
  #srcClaimed = 0;
  #dstDomid = 0;
  #dstRef = NO_REF;
  #dstAddr = 0;
  #dstClaimed = 0;
  /** Handle to look at first for a map. */
  #nextHandle = 0;

  /** @param releaseOwner called when the last map of a dying domain's pages has gone. */
  constructor(state: MachineState, frames: FrameTable, domid: number, releaseOwner: (domid: number) => void) {
    this.#state = state;
    this.#frames = frames;
    this.#memory = state.memory;
    this.#i32 = state.i32;
    this.#domid = domid;
    this.#record = state.recordAddr(domid);
    this.#copyingIndex = (this.#record + DOM_COPYING) >>> 2;
    this.#releaseOwner = releaseOwner;
  }

  /**
   * Begins a batch: GNTTABOP_copy with many operations, which are given one by one. As Xen does within one hypercall, it
   * keeps the last source and the last destination claimed until another page is needed, or until `endCopies`.
   */
  beginCopies(): void {
    if (this.#batching) return;
    this.#batching = true;
    Atomics.store(this.#i32, this.#copyingIndex, 1);
  }

  /** Ends a batch. Until then the owners of the pages cannot take their grants back. */
  endCopies(): void {
    if (!this.#batching) return;
    this.#batching = false;
    this.#release();
    Atomics.store(this.#i32, this.#copyingIndex, 0);
  }

  /** GNTTABOP_copy, foreign page to own memory. @returns GNTST_*. */
  copyIn(domid: number, ref: number, offset: number, dstAddr: number, len: number): number {
    const own = this.#checkOwn(dstAddr, len);
    if (own !== GNTST_OKAY) return own;
    this.#enter();
    let status = this.#claimSource(domid, ref);
    if (status > 0) {
      if (inPage(offset, len)) {
        this.#memory.kernel.copy(dstAddr, status + offset, len);
        status = GNTST_OKAY;
      } else {
        status = GNTST_BAD_COPY_ARG;
      }
    }
    this.#leave();
    return status;
  }

  /** GNTTABOP_copy, own memory to foreign page. @returns GNTST_*. */
  copyOut(srcAddr: number, domid: number, ref: number, offset: number, len: number): number {
    const own = this.#checkOwn(srcAddr, len);
    if (own !== GNTST_OKAY) return own;
    this.#enter();
    let status = this.#claimDestination(domid, ref);
    if (status > 0) {
      if (inPage(offset, len)) {
        this.#memory.kernel.copy(status + offset, srcAddr, len);
        status = GNTST_OKAY;
      } else {
        status = GNTST_BAD_COPY_ARG;
      }
    }
    this.#leave();
    return status;
  }

  /** GNTTABOP_copy between two foreign pages. @returns GNTST_*. */
  copyAcross(
    srcDomid: number,
    srcRef: number,
    srcOffset: number,
    dstDomid: number,
    dstRef: number,
    dstOffset: number,
    len: number,
  ): number {
    this.#enter();
    let status = this.#claimSource(srcDomid, srcRef);
    if (status > 0) {
      const src = status;
      status = this.#claimDestination(dstDomid, dstRef);
      if (status > 0) {
        if (inPage(srcOffset, len) && inPage(dstOffset, len)) {
          this.#memory.kernel.copy(status + dstOffset, src + srcOffset, len);
          status = GNTST_OKAY;
        } else {
          status = GNTST_BAD_COPY_ARG;
        }
      }
    }
    this.#leave();
    return status;
  }

  #enter(): void {
    if (!this.#batching) Atomics.store(this.#i32, this.#copyingIndex, 1);
  }

  #leave(): void {
    if (this.#batching) return;
    this.#release();
    Atomics.store(this.#i32, this.#copyingIndex, 0);
  }

  /** Claims a page for reading, unless it is the source that is claimed already. @returns as `#claim`. */
  #claimSource(domid: number, ref: number): number {
    if (this.#srcRef === ref && this.#srcDomid === domid) return this.#srcAddr;
    this.#releaseSource();
    const addr = this.#claim(domid, ref, USE_READ);
    if (addr > 0) {
      this.#srcDomid = domid;
      this.#srcRef = ref;
      this.#srcAddr = addr;
      this.#srcClaimed = this.#claimed;
    }
    return addr;
  }

  /** Claims a page for writing, unless it is the destination that is claimed already. @returns as `#claim`. */
  #claimDestination(domid: number, ref: number): number {
    if (this.#dstRef === ref && this.#dstDomid === domid) return this.#dstAddr;
    this.#releaseDestination();
    const addr = this.#claim(domid, ref, USE_WRITE);
    if (addr > 0) {
      this.#dstDomid = domid;
      this.#dstRef = ref;
      this.#dstAddr = addr;
      this.#dstClaimed = this.#claimed;
    }
    return addr;
  }

  #release(): void {
    this.#releaseDestination();
    this.#releaseSource();
  }

  #releaseSource(): void {
    if (this.#srcRef < 0) return;
    this.#unclaim(this.#srcDomid, this.#srcRef, this.#srcClaimed);
    this.#srcRef = NO_REF;
  }

  #releaseDestination(): void {
    if (this.#dstRef < 0) return;
    this.#unclaim(this.#dstDomid, this.#dstRef, this.#dstClaimed);
    this.#dstRef = NO_REF;
  }

  /** GNTTABOP_map_grant_ref. The page is where it is; that a map is readonly cannot be enforced here. */
  map(domid: number, ref: number, readonly: boolean): GrantMapping {
    // A map counts the flags that it finds as its own: none of them may be a copy's.
    this.#release();
    acquireLock(this.#i32, LOCK, this.#domid + 1);
    const handle = this.#freeHandle();
    let status = GNTST_NO_DEVICE_SPACE;
    if (handle >= 0) {
      status = this.#claim(domid, ref, readonly ? USE_READ : USE_WRITE);
      if (status > 0) {
        const owner = this.#state.recordAddr(domid);
        const pins = this.#pinIndex(owner, ref);
        this.#i32[pins] = this.#i32[pins]! + (readonly ? PIN_READ : PIN_WRITE);
        Atomics.add(this.#i32, (owner + DOM_FOREIGN_MAPS) >>> 2, 1);
        const entry = this.#handleIndex(handle);
        this.#i32[entry + 1] = ref;
        this.#i32[entry + 2] = readonly ? 1 : 0;
        this.#i32[entry] = domid + 1;
      }
    }
    releaseLock(this.#i32, LOCK);
    return status > 0 ? { status: GNTST_OKAY, handle, addr: status } : { status, handle: -1, addr: 0 };
  }

  /** GNTTABOP_unmap_grant_ref. @returns GNTST_*. */
  unmap(handle: number): number {
    if (!(handle >= 0 && handle < MAPTRACK_ENTRIES)) return GNTST_BAD_HANDLE;
    this.#release();
    acquireLock(this.#i32, LOCK, this.#domid + 1);
    const entry = this.#handleIndex(handle);
    const domid = this.#i32[entry]! - 1;
    let last = false;
    if (domid >= 0) {
      const ref = this.#i32[entry + 1]!;
      const owner = this.#state.recordAddr(domid);
      const pins = this.#pinIndex(owner, ref);
      const left = this.#i32[pins]! - (this.#i32[entry + 2] === 1 ? PIN_READ : PIN_WRITE);
      this.#i32[pins] = left;
      const clear = (left === 0 ? GTF_READING : 0) | (left >>> 16 === 0 ? GTF_WRITING : 0);
      if (clear !== 0) Atomics.and(this.#i32, this.#entryIndex(owner, ref), ~clear);
      this.#i32[entry] = 0;
      last = Atomics.sub(this.#i32, (owner + DOM_FOREIGN_MAPS) >>> 2, 1) === 1;
    }
    releaseLock(this.#i32, LOCK);
    if (last) this.#releaseOwner(domid);
    return domid >= 0 ? GNTST_OKAY : GNTST_BAD_HANDLE;
  }

  /** Unmaps whatever the domain has mapped. */
  unmapAll(): void {
    for (let handle = 0; handle < MAPTRACK_ENTRIES; handle++) {
      if (this.#i32[this.#handleIndex(handle)] !== 0) this.unmap(handle);
    }
  }

  /** Checks an entry and marks it in use. @returns the address of its page, or GNTST_* (not positive). */
  #claim(domid: number, ref: number, use: number): number {
    const i32 = this.#i32;
    const owner = this.#state.recordAddr(domid);
    if (owner === 0 || i32[(owner + DOM_STATE) >>> 2] !== DOMAIN_ALIVE) return GNTST_BAD_DOMAIN;
    if (!(ref >= 0 && ref < GRANT_ENTRIES)) return GNTST_BAD_GNTREF;
    const index = this.#entryIndex(owner, ref);
    for (let tries = 0; tries < UNSTABLE_TRIES; tries++) {
      const word = Atomics.load(i32, index);
      if ((word & GTF_TYPE_MASK) !== GTF_PERMIT_ACCESS || word >>> 16 !== this.#domid) return GNTST_GENERAL_ERROR;
      if ((word & GTF_READONLY) !== 0 && use === USE_WRITE) return GNTST_GENERAL_ERROR;
      const claimed = word | use;
      if (claimed !== word && Atomics.compareExchange(i32, index, word, claimed) !== word) continue;
      this.#claimed = claimed ^ word;
      const frame = i32[index + 1]! >>> 0;
      // The owner may have died since; who destroys a domain waits for copies that began before.
      if (this.#frames.owns(domid, frame) && i32[(owner + DOM_STATE) >>> 2] === DOMAIN_ALIVE)
        return frame << PAGE_SHIFT;
      this.#unclaim(domid, ref, this.#claimed);
      return GNTST_BAD_PAGE;
    }
    return GNTST_GENERAL_ERROR;
  }

  #unclaim(domid: number, ref: number, claimed: number): void {
    if (claimed === NO_BITS) return;
    Atomics.and(this.#i32, this.#entryIndex(this.#state.recordAddr(domid), ref), ~claimed);
  }

  /** Own memory is one run of frames: it may cross pages, as a foreign one may not. */
  #checkOwn(addr: number, len: number): number {
    if (!(len >= 0 && len <= PAGE_SIZE)) return GNTST_BAD_COPY_ARG;
    const frame = addr >>> PAGE_SHIFT;
    const last = len === 0 ? frame : (addr + len - 1) >>> PAGE_SHIFT;
    const owned = this.#frames.owns(this.#domid, frame) && (last === frame || this.#frames.owns(this.#domid, last));
    return owned ? GNTST_OKAY : GNTST_BAD_PAGE;
  }

  #entryIndex(owner: number, ref: number): number {
    return (this.#i32[(owner + DOM_GRANT_TABLE) >>> 2]! >>> 2) + ref * 2;
  }

  #pinIndex(owner: number, ref: number): number {
    return (this.#i32[(owner + DOM_GRANT_PINS) >>> 2]! >>> 2) + ref;
  }

  #handleIndex(handle: number): number {
    return (this.#i32[(this.#record + DOM_MAPTRACK) >>> 2]! + handle * MAPTRACK_ENTRY_BYTES) >>> 2;
  }

  /** Looks on from where the last one was found: many are taken one after the other. */
  #freeHandle(): number {
    for (let tries = 0; tries < MAPTRACK_ENTRIES; tries++) {
      const handle = this.#nextHandle;
      this.#nextHandle = (handle + 1) % MAPTRACK_ENTRIES;
      if (this.#i32[this.#handleIndex(handle)] === 0) return handle;
    }
    return -1;
  }
}

function inPage(offset: number, len: number): boolean {
  return offset >= 0 && len >= 0 && offset + len <= PAGE_SIZE;
}
