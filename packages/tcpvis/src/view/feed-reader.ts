import type { Block, BlockFeed } from './bytes.ts';
import { BLOCK_BYTES } from './bytes.ts';

/** Bytes out of a feed, for who reads on and on: what lies behind goes back to the feed. */
export class FeedReader {
  readonly #feed: BlockFeed;
  readonly #elsewhere: (offset: number, length: number) => Promise<Uint8Array>;
  #verified = new Set<number>();
  /** The block that is looked at, and its number. */
  #block: Block | undefined;
  #index = -1;

  /** @param elsewhere reads what is behind already. */
  constructor(feed: BlockFeed, elsewhere: (offset: number, length: number) => Promise<Uint8Array>) {
    this.#feed = feed;
    this.#elsewhere = elsewhere;
  }

  /** @returns whether the payload at `offset`, which was read just now, is known to be whole. */
  isVerified(offset: number): boolean {
    return this.#verified.has(offset);
  }

  /** @returns `length` bytes, good until the next read; at an address that is a multiple of 8 when `offset` is one. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const first = Math.floor(offset / BLOCK_BYTES);
    const last = Math.floor((offset + Math.max(length, 1) - 1) / BLOCK_BYTES);
    if (first < this.#index) return this.#elsewhere(offset, length);
    if (first === last) {
      const { bytes } = await this.#blockAt(first);
      const at = offset - first * BLOCK_BYTES;
      return bytes.subarray(at, at + length);
    }
    const joined = new Uint8Array(length);
    for (let index = first; index <= last; index++) {
      const { bytes } = await this.#blockAt(index);
      const from = Math.max(0, offset - index * BLOCK_BYTES);
      const to = Math.min(bytes.length, offset + length - index * BLOCK_BYTES);
      joined.set(bytes.subarray(from, to), index * BLOCK_BYTES + from - offset);
    }
    return joined;
  }

  stop(): void {
    this.#feed.stop();
  }

  async #blockAt(index: number): Promise<Block> {
    while (this.#index < index || this.#block === undefined) {
      if (this.#block !== undefined) this.#feed.recycle(this.#block);
      this.#block = undefined;
      this.#block = await this.#feed.next();
      this.#index++;
      this.#verified = new Set(this.#block.verified);
    }
    return this.#block;
  }
}
