/** Points and stretches over time, and how they are thinned to what a picture can show. */

/** A value over time: at `t` it lay between `lo` and `hi`, and left with `last`. */
export interface Line {
  readonly n: number;
  readonly t: Float64Array;
  readonly lo: Float64Array;
  readonly hi: Float64Array;
  readonly last: Float64Array;
  /** Whether every point is one row. */
  readonly exact: boolean;
}

/** Vertical bars: at `t` from `lo` to `hi`. */
export interface Bars {
  readonly n: number;
  readonly t: Float64Array;
  readonly lo: Float64Array;
  readonly hi: Float64Array;
  readonly kind: Uint8Array;
  readonly exact: boolean;
}

/** The stretch of time that a query is about. */
export interface Range {
  readonly t0: number;
  readonly t1: number;
  /** Pixels that t0..t1 will be drawn on. */
  readonly columns: number;
}

/** Rows of doubles and a kind; memory doubles when it is full. */
class Rows {
  n = 0;
  t: Float64Array;
  lo: Float64Array;
  hi: Float64Array;
  /** What a point of a line left with, or the kind of a bar. */
  tag: Float64Array;

  constructor(capacity: number) {
    this.t = new Float64Array(capacity);
    this.lo = new Float64Array(capacity);
    this.hi = new Float64Array(capacity);
    this.tag = new Float64Array(capacity);
  }

  push(t: number, lo: number, hi: number, tag: number): number {
    if (this.n === this.t.length) this.#grow();
    const row = this.n++;
    this.t[row] = t;
    this.lo[row] = lo;
    this.hi[row] = hi;
    this.tag[row] = tag;
    return row;
  }

  widen(row: number, lo: number, hi: number): void {
    if (lo < this.lo[row]!) this.lo[row] = lo;
    if (hi > this.hi[row]!) this.hi[row] = hi;
  }

  #grow(): void {
    const grow = (from: Float64Array): Float64Array => {
      const larger = new Float64Array(2 * this.t.length);
      larger.set(from);
      return larger;
    };
    this.t = grow(this.t);
    this.lo = grow(this.lo);
    this.hi = grow(this.hi);
    this.tag = grow(this.tag);
  }
}

/** Collects the points of a line; those of one column of pixels become one once there are more than two a column. */
export class LinePoints {
  readonly #range: Range;
  readonly #scale: number;
  #rows: Rows;
  #thinned = false;
  #column = Number.NaN;

  constructor(range: Range) {
    this.#range = range;
    this.#scale = range.columns / (range.t1 - range.t0);
    this.#rows = new Rows(2 * range.columns + 4);
  }

  /** Adds a point unless its values are not numbers. Times ascend. */
  add(t: number, lo: number, hi: number): void {
    if (!(lo <= hi)) return;
    if (this.#thinned) this.#merge(t, lo, hi);
    else if (this.#rows.push(t, lo, hi, hi) >= 2 * this.#range.columns) this.#thin();
  }

  /** @param exact whether every point was one row. */
  line(exact: boolean): Line {
    const { n, t, lo, hi, tag } = this.#rows;
    const highest = hi.slice(0, n);
    const isPlain = exact && !this.#thinned;
    return {
      n,
      t: t.slice(0, n),
      lo: isPlain ? highest : lo.slice(0, n),
      hi: highest,
      last: this.#thinned ? tag.slice(0, n) : highest,
      exact: isPlain,
    };
  }

  #thin(): void {
    const { n, t, lo, hi } = this.#rows;
    this.#rows = new Rows(2 * this.#range.columns + 4);
    this.#thinned = true;
    for (let i = 0; i < n; i++) this.#merge(t[i]!, lo[i]!, hi[i]!);
  }

  #merge(t: number, lo: number, hi: number): void {
    const rows = this.#rows;
    const column = Math.max(-1, Math.min(this.#range.columns, Math.floor((t - this.#range.t0) * this.#scale)));
    if (column !== this.#column) {
      this.#column = column;
      rows.push(t, lo, hi, hi);
      return;
    }
    rows.widen(rows.n - 1, lo, hi);
    rows.tag[rows.n - 1] = hi;
  }
}

/** Collects bars; those of one column of pixels and one kind become one once there are more than four a column. */
export class BarPoints {
  readonly #range: Range;
  readonly #scale: number;
  #rows: Rows;
  #thinned = false;
  #column = Number.NaN;
  /** The row that a kind has in the current column. */
  readonly #open = new Int32Array(256).fill(-1);

  constructor(range: Range) {
    this.#range = range;
    this.#scale = range.columns / (range.t1 - range.t0);
    this.#rows = new Rows(4 * range.columns + 4);
  }

  /** Adds a bar unless its ends are not numbers. Times ascend. */
  add(t: number, lo: number, hi: number, kind = 0): void {
    if (!(lo <= hi)) return;
    if (this.#thinned) this.#merge(t, lo, hi, kind);
    else if (this.#rows.push(t, lo, hi, kind) >= 4 * this.#range.columns) this.#thin();
  }

  /** @param exact whether every bar was one row. */
  bars(exact: boolean): Bars {
    const { n, t, lo, hi, tag } = this.#rows;
    const kind = Uint8Array.from(tag.subarray(0, n));
    return { n, t: t.slice(0, n), lo: lo.slice(0, n), hi: hi.slice(0, n), kind, exact: exact && !this.#thinned };
  }

  #thin(): void {
    const { n, t, lo, hi, tag } = this.#rows;
    this.#rows = new Rows(4 * this.#range.columns + 4);
    this.#thinned = true;
    for (let i = 0; i < n; i++) this.#merge(t[i]!, lo[i]!, hi[i]!, tag[i]!);
  }

  #merge(t: number, lo: number, hi: number, kind: number): void {
    const column = Math.floor((t - this.#range.t0) * this.#scale);
    if (column !== this.#column) {
      this.#column = column;
      this.#open.fill(-1);
    }
    const row = this.#open[kind]!;
    if (row < 0) this.#open[kind] = this.#rows.push(t, lo, hi, kind);
    else this.#rows.widen(row, lo, hi);
  }
}
