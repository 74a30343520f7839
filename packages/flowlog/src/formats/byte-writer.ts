/** Numbers and text into bytes, without a string per number: what the writers of all formats stand on. */

import { putDouble, putMillionths, putThousandths, putUint32, putWhole } from './digits.ts';

/** A piece of a file is handed on when it has about this many bytes. */
const PIECE_BYTES = 0x8_0000;

const DIGIT_0 = 0x30;
const MINUS = 0x2d;
const POINT = 0x2e;
const WORD_BYTES = 8;
/** Beyond what is written: a word of `copy`, or digits that do not count. */
const SLACK_BYTES = 16;

/** Gathers bytes until a piece is full. Callers `reserve` before they write; the writes themselves do not check. */
export class ByteWriter {
  bytes: Uint8Array;
  used = 0;
  /** Goes up when `take` gives a piece away: what was written before is gone then. */
  piece = 0;
  /** Of `bytes`; replaced when they grow. */
  view: DataView;
  readonly #encoder = new TextEncoder();

  readonly #full: number;

  constructor(pieceBytes = PIECE_BYTES) {
    this.bytes = new Uint8Array(pieceBytes + 4096);
    this.view = new DataView(this.bytes.buffer);
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
    this.piece++;
    return piece;
  }

  /** Makes room for `bytes` more, and for what `copy` writes beyond. */
  reserve(bytes: number): void {
    if (this.used + bytes + SLACK_BYTES <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.bytes.length, this.used + bytes + SLACK_BYTES));
    larger.set(this.bytes.subarray(0, this.used));
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }

  byte(value: number): void {
    this.bytes[this.used++] = value;
  }

  /** Text prepared by `ascii`, eight bytes at a time. */
  copy(text: Ascii): void {
    const { words } = text;
    const view = this.view;
    let at = this.used;
    this.used = at + text.length;
    for (let i = 0; i < words.length; i++, at += WORD_BYTES) view.setFloat64(at, words[i]!, true);
  }

  /** Text of this piece again: `length` ASCII characters from `from` on. */
  repeat(from: number, length: number): void {
    const view = this.view;
    let at = this.used;
    this.used = at + length;
    for (const end = from + length; from < end; from += WORD_BYTES, at += WORD_BYTES) {
      view.setFloat64(at, view.getFloat64(from, true), true);
    }
  }

  /** Short text of ASCII characters that is not prepared. */
  ascii(text: string): void {
    const { bytes } = this;
    let at = this.used;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.used = at;
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
    this.used = putWhole(this.view, this.used, value);
  }

  /** The 32 bits as 0..2^32-1. At most 10 bytes. */
  uint32(value: number): void {
    this.used = putUint32(this.view, this.used, value);
  }

  /** Microseconds as seconds with six digits behind the point (C's `%f`). At most 25 bytes. */
  seconds(us: number): void {
    us = Math.round(us);
    if (us < 0) {
      this.bytes[this.used++] = MINUS;
      us = -us;
    }
    const whole = Math.floor(us / 1e6);
    this.used = putMillionths(this.view, putWhole(this.view, this.used, whole), us - whole * 1e6);
  }

  /** Microseconds as milliseconds, to the nanosecond. At most 28 bytes. */
  milliseconds(us: number): void {
    let ns = Math.round(us * 1000);
    if (ns < 0) {
      this.bytes[this.used++] = MINUS;
      ns = -ns;
    }
    const whole = Math.floor(ns / 1e6);
    const fraction = ns - whole * 1e6;
    const end = putWhole(this.view, this.used, whole);
    const micros = fraction / 1000;
    if (fraction === 0) this.used = end;
    else if (micros === Math.floor(micros)) this.used = putThousandths(this.view, end, micros);
    else this.used = putMillionths(this.view, end, fraction);
  }

  /** A double so that it reads back as itself: integers and nanoseconds by hand. At most 32 bytes. */
  number(value: number): void {
    const end = putDouble(this.view, this.used, value);
    if (end >= 0) {
      this.used = end;
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
      this.uint32((address >>> shift) & 0xff);
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
}

/** Text of ASCII characters for `ByteWriter.copy`. */
export interface Ascii {
  readonly length: number;
  /** Eight characters each, zeros behind the last. No ASCII text makes a NaN, so that the bits stay what they are. */
  readonly words: Float64Array;
}

export function ascii(text: string): Ascii {
  const words = new Float64Array(Math.ceil(text.length / WORD_BYTES));
  // Little-endian as `copy` writes, whatever the machine is: a word is read as it was put.
  for (let i = 0; i < words.length; i++) {
    const bytes = new DataView(new ArrayBuffer(WORD_BYTES));
    for (let j = 0; j < WORD_BYTES; j++) bytes.setUint8(j, text.charCodeAt(WORD_BYTES * i + j) || 0);
    words[i] = bytes.getFloat64(0, true);
  }
  return { length: text.length, words };
}

/** Text of ASCII characters as bytes. */
export function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
