/** Largest datagram in pages of its payload's offset space. */
const MAX_PAGES = 16;

/**
 * The fragments of one datagram. Payload lies in pages at its final offset; which parts are there is a list of
 * fragments, sorted and disjoint.
 */
export class ReassemblyContext {
  readonly key: string;
  readonly src: number;
  readonly deadlineUs: number;
  /** Page of the payload's offset space, 0 where nothing of it came. */
  readonly pages = new Int32Array(MAX_PAGES);
  pageCount = 0;
  /** Offsets of the fragments, ascending, and their lengths, in bytes. */
  readonly offsets: number[] = [];
  readonly lengths: number[] = [];
  receivedBytes = 0;
  /** Payload of the whole datagram, -1 until the last fragment came. */
  totalBytes = -1;
  /** Header of the fragment at offset 0 as it came; empty until then. */
  readonly header = new Uint8Array(60);
  headerBytes = 0;
  /** Bit n: a fragment with ECN codepoint n has come (RFC 3168 section 5.3). */
  ecnSeen = 0;
  /** Given up: it stays to swallow the fragments that are still on their way. */
  dead = false;

  constructor(key: string, src: number, deadlineUs: number) {
    this.key = key;
    this.src = src;
    this.deadlineUs = deadlineUs;
  }

  get complete(): boolean {
    return this.receivedBytes === this.totalBytes && this.headerBytes > 0;
  }

  /** End of what has come: one past its highest byte. */
  get endBytes(): number {
    const last = this.offsets.length - 1;
    return last < 0 ? 0 : this.offsets[last]! + this.lengths[last]!;
  }

  /** Payload of the fragment at offset 0. */
  get firstBytes(): number {
    return this.offsets[0] === 0 ? this.lengths[0]! : 0;
  }

  /**
   * Finds the place of a fragment.
   * @returns its index in `offsets`; FRAGMENT_DUPLICATE for one that is there exactly; FRAGMENT_OVERLAP.
   */
  place(offset: number, bytes: number): number {
    let low = 0;
    let high = this.offsets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.offsets[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    if (low < this.offsets.length) {
      if (this.offsets[low] === offset && this.lengths[low] === bytes) return FRAGMENT_DUPLICATE;
      if (this.offsets[low]! < offset + bytes) return FRAGMENT_OVERLAP;
    }
    if (low > 0 && this.offsets[low - 1]! + this.lengths[low - 1]! > offset) return FRAGMENT_OVERLAP;
    return low;
  }

  insert(index: number, offset: number, bytes: number): void {
    this.offsets.splice(index, 0, offset);
    this.lengths.splice(index, 0, bytes);
    this.receivedBytes += bytes;
  }
}

export const FRAGMENT_DUPLICATE = -1;
export const FRAGMENT_OVERLAP = -2;
