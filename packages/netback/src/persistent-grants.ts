import type { Kernel as MemoryKernel } from '@qanat/bytes';
import { GNTST_OKAY, GRANT_ENTRIES, type Hypercalls } from '@qanat/xen';

const UNKNOWN = 0;
/** Tried, and cannot be mapped that way: it is copied by grant operations. */
const REFUSED = -1;

/** Handles that all vifs may still take. */
export interface MapBudget {
  mapsLeft: number;
}

/**
 * The pages of one frontend that stay mapped (`feature-persistent`): the frontend uses the same pages under the same
 * references again and again, so each is mapped when it is first seen, and copied to and from without a hypercall until
 * the frontend is gone. What cannot be mapped is left to grant copies.
 */
export class PersistentGrants {
  readonly kernel: MemoryKernel;
  readonly #hypercalls: Hypercalls;
  readonly #domid: number;
  readonly #budget: MapBudget;
  /** Address of the page by reference, for reading and for writing; UNKNOWN or REFUSED. */
  readonly #readable = new Int32Array(GRANT_ENTRIES);
  readonly #writable = new Int32Array(GRANT_ENTRIES);
  readonly #handles: number[] = [];

  constructor(hypercalls: Hypercalls, kernel: MemoryKernel, domid: number, budget: MapBudget) {
    this.#hypercalls = hypercalls;
    this.kernel = kernel;
    this.#domid = domid;
    this.#budget = budget;
  }

  /** Pages that are mapped. */
  get size(): number {
    return this.#handles.length;
  }

  /** @returns the address of a page to read from, or 0 when it is not to be had. */
  readable(ref: number): number {
    const addr = ref >= 0 && ref < GRANT_ENTRIES ? this.#readable[ref]! : REFUSED;
    if (addr > 0) return addr;
    return addr === REFUSED ? 0 : this.#map(ref, true, this.#readable);
  }

  /** @returns the address of a page to write to, or 0. */
  writable(ref: number): number {
    const addr = ref >= 0 && ref < GRANT_ENTRIES ? this.#writable[ref]! : REFUSED;
    if (addr > 0) return addr;
    return addr === REFUSED ? 0 : this.#map(ref, false, this.#writable);
  }

  #map(ref: number, readonly: boolean, table: Int32Array): number {
    table[ref] = REFUSED;
    if (this.#budget.mapsLeft === 0) return 0;
    const { status, handle, addr } = this.#hypercalls.grantMap(this.#domid, ref, readonly);
    if (status !== GNTST_OKAY) return 0;
    this.#budget.mapsLeft--;
    this.#handles.push(handle);
    table[ref] = addr;
    return addr;
  }

  /** Unmaps everything: the frontend may have its pages back. */
  close(): void {
    for (const handle of this.#handles) this.#hypercalls.grantUnmap(handle);
    this.#budget.mapsLeft += this.#handles.length;
    this.#handles.length = 0;
    this.#readable.fill(UNKNOWN);
    this.#writable.fill(UNKNOWN);
  }
}
