/** Reads a large file in blocks, here and there. */
import { BLOCK_BYTES, type ByteSource } from './bytes.ts';

/** 512 MiB: what is looked at again and again while someone pans. */
const BLOCKS_KEPT = 128;
/** Who reads on finds so many blocks on their way already. */
const BLOCKS_AHEAD = 3;

/**
 * Reads in large aligned blocks, keeps the last of them, and reads ahead. A browser takes over a millisecond for the
 * smallest read of a file, in which it also gives 400 KB: headers here and there are read faster with all between them.
 */
export class BlockReader {
  readonly #source: ByteSource;
  readonly #blocks = new Map<number, Promise<Uint8Array>>();
  #last = -1;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** @returns `length` bytes; at an address that is a multiple of 8 when `offset` is one. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const first = Math.floor(offset / BLOCK_BYTES);
    const last = Math.floor((offset + Math.max(length, 1) - 1) / BLOCK_BYTES);
    if (first === this.#last + 1 || last === this.#last + 1) this.#readAhead(last);
    this.#last = last;
    if (first === last) {
      const block = await this.#block(first);
      const at = offset - first * BLOCK_BYTES;
      return block.subarray(at, at + length);
    }
    const joined = new Uint8Array(length);
    for (let index = first; index <= last; index++) {
      const block = await this.#block(index);
      const from = Math.max(0, offset - index * BLOCK_BYTES);
      const to = Math.min(block.length, offset + length - index * BLOCK_BYTES);
      joined.set(block.subarray(from, to), index * BLOCK_BYTES + from - offset);
    }
    return joined;
  }

  #readAhead(after: number): void {
    for (let index = after + 1; index <= after + BLOCKS_AHEAD && index * BLOCK_BYTES < this.#source.size; index++) {
      // Whoever reads it hears of the failure.
      this.#block(index).catch(() => {});
    }
  }

  #block(index: number): Promise<Uint8Array> {
    let block = this.#blocks.get(index);
    if (block !== undefined) {
      this.#blocks.delete(index);
      this.#blocks.set(index, block);
      return block;
    }
    const at = index * BLOCK_BYTES;
    block = this.#source.read(at, Math.min(BLOCK_BYTES, this.#source.size - at));
    block.catch(() => this.#blocks.delete(index));
    this.#keep(index, block);
    return block;
  }

  #keep(index: number, block: Promise<Uint8Array>): void {
    this.#blocks.set(index, block);
    if (this.#blocks.size > BLOCKS_KEPT) this.#blocks.delete(this.#blocks.keys().next().value!);
  }
}
