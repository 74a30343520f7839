/** Numbers and text into bytes, without a string per number: what the writers of all formats stand on. */

/** A piece of a file is handed on when it has about this many bytes. */
const PIECE_BYTES = 0x8_0000;

const DIGIT_0 = 0x30;
const MINUS = 0x2d;
const POINT = 0x2e;
const TEN_TO_9 = 1_000_000_000;
const WORD_BYTES = 8;

/** Gathers bytes until a piece is full. Callers `reserve` before they write; the writes themselves do not check. */
export class ByteWriter {
  bytes: Uint8Array;
  used = 0;
  #view: DataView;
  readonly #encoder = new TextEncoder();

  readonly #full: number;

  constructor(pieceBytes = PIECE_BYTES) {
    this.bytes = new Uint8Array(pieceBytes + 4096);
    this.#view = new DataView(this.bytes.buffer);
    this.#full = pieceBytes;
  }

  /** Whether it is time to `take` a piece. */
  get isFull(): boolean {
    return this.used >= this.#full;
  }

  /** @returns what was written, valid until the next write. */
  take(): Uint8Array {
    const piece = this.bytes.subarray(0, this.used);
    this.used = 0;
    return piece;
  }

  /** Makes room for `bytes` more, and for what `copy` writes beyond. */
  reserve(bytes: number): void {
    if (this.used + bytes + WORD_BYTES <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.bytes.length, this.used + bytes + WORD_BYTES));
    larger.set(this.bytes.subarray(0, this.used));
    this.bytes = larger;
    this.#view = new DataView(larger.buffer);
  }

  byte(value: number): void {
    this.bytes[this.used++] = value;
  }

  /** Text prepared by `ascii`, eight bytes at a time. */
  copy(text: Ascii): void {
    const { words } = text;
    const view = this.#view;
    let at = this.used;
    this.used = at + text.length;
    for (let i = 0; i < words.length; i++, at += WORD_BYTES) view.setFloat64(at, words[i]!, true);
  }

  /** Many bytes; makes its own room. */
  raw(from: Uint8Array): void {
    this.reserve(from.length);
    this.bytes.set(from, this.used);
    this.used += from.length;
  }

  /** Any text, as UTF-8; makes its own room. */
  text(text: string): void {
    this.reserve(3 * text.length);
    this.used += this.#encoder.encodeInto(text, this.bytes.subarray(this.used)).written;
  }

  /** An integer of up to 2^53. At most 17 bytes. */
  integer(value: number): void {
    if (value < 0) {
      this.bytes[this.used++] = MINUS;
      value = -value;
    }
    if (value < TEN_TO_9) {
      this.#small(value);
      return;
    }
    const high = Math.floor(value / TEN_TO_9);
    this.#small(high);
    this.#digits(value - high * TEN_TO_9, 9);
  }

  /** Microseconds as seconds with six digits behind the point (C's `%f`). At most 25 bytes. */
  seconds(us: number): void {
    us = Math.round(us);
    if (us < 0) {
      this.bytes[this.used++] = MINUS;
      us = -us;
    }
    const whole = Math.floor(us / 1e6);
    this.integer(whole);
    this.bytes[this.used++] = POINT;
    this.#digits(us - whole * 1e6, 6);
  }

  /** A double so that it reads back as itself: integers and nanoseconds by hand. At most 32 bytes. */
  number(value: number): void {
    const whole = Math.floor(value);
    if (whole === value && value > 0 && value < Number.MAX_SAFE_INTEGER) {
      this.integer(value);
      return;
    }
    // A quotient is rounded as the decimal fraction is when it is read: the same double.
    const thousandths = Math.round(value * 1000);
    if (value >= 0 && thousandths < Number.MAX_SAFE_INTEGER && thousandths / 1000 === value) {
      this.integer(whole);
      this.bytes[this.used++] = POINT;
      this.#digits(thousandths - whole * 1000, 3);
      return;
    }
    const text = Number.isFinite(value) ? (Object.is(value, -0) ? '-0' : String(value)) : 'null';
    for (let i = 0; i < text.length; i++) this.bytes[this.used++] = text.charCodeAt(i);
  }

  /** Bits as 0x… in lower case. At most 10 bytes. */
  hex(value: number): void {
    const { bytes } = this;
    bytes[this.used++] = DIGIT_0;
    bytes[this.used++] = 0x78;
    let digits = 1;
    while (digits < 8 && value >>> (4 * digits) !== 0) digits++;
    for (let shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
      const digit = (value >>> shift) & 0xf;
      bytes[this.used++] = digit < 10 ? DIGIT_0 + digit : 0x57 + digit;
    }
  }

  /** An IPv4 address as people write it. At most 15 bytes. */
  address(address: number): void {
    for (let shift = 24; shift >= 0; shift -= 8) {
      this.#small((address >>> shift) & 0xff);
      if (shift > 0) this.bytes[this.used++] = POINT;
    }
  }

  u16le(value: number): void {
    const { bytes } = this;
    bytes[this.used++] = value;
    bytes[this.used++] = value >>> 8;
  }

  u32le(value: number): void {
    const { bytes } = this;
    const at = this.used;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
    this.used = at + 4;
  }

  /** 0..10^9-1 without zeros in front. */
  #small(value: number): void {
    value |= 0;
    let digits = 1;
    if (value >= 100_000) digits = value >= 10_000_000 ? (value >= 100_000_000 ? 9 : 8) : value >= 1_000_000 ? 7 : 6;
    else if (value >= 10) digits = value >= 1000 ? (value >= 10_000 ? 5 : 4) : value >= 100 ? 3 : 2;
    this.#digits(value, digits);
  }

  /** The last `digits` digits of 0..10^9-1, with zeros in front. */
  #digits(value: number, digits: number): void {
    const view = this.#view;
    let rest = value | 0;
    let at = this.used + digits;
    this.used = at;
    for (; digits > 1; digits -= 2) {
      const hundredth = (rest / 100) | 0;
      at -= 2;
      view.setUint16(at, PAIRS[rest - 100 * hundredth]!);
      rest = hundredth;
    }
    if (digits === 1) view.setUint8(at - 1, DIGIT_0 + (rest % 10));
  }
}

/** The two digits of 0..99: tens << 8 | ones. */
const PAIRS = Uint16Array.from({ length: 100 }, (_, value) => {
  return ((DIGIT_0 + Math.floor(value / 10)) << 8) | (DIGIT_0 + (value % 10));
});

/** Text of ASCII characters for `ByteWriter.copy`. */
export interface Ascii {
  readonly length: number;
  /** Eight characters each, zeros behind the last. No ASCII text makes a NaN, so that the bits stay what they are. */
  readonly words: Float64Array;
  readonly bytes: Uint8Array;
}

export function ascii(text: string): Ascii {
  const words = new Float64Array(Math.ceil(text.length / WORD_BYTES));
  // Little-endian as `copy` writes, whatever the machine is: a word is read as it was put.
  for (let i = 0; i < words.length; i++) {
    const bytes = new DataView(new ArrayBuffer(WORD_BYTES));
    for (let j = 0; j < WORD_BYTES; j++) bytes.setUint8(j, text.charCodeAt(WORD_BYTES * i + j) || 0);
    words[i] = bytes.getFloat64(0, true);
  }
  return { length: text.length, words, bytes: asciiBytes(text) };
}

/** Text of ASCII characters as bytes. */
export function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
