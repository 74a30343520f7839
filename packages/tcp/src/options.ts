import type { Memory } from '@qanat/bytes';
import { TCP_HEADER_BYTES } from './wire.ts';

/** TCP option kinds: RFC 9293 section 3.2, RFC 7323, RFC 2018. */
export const OPT_EOL = 0;
export const OPT_NOP = 1;
export const OPT_MSS = 2;
export const OPT_WINDOW_SCALE = 3;
export const OPT_SACK_PERMITTED = 4;
export const OPT_SACK = 5;
export const OPT_TIMESTAMPS = 8;

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
      }
      at += length;
    }
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
}

/**
 * Writes the options of a SYN in Linux's order (mss, sackOK, TS, nop, wscale), padded with NOPs to four bytes.
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
  return at - addr;
}

/** Bytes that `writeSynOptions` will write. */
export function synOptionsBytes(o: SynOptions): number {
  return 4 + (o.timestamps ? 12 : o.sackPermitted ? 4 : 0) + (o.windowShift >= 0 ? 4 : 0);
}
