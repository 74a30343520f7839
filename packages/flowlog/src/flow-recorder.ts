import type { ExpectedSegment, ObservedOptions, TcpObserver, TimedState, TimerState, WindowState } from '@qanat/tcp';
import type { FlowLog } from './flow-log.ts';
import {
  EVENT_CONGESTION,
  EVENT_ERROR,
  EVENT_LIMITED,
  EVENT_RESET,
  EVENT_STATE,
  EVENT_SYN_OPTIONS,
  EVENT_TIMER_ARMED,
  SYN_FAST_OPEN,
  SYN_RX,
  SYN_SACK_PERMITTED,
  SYN_SHIFT_MASK,
  SYN_TIMESTAMPS,
  SYN_WINDOW_SCALE,
  TIMER_DELAYED_ACK,
  TIMER_KEEPALIVE,
  TIMER_PACE,
  TIMER_TIME_WAIT,
} from './kinds.ts';
import { limitOf } from './limited-by.ts';
import { mergedLog } from './merged-log.ts';
import { normalizeSacks } from './normalize-sacks.ts';
import { CHUNK_EVENTS, CHUNK_SACKS, CHUNK_WINDOWS } from './qflow-layout.ts';
import type { FlowTotals } from './qflow-writer.ts';
import { type FlowRecord, saturate } from './record.ts';
import { type RowSink, RowStore } from './row-store.ts';
import { segmentFlags, segmentInfo } from './segment-info.ts';
import { MAX_RUN } from './segment-runs.ts';
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
import { type FlowDescriptor, type FlowTrace, flowDescriptor } from './trace.ts';
import { windowInfo } from './window-info.ts';

/** Numbers the rows of all recorders of a source. */
export interface OrderCounter {
  next: number;
}

export interface FlowRecorderOptions {
  /**
   * Most rows of each table that are kept, rounded up to a power of two; the oldest give way. A run of segments that are alike
   * counts as one. Default 65536.
   */
  readonly records?: number;
  /** Gets the rows when so many have come, instead of their giving way. */
  readonly sink?: RowSink;
  /** Of the flow, in the trace. */
  readonly id?: number;
  /** What the source's recorders share. */
  readonly order?: OrderCounter;
  /** Index of a text in the strings of the source. */
  readonly stringIndex?: (text: string) => number;
  /** Called when the handshake is complete: what it settled can be described now. */
  readonly onEstablished?: () => void;
  /** Called when the connection is closed. */
  readonly onClosed?: () => void;
}

export const DEFAULT_RECORDS = 65_536;
export const MAX_RECORDS = 1 << 24;

const SYN = 0x02;
const RST = 0x04;
const ESTABLISHED = 1;
const CLOSED = 7;
const MAX_UINT32 = 0xffff_ffff;
/** Of a run, until the clock is asked. */
const SEGMENTS_PER_STAMP = 16;
/** Longer steps between segments are no work but a pause. */
const MAX_STEP_US = 20;
const NEVER = Number.POSITIVE_INFINITY;
/** Places in `#runTimes`. */
const RUN_LAST = 0;
const RUN_ARRIVED = 1;
/** Not seen yet, or not armed. */
const NONE = -1;

/**
 * The flight recorder of one flow: TCP's observer over bounded tables. Off, it costs a branch; on, a record is a few stores into
 * one place of memory. Every method may be called while the flow runs. The names of the calls that start, stop
 * and dump are those of the 2013 debug log.
 */
export class FlowRecorder implements TcpObserver {
  readonly capacity: number;
  readonly id: number;
  readonly #segments: SegmentStore;
  readonly #sacks: RowStore<typeof CHUNK_SACKS>;
  readonly #windows: RowStore<typeof CHUNK_WINDOWS>;
  readonly #events: RowStore<typeof CHUNK_EVENTS>;
  readonly #order: OrderCounter;
  readonly #stringIndex: (text: string) => number;
  readonly #onEstablished: (() => void) | undefined;
  readonly #onClosed: (() => void) | undefined;
  #recording = false;
  // What the last look at the connection saw, so that changes are told.
  #state = NONE;
  #caState = 0;
  #limitedBy = 0;
  #timer = NONE;
  #delayedAck = false;
  #keepAlive = false;
  #life = false;
  #pace = false;
  /** The connection, while a run of segments goes on. */
  #run: TimedState | undefined;
  /** Whether a window row follows the run. */
  #isRowDue = false;
  // What the next segment must have to belong to it.
  #runOrder = 0;
  #runSeq = 0;
  #runAck = 0;
  #runBytes = 0;
  #runInfo = 0;
  #runWindow = 0;
  #runTsVal = 0;
  #runTsEcr = 0;
  /** Segments of the run that have no time yet, and how many it may still take. */
  #untimed = 0;
  #room = 0;
  /** Time of the last one that has one, and when those that were received had come: fields of doubles would lie apart. */
  readonly #runTimes = new Float64Array(2);

