/** Opens `.qflow` files: small ones at once, large ones while their rows are read. */
import {
  CHUNK_SACKS,
  FILE_HEADER_BYTES,
  indexTrace,
  type ReadBytes,
  type TraceFound,
  type TraceIndex,
  walkTrace,
} from '@qanat/flowlog';
import { BlockReader } from './block-reader.ts';
import type { ByteSource } from './bytes.ts';
import { FeedReader } from './feed-reader.ts';
import { StoreBuilder } from './qflow-store.ts';
import type { StoreGrowth, TraceStore } from './store.ts';

const QFLOW_MAGIC = [0x51, 0x46, 0x4c, 0x4f, 0x57] as const;

export function isQflow(start: Uint8Array): boolean {
  return QFLOW_MAGIC.every((byte, index) => start[index] === byte);
}

/** Reading less than this takes no time that anyone sees. */
const SMALL_BYTES = 16 << 20;
/** So much of the end of a large file is read first: it has the last descriptions, and tells when the log ends. */
const TAIL_BYTES = 1 << 20;

/**
 * Opens a file. What is wrong with it stands in `problems`.
 * @param smallBytes up to this it is read at once; the store of a larger one grows while it is read.
 */
export async function openQflow(source: ByteSource, smallBytes = SMALL_BYTES): Promise<TraceStore> {
  const { size } = source;
  if (size > smallBytes && size > TAIL_BYTES) return openGrowing(source);
  const bytes = await source.read(0, size);
  const read: ReadBytes = (offset, length) => bytes.subarray(offset, offset + length);
  const index = await indexTrace(read, size);
  const builder = new StoreBuilder(index.clock);
  builder.add(index, read);
  builder.store.problems.push(...index.problems);
  return builder.store;
}

async function openGrowing(source: ByteSource): Promise<TraceStore> {
  const tail = await indexTail(source);
  const blocks = new BlockReader(source);
  const read = (offset: number, length: number): Promise<Uint8Array> => blocks.read(offset, length);
  const feed = source.feed === undefined ? undefined : new FeedReader(source.feed(), read);
  const walk = walkTrace(feed === undefined ? read : (offset, length) => feed.read(offset, length), source.size);
  const first = await walk.next();
  if (first.done === true) {
    const builder = new StoreBuilder(first.value.clock);
    builder.store.problems.push(...first.value.problems);
    return builder.store;
  }
  const builder = new StoreBuilder(first.value.clock);
  builder.store.growth = new Growth(builder, tail, { walk, read, feed, size: source.size }, first.value);
  return builder.store;
}

/** What the end of a file tells: of a file that is whole, the last descriptions of its flows. */
async function indexTail({ size, read }: ByteSource): Promise<TraceIndex> {
  const parts = await Promise.all([read(0, FILE_HEADER_BYTES), read(size - TAIL_BYTES, TAIL_BYTES)]);
  const bytes = new Uint8Array(FILE_HEADER_BYTES + TAIL_BYTES);
  bytes.set(parts[0]);
  bytes.set(parts[1], FILE_HEADER_BYTES);
  return indexTrace((offset, length) => bytes.subarray(offset, offset + length), bytes.length);
}

interface OpenFile {
  readonly walk: AsyncGenerator<TraceFound, TraceIndex>;
  readonly read: ReadBytes;
  readonly feed: FeedReader | undefined;
  readonly size: number;
}

class Growth implements StoreGrowth {
  readonly range: readonly [number, number];
  share = 0;
  readonly #builder: StoreBuilder;
  readonly #file: OpenFile;
  /** What the end of the file told: later than what is said before it. */
  readonly #flows: ReadonlySet<number>;
  readonly #sources: ReadonlySet<number>;

  constructor(builder: StoreBuilder, tail: TraceIndex, file: OpenFile, first: TraceFound) {
    this.#builder = builder;
    this.#file = file;
    const described = ({ localPort }: { readonly localPort: number }): boolean => localPort > 0;
    const flows = tail.flows.filter(described);
    const sources = tail.sources.filter(({ id }) => flows.some(({ source }) => source === id));
    this.#flows = new Set(flows.map(({ id }) => id));
    this.#sources = new Set(sources.map(({ id }) => id));
    const times = tail.chunks.filter(({ kind }) => kind !== CHUNK_SACKS).map(({ lastTimeUs }) => lastTimeUs);
    this.range = [Math.min(...times), Math.max(...times)];
    builder.describe({ flows, sources });
    this.#take(first);
  }

  async more(): Promise<void> {
    try {
      const step = await this.#file.walk.next();
      if (step.done !== true) {
        this.#take(step.value);
        return;
      }
      // Now the last description of each is known for sure.
      this.#builder.describe(step.value);
      this.#builder.store.problems.push(...step.value.problems);
    } catch (error) {
      this.#builder.store.problems.push(error instanceof Error ? error.message : String(error));
    }
    this.#builder.store.growth = undefined;
    this.stop();
  }

  stop(): void {
    this.#file.feed?.stop();
  }

  #take({ flows, sources, chunks, offset }: TraceFound): void {
    this.share = offset / this.#file.size;
    const news = {
      flows: flows.filter(({ id }) => !this.#flows.has(id)),
      sources: sources.filter(({ id }) => !this.#sources.has(id)),
      chunks,
    };
    const { read, feed } = this.#file;
    this.#builder.add(news, read, feed);
  }
}
