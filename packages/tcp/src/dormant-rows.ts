const ROWS_PER_CHUNK = 512;

interface Chunk {
  ints: Int32Array;
  doubles: Float64Array;
  live: number;
  /** First free row of the chunk, -1 for none; the next one stands in its first int. */
  free: number;
}

/**
 * Rows of numbers, side by side in typed arrays: int32 and doubles, so many of each in a row. Memory comes and goes by
 * chunks of rows.
 */
export class DormantRows {
  readonly #intsPerRow: number;
  readonly #doublesPerRow: number;
  readonly #chunks: (Chunk | undefined)[] = [];
  /** Chunks that have a free row, the next to be used last. */
  #open: number[] = [];
  #empty = 0;
  #rows = 0;

  /** @param ints at least 1. */
  constructor(ints: number, doubles: number) {
    this.#intsPerRow = ints;
    this.#doublesPerRow = doubles;
  }

  /** Rows in use. */
  get rows(): number {
    return this.#rows;
  }

  /** Bytes of the chunks that there are. */
  get bytes(): number {
    const perRow = this.#intsPerRow * 4 + this.#doublesPerRow * 8;
    return this.#chunks.filter((chunk) => chunk !== undefined).length * ROWS_PER_CHUNK * perRow;
  }

  /** @returns a row whose content is undefined. */
  take(): number {
    const at = this.#openChunk();
    const chunk = this.#chunks[at]!;
    const row = chunk.free;
    chunk.free = chunk.ints[row * this.#intsPerRow]!;
    if (chunk.free < 0) this.#open.pop();
    if (chunk.live++ === 0) this.#empty--;
    this.#rows++;
    return at * ROWS_PER_CHUNK + row;
  }

  free(row: number): void {
    const at = Math.floor(row / ROWS_PER_CHUNK);
    const chunk = this.#chunks[at]!;
    const inChunk = row - at * ROWS_PER_CHUNK;
    if (chunk.free < 0) this.#open.push(at);
    chunk.ints[inChunk * this.#intsPerRow] = chunk.free;
    chunk.free = inChunk;
    this.#rows--;
    // One empty chunk is kept, so that a row that comes and goes costs nothing.
    if (--chunk.live === 0 && ++this.#empty > 1) {
      this.#chunks[at] = undefined;
      this.#open = this.#open.filter((open) => open !== at);
      this.#empty--;
    }
  }

  /** The arrays that a row lies in, and where it begins there. */
  ints(row: number): Int32Array {
    return this.#chunks[Math.floor(row / ROWS_PER_CHUNK)]!.ints;
  }

  doubles(row: number): Float64Array {
    return this.#chunks[Math.floor(row / ROWS_PER_CHUNK)]!.doubles;
  }

  intsAt(row: number): number {
    return (row % ROWS_PER_CHUNK) * this.#intsPerRow;
  }

  doublesAt(row: number): number {
    return (row % ROWS_PER_CHUNK) * this.#doublesPerRow;
  }

  /** A chunk with a free row: the last of `#open` then. */
  #openChunk(): number {
    if (this.#open.length > 0) return this.#open[this.#open.length - 1]!;
    let at = this.#chunks.indexOf(undefined);
    if (at < 0) at = this.#chunks.length;
    const ints = new Int32Array(ROWS_PER_CHUNK * this.#intsPerRow);
    for (let i = 0; i < ROWS_PER_CHUNK; i++) ints[i * this.#intsPerRow] = i + 1 < ROWS_PER_CHUNK ? i + 1 : -1;
    const doubles = new Float64Array(ROWS_PER_CHUNK * this.#doublesPerRow);
    this.#chunks[at] = { ints, doubles, live: 0, free: 0 };
    this.#empty++;
    this.#open.push(at);
    return at;
  }
}
