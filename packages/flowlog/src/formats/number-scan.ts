/** Numbers and fixed text out of bytes, without a string per field: what the readers of JSON lines stand on. */

const MINUS = 0x2d;
const POINT = 0x2e;
const DIGIT_0 = 0x30;
/** e, E, +, - */
const EXPONENT_OR_SIGN: readonly number[] = [0x65, 0x45, 0x2b, 0x2d];
const MAX_EXACT_DIGITS = 15;
const MAX_NUMBER_BYTES = 32;
const WORD_BYTES = 8;
const HALF_WORD_BYTES = 4;
const POWERS_OF_TEN = Float64Array.from({ length: MAX_EXACT_DIGITS + 1 }, (_, digits) => 10 ** digits);

/** Text that is looked for: as words, the last of which may overlap the one before. */
export interface ExpectedText {
  readonly length: number;
  /** Offsets and values of its 8-byte words, or (below 8 characters) of its 4-byte words. */
  readonly offsets: Uint8Array;
  readonly words: Float64Array;
  readonly isShort: boolean;
}

/** @param text of ASCII characters, four at least. */
export function expectedText(text: string): ExpectedText {
  const { length } = text;
  const isShort = length < WORD_BYTES;
  const step = isShort ? HALF_WORD_BYTES : WORD_BYTES;
  if (length < HALF_WORD_BYTES) throw new RangeError(`'${text}' is too short to be looked for in words`);
  const view = new DataView(Uint8Array.from(text, (character) => character.charCodeAt(0)).buffer);
  const offsets = Uint8Array.from({ length: Math.ceil(length / step) }, (_, i) => Math.min(i * step, length - step));
  const words = Float64Array.from(offsets, (at) => (isShort ? view.getUint32(at, true) : view.getFloat64(at, true)));
  return { length, offsets, words, isShort };
}

/** A cursor over bytes. A read that finds something else says so and leaves the cursor where it cannot be used any more. */
export class NumberScanner {
  readonly bytes: Uint8Array;
  at = 0;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Takes `text` if it stands here. @returns whether it did. */
  take(text: ExpectedText): boolean {
    const { at } = this;
    const { length, offsets, words, isShort } = text;
    if (at + length > this.bytes.length) return false;
    const view = this.#view;
    for (let i = 0; i < words.length; i++) {
      const offset = at + offsets[i]!;
      if ((isShort ? view.getUint32(offset, true) : view.getFloat64(offset, true)) !== words[i]) return false;
    }
    this.at = at + length;
    return true;
  }

  /** Takes one byte if it stands here. @returns whether it did. */
  takeByte(byte: number): boolean {
    if (this.bytes[this.at] !== byte) return false;
    this.at++;
    return true;
  }

  /** Takes a whole number of at most 15 digits. @returns NaN when none stands here. */
  integer(): number {
    const { bytes } = this;
    const { length } = bytes;
    let { at } = this;
    const negative = at < length && bytes[at] === MINUS;
    if (negative) at++;
    const first = at;
    let value = 0;
    for (; at < length; at++) {
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
    const { bytes } = this;
    const { length } = bytes;
    const start = this.at;
    let at = start;
    let mantissa = 0;
    let point = -1;
    for (; at < length; at++) {
      const byte = bytes[at]!;
      const digit = byte - DIGIT_0;
      if (digit >= 0 && digit <= 9) mantissa = 10 * mantissa + digit;
      else if (byte === POINT && point < 0) point = at;
      else break;
    }
    const digits = at - start - (point < 0 ? 0 : 1);
    const isSimple = at === length || !EXPONENT_OR_SIGN.includes(bytes[at]!);
    if (isSimple && digits > 0 && digits <= MAX_EXACT_DIGITS && at - 1 !== point) {
      this.at = at;
      // Integers below 2^53: their quotient is rounded once, as the decimal fraction is.
      return point < 0 ? mantissa : mantissa / POWERS_OF_TEN[at - point - 1]!;
    }
    let text = '';
    for (at = start; at < length && at - start < MAX_NUMBER_BYTES; at++) {
      const byte = bytes[at]!;
      if ((byte < DIGIT_0 || byte > DIGIT_0 + 9) && byte !== POINT && !EXPONENT_OR_SIGN.includes(byte)) break;
      text += String.fromCharCode(byte);
    }
    this.at = at;
    return text === '' ? Number.NaN : Number(text);
  }
}
