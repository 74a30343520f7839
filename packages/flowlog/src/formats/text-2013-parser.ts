import { asciiBytes } from './byte-writer.ts';
import { SEGMENT_DETAILS, WINDOW_DETAILS } from './text-2013-line.ts';

export const LINE_TX = 1;
export const LINE_RX = 2;
export const LINE_WND = 3;

const LINE_FEED = 0x0a;
const BLANK = 0x20;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const DIGIT_0 = 0x30;
const BRACKET = 0x5b;
const BRACKET_END = 0x5d;

const TIME = asciiBytes('Time=');
const DELAY = asciiBytes('Delay=');
const OP = asciiBytes('Op=');
const KIND = asciiBytes('Kind=');
const DETAILS = asciiBytes('details=');
const TX = asciiBytes('TX');
const RX = asciiBytes('RX');
const WND = asciiBytes('WND');
const SEG = asciiBytes('SEG');
const UPD = asciiBytes('UPD');

/** No line is shorter. */
const LEAST_BYTES = 20;
/** Digits of a whole number; with the six behind the point of a time they are no more than a double holds. */
const MOST_DIGITS = 10;
const DELAY_AS_WRITTEN = asciiBytes(', Delay=');
/** By kind. */
const AS_WRITTEN: readonly Uint8Array[] = [
  asciiBytes(''),
  asciiBytes(', Op=TX, Kind=SEG, details=['),
  asciiBytes(', Op=RX, Kind=SEG, details=['),
  asciiBytes(', Op=WND, Kind=UPD, details=['),
];

/**
 * Reads the lines of a 2013 log as its own tool did: the log went through a console, so that anything may stand between
 * the records; a line that is not a whole record by itself is skipped and counted. Never throws.
 */