  /** @throws RangeError when `records` is not in 1..MAX_RECORDS. */
  constructor(options: FlowRecorderOptions = {}) {
    const { records = DEFAULT_RECORDS, sink, id = 0 } = options;
    if (!(Number.isInteger(records) && records >= 1 && records <= MAX_RECORDS)) {
      throw new RangeError(`a flow recorder of ${records} records: the number must be in 1..${MAX_RECORDS}`);
    }
    this.capacity = 2 ** Math.ceil(Math.log2(records));
    this.id = id;
    this.#segments = new SegmentStore(this.capacity, sink, id);
    this.#sacks = new RowStore(CHUNK_SACKS, this.capacity, sink, id);
    this.#windows = new RowStore(CHUNK_WINDOWS, this.capacity, sink, id);
    this.#events = new RowStore(CHUNK_EVENTS, this.capacity, sink, id);
    this.#order = options.order ?? { next: 0 };
    this.#stringIndex = options.stringIndex ?? (() => 0);
    this.#onEstablished = options.onEstablished;
    this.#onClosed = options.onClosed;
  }

  get recording(): boolean {
    return this.#recording;
  }

  /** Segments and window updates held, as the 2013 log counts them: at most `capacity` together. */
  get count(): number {
    return Math.min(this.#segments.held + this.#windows.held, this.capacity);
  }

  /** Those lost to younger ones since the start or the last `cleanLog`. */
  get overwritten(): number {
    return this.#segments.recorded + this.#windows.recorded - this.count;
  }

  /** Begins or goes on recording; what is held stays. @returns whether that changed anything. */
  startLogging(): boolean {
    if (this.#recording) return false;
    this.#recording = true;
    return true;
  }

  /** Stops recording; what is held stays. @returns whether it changed anything. */
  stopLogging(): boolean {
    const changed = this.#recording;
    this.#endRun(0);
    this.#recording = false;
    return changed;
  }

  /** Forgets what a ring holds and the counts of what was overwritten. Recording goes on if it was on. */
  cleanLog(): void {
    this.#segments.clear();
    this.#sacks.clear();
    this.#windows.clear();
    this.#events.clear();
  }

  /** @returns the segments and window updates held, newest first. */
  getRawLogDump(): FlowRecord[] {
    return this.getLogDumpCopy().reverse();
  }

  /** @returns the segments and window updates held, oldest first. */
  getLogDumpCopy(): FlowRecord[] {
    return [...this.snapshot()];
  }

  /** @returns a copy of segments and window updates without an object per record: for large logs and other threads. */
  snapshot(): FlowLog {
    this.#endRun(0);
    return mergedLog(this.#segments.copy(), this.#windows.copy(), this.count, this.overwritten);
  }

  /** @returns a copy of all tables. */
  trace(descriptor: FlowDescriptor = flowDescriptor({ id: this.id, source: 0 })): FlowTrace {
    this.#endRun(0);
    const segments = this.#segments.copy();
    const run = { firstRow: this.#segments.total - segments.rows, rows: segments.rows };
    const { overwritten } = this.totals();
    const firstSegment = overwritten.segments;
    const sacks = normalizeSacks(segments, [run], firstSegment, this.#sacks.copy());
    return {
      ...descriptor,
      segments,
      sacks,
      windows: this.#windows.copy(),
      events: this.#events.copy(),
      firstSegment,
      overwritten,
      dropped: {
        segments: this.#segments.lost,
        sacks: this.#sacks.lost,
        windows: this.#windows.lost,
        events: this.#events.lost,
      },
    };
  }

  /** Gives a sink what is held; for rings nothing. */
  flush(): void {
    this.#endRun(0);
    this.#segments.flush();
    this.#sacks.flush();
    this.#windows.flush();
    this.#events.flush();
  }

  totals(): FlowTotals {
    const [segments, sacks, windows, events] = [this.#segments, this.#sacks, this.#windows, this.#events];
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

  // --- TcpObserver -----------------------------------------------------------------------------------------------

  segmentSent(
    seq: number,
    ack: number,
    flags: number,
    bytes: number,
    window: number,
    nowUs: number,
    delayUs: number,
    reason: number,
    options: ObservedOptions,
  ): void {
    if (!this.#recording) return;
    this.#segment(0, seq, ack, flags, bytes, window, nowUs, delayUs, reason, options);
    if ((flags & (SYN | RST)) !== 0) this.#synOrReset(nowUs, flags, 0, options);
  }

  segmentReceived(
    seq: number,
    ack: number,
    flags: number,
    bytes: number,
    window: number,
    arrivedUs: number,
    nowUs: number,
    options: ObservedOptions,
  ): void {
    if (!this.#recording) return;
    this.#segment(1, seq, ack, flags, bytes, window, nowUs, nowUs - arrivedUs, 0, options);
    if ((flags & SYN) !== 0) this.#synOrReset(nowUs, flags, SYN_RX, options);
  }

  dataSent(
    seq: number,
    ack: number,
    flags: number,
    bytes: number,
    window: number,
    stamped: boolean,
    tsVal: number,
    tsEcr: number,
    count: number,
    state: TimedState,
  ): void {
    if (!this.#recording) return;
    const info = segmentInfo(false, flags, 0, stamped, 0);
    const order = this.#order.next;
    if (
      this.#run !== undefined &&
      order === this.#runOrder &&
      seq === this.#runSeq &&
      info === this.#runInfo &&
      bytes === this.#runBytes &&
      ack === this.#runAck &&
      window === this.#runWindow &&
      tsVal === this.#runTsVal &&
      tsEcr === this.#runTsEcr &&
      count <= this.#room
    ) {
      this.#join(count, order, state);
      return;
    }
    this.#endRun(0);
    const startUs = state.stampMark();
    const stepUs = (state.stamps(count) - startUs) / count;
    const delayUs = clampDelay(stepUs);
    for (let done = 0; done < count; ) {
      const run = Math.min(count - done, MAX_RUN);
      const from = (seq + done * bytes) | 0;
      const firstUs = startUs + (done + 1) * stepUs;
      const lastUs = startUs + (done + run) * stepUs;
      const first = this.#nextOrders(run);
      this.#segments.add(firstUs, lastUs, first, from, ack, bytes, window, tsVal, tsEcr, delayUs, info, run);
      this.#beginRun(from, ack, bytes, window, tsVal, tsEcr, info, lastUs, run, state);
      done += run;
    }
  }

  segmentExpected(segment: ExpectedSegment, state: TimedState): void {
    if (!this.#recording) return;
    const { options } = segment;
    const order = this.#order.next;
    if (
      this.#isRowDue &&
      order === this.#runOrder &&
      segment.bytes === this.#runBytes &&
      segment.flags === segmentFlags(this.#runInfo) &&
      options.tsVal === this.#runTsVal &&
      options.tsEcr === this.#runTsEcr &&
      segment.arrivedUs === this.#runTimes[RUN_ARRIVED] &&
      this.#room > 0
    ) {
      this.#join(1, order, state);
      return;
    }
    // Runs of a batch share a window row.
    if (this.#isRowDue) this.#stampRun(state);
    else this.#endRun(0);
    const { seq, ack, flags, bytes, window, arrivedUs } = segment;
    const { hasTimestamps, tsVal, tsEcr } = options;
    const nowUs = state.stamps(1);
    const delayUs = clampDelay(nowUs - arrivedUs);
    const info = segmentInfo(true, flags, 0, hasTimestamps, 0);
    const [val, ecr] = [hasTimestamps ? tsVal : 0, hasTimestamps ? tsEcr : 0];
    this.#segments.add(nowUs, nowUs, this.#nextOrders(1), seq, ack, bytes, window, val, ecr, delayUs, info, 1);
    this.#beginRun(seq, ack, bytes, window, tsVal, tsEcr, info, nowUs, 1, state);
    this.#runTimes[RUN_ARRIVED] = arrivedUs;
    this.#isRowDue = true;
  }

  /** Lets segments that follow the one added last join it. */
  #beginRun(
    seq: number,
    ack: number,
    bytes: number,
    window: number,
    tsVal: number,
    tsEcr: number,
    info: number,
    lastUs: number,
    count: number,
    state: TimedState,
  ): void {
    this.#run = state;
    this.#runOrder = this.#order.next;
    this.#runSeq = (seq + count * bytes) | 0;
    this.#runAck = ack;
    this.#runBytes = bytes;
    this.#runInfo = info;
    this.#runWindow = window;
    this.#runTsVal = tsVal;
    this.#runTsEcr = tsEcr;
    this.#runTimes[RUN_LAST] = lastUs;
    this.#room = MAX_RUN - count;
  }

  #join(count: number, order: number, state: TimedState): void {
    this.#runOrder = (order + count) | 0;
    this.#order.next = this.#runOrder;
    this.#runSeq = (this.#runSeq + count * this.#runBytes) | 0;
    this.#room -= count;
    this.#untimed += count;
    if (this.#untimed >= SEGMENTS_PER_STAMP) this.#stampRun(state);
  }

  /** Those of the run that have no time yet get theirs: between the last one that has, and now. */
  #stampRun(state: TimedState): void {
    const count = this.#untimed;
    if (count === 0) return;
    this.#untimed = 0;
    const nowUs = state.stamps(count);
    // A pause among segments is not spread over what follows.
    if (nowUs - this.#runTimes[RUN_LAST]! > MAX_STEP_US * count) this.#room = 0;
    this.#runTimes[RUN_LAST] = nowUs;
    this.#segments.extend(count, nowUs);
  }

  windowUpdated(nowUs: number, window: WindowState): void {
    if (this.#recording) this.#windowRow(this.#endRun(nowUs), window);
  }

  #windowRow(nowUs: number, window: WindowState): void {
    if (window.state !== this.#state) this.#stateChanged(nowUs, window.state);
    if (window.caState !== this.#caState) this.#caStateChanged(nowUs, window.caState);
    const slot = this.#windows.claim();
    const { words, doubles } = this.#windows.slots;
    const { mss, rtt } = window;
    const double = slot * (WINDOW_WORDS >>> 1);
    let at = slot * WINDOW_WORDS + WINDOW_ORDER;
    doubles[double + AT_TIME] = nowUs;
    doubles[double + WINDOW_PACING_RATE] = window.paced && window.paceUsPerByte > 0 ? 1e6 / window.paceUsPerByte : 0;
    words[at] = this.#nextOrders(1);
    words[++at] = window.sndNxt;
    words[++at] = window.segAck;
    words[++at] = window.sndUna;
    words[++at] = window.rcvNxt;
    words[++at] = window.recoveryPoint;
    words[++at] = window.sndWnd;
    words[++at] = window.rcvWnd;
    words[++at] = saturate(window.cwnd * mss);
    words[++at] = saturate(window.ssthresh * mss);
    words[++at] = window.segmentsInFlight * mss;
    words[++at] = rtt.srttUs;
    words[++at] = rtt.rttvarUs;
    words[++at] = window.rtoUs;
    words[++at] = rtt.minRttUs === NEVER ? 0 : rtt.minRttUs;
    words[slot * WINDOW_WORDS + WINDOW_INFO] = windowInfo(
      window.backoff,
      window.inRecovery,
      window.caState,
      this.#limitedBy,
      window.reordering,
    );
  }

  settled(timeUs: number, state: TimerState): void {
    if (!this.#recording) return;
    const nowUs = this.#endRun(timeUs);
    const closed = state.state === CLOSED && this.#state !== CLOSED;
    if (state.state !== this.#state) this.#stateChanged(nowUs, state.state, state.error);
    if (state.caState !== this.#caState) this.#caStateChanged(nowUs, state.caState);
    const limitedBy = limitOf(state, this.#limitedBy);
    if (limitedBy !== this.#limitedBy) {
      this.happened(nowUs, EVENT_LIMITED, this.#limitedBy, limitedBy);
      this.#limitedBy = limitedBy;
    }
    const timer = state.rtoAtUs === NEVER ? NONE : state.rtoMode;
    if (timer !== this.#timer) {
      this.#timer = timer;
      if (timer !== NONE) this.#armed(nowUs, timer, state.rtoAtUs);
    }
    const delayedAck = state.delayedAckAtUs !== NEVER;
    if (delayedAck !== this.#delayedAck) {
      this.#delayedAck = delayedAck;
      if (delayedAck) this.#armed(nowUs, TIMER_DELAYED_ACK, state.delayedAckAtUs);
    }
    const keepAlive = state.keepAliveAtUs !== NEVER;
    if (keepAlive !== this.#keepAlive) {
      this.#keepAlive = keepAlive;
      if (keepAlive) this.#armed(nowUs, TIMER_KEEPALIVE, state.keepAliveAtUs);
    }
    const life = state.lifeAtUs !== NEVER;
    if (life !== this.#life) {
      this.#life = life;
      if (life) this.#armed(nowUs, TIMER_TIME_WAIT, state.lifeAtUs);
    }
    if (state.paceHeld !== this.#pace) {
      this.#pace = state.paceHeld;
      if (state.paceHeld) this.#armed(nowUs, TIMER_PACE, state.paceAtUs);
    }
    if (closed) this.#onClosed?.();
  }

  happened(timeUs: number, kind: number, a: number, b: number): void {
    if (!this.#recording) return;
    const nowUs = this.#endRun(timeUs);
    const slot = this.#events.claim();
    const { words, doubles } = this.#events.slots;
    const at = slot * EVENT_WORDS;
    doubles[slot * (EVENT_WORDS >>> 1) + AT_TIME] = nowUs;
    words[at + EVENT_ORDER] = this.#nextOrders(1);
    words[at + EVENT_KIND] = kind;
    words[at + EVENT_A] = a;
    words[at + EVENT_B] = b;
  }

  /**
   * A run gets its last times, and its window row when one is due, before anything else is recorded.
   * @returns `nowUs`, or the time of its end when that is later.
   */
  #endRun(nowUs: number): number {
    const state = this.#run;
    if (state === undefined) return nowUs;
    this.#stampRun(state);
    const endUs = this.#runTimes[RUN_LAST]!;
    this.#run = undefined;
    if (this.#isRowDue) {
      this.#isRowDue = false;
      this.#windowRow(endUs, state);
    }
    return Math.max(nowUs, endUs);
  }

  #segment(
    direction: number,
    seq: number,
    ack: number,
    flags: number,
    bytes: number,
    window: number,
    timeUs: number,
    delayUs: number,
    reason: number,
    options: ObservedOptions,
  ): void {
    const nowUs = this.#endRun(timeUs);
    let sackBlocks = 0;
    if (options.sackCount > 0) {
      sackBlocks = options.sackCount;
      this.#noteSacks(options);
    }
    const stamped = options.hasTimestamps;
    const tsVal = stamped ? options.tsVal : 0;
    const tsEcr = stamped ? options.tsEcr : 0;
    const info = segmentInfo(direction === 1, flags, reason, stamped, sackBlocks);
    const order = this.#nextOrders(1);
    this.#segments.add(nowUs, nowUs, order, seq, ack, bytes, window, tsVal, tsEcr, clampDelay(delayUs), info, 1);
  }

  /** Of the segment that is recorded next. */
  #noteSacks(options: ObservedOptions): void {
    const segment = this.#segments.total;
    for (let i = 0; i < options.sackCount; i++) {
      const at = this.#sacks.claim() * SACK_WORDS;
      const { words } = this.#sacks.slots;
      words[at] = segment;
      words[at + 1] = options.sackLeft[i]!;
      words[at + 2] = options.sackRight[i]!;
    }
  }

  #synOrReset(nowUs: number, flags: number, direction: number, options: ObservedOptions): void {
    if ((flags & RST) !== 0) this.happened(nowUs, EVENT_RESET, 0, 0);
    if ((flags & SYN) === 0) return;
    let bits = direction;
    if (options.windowShift >= 0) bits |= SYN_WINDOW_SCALE | (options.windowShift & SYN_SHIFT_MASK);
    if (options.sackPermitted) bits |= SYN_SACK_PERMITTED;
    if (options.hasTimestamps) bits |= SYN_TIMESTAMPS;
    if (options.cookieBytes >= 0) bits |= SYN_FAST_OPEN;
    this.happened(nowUs, EVENT_SYN_OPTIONS, options.mss, bits);
  }

  #stateChanged(nowUs: number, state: number, error?: string): void {
    // Of a flow whose recording began later the state before is not known.
    this.happened(nowUs, EVENT_STATE, this.#state === NONE ? CLOSED : this.#state, state);
    const opened = this.#state !== ESTABLISHED && state === ESTABLISHED;
    this.#state = state;
    if (opened) this.#onEstablished?.();
    if (error === 'ECONNRESET' || error === 'ECONNREFUSED') this.happened(nowUs, EVENT_RESET, 1, 0);
    if (error !== undefined) this.happened(nowUs, EVENT_ERROR, this.#stringIndex(error), 0);
  }

  #caStateChanged(nowUs: number, caState: number): void {
    this.happened(nowUs, EVENT_CONGESTION, this.#caState, caState);
    this.#caState = caState;
  }

  #armed(nowUs: number, timer: number, atUs: number): void {
    this.happened(nowUs, EVENT_TIMER_ARMED, timer, saturate(Math.max(atUs - nowUs, 0)));
  }

  /** Takes so many numbers. They stay int32, which are stored as quickly after 2^31 rows as before. @returns the first. */
  #nextOrders(count: number): number {
    const order = this.#order.next;
    this.#order.next = (order + count) | 0;
    return order;
  }
}

/** What the column holds: microseconds. */
function clampDelay(delayUs: number): number {
  return delayUs > 0 ? Math.min(delayUs, MAX_UINT32) : 0;
}
