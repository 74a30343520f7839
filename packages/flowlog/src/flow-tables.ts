import {
  ENTRY_A,
  ENTRY_ACK,
  ENTRY_B,
  ENTRY_BLOCKS,
  ENTRY_BYTES,
  ENTRY_COUNT,
  ENTRY_CWND,
  ENTRY_EVENT,
  ENTRY_FIRST_BLOCK,
  ENTRY_IN_FLIGHT,
  ENTRY_INFO,
  ENTRY_IS_EVENT,
  ENTRY_IS_EXPECTED,
  ENTRY_IS_SACKS,
  ENTRY_IS_SENT,
  ENTRY_IS_SENT_SINGLE,
  ENTRY_IS_WINDOW,
  ENTRY_KIND,
  ENTRY_LAST,
  ENTRY_MIN_RTT,
  ENTRY_MSS,
  ENTRY_ORDER,
  ENTRY_RTO,
  ENTRY_RTTVAR,
  ENTRY_SEQ,
  ENTRY_SINCE,
  ENTRY_SRTT,
  ENTRY_SSTHRESH,
  ENTRY_TIME,
  ENTRY_TS_ECR,
  ENTRY_TS_VAL,
  ENTRY_WINDOW,
  ENTRY_WINDOW_INFO,
  ENTRY_WORDS,
  WINDOW_ENTRY_WORDS,
} from './flow-journal.ts';
import { normalizeSacks } from './normalize-sacks.ts';
import { CHUNK_EVENTS, CHUNK_SACKS, CHUNK_WINDOWS } from './qflow-layout.ts';
import type { FlowTotals } from './qflow-writer.ts';
import { saturate } from './record.ts';
import { type RowSink, RowStore } from './row-store.ts';
import { clampDelay, RunJoiner } from './run-joiner.ts';
import { SegmentStore } from './segment-store.ts';
import {
  AT_TIME,
  EVENT_A,
  EVENT_B,
  EVENT_KIND,
  EVENT_ORDER,
  EVENT_WORDS,
  SACK_WORDS,
  WINDOW_INFO,
  WINDOW_ORDER,
  WINDOW_PACING_RATE,
  WINDOW_WORDS,
} from './slots.ts';
import type { FlowDescriptor, FlowTrace } from './trace.ts';

/** The tables of one flow: rings of a bounded number of rows, or on their way to a sink. What a journal holds becomes rows here. */
export class FlowTables {
  readonly segments: SegmentStore;
  readonly windows: RowStore<typeof CHUNK_WINDOWS>;
  readonly #sacks: RowStore<typeof CHUNK_SACKS>;
  readonly #events: RowStore<typeof CHUNK_EVENTS>;
  readonly #joiner: RunJoiner;

  /** @param capacity most rows of each, a power of two. @param id of the flow, for the sink. */
  constructor(capacity: number, sink: RowSink | undefined, id: number) {
    this.segments = new SegmentStore(capacity, sink, id);
    this.#sacks = new RowStore(CHUNK_SACKS, capacity, sink, id);
    this.windows = new RowStore(CHUNK_WINDOWS, capacity, sink, id);
    this.#events = new RowStore(CHUNK_EVENTS, capacity, sink, id);
    this.#joiner = new RunJoiner(this.segments);
  }

  /** Makes rows of the entries before word `end`. */
  take(words: Int32Array, doubles: Float64Array, end: number): void {
    for (let at = 0; at < end; ) {
      const kind = words[at + ENTRY_KIND]!;
      if (kind === ENTRY_IS_SENT) this.#joiner.add(words, doubles, at);
      else if (kind === ENTRY_IS_EVENT) this.#event(words, doubles, at);
      else if (kind === ENTRY_IS_WINDOW) this.#window(words, doubles, at);
      else if (kind === ENTRY_IS_SACKS) this.#blocks(words, at);
      else this.#segment(words, doubles, at, kind);
      at += kind === ENTRY_IS_WINDOW ? WINDOW_ENTRY_WORDS : ENTRY_WORDS;
    }
  }

  /** As of `RowStore`. */
  clear(): void {
    this.segments.clear();
    this.#sacks.clear();
    this.windows.clear();
    this.#events.clear();
    this.#joiner.end();
  }

  /** As of `RowStore`. */
  flush(): void {
    this.segments.flush();
    this.#sacks.flush();
    this.windows.flush();
    this.#events.flush();
    this.#joiner.end();
  }

