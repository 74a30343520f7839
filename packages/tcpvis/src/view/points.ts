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

/** Collects points; memory doubles when it is full. */
export class Points {
  n = 0;
  t: Float64Array;
  lo: Float64Array;
  hi: Float64Array;
  kind: Uint8Array;

  constructor(capacity = 1024) {
    this.t = new Float64Array(capacity);
    this.lo = new Float64Array(capacity);
    this.hi = new Float64Array(capacity);
    this.kind = new Uint8Array(capacity);
  }

  /** Adds a point unless its values are not numbers. Times ascend. */
  add(t: number, lo: number, hi: number, kind = 0): void {
    if (!(lo <= hi)) return;
    if (this.n === this.t.length) this.#grow();
    this.t[this.n] = t;
    this.lo[this.n] = lo;
    this.hi[this.n] = hi;
    this.kind[this.n++] = kind;
  }

  /** @param exact whether every point is one row. @returns at most about two points per column of t0..t1. */
  line(t0: number, t1: number, columns: number, exact: boolean): Line {
    const { n, t, lo, hi } = this;
    if (n <= 2 * columns) {
      const values = hi.slice(0, n);
      return { n, t: t.slice(0, n), lo: exact ? values : lo.slice(0, n), hi: values, last: values, exact };
    }
    const scale = columns / (t1 - t0);
    const out = new Points(2 * columns + 4);
    const last = new Float64Array(2 * columns + 4);
    let column = Number.NaN;
    for (let i = 0; i < n; i++) {
      const at = Math.max(-1, Math.min(columns, Math.floor((t[i]! - t0) * scale)));
      if (at !== column) {
        column = at;
        out.add(t[i]!, lo[i]!, hi[i]!);
      } else {
        if (lo[i]! < out.lo[out.n - 1]!) out.lo[out.n - 1] = lo[i]!;
        if (hi[i]! > out.hi[out.n - 1]!) out.hi[out.n - 1] = hi[i]!;
      }
      last[out.n - 1] = hi[i]!;
    }
    const { n: m } = out;
    return {
      n: m,
      t: out.t.slice(0, m),
      lo: out.lo.slice(0, m),
      hi: out.hi.slice(0, m),
      last: last.slice(0, m),
      exact: false,
    };
  }

  /** @returns the bars; those of one column and one kind that touch or nearly touch become one. */
  bars(t0: number, t1: number, columns: number, exact: boolean): Bars {
    const { n, t, lo, hi, kind } = this;
    if (n <= 4 * columns) {
      return { n, t: t.slice(0, n), lo: lo.slice(0, n), hi: hi.slice(0, n), kind: kind.slice(0, n), exact };
    }
    const scale = columns / (t1 - t0);
    const out = new Points(4 * columns);
    // The row of `out` that a kind has in the current column.
    const open = new Int32Array(256).fill(-1);
    let column = Number.NaN;
    for (let i = 0; i < n; i++) {
      const at = Math.floor((t[i]! - t0) * scale);
      if (at !== column) {
        column = at;
        open.fill(-1);
      }
      const row = open[kind[i]!]!;
      if (row < 0) {
        open[kind[i]!] = out.n;
        out.add(t[i]!, lo[i]!, hi[i]!, kind[i]!);
      } else {
        if (lo[i]! < out.lo[row]!) out.lo[row] = lo[i]!;
        if (hi[i]! > out.hi[row]!) out.hi[row] = hi[i]!;
      }
    }
    const { n: m } = out;
    return {
      n: m,
      t: out.t.slice(0, m),
      lo: out.lo.slice(0, m),
      hi: out.hi.slice(0, m),
      kind: out.kind.slice(0, m),
      exact: false,
    };
  }

  #grow(): void {
    const capacity = 2 * this.t.length;
    const grow = (from: Float64Array): Float64Array => {
      const larger = new Float64Array(capacity);
      larger.set(from);
      return larger;
    };
    this.t = grow(this.t);
    this.lo = grow(this.lo);
    this.hi = grow(this.hi);
    const kinds = new Uint8Array(capacity);
    kinds.set(this.kind);
    this.kind = kinds;
  }
}
