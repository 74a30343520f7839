import { type Memory, PAGE_SHIFT, PAGE_SIZE, Packet, type PageAllocator } from '@qanat/bytes';
import { ETHERNET_ALIGN, GSO_FRAME_BYTES, MAX_FRAME_BYTES } from './config.ts';

/** Half a page: a frame of an Ethernet MTU fits, and never crosses a page. */
const SMALL_BYTES = PAGE_SIZE / 2;

/** Buffers of one size. */
interface SizeClass {
  /** Longest frame. */
  readonly frameBytes: number;
  readonly free: Int32Array;
  freeCount: number;
}

/**
 * The transmit buffers of a vif: pages that are granted read-only to the backend once, and stay granted. Half-page
 * blocks serve ordinary frames, one for every slot of the ring. Where the MTU needs more, or there are super-segments,
 * contiguous runs of pages serve them, as many of each as fill the ring.
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
  /** There are buffers for super-segments. */
  readonly gso: boolean;
  readonly #mtuFrameBytes: number;
  readonly #frameAddr: Int32Array;
  /** By size, the smallest first. */
  readonly #classes: SizeClass[] = [];
  readonly #classOf: Uint8Array;
  #freeBuffers = 0;

  /**
   * @param slots entries of the TX ring. @param mtuFrameBytes the longest ordinary frame, Ethernet header included.
   * @param gso whether to have buffers for super-segments.
   * @throws Error when the domain has not that many adjoining pages.
   */
  constructor(memory: Memory, pages: PageAllocator, slots: number, mtuFrameBytes: number, gso: boolean) {
    this.gso = gso;
    this.#mtuFrameBytes = mtuFrameBytes;
    const sizes = [SMALL_BYTES];
    const longest = gso ? Math.max(mtuFrameBytes, GSO_FRAME_BYTES) : mtuFrameBytes;
    for (const frameBytes of [mtuFrameBytes, longest]) {
      const bytes = (frameBytes + ETHERNET_ALIGN + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
      if (frameBytes + ETHERNET_ALIGN > SMALL_BYTES && !sizes.includes(bytes)) sizes.push(bytes);
    }
    const counts = sizes.map((bytes, i) => (i === 0 ? slots : Math.floor(slots / slotsOf(bytes))));
    const bufferCount = counts.reduce((sum, count) => sum + count, 0);
    this.pageCount = sizes.reduce((sum, bytes, i) => sum + bytes * counts[i]!, 0) >>> PAGE_SHIFT;
    this.firstAddr = pages.allocContiguous(this.pageCount);
    if (this.firstAddr === 0) throw new Error(`no memory for ${this.pageCount} transmit pages in a row`);
    memory.kernel.fill(this.firstAddr, 0, this.pageCount * PAGE_SIZE);
    this.refs = new Int32Array(this.pageCount).fill(-1);
    this.#frameAddr = new Int32Array(bufferCount);
    this.#classOf = new Uint8Array(bufferCount);
    let addr = this.firstAddr;
    for (const [i, bytes] of sizes.entries()) {
      const frameBytes = Math.min(bytes - ETHERNET_ALIGN, MAX_FRAME_BYTES);
      this.#classes.push({ frameBytes, free: new Int32Array(counts[i]!), freeCount: 0 });
      for (let k = 0; k < counts[i]!; k++, addr += bytes) {
        const packet = new Packet();
        packet.token = this.packets.length;
        this.#frameAddr[packet.token] = addr + ETHERNET_ALIGN;
        this.#classOf[packet.token] = i;
        this.packets.push(packet);
      }
    }
    this.maxFrameBytes = this.#classes.at(-1)!.frameBytes;
    for (let i = bufferCount - 1; i >= 0; i--) this.free(i);
  }

  /** @returns whether `alloc(frameBytes)` would succeed. */
  has(frameBytes: number): boolean {
    const classes = this.#classes;
    for (let i = 0; i < classes.length; i++) {
      const size = classes[i]!;
      if (frameBytes <= size.frameBytes && size.freeCount > 0) return true;
    }
    return false;
  }

  /** @param frameBytes at most `maxFrameBytes`. @returns a packet over a free buffer, or null when there is none. */
  alloc(frameBytes: number): Packet | null {
    const classes = this.#classes;
    for (let i = 0; i < classes.length; i++) {
      const size = classes[i]!;
      if (frameBytes > size.frameBytes || size.freeCount === 0) continue;
      const index = size.free[--size.freeCount]!;
      this.#freeBuffers--;
      const packet = this.packets[index]!;
      packet.set(this.#frameAddr[index]!, frameBytes);
      return packet;
    }
    return null;
  }

  /** Gives a buffer back by its index. */
  free(index: number): void {
    const size = this.#classes[this.#classOf[index]!]!;
    size.free[size.freeCount++] = index;
    this.#freeBuffers++;
  }

  /** Slots that a frame of `frameBytes` takes at most, wherever `alloc` puts it; longer than the MTU, with extra info. */
  slotsFor(frameBytes: number): number {
    return slotsOf(frameBytes + ETHERNET_ALIGN) + (frameBytes > this.#mtuFrameBytes ? 1 : 0);
  }

  /** Grant reference of the page that holds `addr`. */
  refOf(addr: number): number {
    return this.refs[(addr - this.firstAddr) >>> PAGE_SHIFT]!;
  }

  /** Buffers that are not handed out. */
  get freeBuffers(): number {
    return this.#freeBuffers;
  }

  get bufferCount(): number {
    return this.packets.length;
  }
}

/** Slots for `bytes` bytes from the beginning of a buffer on. */
function slotsOf(bytes: number): number {
  return bytes <= SMALL_BYTES ? 1 : (bytes + PAGE_SIZE - 1) >>> PAGE_SHIFT;
}
