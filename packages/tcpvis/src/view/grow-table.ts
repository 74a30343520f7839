/** Rows of doubles in columns that grow by doubling: what the digests are made of. */
export class GrowTable {
  rows = 0;
  #columns: Float64Array[];
  #capacity: number;

  /** @param columns how many. */
  constructor(columns: number, capacity = 64) {
    this.#capacity = capacity;
    this.#columns = Array.from({ length: columns }, () => new Float64Array(capacity));
  }

  /** Adds a row in which every column is NaN. @returns its number. */
  add(): number {
    if (this.rows === this.#capacity) this.#grow();
    const row = this.rows++;
    for (const column of this.#columns) column[row] = Number.NaN;
    return row;
  }

  /** The memory of a column: valid until the next `add`, and only its first `rows` entries. */
  column(index: number): Float64Array {
    return this.#columns[index]!;
  }

  #grow(): void {
    this.#capacity *= 2;
    this.#columns = this.#columns.map((column) => {
      const larger = new Float64Array(this.#capacity);
      larger.set(column);
      return larger;
    });
  }
}

/** @returns the first index in `values[from..to)` whose value is not below `wanted`; `values` ascend. */
export function lowerBound(values: ArrayLike<number>, wanted: number, from: number, to: number): number {
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (values[middle]! < wanted) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** @returns the first index in `values[from..to)` whose value is above `wanted`; `values` ascend. */
export function upperBound(values: ArrayLike<number>, wanted: number, from: number, to: number): number {
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (values[middle]! <= wanted) from = middle + 1;
    else to = middle;
  }
  return from;
}
