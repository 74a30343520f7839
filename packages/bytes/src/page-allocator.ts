import { PAGE_SHIFT, PAGE_SIZE } from './memory.ts';

/** Index of the lowest set bit of a word that is not 0. */
function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

/**
 * Hands out the pages of one owner (a domain, or a stack that has a memory to itself). Private to a thread.
 * Addresses, not frame numbers; 0 means "none left". Page 0 of a memory is never handed out, as address 0 means "none".
 *
 * A bitmap with one bit per page, set while the page is free. Single pages come from where a page was freed last (it is
 * warm in the cache) and onwards; runs are first-fit from where the last run ended, then from the start.
 */
export class PageAllocator {
  readonly firstFrame: number;
  readonly frameCount: number;
  readonly #bits: Int32Array;
  #freePages: number;
  /** Word where the search for a single page begins. */
  #wordHint = 0;
  /** Frame (counted from firstFrame) where the search for a run begins. */
  #runHint = 0;

  /**
   * @param firstAddr page-aligned. @param bytes a multiple of the page size.
   * @throws RangeError when they are not.
   */
  constructor(firstAddr: number, bytes: number) {
    if (!Number.isSafeInteger(firstAddr) || firstAddr < 0 || firstAddr % PAGE_SIZE !== 0) {
      throw new RangeError(`pages from address ${firstAddr}: not a multiple of ${PAGE_SIZE}`);
    }
    if (!Number.isSafeInteger(bytes) || bytes < 0 || bytes % PAGE_SIZE !== 0) {
      throw new RangeError(`pages in ${bytes} bytes: not a multiple of ${PAGE_SIZE}`);
    }
    const skip = firstAddr === 0 && bytes > 0 ? 1 : 0;
    this.firstFrame = (firstAddr >>> PAGE_SHIFT) + skip;
    this.frameCount = (bytes >>> PAGE_SHIFT) - skip;
    this.#freePages = this.frameCount;
    this.#bits = new Int32Array((this.frameCount + 31) >>> 5).fill(-1);
    const tail = this.frameCount & 31;
    if (tail !== 0) this.#bits[this.#bits.length - 1] = (1 << tail) - 1;
  }

  /** @returns the address of a page (content undefined), or 0. */
  alloc(): number {
    if (this.#freePages === 0) return 0;
    const bits = this.#bits;
    let i = this.#wordHint;
    // There is a free page, so the round ends.
    while (bits[i] === 0) i = i + 1 < bits.length ? i + 1 : 0;
    this.#wordHint = i;
    const word = bits[i]!;
    bits[i] = word & (word - 1);
    this.#freePages--;
    return (this.firstFrame + (i << 5) + lowestBit(word)) << PAGE_SHIFT;
  }

  /**
   * @param count pages, at least 1.
   * @returns the address of `count` adjoining pages (content undefined), or 0.
   * @throws RangeError when `count` is not a positive integer.
   */
  allocContiguous(count: number): number {
    if (!Number.isSafeInteger(count) || count < 1) throw new RangeError(`a run of ${count} pages`);
    if (count === 1) return this.alloc();
    if (count > this.#freePages) return 0;
    let frame = this.#findRun(this.#runHint, count);
    if (frame < 0 && this.#runHint > 0) frame = this.#findRun(0, count);
    if (frame < 0) return 0;
    const bits = this.#bits;
    for (let i = frame; i < frame + count; i++) bits[i >>> 5] = bits[i >>> 5]! & ~(1 << (i & 31));
    this.#freePages -= count;
    this.#runHint = frame + count;
    return (this.firstFrame + frame) << PAGE_SHIFT;
  }

  /** First frame from `from` on that begins `count` free ones, or -1. */
  #findRun(from: number, count: number): number {
    const bits = this.#bits;
    let frame = from;
    while (frame + count <= this.frameCount) {
      const free = bits[frame >>> 5]! >>> (frame & 31);
      if (free === 0) {
        frame = (frame | 31) + 1;
        continue;
      }
      frame += lowestBit(free);
      // Measure the run, a word at a time; bits past the last frame are never set.
      let end = frame;
      while (end - frame < count && end < this.frameCount) {
        const used = ~bits[end >>> 5]! >>> (end & 31);
        if (used !== 0) {
          end += lowestBit(used);
          break;
        }
        end = (end | 31) + 1;
      }
      if (end - frame >= count) return frame;
      frame = end;
    }
    return -1;
  }

  /**
   * Gives back what `alloc` or `allocContiguous(count)` returned; the pages of a run may also go one by one.
   * @throws Error on a page that is not this owner's or not handed out; then nothing is freed.
   */
  free(addr: number, count = 1): void {
    const frame = (addr >>> PAGE_SHIFT) - this.firstFrame;
    if (addr % PAGE_SIZE !== 0 || frame < 0 || count < 1 || frame + count > this.frameCount) {
      throw new Error(`free of ${count} page(s) at 0x${addr.toString(16)}: not pages of this owner`);
    }
    const bits = this.#bits;
    for (let i = frame; i < frame + count; i++) {
      if ((bits[i >>> 5]! >>> (i & 31)) & 1) {
        throw new Error(`free of a free page at 0x${((this.firstFrame + i) * PAGE_SIZE).toString(16)}`);
      }
    }
    for (let i = frame; i < frame + count; i++) bits[i >>> 5] = bits[i >>> 5]! | (1 << (i & 31));
    this.#freePages += count;
    this.#wordHint = frame >>> 5;
    if (frame < this.#runHint) this.#runHint = frame;
  }

  /** Pages that are free. */
  get freePages(): number {
    return this.#freePages;
  }
}
