import { type Memory, PAGE_SIZE, type PageAllocator } from '@qanat/bytes';
import type { ArpEntry } from './entry.ts';

/**
 * Packets that wait for a MAC, copied into slots of equal size. Slots are taken from the page allocator as they are
 * first needed, never more than `maxSlots`, and go back on `close`. Each entry's packets are a linked list.
 */
export class PendingPool {
  readonly slotBytes: number;
  readonly maxSlots: number;
  readonly #memory: Memory;
  readonly #pages: PageAllocator;
  readonly #addr: Int32Array;
  readonly #bytes: Int32Array;
  readonly #next: Int32Array;
  readonly #pagesPerChunk: number;
  readonly #slotsPerChunk: number;
  readonly #chunks: number[] = [];
  #made = 0;
  #free = -1;
  #used = 0;

  /** @param slotBytes largest packet. */
  constructor(memory: Memory, pages: PageAllocator, slotBytes: number, maxSlots: number) {
    this.#memory = memory;
    this.#pages = pages;
    this.slotBytes = (slotBytes + 63) & ~63;
    this.maxSlots = maxSlots;
    this.#addr = new Int32Array(maxSlots);
    this.#bytes = new Int32Array(maxSlots);
    this.#next = new Int32Array(maxSlots);
    this.#pagesPerChunk = Math.ceil(this.slotBytes / PAGE_SIZE);
    this.#slotsPerChunk = Math.floor((this.#pagesPerChunk * PAGE_SIZE) / this.slotBytes);
  }

  /** Slots that hold a packet. */
  get used(): number {
    return this.#used;
  }

  /** Whether `append` would find a slot (it may still want for pages). */
  get hasRoom(): boolean {
    return this.#used < this.maxSlots;
  }

  /** Copies a packet to the end of the entry's queue. @returns whether there was a slot for it. */
  append(entry: ArpEntry, addr: number, bytes: number): boolean {
    if (bytes > this.slotBytes) return false;
    if (this.#free < 0) this.#grow();
    const slot = this.#free;
    if (slot < 0) return false;
    this.#free = this.#next[slot]!;
    this.#used++;
    this.#memory.kernel.copy(this.#addr[slot]!, addr, bytes);
    this.#bytes[slot] = bytes;
    this.#next[slot] = -1;
    if (entry.pendingTail < 0) entry.pendingHead = slot;
    else this.#next[entry.pendingTail] = slot;
    entry.pendingTail = slot;
    entry.pendingCount++;
    return true;
  }

  /** Address of the entry's oldest packet; it has one. */
  headAddr(entry: ArpEntry): number {
    return this.#addr[entry.pendingHead]!;
  }

  headBytes(entry: ArpEntry): number {
    return this.#bytes[entry.pendingHead]!;
  }

  /** Frees the entry's oldest packet; it has one. */
  removeHead(entry: ArpEntry): void {
    const slot = entry.pendingHead;
    entry.pendingHead = this.#next[slot]!;
    if (entry.pendingHead < 0) entry.pendingTail = -1;
    entry.pendingCount--;
    this.#next[slot] = this.#free;
    this.#free = slot;
    this.#used--;
  }

  /** Gives the pages back. Every queue has been emptied. */
  close(): void {
    for (const addr of this.#chunks) this.#pages.free(addr, this.#pagesPerChunk);
    this.#chunks.length = 0;
    this.#made = 0;
    this.#free = -1;
  }

  #grow(): void {
    if (this.#made >= this.maxSlots) return;
    const chunk = this.#pages.allocContiguous(this.#pagesPerChunk);
    if (chunk === 0) return;
    this.#chunks.push(chunk);
    for (let i = 0; i < this.#slotsPerChunk && this.#made < this.maxSlots; i++) {
      const slot = this.#made++;
      this.#addr[slot] = chunk + i * this.slotBytes;
      this.#next[slot] = this.#free;
      this.#free = slot;
    }
  }
}