export class Text2013Parser {
  /** The record under the cursor. */
  kind = LINE_TX;
  timeUs = 0;
  delayUs = 0;
  readonly details = new Float64Array(WINDOW_DETAILS);
  /** Lines that are no records: console noise, torn or glued lines. Blank lines do not count. */
  skippedLines = 0;
  readonly #bytes: Uint8Array;
  #next = 0;
  /** Cursor in the line, and its end. */
  #at = 0;
  #end = 0;
  /** The number that was read last. */
  #number = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Goes to the next record. @returns false when there is none. */
  next(): boolean {
    const bytes = this.#bytes;
    while (this.#next < bytes.length) {
      if (this.#asWritten()) return true;
      const lineFeed = bytes.indexOf(LINE_FEED, this.#next);
      this.#at = this.#next;
      this.#end = lineFeed < 0 ? bytes.length : lineFeed;
      this.#next = this.#end + 1;
      this.#skipSpace();
      if (this.#at === this.#end) continue;
      if (this.#line()) return true;
      this.skippedLines++;
    }
    return false;
  }

  /** A line in the very form that it is written in, by one cursor; what is any other line is left to `#line`. */
  #asWritten(): boolean {
    const bytes = this.#bytes;
    const { details } = this;
    let at = this.#next;
    if (at + LEAST_BYTES > bytes.length || bytes[at] !== TIME[0] || bytes[at + 4] !== TIME[4]) return false;
    for (let i = 1; i < 4; i++) if (bytes[at + i] !== TIME[i]) return false;
    at += 5;
    for (let field = 0; field < 2; field++) {
      let value = 0;
      const first = at;
      for (; at - first < MOST_DIGITS && (bytes[at]! - DIGIT_0) >>> 0 < 10; at++)
        value = 10 * value + bytes[at]! - DIGIT_0;
      if (at === first || bytes[at] !== POINT) return false;
      const point = at++;
      for (; at - point <= 6 && (bytes[at]! - DIGIT_0) >>> 0 < 10; at++) value = 10 * value + bytes[at]! - DIGIT_0;
      if (at - point !== 7 || bytes[at] !== COMMA) return false;
      if (field === 0) {
        this.timeUs = value;
        for (let i = 0; i < DELAY_AS_WRITTEN.length; i++) if (bytes[at + i] !== DELAY_AS_WRITTEN[i]) return false;
        at += DELAY_AS_WRITTEN.length;
      } else this.delayUs = value;
    }
    // The letter after ", Op=" tells the kind, and with it all that follows up to the bracket.
    const letter = bytes[at + 5];
    const kind = letter === TX[0] ? LINE_TX : letter === RX[0] ? LINE_RX : LINE_WND;
    const text = AS_WRITTEN[kind]!;
    for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false;
    at += text.length;
    const count = kind === LINE_WND ? WINDOW_DETAILS : SEGMENT_DETAILS;
    for (let i = 0; i < count; i++, at++) {
      let value = 0;
      const first = at;
      for (; at - first < MOST_DIGITS && (bytes[at]! - DIGIT_0) >>> 0 < 10; at++)
        value = 10 * value + bytes[at]! - DIGIT_0;
      if (at === first || bytes[at] !== (i + 1 === count ? BRACKET_END : BLANK)) return false;
      details[i] = value;
    }
    if (bytes[at] !== BLANK || bytes[at + 1] !== LINE_FEED) return false;
    this.kind = kind;
    this.#next = at + 2;
    return true;
  }

  #line(): boolean {
    if (!this.#word(TIME) || !this.#fraction()) return false;
    this.timeUs = Math.round(this.#number * 1e6);
    if (!this.#comma() || !this.#word(DELAY) || !this.#fraction()) return false;
    this.delayUs = Math.round(this.#number * 1e6);
    if (!Number.isFinite(this.timeUs) || !Number.isFinite(this.delayUs)) return false;
    if (!this.#comma() || !this.#word(OP)) return false;
    if (this.#word(TX)) this.kind = LINE_TX;
    else if (this.#word(RX)) this.kind = LINE_RX;
    else if (this.#word(WND)) this.kind = LINE_WND;
    else return false;
    if (!this.#comma() || !this.#word(KIND)) return false;
    if (!this.#word(this.kind === LINE_WND ? UPD : SEG)) return false;
    if (!this.#comma() || !this.#word(DETAILS) || this.#bytes[this.#at++] !== BRACKET) return false;
    const count = this.#list();
    if (count < (this.kind === LINE_WND ? WINDOW_DETAILS : SEGMENT_DETAILS)) return false;
    this.#skipSpace();
    return this.#at === this.#end;
  }

  /** The details and the bracket behind them. @returns how many, -1 when it is no list of whole numbers. */
  #list(): number {
    let count = 0;
    for (;;) {
      const before = this.#at;
      this.#skipSpace();
      if (this.#at < this.#end && this.#bytes[this.#at] === BRACKET_END) {
        this.#at++;
        return count;
      }
      if (count > 0 && this.#at === before) return -1;
      if (!this.#integer() || Math.abs(this.#number) > Number.MAX_SAFE_INTEGER) return -1;
      if (count < WINDOW_DETAILS) this.details[count] = this.#number;
      count++;
    }
  }

  #word(word: Uint8Array): boolean {
    const at = this.#at;
    if (at + word.length > this.#end) return false;
    for (let i = 0; i < word.length; i++) if (this.#bytes[at + i] !== word[i]) return false;
    this.#at = at + word.length;
    return true;
  }

  #comma(): boolean {
    this.#skipSpace();
    if (this.#at >= this.#end || this.#bytes[this.#at] !== COMMA) return false;
    this.#at++;
    this.#skipSpace();
    return true;
  }

  #skipSpace(): void {
    const bytes = this.#bytes;
    while (this.#at < this.#end) {
      const byte = bytes[this.#at]!;
      if (byte !== BLANK && (byte < 9 || byte > 13)) return;
      this.#at++;
    }
  }

  /** -?digits into `#number`. */
  #integer(): boolean {
    const bytes = this.#bytes;
    const negative = this.#at < this.#end && bytes[this.#at] === MINUS;
    if (negative) this.#at++;
    const first = this.#at;
    let value = 0;
    for (; this.#at < this.#end; this.#at++) {
      const digit = bytes[this.#at]! - DIGIT_0;
      if (digit < 0 || digit > 9) break;
      value = 10 * value + digit;
    }
    this.#number = negative ? -value : value;
    return this.#at > first;
  }

  /** -?digits[.digits] into `#number`. */
  #fraction(): boolean {
    const negative = this.#bytes[this.#at] === MINUS;
    if (!this.#integer()) return false;
    if (this.#at < this.#end && this.#bytes[this.#at] === POINT) {
      const point = this.#at++;
      const whole = Math.abs(this.#number);
      const first = this.#bytes[this.#at]! - DIGIT_0;
      if (this.#at < this.#end && first >= 0 && first <= 9) {
        this.#integer();
        const value = whole + this.#number / 10 ** (this.#at - point - 1);
        this.#number = negative ? -value : value;
      }
    }
    return true;
  }
}
