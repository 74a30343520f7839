import { type Memory, PAGE_SHIFT } from '@qanat/bytes';
import {
  GNTTAB_NR_RESERVED_ENTRIES,
  GRANT_ENTRY_BYTES,
  GRANT_FRAME,
  GTF_PERMIT_ACCESS,
  GTF_READING,
  GTF_READONLY,
  GTF_WRITING,
} from '@qanat/xen';

/** The guest's side of its grant table: which pages it lets others use. One thread's; no locks. */
export class GrantTable {
  readonly #i32: Int32Array;
  readonly #addr: number;
  /** Free references, a stack: the last one freed is warm. */
  readonly #free: Int32Array;
  #freeCount = 0;

  /** @param addr of the table. @param entries references it holds; the first eight are reserved. */
  constructor(memory: Memory, addr: number, entries: number) {
    this.#i32 = memory.i32;
    this.#addr = addr;
    this.#free = new Int32Array(entries);
    for (let ref = entries - 1; ref >= GNTTAB_NR_RESERVED_ENTRIES; ref--) this.#free[this.#freeCount++] = ref;
  }

  /** References that are free. */
  get free(): number {
    return this.#freeCount;
  }

  /**
   * Lets a domain use the page that `addr` lies in.
   * @returns the reference, or -1 when all are taken.
   */
  grantAccess(domid: number, addr: number, readonly: boolean): number {
    if (this.#freeCount === 0) return -1;
    const ref = this.#free[--this.#freeCount]!;
    const entry = (this.#addr + ref * GRANT_ENTRY_BYTES) >>> 2;
    this.#i32[entry + (GRANT_FRAME >>> 2)] = addr >>> PAGE_SHIFT;
    // The flags make the entry valid, so they come last; the store orders it.
    Atomics.store(this.#i32, entry, GTF_PERMIT_ACCESS | (readonly ? GTF_READONLY : 0) | (domid << 16));
    return ref;
  }

  /**
   * Takes a grant back and frees its reference.
   * @returns false when the peer still uses the page: it stays granted, try again later.
   */
  endAccess(ref: number): boolean {
    const i32 = this.#i32;
    const entry = (this.#addr + ref * GRANT_ENTRY_BYTES) >>> 2;
    for (;;) {
      const word = Atomics.load(i32, entry);
      if ((word & (GTF_READING | GTF_WRITING)) !== 0) return false;
      if (Atomics.compareExchange(i32, entry, word, 0) === word) break;
    }
    this.#free[this.#freeCount++] = ref;
    return true;
  }

  /** Whether the peer uses the page right now (has it mapped, or copies). */
  inUse(ref: number): boolean {
    const word = Atomics.load(this.#i32, (this.#addr + ref * GRANT_ENTRY_BYTES) >>> 2);
    return (word & (GTF_READING | GTF_WRITING)) !== 0;
  }
}
