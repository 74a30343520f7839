import type { Ascii } from './byte-writer.ts';

const LINE_FEED = 0x0a;
const MINUS = 0x2d;
const POINT = 0x2e;
const DIGIT_0 = 0x30;
/** e, E, +, - */
const EXPONENT_OR_SIGN: readonly number[] = [0x65, 0x45, 0x2b, 0x2d];
const MAX_EXACT_DIGITS = 15;
const MAX_NUMBER_BYTES = 32;

/** Reads bytes line by line: fixed text and numbers, without a string per field. */
export class LineScanner {
  readonly bytes: Uint8Array;
  /** The line under the cursor: its first byte, and its line feed (or the end of the bytes). */
  start = 0;
  end = -1;
  /** Where the next read begins. */
  at = 0;

  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Goes to the next line. @returns false when there is none. */
  nextLine(): boolean {
    if (this.end + 1 >= this.bytes.length) return false;
    this.start = this.end + 1;
    const lineFeed = this.bytes.indexOf(LINE_FEED, this.start);
    this.end = lineFeed < 0 ? this.bytes.length : lineFeed;
    this.at = this.start;
    return true;
  }

  /** Whether the line ended with a line feed, so that nothing of it can be missing. */
  get isWhole(): boolean {
    return this.end < this.bytes.length;
  }

  /** Takes `text` if it stands here, eight bytes at a time. @returns whether it did. */
  take(text: Ascii): boolean {
    const { at } = this;
    const { words, length } = text;
    if (at + length > this.end) return false;
    const whole = length >>> 3;
    for (let i = 0; i < whole; i++) if (this.#view.getFloat64(at + 8 * i, true) !== words[i]) return false;
    for (let i = whole << 3; i < length; i++) if (this.bytes[at + i] !== text.bytes[i]) return false;
    this.at = at + length;
    return true;
  }

  /** Takes a whole number of at most 15 digits. @returns NaN when none stands here. */
  integer(): number {
    const { bytes, end } = this;
    let at = this.at;
    const negative = at < end && bytes[at] === MINUS;
    if (negative) at++;
    const first = at;
    let value = 0;
    for (; at < end; at++) {
      const digit = bytes[at]! - DIGIT_0;
      if (digit < 0 || digit > 9) break;
      value = 10 * value + digit;
    }
    if (at === first || at - first > MAX_EXACT_DIGITS) return Number.NaN;
    this.at = at;
    return negative ? -value : value;
  }

  /** Takes a number. @returns NaN when none stands here. */
  number(): number {
    const { bytes, end } = this;
    const start = this.at;
    let at = start;
    let mantissa = 0;
    let digits = 0;
    let point = -1;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      const digit = byte - DIGIT_0;
      if (digit >= 0 && digit <= 9) {
        mantissa = 10 * mantissa + digit;
        digits++;
      } else if (byte === POINT && point < 0) point = at;
      else break;
    }
    const isSimple = at === end || !EXPONENT_OR_SIGN.includes(bytes[at]!);
    if (isSimple && digits > 0 && digits <= MAX_EXACT_DIGITS && at - 1 !== point) {
      this.at = at;
      // Integers below 2^53: their quotient is rounded once, as the decimal fraction is.
      return point < 0 ? mantissa : mantissa / 10 ** (at - point - 1);
    }
    let text = '';
    for (at = start; at < end && at - start < MAX_NUMBER_BYTES; at++) {
      const byte = bytes[at]!;
      if ((byte < DIGIT_0 || byte > DIGIT_0 + 9) && byte !== POINT && !EXPONENT_OR_SIGN.includes(byte)) break;
      text += String.fromCharCode(byte);
    }
    this.at = at;
    return text === '' ? Number.NaN : Number(text);
  }
}
