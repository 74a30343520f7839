/**
 * One line of the text format of the 2013 log:
 *
 *     Time=0.000207, Delay=0.000000, Op=WND, Kind=UPD, details=[466437667 466437667 … 466434749] \n
 *
 * `Time` and `Delay` are C's `%f` in seconds, `Time` relative to the first record of the dump. The details are
 * decimal integers joined by single blanks, as OCaml's `String.concat " "` over `string_of_int` joins them, and the
 * bracket is followed by one blank before the line feed. A segment has [seq ack], a window update its eleven fields.
 * Only a sent segment has a delay: for RX and WND the field is 0.000000.
 *
 * Sequence numbers are written as they are on the wire, 0..2^32-1. (The logs that were published have none above
 * 2^31, so they do not say whether the tool of 2013 showed those as negative; the reader takes both.)
 */
import { ascii, type ByteWriter } from './byte-writer.ts';

/** Most bytes that a line has. */
export const MAX_LINE_BYTES = 320;

export const SEGMENT_DETAILS = 2;
export const WINDOW_DETAILS = 11;

const TIME = ascii('Time=');
const DELAY = ascii(', Delay=');
const TX = ascii(', Op=TX, Kind=SEG, details=[');
const RX = ascii(', Delay=0.000000, Op=RX, Kind=SEG, details=[');
const WND = ascii(', Delay=0.000000, Op=WND, Kind=UPD, details=[');
const END = ascii('] \n');
const BLANK = 0x20;

/** @param timeUs since the first record. @param delayUs of a sent segment; -1 when it was received. */
export function writeSegmentLine(out: ByteWriter, timeUs: number, delayUs: number, seq: number, ack: number): void {
  out.copy(TIME);
  out.seconds(timeUs);
  if (delayUs >= 0) {
    out.copy(DELAY);
    out.seconds(delayUs);
    out.copy(TX);
  } else out.copy(RX);
  out.integer(seq >>> 0);
  out.byte(BLANK);
  out.integer(ack >>> 0);
  out.copy(END);
}

/** The line of a window update up to its bracket; `writeDetail` and `endLine` follow. */
export function beginWindowLine(out: ByteWriter, timeUs: number): void {
  out.copy(TIME);
  out.seconds(timeUs);
  out.copy(WND);
}

/** One of the eleven details and the blank behind it. */
export function writeDetail(out: ByteWriter, value: number): void {
  out.integer(value);
  out.byte(BLANK);
}

/** Ends the line, the blank of the last detail included. */
export function endWindowLine(out: ByteWriter): void {
  out.used--;
  out.copy(END);
}
