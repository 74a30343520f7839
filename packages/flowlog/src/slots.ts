/**
 * How rows lie in a recorder's memory: one after another, each in a slot of its own, because a row that is written to as many
 * columns touches as many cache lines and pages. Doubles come first, then the 32-bit fields, both in the order of the table's
 * schema; a slot's length is even. Columns are made when somebody looks, or when rows leave for a file. The places below are in
 * 32-bit words from the start of the slot, those of doubles in doubles; a test holds them to the rule.
 */
import type { ColumnArray, Schema } from './tables.ts';

/** Where a column lies in a slot. */
export interface SlotField {
  readonly isDouble: boolean;
  /** In words, or in doubles. */
  readonly at: number;
}

export interface SlotLayout {
  /** In 32-bit words. */
  readonly words: number;
  /** In the order of the schema. */
  readonly fields: readonly SlotField[];
}

/** @returns the layout by the rule above. */
export function slotLayout(schema: Schema): SlotLayout {
  const types = Object.values(schema);
  const doubles = types.filter((type) => type === 'f64').length;
  let nextDouble = 0;
  let nextWord = 2 * doubles;
  const fields = types.map((type) => {
    const isDouble = type === 'f64';
    return { isDouble, at: isDouble ? nextDouble++ : nextWord++ };
  });
  return { words: nextWord + (nextWord & 1), fields };
}

/** Words of a slot of each kind. */
export const RUN_WORDS = 14;
export const SACK_WORDS = 4;
export const WINDOW_WORDS = 20;
export const EVENT_WORDS = 6;
export const MACHINE_WORDS = 8;

/** In every slot that has a time: the first double. */
export const AT_TIME = 0;

export const RUN_LAST_TIME = 1;
export const RUN_ORDER = 4;
export const RUN_SEQ = 5;
export const RUN_ACK = 6;
export const RUN_BYTES = 7;
export const RUN_WINDOW = 8;
export const RUN_TS_VAL = 9;
export const RUN_TS_ECR = 10;
export const RUN_DELAY = 11;
export const RUN_INFO = 12;
export const RUN_COUNT = 13;

export const WINDOW_PACING_RATE = 1;
/** `sndNxt` and what follows it in the schema up to `minRttUs` lie behind `order`, `info` is the last. */
export const WINDOW_ORDER = 4;
export const WINDOW_INFO = 19;

/** The same in events and in the machine table. */
export const EVENT_ORDER = 2;
export const EVENT_KIND = 3;
export const EVENT_A = 4;
export const EVENT_B = 5;
export const MACHINE_C = 6;

/** Slots to begin with; they double as rows come, so that a quiet flow costs little. */
const FIRST_SLOTS = 64;

/**
 * Slots of a bounded number. When all are taken they grow up to the bound; then `onFull` empties them, or without it the oldest
 * gives way to the youngest (a ring).
 */
export class Slots {
  readonly layout: SlotLayout;
  /** Most that there may be, a power of two. */
  readonly limit: number;
  words = new Int32Array(0);
  /** The same memory. */
  doubles = new Float64Array(0);
  /** Next one. */
  next = 0;
  /** Slots are used again: each holds a row. */
  isWrapped = false;
  #capacity = 0;
  readonly #onFull: (() => void) | undefined;

  constructor(schema: Schema, limit: number, onFull?: () => void) {
    this.layout = slotLayout(schema);
    this.limit = limit;
    this.#onFull = onFull;
  }

  /** Slots that hold a row. */
  get held(): number {
    return this.isWrapped ? this.#capacity : this.next;
  }

  /** Takes the next slot, the oldest row's when all are taken. @returns its number. */
  claim(): number {
    if (this.next === this.#capacity) this.#makeRoom();
    return this.next++;
  }

  /** @returns the number of the slot that holds the `index`th row, oldest first. */
  slotOf(index: number): number {
    if (!this.isWrapped) return index;
    const slot = this.next + index;
    return slot < this.#capacity ? slot : slot - this.#capacity;
  }

  /** Copies rows, oldest first, from the `from`th on, as many as each of `columns` takes. */
  copyTo(columns: readonly ColumnArray[], from: number): void {
    const rows = columns[0]!.length;
    if (rows === 0) return;
    const first = this.slotOf(from);
    const untilEnd = Math.min(rows, this.#capacity - first);
    this.layout.fields.forEach((field, index) => {
      const column = columns[index];
      if (column === undefined) return;
      this.#copyField(field, column, first, 0, untilEnd);
      this.#copyField(field, column, 0, untilEnd, rows);
    });
  }

  #copyField({ isDouble, at }: SlotField, column: ColumnArray, slot: number, from: number, to: number): void {
    const source = isDouble ? this.doubles : this.words;
    const step = isDouble ? this.layout.words >>> 1 : this.layout.words;
    let index = slot * step + at;
    for (let row = from; row < to; row++, index += step) column[row] = source[index]!;
  }

  /** Forgets all rows; the memory stays. */
  reset(): void {
    this.next = 0;
    this.isWrapped = false;
  }

  #makeRoom(): void {
    if (this.#capacity < this.limit) this.#grow();
    else if (this.#onFull !== undefined) this.#onFull();
    else {
      this.next = 0;
      this.isWrapped = true;
    }
  }

  #grow(): void {
    this.#capacity = Math.min(Math.max(this.#capacity * 2, FIRST_SLOTS), this.limit);
    const words = new Int32Array(this.#capacity * this.layout.words);
    words.set(this.words);
    this.words = words;
    this.doubles = new Float64Array(words.buffer);
  }
}
