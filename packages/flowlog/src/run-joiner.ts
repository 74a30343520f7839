import {
  ENTRY_ACK,
  ENTRY_BYTES,
  ENTRY_COUNT,
  ENTRY_INFO,
  ENTRY_ORDER,
  ENTRY_SEQ,
  ENTRY_SINCE,
  ENTRY_TIME,
  ENTRY_TS_ECR,
  ENTRY_TS_VAL,
  ENTRY_WINDOW,
} from './flow-journal.ts';
import { MAX_RUN, MAX_STEP_US } from './segment-runs.ts';
import type { SegmentStore } from './segment-store.ts';

const MAX_UINT32 = 0xffff_ffff;

/**
 * Joins data that was sent into runs, and adds them to the segments of a flow: segments that follow each other, with nothing recorded in
 * between, and are alike but for their place.
 */
export class RunJoiner {
  readonly #segments: SegmentStore;
  // What the next segment must have to belong to the run that was added last.
  #order = 0;
  #seq = 0;
  #ack = 0;
  #bytes = 0;
  #info = 0;
  #window = 0;
  #tsVal = 0;
  #tsEcr = 0;
  #lastUs = 0;
  /** Segments that it may still take. */
  #room = 0;

  constructor(segments: SegmentStore) {
    this.#segments = segments;
  }

  /** Adds an entry of data that was sent. @param at its first word. */
  add(words: Int32Array, doubles: Float64Array, at: number): void {
    const count = words[at + ENTRY_COUNT]!;
    const startUs = doubles[(at >>> 1) + ENTRY_SINCE]!;
    const endUs = doubles[(at >>> 1) + ENTRY_TIME]!;
    if (this.#continues(words, at, count, endUs)) {
      this.#segments.extend(count, endUs);
      this.#room -= count;
    } else {
      this.#begin(words, at, count, startUs, (endUs - startUs) / count);
    }
    this.#order = (words[at + ENTRY_ORDER]! + count) | 0;
    this.#seq = (words[at + ENTRY_SEQ]! + count * words[at + ENTRY_BYTES]!) | 0;
    this.#lastUs = endUs;
  }

  /** Something else was added to the segments. */
  end(): void {
    this.#room = 0;
  }

  #continues(words: Int32Array, at: number, count: number, endUs: number): boolean {
    return (
      count <= this.#room &&
      words[at + ENTRY_ORDER] === this.#order &&
      words[at + ENTRY_SEQ] === this.#seq &&
      words[at + ENTRY_BYTES] === this.#bytes &&
      words[at + ENTRY_ACK] === this.#ack &&
      words[at + ENTRY_INFO] === this.#info &&
      words[at + ENTRY_WINDOW] === this.#window &&
      words[at + ENTRY_TS_VAL] === this.#tsVal &&
      words[at + ENTRY_TS_ECR] === this.#tsEcr &&
      // A pause among segments is not spread over them.
      endUs - this.#lastUs <= MAX_STEP_US * count
    );
  }

  #begin(words: Int32Array, at: number, count: number, startUs: number, stepUs: number): void {
    const seq = words[at + ENTRY_SEQ]!;
    const order = words[at + ENTRY_ORDER]!;
    const ack = (this.#ack = words[at + ENTRY_ACK]!);
    const bytes = (this.#bytes = words[at + ENTRY_BYTES]!);
    const info = (this.#info = words[at + ENTRY_INFO]!);
    const window = (this.#window = words[at + ENTRY_WINDOW]!);
    const tsVal = (this.#tsVal = words[at + ENTRY_TS_VAL]!);
    const tsEcr = (this.#tsEcr = words[at + ENTRY_TS_ECR]!);
    const delayUs = clampDelay(stepUs);
    for (let done = 0; done < count; ) {
      const run = Math.min(count - done, MAX_RUN);
      const from = (seq + done * bytes) | 0;
      const firstUs = startUs + (done + 1) * stepUs;
      const lastUs = startUs + (done + run) * stepUs;
      this.#segments.add(
        firstUs,
        lastUs,
        (order + done) | 0,
        from,
        ack,
        bytes,
        window,
        tsVal,
        tsEcr,
        delayUs,
        info,
        run,
      );
      this.#room = MAX_RUN - run;
      done += run;
    }
  }
}

/** What the column holds: microseconds. */
export function clampDelay(delayUs: number): number {
  return delayUs > 0 ? Math.min(delayUs, MAX_UINT32) : 0;
}