  /** A copy of all tables. */
  trace(descriptor: FlowDescriptor): FlowTrace {
    const segments = this.segments.copy();
    const run = { firstRow: this.segments.total - segments.rows, rows: segments.rows };
    const { overwritten } = this.totals();
    const firstSegment = overwritten.segments;
    const sacks = normalizeSacks(segments, [run], firstSegment, this.#sacks.copy());
    return {
      ...descriptor,
      segments,
      sacks,
      windows: this.windows.copy(),
      events: this.#events.copy(),
      firstSegment,
      overwritten,
      dropped: {
        segments: this.segments.lost,
        sacks: this.#sacks.lost,
        windows: this.windows.lost,
        events: this.#events.lost,
      },
    };
  }

  totals(): FlowTotals {
    const { segments, windows } = this;
    const [sacks, events] = [this.#sacks, this.#events];
    return {
      recorded: {
        segments: segments.recorded,
        sacks: sacks.recorded,
        windows: windows.recorded,
        events: events.recorded,
      },
      overwritten: {
        segments: segments.overwritten,
        sacks: sacks.overwritten,
        windows: windows.overwritten,
        events: events.overwritten,
      },
    };
  }

  #segment(words: Int32Array, doubles: Float64Array, at: number, kind: number): void {
    const timeUs = doubles[(at >>> 1) + ENTRY_TIME]!;
    const since = doubles[(at >>> 1) + ENTRY_SINCE]!;
    const isRun = kind === ENTRY_IS_EXPECTED;
    this.#joiner.end();
    this.segments.add(
      timeUs,
      isRun ? doubles[(at >>> 1) + ENTRY_LAST]! : timeUs,
      words[at + ENTRY_ORDER]!,
      words[at + ENTRY_SEQ]!,
      words[at + ENTRY_ACK]!,
      words[at + ENTRY_BYTES]!,
      words[at + ENTRY_WINDOW]!,
      words[at + ENTRY_TS_VAL]!,
      words[at + ENTRY_TS_ECR]!,
      clampDelay(kind === ENTRY_IS_SENT_SINGLE ? since : timeUs - since),
      words[at + ENTRY_INFO]!,
      isRun ? words[at + ENTRY_COUNT]! : 1,
    );
  }

  /** Of the segment that is added next. */
  #blocks(words: Int32Array, at: number): void {
    const segment = this.segments.total;
    let from = at + ENTRY_FIRST_BLOCK;
    for (let blocks = words[at + ENTRY_BLOCKS]!; blocks > 0; blocks--) {
      const to = this.#sacks.claim() * SACK_WORDS;
      const { words: slots } = this.#sacks.slots;
      slots[to] = segment;
      slots[to + 1] = words[from++]!;
      slots[to + 2] = words[from++]!;
    }
  }

  #window(words: Int32Array, doubles: Float64Array, at: number): void {
    const slot = this.windows.claim();
    const { words: slots, doubles: slotDoubles } = this.windows.slots;
    const double = slot * (WINDOW_WORDS >>> 1);
    const usPerByte = doubles[(at >>> 1) + ENTRY_SINCE]!;
    slotDoubles[double + AT_TIME] = doubles[(at >>> 1) + ENTRY_TIME]!;
    slotDoubles[double + WINDOW_PACING_RATE] = usPerByte > 0 ? 1e6 / usPerByte : 0;
    const mss = words[at + ENTRY_MSS]!;
    let to = slot * WINDOW_WORDS + WINDOW_ORDER;
    slots[to] = words[at + ENTRY_ORDER]!;
    // As they follow each other there: SND.NXT to RCV.WND.
    for (let from = at + ENTRY_SEQ; from <= at + ENTRY_TS_ECR; from++) slots[++to] = words[from]!;
    slots[++to] = saturate(words[at + ENTRY_CWND]! * mss);
    slots[++to] = saturate(words[at + ENTRY_SSTHRESH]! * mss);
    slots[++to] = words[at + ENTRY_IN_FLIGHT]! * mss;
    slots[++to] = words[at + ENTRY_SRTT]!;
    slots[++to] = words[at + ENTRY_RTTVAR]!;
    slots[++to] = words[at + ENTRY_RTO]!;
    slots[++to] = words[at + ENTRY_MIN_RTT]!;
    slots[slot * WINDOW_WORDS + WINDOW_INFO] = words[at + ENTRY_WINDOW_INFO]!;
  }

  #event(words: Int32Array, doubles: Float64Array, at: number): void {
    const slot = this.#events.claim();
    const { words: slots, doubles: slotDoubles } = this.#events.slots;
    const to = slot * EVENT_WORDS;
    slotDoubles[slot * (EVENT_WORDS >>> 1) + AT_TIME] = doubles[(at >>> 1) + ENTRY_TIME]!;
    slots[to + EVENT_ORDER] = words[at + ENTRY_ORDER]!;
    slots[to + EVENT_KIND] = words[at + ENTRY_EVENT]!;
    slots[to + EVENT_A] = words[at + ENTRY_A]!;
    slots[to + EVENT_B] = words[at + ENTRY_B]!;
  }
}
