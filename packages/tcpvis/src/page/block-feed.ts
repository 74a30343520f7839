/** Reads a log front to back in a worker of its own, while the session's worker looks at what came before. */
import { BLOCK_BYTES, type Block, type BlockFeed } from '../view/bytes.ts';
import { ChunkVerifier } from '../view/chunk-verifier.ts';

/** So many blocks go to and fro: 32 MiB. New memory for each costs more than to read it. */
const BLOCKS = 8;

/** What a reader reads: a file of this computer, or of a server. */
export type FeedOrigin = { readonly blob: Blob } | { readonly url: string };

/** To the reader: the first message starts it, the others give memory back. */
export type ToReader =
  | { readonly type: 'read'; readonly origin: FeedOrigin; readonly size: number }
  | { readonly type: 'recycle'; readonly buffer: ArrayBuffer };
/** From the reader: a block, or why there is none. */
export type FromReader = Block | { readonly sentence: string };

/** @returns the blocks of a log, read by another worker with the same code as this one. */
export function feedOf(origin: FeedOrigin, size: number): BlockFeed {
  const worker = new Worker((globalThis as unknown as { readonly location: Location }).location.href);
  const arrived: FromReader[] = [];
  let wake: () => void = () => {};
  const take = (message: FromReader): void => {
    arrived.push(message);
    wake();
  };
  worker.onmessage = (event: MessageEvent<FromReader>) => take(event.data);
  worker.onerror = (event) => take({ sentence: `the log cannot be read: ${event.message}` });
  const send = (message: ToReader, transfer: Transferable[] = []): void => worker.postMessage(message, transfer);
  send({ type: 'read', origin, size });
  return {
    next: async () => {
      while (arrived.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const message = arrived.shift()!;
      if ('sentence' in message) throw new Error(message.sentence);
      return message;
    },
    recycle: ({ bytes }) => {
      const buffer = bytes.buffer as ArrayBuffer;
      send({ type: 'recycle', buffer }, [buffer]);
    },
    stop: () => worker.terminate(),
  };
}

/** Sends to the session's worker. */
export type PostBlock = (message: FromReader, transfer: Transferable[]) => void;

/** The reader's side: what the worker does whose first message is `read`. */
export class BlockPump {
  readonly #post: PostBlock;
  readonly #free = Array.from({ length: BLOCKS }, () => new ArrayBuffer(BLOCK_BYTES));
  readonly #verifier = new ChunkVerifier();
  #go: () => void = () => {};

  constructor({ origin, size }: Extract<ToReader, { type: 'read' }>, post: PostBlock) {
    this.#post = post;
    this.#run(origin, size).catch((error: unknown) => {
      post({ sentence: error instanceof Error ? error.message : String(error) }, []);
    });
  }

  recycle(buffer: ArrayBuffer): void {
    this.#free.push(buffer);
    this.#go();
  }

  async #run(origin: FeedOrigin, size: number): Promise<void> {
    const reader = (await streamOf(origin)).getReader();
    let offset = 0;
    let filled = 0;
    let block = await this.#block(size);
    while (offset < size) {
      const { done, value } = await reader.read();
      if (done) throw new Error('the log became shorter while it was read');
      for (let at = 0; at < value.length && offset < size; ) {
        const count = Math.min(block.length - filled, value.length - at);
        block.set(value.subarray(at, at + count), filled);
        filled += count;
        at += count;
        if (filled < block.length) continue;
        offset += filled;
        const verified = this.#verifier.take(block);
        this.#post({ bytes: block, verified }, [block.buffer]);
        if (offset < size) block = await this.#block(size - offset);
        filled = 0;
      }
    }
    await reader.cancel();
  }

  /** @returns memory for the next block, as soon as there is some. */
  async #block(left: number): Promise<Uint8Array<ArrayBuffer>> {
    let buffer = this.#free.pop();
    while (buffer === undefined) {
      await new Promise<void>((resolve) => {
        this.#go = resolve;
      });
      buffer = this.#free.pop();
    }
    return new Uint8Array(buffer, 0, Math.min(BLOCK_BYTES, left));
  }
}

async function streamOf(origin: FeedOrigin): Promise<ReadableStream<Uint8Array>> {
  if ('blob' in origin) return origin.blob.stream();
  const answer = await fetch(origin.url, { cache: 'no-store' });
  if (!answer.ok || answer.body === null) {
    throw new Error(`${origin.url} cannot be read any more: the server says ${answer.status}`);
  }
  return answer.body;
}
