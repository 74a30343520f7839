import { addSum, copySumFew, FEW_SUMMED, type Memory, PAGE_SIZE, type PageAllocator, swapSum } from '@qanat/bytes';
import type { TcpLending } from './network.ts';

/** Up to here a loop is faster than making views of arrays. */
const FEW_BYTES = 32;
/** A ring begins with this many bytes. */
const FIRST_CAPACITY = 16 * 1024;
/** From here on a ring is of a flow in bulk: it pays to have it in pages that packets can refer to. */
const LENT_CAPACITY = 64 * 1024;

/**
 * A ring of stream bytes in machine memory, addressed by sequence number: byte `seq` lives at `base + (seq & mask)`.
 * The capacity is a power of two of at least a page, so the number space wraps at 2^32 without a seam. Pages are taken
 * at the first byte; the ring doubles as it fills, up to what it was made for, and can be given back when it is empty.
 */
export class ByteRing {
  readonly #memory: Memory;
  readonly #pages: PageAllocator;
  /** Capacity at most. */
  readonly limit: number;
  #capacity = 0;
  #mask = 0;
  /** Address of the ring, 0 while it has no pages. */
  base = 0;
  readonly #lending: TcpLending | undefined;
  /** Its pages are some of those. */
  #isLent = false;

  /** @param least bytes it must be able to hold. @param lending pages that a large ring takes rather than `pages`. */
  constructor(memory: Memory, pages: PageAllocator, least: number, lending?: TcpLending) {
    this.#lending = lending;
    this.#memory = memory;
    this.#pages = pages;
    let limit = PAGE_SIZE;
    while (limit < least) limit *= 2;
    this.limit = limit;
  }

  /** Bytes that there are pages for. */
  get capacity(): number {
    return this.#capacity;
  }

  /**
   * Makes room for the bytes from `start` up to `end`; what is held lies in that range.
   * @returns false when there is no memory for it (what there was stays).
   */
  ensure(start: number, end: number): boolean {
    const needed = (end - start) | 0;
    return needed <= this.#capacity || this.#grow(start, needed);
  }

  #grow(start: number, needed: number): boolean {
    let capacity = this.#capacity === 0 ? Math.min(FIRST_CAPACITY, this.limit) : this.#capacity * 2;
    while (capacity < needed) capacity *= 2;
    if (capacity > this.limit) return false;
    const count = capacity / PAGE_SIZE;
    let base = this.#lending !== undefined && capacity >= LENT_CAPACITY ? this.#lending.alloc(count) : 0;
    const isLent = base !== 0;
    if (!isLent) base = this.#pages.allocContiguous(count);
    if (base === 0) return false;
    const mask = capacity - 1;
    const kernel = this.#memory.kernel;
    for (let copied = 0; copied < this.#capacity; ) {
      const seq = (start + copied) | 0;
      const bytes = Math.min(this.contiguous(seq), this.#capacity - copied, capacity - (seq & mask));
      kernel.copy(base + (seq & mask), this.addrOf(seq), bytes);
      copied += bytes;
    }
    this.release();
    this.base = base;
    this.#isLent = isLent;
    this.#capacity = capacity;
    this.#mask = mask;
    return true;
  }

  release(): void {
    if (this.base !== 0) {
      if (this.#isLent) this.#lending!.free(this.base, this.#capacity / PAGE_SIZE);
      else this.#pages.free(this.base, this.#capacity / PAGE_SIZE);
      this.base = 0;
      this.#capacity = 0;
      this.#mask = 0;
    }
  }

  addrOf(seq: number): number {
    return this.base + (seq & this.#mask);
  }

  /** Bytes from `seq` to the end of the ring: what is contiguous at `addrOf(seq)`. */
  contiguous(seq: number): number {
    return this.#capacity - (seq & this.#mask);
  }

  /** Puts bytes of machine memory at `seq`. */
  put(seq: number, addr: number, bytes: number): void {
    const first = this.contiguous(seq);
    const kernel = this.#memory.kernel;
    if (bytes <= first) {
      kernel.copy(this.addrOf(seq), addr, bytes);
    } else {
      kernel.copy(this.addrOf(seq), addr, first);
      kernel.copy(this.base, addr + first, bytes - first);
    }
  }

  /** Puts bytes of machine memory at `seq` and takes their sum in the same pass. @returns the folded sum. */
  putSum(seq: number, addr: number, bytes: number): number {
    const first = this.contiguous(seq);
    const { kernel, u8 } = this.#memory;
    if (bytes <= first) {
      const at = this.addrOf(seq);
      return bytes <= FEW_SUMMED ? copySumFew(u8, at, addr, bytes) : kernel.copySum(at, addr, bytes);
    }
    const head = kernel.copySum(this.addrOf(seq), addr, first);
    const tail = kernel.copySum(this.base, addr + first, bytes - first);
    return addSum(head, first & 1 ? swapSum(tail) : tail);
  }

  /** Puts bytes of an application's array at `seq`. */
  putArray(seq: number, from: Uint8Array, offset: number, bytes: number): void {
    const u8 = this.#memory.u8;
    const first = Math.min(bytes, this.contiguous(seq));
    if (bytes <= FEW_BYTES && bytes === first) {
      const at = this.addrOf(seq);
      for (let i = 0; i < bytes; i++) u8[at + i] = from[offset + i]!;
      return;
    }
    u8.set(from.subarray(offset, offset + first), this.addrOf(seq));
    if (bytes > first) u8.set(from.subarray(offset + first, offset + bytes), this.base);
  }

  /** Copies bytes out to machine memory. */
  get(seq: number, addr: number, bytes: number): void {
    const first = this.contiguous(seq);
    const kernel = this.#memory.kernel;
    if (bytes <= first) {
      kernel.copy(addr, this.addrOf(seq), bytes);
    } else {
      kernel.copy(addr, this.addrOf(seq), first);
      kernel.copy(addr + first, this.base, bytes - first);
    }
  }

  /** Copies bytes out to an application's array. */
  getArray(seq: number, into: Uint8Array, offset: number, bytes: number): void {
    const u8 = this.#memory.u8;
    const first = Math.min(bytes, this.contiguous(seq));
    const at = this.addrOf(seq);
    if (bytes <= FEW_BYTES && bytes === first) {
      for (let i = 0; i < bytes; i++) into[offset + i] = u8[at + i]!;
      return;
    }
    into.set(u8.subarray(at, at + first), offset);
    if (bytes > first) into.set(u8.subarray(this.base, this.base + bytes - first), offset + first);
  }

  /** Copies bytes out and takes their sum in the same pass. @returns the folded sum. */
  getSum(seq: number, addr: number, bytes: number): number {
    const first = this.contiguous(seq);
    const { kernel, u8 } = this.#memory;
    if (bytes <= first) {
      const at = this.addrOf(seq);
      return bytes <= FEW_SUMMED ? copySumFew(u8, addr, at, bytes) : kernel.copySum(addr, at, bytes);
    }
    const head = kernel.copySum(addr, this.addrOf(seq), first);
    const tail = kernel.copySum(addr + first, this.base, bytes - first);
    return addSum(head, first & 1 ? swapSum(tail) : tail);
  }
}
