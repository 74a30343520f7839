/** Blocks of BLOCK_BYTES out of a file or an answer of a server, as fast as a browser gives them. */
import { BLOCK_BYTES } from '../view/bytes.ts';

export interface RawBlocks {
  /** @returns the next block; to be asked for as long as there is more. */
  next(): Promise<Uint8Array<ArrayBuffer>>;
  /** Gives back the memory of a block. */
  recycle(buffer: ArrayBuffer): void;
  /** All was read. */
  end(): Promise<void>;
}

/** So many blocks are with whoever looks at them, at most: 32 MiB. */
const BLOCKS_OUT = 8;
/** So many slices of a file are read at once: the browser reads one while it hands another over. */
const SLICES = 3;

/** Slices of a file, several at once: twice as fast as its stream. */
export class BlobBlocks implements RawBlocks {
  readonly #blob: Blob;
  readonly #slices: Promise<ArrayBuffer>[] = [];
  #offset = 0;
  #out = 0;
  #go: () => void = () => {};

  constructor(blob: Blob) {
    this.#blob = blob;
  }

  async next(): Promise<Uint8Array<ArrayBuffer>> {
    while (this.#out >= BLOCKS_OUT) {
      await new Promise<void>((resolve) => {
        this.#go = resolve;
      });
    }
    this.#out++;
    while (this.#slices.length < SLICES && this.#offset < this.#blob.size) {
      const slice = this.#blob.slice(this.#offset, this.#offset + BLOCK_BYTES).arrayBuffer();
      // Who asks for this slice hears of the failure.
      slice.catch(() => {});
      this.#slices.push(slice);
      this.#offset += BLOCK_BYTES;
    }
    const slice = this.#slices.shift();
    if (slice === undefined) throw new Error(SHORTER);
    return new Uint8Array(await slice);
  }

  recycle(): void {
    this.#out--;
    this.#go();
  }

  async end(): Promise<void> {}
}

const SHORTER = 'the log became shorter while it was read';

/** Fills memory with bytes of an answer. @returns the memory, which may have moved, and how much was filled. */
type Fill = (
  block: Uint8Array<ArrayBuffer>,
  from: number,
) => Promise<{ block: Uint8Array<ArrayBuffer>; count: number }>;

/** The body of an answer: read into memory that is used again, as new memory for each block costs more than to read it. */
export class StreamBlocks implements RawBlocks {
  readonly #fill: Fill;
  readonly #stop: () => Promise<void>;
  readonly #free = Array.from({ length: BLOCKS_OUT }, () => new ArrayBuffer(BLOCK_BYTES));
  #left: number;
  #go: () => void = () => {};

  /** Asks a server. @param size of the file. @throws Error with a sentence for people. */
  static async open(url: string, size: number): Promise<StreamBlocks> {
    const answer = await fetch(url, { cache: 'no-store' });
    if (!answer.ok || answer.body === null) {
      throw new Error(`${url} cannot be read any more: the server says ${answer.status}`);
    }
    return new StreamBlocks(answer.body, size);
  }

  constructor(body: ReadableStream<Uint8Array<ArrayBuffer>>, size: number) {
    this.#left = size;
    const direct = directReader(body);
    if (direct !== undefined) {
      this.#fill = fillDirectly(direct);
      this.#stop = () => direct.cancel();
      return;
    }
    const reader = body.getReader();
    this.#fill = fillByCopy(reader);
    this.#stop = () => reader.cancel();
  }

  async next(): Promise<Uint8Array<ArrayBuffer>> {
    const length = Math.min(BLOCK_BYTES, this.#left);
    let block = new Uint8Array(await this.#memory(), 0, length);
    for (let filled = 0; filled < length; ) {
      const { block: moved, count } = await this.#fill(block, filled);
      if (count === 0) throw new Error(SHORTER);
      block = moved;
      filled += count;
    }
    this.#left -= length;
    return block;
  }

  recycle(buffer: ArrayBuffer): void {
    this.#free.push(buffer);
    this.#go();
  }

  end(): Promise<void> {
    return this.#stop();
  }

  async #memory(): Promise<ArrayBuffer> {
    let buffer = this.#free.pop();
    while (buffer === undefined) {
      await new Promise<void>((resolve) => {
        this.#go = resolve;
      });
      buffer = this.#free.pop();
    }
    return buffer;
  }
}

/** Where a browser can, it writes into the block itself. */
function directReader(body: ReadableStream<Uint8Array<ArrayBuffer>>): ReadableStreamBYOBReader | undefined {
  try {
    return body.getReader({ mode: 'byob' });
  } catch {
    return undefined;
  }
}

function fillDirectly(reader: ReadableStreamBYOBReader): Fill {
  return async (block, from) => {
    // The memory goes to the reader: `block` has no length then.
    const { length } = block;
    const { value } = await reader.read(block.subarray(from));
    if (value === undefined) return { block, count: 0 };
    return { block: new Uint8Array(value.buffer, 0, length), count: value.length };
  };
}

function fillByCopy(reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>): Fill {
  let piece: Uint8Array = new Uint8Array(0);
  return async (block, from) => {
    if (piece.length === 0) piece = (await reader.read()).value ?? piece;
    const count = Math.min(block.length - from, piece.length);
    block.set(piece.subarray(0, count), from);
    piece = piece.subarray(count);
    return { block, count };
  };
}
