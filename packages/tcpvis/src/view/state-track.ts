import { GrowTable, upperBound } from './grow-table.ts';

/** Changes beyond this are not kept: a band of so many would show none of them. */
const MAX_CHANGES = 4_000_000;

/** A state over time, kept as its changes: what limits a sender, its congestion state, whether a domain sleeps. */
export class StateTrack {
  readonly #table = new GrowTable(2);
  #last = -1;
  /** Whether changes were left out at the end. */
  truncated = false;

  get changes(): number {
    return this.#table.rows;
  }

  /** Forgets all. */
  clear(): void {
    this.#table.rows = 0;
    this.#last = -1;
    this.truncated = false;
  }

  /** Notes that from `timeUs` on the state is `state` (0..15). Times ascend. */
  set(timeUs: number, state: number): void {
    if (state === this.#last) return;
    if (this.#table.rows >= MAX_CHANGES) {
      this.truncated = true;
      return;
    }
    this.#last = state;
    const row = this.#table.add();
    this.#table.column(0)[row] = timeUs;
    this.#table.column(1)[row] = state;
  }

  /** @returns the state at a time, -1 before the first. */
  at(timeUs: number): number {
    const row = upperBound(this.#table.column(0), timeUs, 0, this.#table.rows) - 1;
    return row < 0 ? -1 : this.#table.column(1)[row]!;
  }

  /**
   * @param columns into how many equal parts t0..t1 is cut.
   * @param states how many states there are.
   * @param endUs where the last state ends.
   * @returns for each part, one after another, the share of time (0..1) of each state.
   */
  shares(t0: number, t1: number, columns: number, states: number, endUs: number): Float32Array {
    const shares = new Float32Array(columns * states);
    const times = this.#table.column(0);
    const values = this.#table.column(1);
    const { rows } = this.#table;
    const width = (t1 - t0) / columns;
    if (!(width > 0)) return shares;
    let row = Math.max(0, upperBound(times, t0, 0, rows) - 1);
    for (; row < rows && times[row]! < t1; row++) {
      const state = values[row]!;
      if (state >= states) continue;
      const from = Math.max(times[row]!, t0);
      const to = Math.min(row + 1 < rows ? times[row + 1]! : endUs, t1);
      if (!(to > from)) continue;
      let column = Math.min(columns - 1, Math.floor((from - t0) / width));
      for (let at = from; at < to; column++) {
        const end = column + 1 >= columns ? to : Math.min(to, t0 + (column + 1) * width);
        shares[column * states + state]! += Math.max(0, end - at) / width;
        if (column + 1 >= columns) break;
        at = end;
      }
    }
    return shares;
  }
}
