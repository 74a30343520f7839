/** Hands the bytes of a log that is being written to every page that asks. */
import type { ServerResponse } from 'node:http';
import { CHUNK_KIND, CHUNK_MAGIC, FIRST_JSON_KIND } from '@qanat/flowlog';
import type { Route } from './page-server.ts';

/** Kept for pages that come late or are slow; beyond this the oldest rows go. */
const KEPT_BYTES = 256 << 20;

export interface LiveStreamOptions {
  /** Bytes kept. Default 256 MiB. */
  readonly keptBytes?: number;
}

/** A stream of chunks with any number of readers: whoever comes late gets what was before, too. */
export class LiveStream {
  readonly #kept: number;
  /** Pieces of whole chunks; undefined: dropped. */
  readonly #chunks: (Uint8Array | undefined)[] = [];
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #oldest = 0;
  #ended = false;
  readonly #readers = new Set<Reader>();

  constructor({ keptBytes = KEPT_BYTES }: LiveStreamOptions = {}) {
    this.#kept = keptBytes;
  }

  /** Takes a piece as `TraceWriter` writes it: the memory may be used again when this returns. */
  write(piece: Uint8Array): void {
    const view = new DataView(piece.buffer, piece.byteOffset, piece.length);
    if (piece.length >= 4 && view.getUint32(0, true) === CHUNK_MAGIC) this.#close();
    this.#parts.push(piece.slice());
  }

  /** Gives the readers what came: called every now and then. */
  flush(): void {
    this.#close();
    for (const reader of this.#readers) this.#feed(reader);
  }

  /** No more comes. @returns when the readers have got everything, or after `waitMs`. */
  async end(waitMs: number): Promise<void> {
    this.#ended = true;
    this.flush();
    const until = Date.now() + waitMs;
    while (this.#readers.size > 0 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
    for (const { response } of this.#readers) response.destroy();
  }

  readonly route: Route = (_, response) => {
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'cache-control': 'no-store' });
    const reader: Reader = { response, next: 0, waiting: false };
    this.#readers.add(reader);
    response.on('close', () => this.#readers.delete(reader));
    response.on('drain', () => {
      reader.waiting = false;
      this.#feed(reader);
    });
    this.#feed(reader);
  };

  #close(): void {
    if (this.#parts.length === 0) return;
    const chunk = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    while (this.#bytes > this.#kept && this.#oldest < this.#chunks.length - 1) {
      const old = this.#chunks[this.#oldest];
      if (old !== undefined && isRows(old)) {
        this.#bytes -= old.length;
        this.#chunks[this.#oldest] = undefined;
      }
      this.#oldest++;
    }
  }

  #feed(reader: Reader): void {
    while (!reader.waiting && reader.next < this.#chunks.length) {
      const chunk = this.#chunks[reader.next++];
      if (chunk !== undefined) reader.waiting = !reader.response.write(chunk);
    }
    if (this.#ended && reader.next === this.#chunks.length) reader.response.end();
  }
}

interface Reader {
  readonly response: ServerResponse;
  next: number;
  waiting: boolean;
}

function isRows(chunk: Uint8Array): boolean {
  if (chunk.length < 8) return false;
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
  return view.getUint32(0, true) === CHUNK_MAGIC && view.getUint16(CHUNK_KIND, true) < FIRST_JSON_KIND;
}
