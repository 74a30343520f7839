import { type Memory, PAGE_SHIFT, PAGE_SIZE, Packet, type PageAllocator } from '@qanat/bytes';
import { ETHERNET_ALIGN, MAX_FRAME_BYTES } from './config.ts';

/** Half a page: a frame of an Ethernet MTU fits, and never crosses a page. */
const SMALL_BYTES = PAGE_SIZE / 2;
const SMALL_FRAME_BYTES = SMALL_BYTES - ETHERNET_ALIGN;

/**
 * The transmit buffers of a vif: pages that are granted read-only to the backend once, and stay granted. Half-page
 * blocks serve ordinary frames, one for every slot of the ring. Where the MTU needs more, contiguous runs of pages
 * serve the long ones, as many as fill the ring.
 *
 * The backend can read the whole of these pages at any time. They hold nothing but frames meant for it.
 */
export class TxPool {
  readonly firstAddr: number;
  readonly pageCount: number;
  /** Grant reference per page, -1 while it has none. */
  readonly refs: Int32Array;
  /** One reused packet per buffer; its `token` is the buffer's index. */
  readonly packets: Packet[] = [];
  /** Longest frame that `alloc` can serve. */
  readonly maxFrameBytes: number;
  readonly #frameAddr: Int32Array;
  readonly #smallCount: number;
  readonly #smallFree: Int32Array;
  readonly #largeFree: Int32Array;
  #smallFreeCount = 0;
  #largeFreeCount = 0;

  /**
   * @param slots entries of the TX ring. @param maxFrameBytes the longest frame, Ethernet header included.
   * @throws Error when the domain has not that many adjoining pages.
   */
  constructor(memory: Memory, pages: PageAllocator, slots: number, maxFrameBytes: number) {
    const smallPages = (slots * SMALL_BYTES) >>> PAGE_SHIFT;
    const long = maxFrameBytes > SMALL_FRAME_BYTES;
    const largePages = long ? (maxFrameBytes + ETHERNET_ALIGN + PAGE_SIZE - 1) >>> PAGE_SHIFT : 0;
    const largeCount = long ? Math.floor(slots / largePages) : 0;
    this.maxFrameBytes = long ? Math.min(largePages * PAGE_SIZE - ETHERNET_ALIGN, MAX_FRAME_BYTES) : SMALL_FRAME_BYTES;
    this.pageCount = smallPages + largeCount * largePages;
    this.firstAddr = pages.allocContiguous(this.pageCount);
    if (this.firstAddr === 0) throw new Error(`no memory for ${this.pageCount} transmit pages in a row`);
    memory.kernel.fill(this.firstAddr, 0, this.pageCount * PAGE_SIZE);
    this.refs = new Int32Array(this.pageCount).fill(-1);
    this.#frameAddr = new Int32Array(slots + largeCount);
    this.#smallCount = slots;
    this.#smallFree = new Int32Array(slots);
    this.#largeFree = new Int32Array(largeCount);
    const largeAddr = this.firstAddr + smallPages * PAGE_SIZE;
    for (let i = 0; i < slots + largeCount; i++) {
      const addr = i < slots ? this.firstAddr + i * SMALL_BYTES : largeAddr + (i - slots) * largePages * PAGE_SIZE;
      const packet = new Packet();
      packet.token = i;
      this.#frameAddr[i] = addr + ETHERNET_ALIGN;
      this.packets.push(packet);
    }
    for (let i = slots + largeCount - 1; i >= 0; i--) this.free(i);
  }

  /** @returns whether `alloc(frameBytes)` would succeed. */
  has(frameBytes: number): boolean {
    return this.#largeFreeCount > 0 || (frameBytes <= SMALL_FRAME_BYTES && this.#smallFreeCount > 0);
  }

  /** @param frameBytes at most `maxFrameBytes`. @returns a packet over a free buffer, or null when there is none. */
  alloc(frameBytes: number): Packet | null {
    let index: number;
    if (frameBytes <= SMALL_FRAME_BYTES && this.#smallFreeCount > 0) {
      index = this.#smallFree[--this.#smallFreeCount]!;
    } else if (this.#largeFreeCount > 0) {
      index = this.#largeFree[--this.#largeFreeCount]!;
    } else {
      return null;
    }
    const packet = this.packets[index]!;
    packet.set(this.#frameAddr[index]!, frameBytes);
    return packet;
  }

  /** Gives a buffer back by its index. */
  free(index: number): void {
    if (index < this.#smallCount) this.#smallFree[this.#smallFreeCount++] = index;
    else this.#largeFree[this.#largeFreeCount++] = index;
  }

  /** Slots that a frame of `frameBytes` takes at most, wherever `alloc` puts it. */
  slotsFor(frameBytes: number): number {
    return frameBytes <= SMALL_FRAME_BYTES ? 1 : (frameBytes + ETHERNET_ALIGN + PAGE_SIZE - 1) >>> PAGE_SHIFT;
  }

  /** Grant reference of the page that holds `addr`. */
  refOf(addr: number): number {
    return this.refs[(addr - this.firstAddr) >>> PAGE_SHIFT]!;
  }

  /** Buffers that are not handed out. */
  get freeBuffers(): number {
    return this.#smallFreeCount + this.#largeFreeCount;
  }

  get bufferCount(): number {
    return this.packets.length;
  }
}
