import { type Memory, PAGE_SIZE, PageAllocator } from '@qanat/bytes';

/** What a page holds that was just handed out, and one that was given back: who reads either, reads the same nonsense. */
const POISON = 0xdb;

/** Pages whose content never depends on who had them before, so that runs repeat and use after free shows. */
export class PoisonedPages extends PageAllocator {
  readonly #memory: Memory;

  /** As PageAllocator. */
  constructor(memory: Memory, firstAddr: number, bytes: number) {
    super(firstAddr, bytes);
    this.#memory = memory;
  }

  override alloc(): number {
    const addr = super.alloc();
    if (addr !== 0) this.#poison(addr, 1);
    return addr;
  }

  override allocContiguous(count: number): number {
    const addr = super.allocContiguous(count);
    if (addr !== 0 && count > 1) this.#poison(addr, count);
    return addr;
  }

  override free(addr: number, count = 1): void {
    super.free(addr, count);
    this.#poison(addr, count);
  }

  #poison(addr: number, count: number): void {
    this.#memory.u8.fill(POISON, addr, addr + count * PAGE_SIZE);
  }
}
