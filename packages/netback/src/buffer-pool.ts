import { type Memory, PAGE_SIZE, type PageAllocator } from '@qanat/bytes';

/** Unit of the packet buffers: an Ethernet frame fits into one. */
export const BLOCK_SHIFT = 11;
export const BLOCK_BYTES = 1 << BLOCK_SHIFT;

/** Pages taken from the domain at a time. */
const SLAB_PAGES = 16;
const SLAB_BLOCKS = (SLAB_PAGES * PAGE_SIZE) >>> BLOCK_SHIFT;

/** No block. */
export const NO_BLOCK = -1;

/**
 * The packet buffers of Dom0: chains of 2 KiB blocks, shared by the ports of all bridges. A packet is known by its
 * first block. The pool grows by slabs up to its limit and keeps what it has.
 */
export class BufferPool {
  readonly memory: Memory;
  /** Bytes of the packet that begins at a block. */
  readonly length: Int32Array;
  /** NETTXF_* flags of the packet that begins at a block. */
  readonly flags: Uint16Array;
  /** Payload of each segment of the super-segment that begins at a block, else 0. */
  readonly gsoSize: Uint16Array;
  /** Queue of its port that the packet that begins at a block goes to. */
  readonly queue: Uint8Array;
  /** Next block of a chain, or NO_BLOCK. */
  readonly next: Int32Array;
  readonly limitBlocks: number;
  readonly #pages: PageAllocator;
  readonly #reservedPages: number;
  readonly #slabs: Int32Array;
  #slabCount = 0;
  #free = NO_BLOCK;
  #freeCount = 0;

  /** @param reservedPages pages of the domain that the pool leaves alone. */
  constructor(memory: Memory, pages: PageAllocator, reservedPages: number) {
    this.memory = memory;
    this.#pages = pages;
    this.#reservedPages = reservedPages;
    const slabs = Math.max(0, Math.floor((pages.freePages - reservedPages) / SLAB_PAGES));
    this.limitBlocks = slabs * SLAB_BLOCKS;
    this.#slabs = new Int32Array(slabs);
    this.length = new Int32Array(this.limitBlocks);
    this.flags = new Uint16Array(this.limitBlocks);
    this.gsoSize = new Uint16Array(this.limitBlocks);
    this.queue = new Uint8Array(this.limitBlocks);
    this.next = new Int32Array(this.limitBlocks).fill(NO_BLOCK);
  }

  /** Blocks that are free or can still be had. */
  get freeBlocks(): number {
    return this.#freeCount + this.limitBlocks - this.#slabCount * SLAB_BLOCKS;
  }

  /** Blocks that a packet of `bytes` takes. */
  static blocksOf(bytes: number): number {
    return (bytes + BLOCK_BYTES - 1) >>> BLOCK_SHIFT;
  }

  /** Address of a block. */
  addrOf(block: number): number {
    return this.#slabs[(block / SLAB_BLOCKS) | 0]! + (block % SLAB_BLOCKS) * BLOCK_BYTES;
  }

  /** @returns the first block of a chain for `bytes` bytes, or NO_BLOCK when memory is short. */
  alloc(bytes: number): number {
    const blocks = BufferPool.blocksOf(bytes);
    while (this.#freeCount < blocks) if (!this.#grow()) return NO_BLOCK;
    const head = this.#free;
    let tail = head;
    for (let i = 1; i < blocks; i++) tail = this.next[tail]!;
    this.#free = this.next[tail]!;
    this.#freeCount -= blocks;
    this.next[tail] = NO_BLOCK;
    this.length[head] = bytes;
    this.flags[head] = 0;
    this.gsoSize[head] = 0;
    return head;
  }

  /** Gives a chain back by its first block. */
  free(head: number): void {
    let tail = head;
    let blocks = 1;
    for (let next = this.next[tail]!; next !== NO_BLOCK; next = this.next[tail]!) {
      tail = next;
      blocks++;
    }
    this.next[tail] = this.#free;
    this.#free = head;
    this.#freeCount += blocks;
  }

  /** Copies `bytes` bytes at `addr` into packet `to`, which is as long. */
  copyFrom(to: number, addr: number, bytes: number): void {
    for (let left = bytes; left > 0; left -= BLOCK_BYTES) {
      this.memory.kernel.copy(this.addrOf(to), addr, Math.min(left, BLOCK_BYTES));
      addr += BLOCK_BYTES;
      to = this.next[to]!;
    }
  }

  /** Copies bytes and flags of packet `from` into packet `to`, which is as long. */
  copy(to: number, from: number): void {
    this.flags[to] = this.flags[from]!;
    this.gsoSize[to] = this.gsoSize[from]!;
    let left = this.length[from]!;
    for (; left > 0; left -= BLOCK_BYTES) {
      this.memory.kernel.copy(this.addrOf(to), this.addrOf(from), Math.min(left, BLOCK_BYTES));
      from = this.next[from]!;
      to = this.next[to]!;
    }
  }

  /** Inverts bit `bit & 7` of byte `bit >>> 3` of a packet. */
  flipBit(head: number, bit: number): void {
    const byte = bit >>> 3;
    if (byte >= this.length[head]!) return;
    let block = head;
    for (let skip = byte >>> BLOCK_SHIFT; skip > 0; skip--) block = this.next[block]!;
    const addr = this.addrOf(block) + (byte & (BLOCK_BYTES - 1));
    this.memory.u8[addr] = this.memory.u8[addr]! ^ (1 << (bit & 7));
  }

  #grow(): boolean {
    if (this.#slabCount === this.#slabs.length) return false;
    if (this.#pages.freePages < this.#reservedPages + SLAB_PAGES) return false;
    const addr = this.#pages.allocContiguous(SLAB_PAGES);
    if (addr === 0) return false;
    const first = this.#slabCount * SLAB_BLOCKS;
    this.#slabs[this.#slabCount++] = addr;
    for (let block = first + SLAB_BLOCKS - 1; block >= first; block--) {
      this.next[block] = this.#free;
      this.#free = block;
    }
    this.#freeCount += SLAB_BLOCKS;
    return true;
  }
}
