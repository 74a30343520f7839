import { PAGE_SHIFT, PAGE_SIZE, type PageAllocator } from '@qanat/bytes';
import { IPV4_HEADER_BYTES } from './wire.ts';

/**
 * One place to put an IP payload together, with room for an IP header in front: for what is sent (or read) at once and
 * not kept. It grows with the largest request.
 */
export class Scratch {
  readonly #pages: PageAllocator;
  #addr = 0;
  #pageCount = 0;

  constructor(pages: PageAllocator) {
    this.#pages = pages;
  }

  /**
   * @returns a 4-aligned address with `bytes` behind it and IPV4_HEADER_BYTES in front of it, good until the next call;
   * 0: no memory.
   */
  room(bytes: number): number {
    const pageCount = (IPV4_HEADER_BYTES + bytes + PAGE_SIZE - 1) >>> PAGE_SHIFT;
    if (pageCount > this.#pageCount) {
      const addr = this.#pages.allocContiguous(pageCount);
      if (addr === 0) return 0;
      this.close();
      this.#addr = addr;
      this.#pageCount = pageCount;
    }
    return this.#addr + IPV4_HEADER_BYTES;
  }

  close(): void {
    if (this.#addr !== 0) this.#pages.free(this.#addr, this.#pageCount);
    this.#addr = 0;
    this.#pageCount = 0;
  }
}
