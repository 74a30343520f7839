import type { CapturedFrames, TraceClock } from '../trace.ts';

/** Stamps below this are no dates but times since something: 11 days. */
const LATEST_RELATIVE_US = 1e12;
const FIRST_ROWS = 1024;

/** What the reader of a capture file found: its packets, and what was wrong. */
export interface Capture {
  readonly frames: FrameTable;
  readonly clock: TraceClock;
  readonly problems: readonly string[];
}

/** Packets of a capture as they are found in its bytes: parallel columns that grow. */
export class FrameTable {
  rows = 0;
  /** Microseconds of the clock of the trace. */
  timeUs = new Float64Array(FIRST_ROWS);
  /** Of the first byte of the packet. */
  offset = new Float64Array(FIRST_ROWS);
  capturedBytes = new Uint32Array(FIRST_ROWS);
  originalBytes = new Uint32Array(FIRST_ROWS);
  linkType = new Uint32Array(FIRST_ROWS);
  /** 0 unknown, 1 in, 2 out. */
  direction = new Uint8Array(FIRST_ROWS);

  push(
    timeUs: number,
    offset: number,
    capturedBytes: number,
    originalBytes: number,
    linkType: number,
    direction: number,
  ): void {
    const row = this.rows++;
    if (row === this.timeUs.length) this.#grow();
    this.timeUs[row] = timeUs;
    this.offset[row] = offset;
    this.capturedBytes[row] = capturedBytes;
    this.originalBytes[row] = originalBytes;
    this.linkType[row] = linkType;
    this.direction[row] = direction;
  }

  finish(bytes: Uint8Array, flow: Int32Array, segment: Uint32Array): CapturedFrames {
    const { rows } = this;
    return {
      bytes,
      rows,
      timeUs: this.timeUs.subarray(0, rows),
      offset: this.offset.subarray(0, rows),
      capturedBytes: this.capturedBytes.subarray(0, rows),
      originalBytes: this.originalBytes.subarray(0, rows),
      linkType: this.linkType.subarray(0, rows),
      flow,
      segment,
    };
  }

  #grow(): void {
    const rows = 2 * this.timeUs.length;
    const larger = <T extends Float64Array | Uint32Array | Uint8Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.timeUs = larger(this.timeUs, new Float64Array(rows));
    this.offset = larger(this.offset, new Float64Array(rows));
    this.capturedBytes = larger(this.capturedBytes, new Uint32Array(rows));
    this.originalBytes = larger(this.originalBytes, new Uint32Array(rows));
    this.linkType = larger(this.linkType, new Uint32Array(rows));
    this.direction = larger(this.direction, new Uint8Array(rows));
  }
}

/**
 * Where the clock of a capture begins, so that its doubles keep nanoseconds: at the first packet when stamps are dates.
 * @param firstUs stamp of the first packet, microseconds since 1970. @returns microseconds since 1970; 0: stamps are no dates.
 */
export function epochOf(firstUs: number): number {
  return firstUs < LATEST_RELATIVE_US ? 0 : Math.floor(firstUs);
}
