import { FlowLog } from './flow-log.ts';
import type { CHUNK_SEGMENTS, CHUNK_WINDOWS } from './qflow-layout.ts';
import {
  OP_RX,
  OP_TX,
  OP_WND,
  RECORD_DOUBLES,
  RECORD_WORDS,
  saturate,
  WORD_BYTES,
  WORD_DELAY,
  WORD_DETAILS,
  WORD_OP,
  WORD_WINDOW,
} from './record.ts';
import type { RowStore } from './row-store.ts';
import { isReceived, segmentFlags, segmentReason } from './segment-info.ts';
import { backoff, isInRecovery } from './window-info.ts';

const RETRANSMISSION = 0x1_0000;

/** Segments and window updates as the 2013 log had them: one sequence of at most `capacity` records. */
export class RecordsView {
  readonly #segments: RowStore<typeof CHUNK_SEGMENTS>;
  readonly #windows: RowStore<typeof CHUNK_WINDOWS>;
  readonly #capacity: number;

  constructor(segments: RowStore<typeof CHUNK_SEGMENTS>, windows: RowStore<typeof CHUNK_WINDOWS>, capacity: number) {
    this.#segments = segments;
    this.#windows = windows;
    this.#capacity = capacity;
  }

  get count(): number {
    return Math.min(this.#segments.held + this.#windows.held, this.#capacity);
  }

  get overwritten(): number {
    return this.#segments.recorded + this.#windows.recorded - this.count;
  }

  /** Merges the two tables: of each, the last `capacity` rows are there, so the last `capacity` of both together are. */
  snapshot(): FlowLog {
    const { count, overwritten } = this;
    const segments = this.#segments;
    const windows = this.#windows;
    const words = new Int32Array(count * RECORD_WORDS);
    const times = new Float64Array(words.buffer);
    let segment = segments.held - 1;
    let window = windows.held - 1;
    for (let record = count - 1; record >= 0; record--) {
      const isSegment = window < 0 || (segment >= 0 && this.#isSegmentLater(segment, window));
      if (isSegment) this.#packSegment(segments.slotOf(segment--), words, times, record);
      else this.#packWindow(windows.slotOf(window--), words, times, record);
    }
    return new FlowLog({ buffer: words.buffer, count, overwritten });
  }

  #isSegmentLater(segment: number, window: number): boolean {
    const segmentOrder = this.#segments.columns.order[this.#segments.slotOf(segment)]!;
    const windowOrder = this.#windows.columns.order[this.#windows.slotOf(window)]!;
    return ((segmentOrder - windowOrder) | 0) > 0;
  }

  #packSegment(slot: number, words: Int32Array, times: Float64Array, record: number): void {
    const { columns } = this.#segments;
    const word = record * RECORD_WORDS;
    const info = columns.info[slot]!;
    const op = isReceived(info) ? OP_RX : OP_TX;
    times[record * RECORD_DOUBLES] = columns.timeUs[slot]!;
    words[word + WORD_OP] = op | (segmentFlags(info) << 8) | (segmentReason(info) === 0 ? 0 : RETRANSMISSION);
    words[word + WORD_DELAY] = saturate(columns.delayUs[slot]!);
    words[word + WORD_DETAILS] = columns.seq[slot]!;
    words[word + WORD_DETAILS + 1] = columns.ack[slot]!;
    words[word + WORD_BYTES] = columns.bytes[slot]!;
    words[word + WORD_WINDOW] = columns.window[slot]!;
  }

  #packWindow(slot: number, words: Int32Array, times: Float64Array, record: number): void {
    const { columns } = this.#windows;
    const word = record * RECORD_WORDS;
    const info = columns.info[slot]!;
    times[record * RECORD_DOUBLES] = columns.timeUs[slot]!;
    words[word + WORD_OP] = OP_WND;
    const at = word + WORD_DETAILS;
    words[at] = columns.sndNxt[slot]!;
    words[at + 1] = columns.segAck[slot]!;
    words[at + 2] = columns.sndUna[slot]!;
    words[at + 3] = columns.rcvNxt[slot]!;
    words[at + 4] = backoff(info);
    words[at + 5] = saturate(columns.sndWnd[slot]!);
    words[at + 6] = saturate(columns.rcvWnd[slot]!);
    words[at + 7] = columns.cwnd[slot]!;
    words[at + 8] = columns.ssthresh[slot]!;
    words[at + 9] = isInRecovery(info) ? 1 : 0;
    words[at + 10] = columns.recoveryPoint[slot]!;
  }
}
