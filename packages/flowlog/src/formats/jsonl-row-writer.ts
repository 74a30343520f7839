import { type ColumnArray, int32View } from '../tables.ts';
import { type Ascii, ascii, type ByteWriter } from './byte-writer.ts';
import { putDouble, putUint32 } from './digits.ts';
import type { RowShape } from './jsonl-shape.ts';

/** No key is longer: 24 characters. */
const KEY_WORDS = 3;
const MINUS = 0x2d;

/**
 * Writes the numbers of a table's rows as they stand in a JSON line. A number that is the same as in the row before is
 * copied as text: most are.
 */
export class JsonlRowWriter {
  /** How each line begins: that is not a field's. */
  readonly #head: Ascii;
  /** Per field `,"name":` in so many words, and its length. */
  readonly #words: Float64Array;
  readonly #lengths: Int32Array;
  /** Per field its column: of 32 bits as int32, whatever its sign, or of doubles; the other one is empty. */
  readonly #ints: readonly Int32Array[];
  readonly #doubles: readonly Float64Array[];
  readonly #isSigned: readonly boolean[];
  /** Where in the piece each field of the last row begins, and where the last one ends. */
  readonly #starts: Int32Array;
  #lastRow = -1;
  #piece = -1;

  /** @param id of the flow or source. */
  constructor(shape: RowShape, table: object, id: number) {
    const columns = shape.fields.map(({ name }) => (table as Readonly<Record<string, ColumnArray>>)[name]!);
    this.#head = ascii(`${shape.head}${id}`);
    this.#words = new Float64Array(KEY_WORDS * columns.length);
    for (const [i, { key }] of shape.fields.entries()) this.#words.set(key.words, KEY_WORDS * i);
    this.#lengths = Int32Array.from(shape.fields, ({ key }) => key.length);
    this.#ints = columns.map(int32View);
    this.#doubles = columns.map((column) => (column instanceof Float64Array ? column : new Float64Array(0)));
    this.#isSigned = shape.fields.map(({ type }) => shape.isSigned && type === 'i32');
    this.#starts = new Int32Array(columns.length + 1);
  }

  /** Writes a row up to its last number; the room is there. */
  write(out: ByteWriter, row: number): void {
    const starts = this.#starts;
    const ints = this.#ints;
    const doubles = this.#doubles;
    const words = this.#words;
    const lengths = this.#lengths;
    const count = ints.length;
    const last = this.#piece === out.piece ? this.#lastRow : -1;
    const { view } = out;
    out.copy(this.#head);
    let at = out.used;
    for (let i = 0; i < count; ) {
      const first = i;
      if (last >= 0) {
        for (; i < count; i++) {
          const column = ints[i]!;
          if (column.length > 0 ? column[row] !== column[last] : doubles[i]![row] !== doubles[i]![last]) break;
        }
        if (i > first) {
          const from = starts[first]!;
          const moved = at - from;
          const end = starts[i]!;
          for (let word = from; word < end; word += 8) {
            view.setFloat64(word + moved, view.getFloat64(word, true), true);
          }
          at += end - from;
          for (let field = first; field < i; field++) starts[field]! += moved;
          continue;
        }
      }
      starts[i] = at;
      const key = i * KEY_WORDS;
      view.setFloat64(at, words[key]!, true);
      view.setFloat64(at + 8, words[key + 1]!, true);
      view.setFloat64(at + 16, words[key + 2]!, true);
      at += lengths[i]!;
      const column = ints[i]!;
      if (column.length > 0) {
        let value = column[row]!;
        if (value < 0 && this.#isSigned[i]) {
          view.setUint8(at++, MINUS);
          value = -value;
        }
        at = putUint32(view, at, value);
      } else at = putNumber(out, at, doubles[i]![row]!);
      i++;
    }
    starts[count] = at;
    out.used = at;
    this.#lastRow = row;
    this.#piece = out.piece;
  }
}

/** @returns where the next byte goes. */
function putNumber(out: ByteWriter, at: number, value: number): number {
  const end = putDouble(out.view, at, value);
  if (end >= 0) return end;
  out.used = at;
  out.number(value);
  return out.used;
}
