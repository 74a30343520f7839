/** Where the bytes of a file come from: memory, a file that a person dropped, a server, a disk. */
export interface ByteSource {
  readonly size: number;
  /** @returns exactly `length` bytes from `offset`; always asked within `size`. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Reads all of it front to back, where that is several times faster than to ask for pieces. */
  readonly feed?: () => BlockFeed;
}

/** A part of a file, in memory that is used again. */
export interface Block {
  readonly bytes: Uint8Array;
  /** Where payloads of chunks begin that end in this block and were found whole: their CRCs need no second look. */
  readonly verified: Float64Array;
}

/** Blocks of BLOCK_BYTES, the last one shorter, one after another; some are read in advance. */
export interface BlockFeed {
  /** Fails with a sentence for people. */
  next(): Promise<Block>;
  /** Gives a block back: its bytes are not looked at any more. */
  recycle(block: Block): void;
  /** No more is wanted. */
  stop(): void;
}

export const BLOCK_BYTES = 4 << 20;

export function bytesInMemory(bytes: Uint8Array): ByteSource {
  return { size: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) };
}

/** A file or blob of a browser. */
export function bytesOfBlob(blob: Blob): ByteSource {
  return {
    size: blob.size,
    read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
  };
}

/** Files up to this size are fetched whole. */
const SMALL_BYTES = 16 << 20;

/**
 * A file of a web server, read in pieces where the server can.
 * @throws Error with a sentence for people.
 */
export async function bytesOfUrl(url: string): Promise<ByteSource> {
  const head = await fetch(url, { method: 'HEAD' });
  if (!head.ok) throw new Error(`${url} cannot be read: the server says ${head.status} ${head.statusText}`.trim());
  const size = Number(head.headers.get('content-length') ?? Number.NaN);
  if (!(size > SMALL_BYTES) || head.headers.get('accept-ranges') !== 'bytes') {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`${url} cannot be read: the server says ${answer.status}`);
    return bytesInMemory(new Uint8Array(await answer.arrayBuffer()));
  }
  return {
    size,
    read: async (offset, length) => {
      const headers = { range: `bytes=${offset}-${offset + length - 1}` };
      const answer = await fetch(url, { headers, cache: 'no-store' });
      const bytes = new Uint8Array(await answer.arrayBuffer());
      if (answer.status !== 206 || bytes.length !== length) {
        throw new Error(`${url} changed or cannot be read any more: ${answer.status}`);
      }
      return bytes;
    },
  };
}
