import { addSum, type Memory, PAGE_SIZE, type PageAllocator, swapSum } from '@qanat/bytes';

/**
 * A ring of stream bytes in machine memory, addressed by sequence number: byte `seq` lives at `base + (seq & mask)`.
 * The capacity is a power of two of at least a page, so the number space wraps at 2^32 without a seam.
 * Its pages are taken at the first byte and can be given back when it is empty.
 */
export class ByteRing {
  readonly #memory: Memory;
  readonly #pages: PageAllocator;
  readonly #capacity: number;
  readonly #mask: number;
  /** Address of the ring, 0 while it has no pages. */
  base = 0;

  /** @param least bytes it must hold. */
  constructor(memory: Memory, pages: PageAllocator, least: number) {
    this.#memory = memory;
    this.#pages = pages;
    let capacity = PAGE_SIZE;
    while (capacity < least) capacity *= 2;
    this.#capacity = capacity;
    this.#mask = capacity - 1;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Takes the pages. @returns false when there are none. */
  ensure(): boolean {
    if (this.base === 0) this.base = this.#pages.allocContiguous(this.#capacity / PAGE_SIZE);
    return this.base !== 0;
  }

  release(): void {
    if (this.base !== 0) {
      this.#pages.free(this.base, this.#capacity / PAGE_SIZE);
      this.base = 0;
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

  /** Puts bytes of an application's array at `seq`. */
  putArray(seq: number, from: Uint8Array, offset: number, bytes: number): void {
    const u8 = this.#memory.u8;
    const first = Math.min(bytes, this.contiguous(seq));
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
    into.set(u8.subarray(at, at + first), offset);
    if (bytes > first) into.set(u8.subarray(this.base, this.base + bytes - first), offset + first);
  }

  /** Copies bytes out and takes their sum in the same pass. @returns the folded sum. */
  getSum(seq: number, addr: number, bytes: number): number {
    const first = this.contiguous(seq);
    const kernel = this.#memory.kernel;
    if (bytes <= first) return kernel.copySum(addr, this.addrOf(seq), bytes);
    const head = kernel.copySum(addr, this.addrOf(seq), first);
    const tail = kernel.copySum(addr + first, this.base, bytes - first);
    return addSum(head, first & 1 ? swapSum(tail) : tail);
  }
}
