import type { Memory } from '@qanat/bytes';
import { TCP_HEADER_BYTES } from './wire.ts';

/** TCP option kinds: RFC 9293 section 3.2, RFC 7323, RFC 2018, RFC 7413. */
export const OPT_EOL = 0;
export const OPT_NOP = 1;
export const OPT_MSS = 2;
export const OPT_WINDOW_SCALE = 3;
export const OPT_SACK_PERMITTED = 4;
export const OPT_SACK = 5;
export const OPT_TIMESTAMPS = 8;
export const OPT_FAST_OPEN = 34;
/** RFC 6994: an experiment, told by the two bytes after the length; Fast Open had this one before its own kind. */
export const OPT_EXPERIMENT = 254;
export const EXPERIMENT_FAST_OPEN = 0xf989;
/** A Fast Open cookie, RFC 7413 section 4.1.1: 4 to 16 bytes, an even number. */
const LEAST_COOKIE_BYTES = 4;
export const MOST_COOKIE_BYTES = 16;

/** NOP NOP TIMESTAMPS length: the four bytes before TSval in the layout that everybody sends (RFC 7323 appendix A). */
export const TIMESTAMPS_PROLOGUE = 0x0101_080a;
/** Bytes that timestamps take in every segment, padding included. */
export const TIMESTAMPS_BYTES = 12;
/** RFC 7323 section 2.3: a larger shift count is used as 14. */
export const MAX_WINDOW_SHIFT = 14;
/** Blocks that fit beside timestamps: 3; without: 4. */
export const MAX_SACK_BLOCKS = 4;

/** What the options of one segment said. One object is reused for all segments. */
export class ParsedOptions {
  hasTimestamps = false;
  tsVal = 0;
  tsEcr = 0;
  /** 0 when absent. */
  mss = 0;
  /** -1 when absent. */
  windowShift = -1;
  sackPermitted = false;
  sackCount = 0;
  /** Length of the Fast Open cookie: 0 asks for one, -1 when there is no such option or its length is wrong. */
  cookieBytes = -1;
  readonly cookie = new Uint8Array(MOST_COOKIE_BYTES);
  /** The cookie came as an experiment. */
  cookieExperimental = false;
  /** Left edges of the SACK blocks, in the order of the option. */
  readonly sackLeft = new Int32Array(MAX_SACK_BLOCKS);
  readonly sackRight = new Int32Array(MAX_SACK_BLOCKS);

  /** Reads the options of a header of `headerBytes` at `addr`. Total: what is malformed ends the parse (MUST-7). */
  parse(memory: Memory, addr: number, headerBytes: number): void {
    this.hasTimestamps = false;
    this.mss = 0;
    this.windowShift = -1;
    this.sackPermitted = false;
    this.sackCount = 0;
    this.cookieBytes = -1;
    if (headerBytes === TCP_HEADER_BYTES) return;
    const view = memory.view;
    // The common case in one comparison: nothing but timestamps.
    if (headerBytes === TCP_HEADER_BYTES + TIMESTAMPS_BYTES && view.getInt32(addr + 20) === TIMESTAMPS_PROLOGUE) {
      this.hasTimestamps = true;
      this.tsVal = view.getInt32(addr + 24);
      this.tsEcr = view.getInt32(addr + 28);
      return;
    }
    this.#parseSlowly(memory, addr + TCP_HEADER_BYTES, addr + headerBytes);
  }

  #parseSlowly(memory: Memory, at: number, end: number): void {
    const { u8, view } = memory;
    while (at < end) {
      const kind = u8[at]!;
      if (kind === OPT_EOL) return;
      if (kind === OPT_NOP) {
        at += 1;
        continue;
      }
      if (at + 1 >= end) return;
      const length = u8[at + 1]!;
      if (length < 2 || at + length > end) return;
      switch (kind) {
        case OPT_MSS:
          if (length === 4) this.mss = view.getUint16(at + 2);
          break;
        case OPT_WINDOW_SCALE:
          if (length === 3) this.windowShift = Math.min(u8[at + 2]!, MAX_WINDOW_SHIFT);
          break;
        case OPT_SACK_PERMITTED:
          if (length === 2) this.sackPermitted = true;
          break;
        case OPT_SACK:
          if (length >= 10 && ((length - 2) & 7) === 0) {
            this.sackCount = Math.min((length - 2) >>> 3, MAX_SACK_BLOCKS);
            for (let i = 0; i < this.sackCount; i++) {
              this.sackLeft[i] = view.getInt32(at + 2 + i * 8);
              this.sackRight[i] = view.getInt32(at + 6 + i * 8);
            }
          }
          break;
        case OPT_TIMESTAMPS:
          if (length === 10) {
            this.hasTimestamps = true;
            this.tsVal = view.getInt32(at + 2);
            this.tsEcr = view.getInt32(at + 6);
          }
          break;
        case OPT_FAST_OPEN:
          this.#takeCookie(u8, at + 2, length - 2, false);
          break;
        case OPT_EXPERIMENT:
          if (length >= 4 && view.getUint16(at + 2) === EXPERIMENT_FAST_OPEN) {
            this.#takeCookie(u8, at + 4, length - 4, true);
          }
          break;
      }
      at += length;
    }
  }

  #takeCookie(u8: Uint8Array, at: number, bytes: number, experimental: boolean): void {
    if (bytes !== 0 && (bytes & 1 || bytes < LEAST_COOKIE_BYTES || bytes > MOST_COOKIE_BYTES)) return;
    this.cookieBytes = bytes;
    this.cookieExperimental = experimental;
    for (let i = 0; i < bytes; i++) this.cookie[i] = u8[at + i]!;
  }
}

