import { PAGE_SHIFT } from './memory.ts';

/**
 * Hands out the pages of one owner (a domain, or a stack that has a memory to itself). Private to a thread.
 * Addresses, not frame numbers; 0 means "none left".
 */
export class PageAllocator {
  readonly firstFrame: number;
  readonly frameCount: number;

  /** @param firstAddr page-aligned. @param bytes a multiple of the page size. */
  constructor(firstAddr: number, bytes: number) {
    this.firstFrame = firstAddr >>> PAGE_SHIFT;
    this.frameCount = bytes >>> PAGE_SHIFT;
  }

  /** @returns the address of a page (content undefined), or 0. */
  alloc(): number {
    return this.allocContiguous(1);
  }

  /** @returns the address of `count` adjoining pages (content undefined), or 0. */
  allocContiguous(count: number): number {
    void count;
    return 0;
  }

  /** Gives back what `alloc` or `allocContiguous(count)` returned. @throws Error on a page that is not handed out. */
  free(addr: number, count = 1): void {
    void addr;
    void count;
  }

  /** Pages that are free. */
  get freePages(): number {
    return this.frameCount;
  }
}
