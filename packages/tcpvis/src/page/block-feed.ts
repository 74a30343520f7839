/** Reads a log front to back in a worker of its own, while the session's worker looks at what came before. */
import type { Block, BlockFeed } from '../view/bytes.ts';
import { ChunkVerifier } from '../view/chunk-verifier.ts';
import { BlobBlocks, type RawBlocks, StreamBlocks } from './raw-blocks.ts';

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
  readonly #verifier = new ChunkVerifier();
  #blocks: RawBlocks | undefined;

  constructor({ origin, size }: Extract<ToReader, { type: 'read' }>, post: PostBlock) {
    this.#post = post;
    this.#run(origin, size).catch((error: unknown) => {
      post({ sentence: error instanceof Error ? error.message : String(error) }, []);
    });
  }

  recycle(buffer: ArrayBuffer): void {
    this.#blocks?.recycle(buffer);
  }

  async #run(origin: FeedOrigin, size: number): Promise<void> {
    const blocks = 'blob' in origin ? new BlobBlocks(origin.blob) : await StreamBlocks.open(origin.url, size);
    this.#blocks = blocks;
    for (let offset = 0; offset < size; ) {
      const bytes = await blocks.next();
      offset += bytes.length;
      const verified = this.#verifier.take(bytes);
      this.#post({ bytes, verified }, [bytes.buffer]);
    }
    await blocks.end();
  }
}
