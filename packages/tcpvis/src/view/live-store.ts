/** A log that is still being written: the bytes of a `.qflow` stream, as they come. */
import {
  CHUNK_HEADER_BYTES,
  CHUNK_KIND,
  CHUNK_MAGIC,
  CHUNK_PAYLOAD_BYTES,
  CHUNK_RANGES,
  FILE_LENGTH,
  FIRST_JSON_KIND,
  indexTrace,
} from '@qanat/flowlog';
import { StoreBuilder } from './qflow-store.ts';
import type { TraceStore } from './store.ts';

/** What a stream may promise before it counts as broken. */
const MAX_CHUNK_BYTES = 1 << 28;

export class LiveStore {
  readonly #builder = new StoreBuilder({ unixEpochUs: undefined, resolutionUs: 1 });
  readonly store: TraceStore = this.#builder.store;
  #pending: Uint8Array = new Uint8Array(0);
  #fileHeader: Uint8Array | undefined;
  /** The last description of each flow and source: rows are read together with them. */
  readonly #descriptions = new Map<string, Uint8Array>();

  /**
   * Takes the next bytes of the stream: any number.
   * @throws Error with a sentence for people when the stream is none of a flow log.
   */
  async add(bytes: Uint8Array): Promise<void> {
    this.#pending = joined([this.#pending, bytes]);
    const view = new DataView(this.#pending.buffer, this.#pending.byteOffset, this.#pending.length);
    let at = 0;
    if (this.#fileHeader === undefined) {
      if (this.#pending.length < FILE_LENGTH + 4) return;
      const length = view.getUint32(FILE_LENGTH, true);
      if (length > 4096) throw new Error('the stream is no flow log');
      if (this.#pending.length < length) return;
      this.#fileHeader = this.#pending.slice(0, length);
      at = length;
    }
    const chunks: Uint8Array[] = [];
    while (at + CHUNK_RANGES <= this.#pending.length) {
      if (view.getUint32(at, true) !== CHUNK_MAGIC) throw new Error('the stream of the run is damaged');
      const length = view.getUint32(at + CHUNK_HEADER_BYTES, true) + view.getUint32(at + CHUNK_PAYLOAD_BYTES, true);
      if (length > MAX_CHUNK_BYTES) throw new Error('the stream of the run is damaged');
      if (at + length > this.#pending.length) break;
      const chunk = this.#pending.slice(at, at + length);
      const kind = view.getUint16(at + CHUNK_KIND, true);
      if (kind < FIRST_JSON_KIND) chunks.push(chunk);
      else this.#descriptions.set(`${kind}/${view.getUint32(at + 8, true)}`, chunk);
      at += length;
    }
    if (at === 0) return;
    this.#pending = this.#pending.slice(at);
    const block = joined([this.#fileHeader, ...this.#descriptions.values(), ...chunks]);
    const read = (offset: number, length: number): Uint8Array => block.subarray(offset, offset + length);
    this.#builder.add(await indexTrace(read, block.length), read);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