/** What a SYN or SYN-ACK offers. */
export interface SynOptions {
  mss: number;
  /** -1 for no window scaling. */
  windowShift: number;
  sackPermitted: boolean;
  timestamps: boolean;
  tsVal: number;
  tsEcr: number;
  /** Fast Open cookie, empty to ask for one. */
  cookie: Uint8Array | undefined;
  /** Send the cookie as an experiment. */
  cookieExperimental: boolean;
}

/** @returns an offer of nothing: scratch to be filled in. */
export function noSynOptions(): SynOptions {
  return {
    mss: 0,
    windowShift: -1,
    sackPermitted: false,
    timestamps: false,
    tsVal: 0,
    tsEcr: 0,
    cookie: undefined,
    cookieExperimental: false,
  };
}

/**
 * Writes the options of a SYN in Linux's order (mss, sackOK, TS, nop, wscale, FO), padded with NOPs to four bytes.
 * @returns their length in bytes.
 */
export function writeSynOptions(memory: Memory, addr: number, o: SynOptions): number {
  const { u8, view } = memory;
  let at = addr;
  view.setInt32(at, (OPT_MSS << 24) | (4 << 16) | o.mss);
  at += 4;
  if (o.timestamps) {
    const sack = o.sackPermitted ? (OPT_SACK_PERMITTED << 24) | (2 << 16) : (OPT_NOP << 24) | (OPT_NOP << 16);
    view.setInt32(at, sack | (OPT_TIMESTAMPS << 8) | 10);
    view.setInt32(at + 4, o.tsVal);
    view.setInt32(at + 8, o.tsEcr);
    at += 12;
  } else if (o.sackPermitted) {
    view.setInt32(at, (OPT_NOP << 24) | (OPT_NOP << 16) | (OPT_SACK_PERMITTED << 8) | 2);
    at += 4;
  }
  if (o.windowShift >= 0) {
    u8[at] = OPT_NOP;
    u8[at + 1] = OPT_WINDOW_SCALE;
    u8[at + 2] = 3;
    u8[at + 3] = o.windowShift;
    at += 4;
  }
  if (o.cookie !== undefined) at += writeCookie(memory, at, o.cookie, o.cookieExperimental);
  return at - addr;
}

function writeCookie(memory: Memory, addr: number, cookie: Uint8Array, experimental: boolean): number {
  const { u8, view } = memory;
  let at = addr;
  u8[at++] = experimental ? OPT_EXPERIMENT : OPT_FAST_OPEN;
  u8[at++] = cookie.length + (experimental ? 4 : 2);
  if (experimental) {
    view.setUint16(at, EXPERIMENT_FAST_OPEN);
    at += 2;
  }
  for (let i = 0; i < cookie.length; i++) u8[at++] = cookie[i]!;
  while ((at - addr) & 3) u8[at++] = OPT_NOP;
  return at - addr;
}

/** Bytes of the Fast Open option, padding included. */
function cookieOptionBytes(o: SynOptions): number {
  return o.cookie === undefined ? 0 : (o.cookie.length + (o.cookieExperimental ? 4 : 2) + 3) & ~3;
}

/** Bytes that `writeSynOptions` will write. */
export function synOptionsBytes(o: SynOptions): number {
  return 4 + (o.timestamps ? 12 : o.sackPermitted ? 4 : 0) + (o.windowShift >= 0 ? 4 : 0) + cookieOptionBytes(o);
}
