import {
  CHUNK_HEADER_BYTES,
  CHUNK_MAGIC,
  CHUNK_PAYLOAD_BYTES,
  CHUNK_PAYLOAD_CRC,
  CHUNK_RANGES,
  crc32,
  FILE_HEADER_BYTES,
  FILE_LENGTH,
  MAX_CHUNK_HEADER_BYTES,
} from '@qanat/flowlog';

/**
 * Computes the CRCs of the payloads of a `.qflow` file that passes by, front to back. It follows the lengths of the chunks and
 * stops at the first place where no chunk begins: a payload that it does not name is simply not known to be whole.
 */
export class ChunkVerifier {
  #offset = 0;
  /** Bytes of a header that is not whole yet. */
  #header: Uint8Array = new Uint8Array(0);
  #wanted = FILE_HEADER_BYTES;
  #isFileHeader = true;
  #payloadAt = 0;
  #payloadLeft = 0;
  #crc = 0;
  #wantedCrc = 0;
  #lost = false;

  /** Takes the next bytes. @returns offsets in the file of payloads that end in them, and are whole. */
  take(bytes: Uint8Array): Float64Array {
    const verified: number[] = [];
    let at = 0;
    while (at < bytes.length && !this.#lost) {
      if (this.#payloadLeft > 0) {
        const count = Math.min(this.#payloadLeft, bytes.length - at);
        this.#crc = crc32(bytes.subarray(at, at + count), this.#crc);
        this.#payloadLeft -= count;
        at += count;
        if (this.#payloadLeft === 0 && this.#crc === this.#wantedCrc) verified.push(this.#payloadAt);
        continue;
      }
      const count = Math.min(this.#wanted - this.#header.length, bytes.length - at);
      this.#header = joined(this.#header, bytes.subarray(at, at + count));
      at += count;
      if (this.#header.length === this.#wanted) this.#takeHeader(this.#offset + at);
    }
    this.#offset += bytes.length;
    return Float64Array.from(verified);
  }

  /** Looks at what is there of a header. @param end where it ends in the file. */
  #takeHeader(end: number): void {
    const header = this.#header;
    const view = new DataView(header.buffer, header.byteOffset, header.length);
    const least = this.#isFileHeader ? FILE_HEADER_BYTES : CHUNK_RANGES;
    const length = view.getUint32(this.#isFileHeader ? FILE_LENGTH : CHUNK_HEADER_BYTES, true);
    const isChunk = this.#isFileHeader || view.getUint32(0, true) === CHUNK_MAGIC;
    if (!isChunk || length < least || length > MAX_CHUNK_HEADER_BYTES) {
      this.#lost = true;
      return;
    }
    this.#wanted = length;
    if (header.length < length) return;
    if (!this.#isFileHeader) {
      this.#payloadAt = end;
      this.#payloadLeft = view.getUint32(CHUNK_PAYLOAD_BYTES, true);
      this.#wantedCrc = view.getUint32(CHUNK_PAYLOAD_CRC, true);
      this.#crc = 0;
    }
    this.#isFileHeader = false;
    this.#wanted = CHUNK_RANGES;
    this.#header = new Uint8Array(0);
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
