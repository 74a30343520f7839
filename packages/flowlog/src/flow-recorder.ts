import type { ObservedOptions, TcpObserver, TimerState, WindowState } from '@qanat/tcp';
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
import { normalizeSacks } from './normalize-sacks.ts';
import { CHUNK_EVENTS, CHUNK_SACKS, CHUNK_SEGMENTS, CHUNK_WINDOWS } from './qflow-layout.ts';
import type { FlowTotals } from './qflow-writer.ts';
import { type FlowRecord, saturate } from './record.ts';
import { RecordsView } from './records-view.ts';
import { type RowSink, RowStore } from './row-store.ts';
import { segmentInfo } from './segment-info.ts';
import { type FlowDescriptor, type FlowTrace, flowDescriptor } from './trace.ts';
import { windowInfo } from './window-info.ts';

/** Numbers the rows of all recorders of a source. */
export interface OrderCounter {
  next: number;
}

export interface FlowRecorderOptions {
  /** Most rows of each table that are kept, rounded up to a power of two; the oldest give way. Default 65536. */
  readonly records?: number;
  /** Gets the rows when that many have come, instead of their giving way. */
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
const NEVER = Number.POSITIVE_INFINITY;
/** Not seen yet, or not armed. */
const NONE = -1;

/**
 * The flight recorder of one flow: TCP's observer over bounded tables of columns. Off, it costs a branch; on, a record is
 * a few stores into typed arrays. Every method may be called while the flow runs. The names of the calls that start, stop
 * and dump are those of the 2013 debug log.
 */
export class FlowRecorder implements TcpObserver {
  readonly capacity: number;
  readonly id: number;
  readonly #segments: RowStore<typeof CHUNK_SEGMENTS>;
  readonly #sacks: RowStore<typeof CHUNK_SACKS>;
  readonly #windows: RowStore<typeof CHUNK_WINDOWS>;
  readonly #events: RowStore<typeof CHUNK_EVENTS>;
  readonly #view: RecordsView;
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

  /** @throws RangeError when `records` is not in 1..MAX_RECORDS. */
  constructor(options: FlowRecorderOptions = {}) {
    const { records = DEFAULT_RECORDS, sink, id = 0 } = options;
    if (!(Number.isInteger(records) && records >= 1 && records <= MAX_RECORDS)) {
      throw new RangeError(`a flow recorder of ${records} records: the number must be in 1..${MAX_RECORDS}`);
    }
    this.capacity = 2 ** Math.ceil(Math.log2(records));
    this.id = id;
    this.#segments = new RowStore(CHUNK_SEGMENTS, this.capacity, sink, id);
    this.#sacks = new RowStore(CHUNK_SACKS, this.capacity, sink, id);
    this.#windows = new RowStore(CHUNK_WINDOWS, this.capacity, sink, id);
    this.#events = new RowStore(CHUNK_EVENTS, this.capacity, sink, id);
    this.#view = new RecordsView(this.#segments, this.#windows, this.capacity);
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
    return this.#view.count;
  }

  /** Those lost to younger ones since the start or the last `cleanLog`. */
  get overwritten(): number {
    return this.#view.overwritten;
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
    return this.#view.snapshot();
  }

  /** @returns a copy of all tables. */
  trace(descriptor: FlowDescriptor = flowDescriptor({ id: this.id, source: 0 })): FlowTrace {
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

  windowUpdated(nowUs: number, window: WindowState): void {
    if (!this.#recording) return;
    if (window.state !== this.#state) this.#stateChanged(nowUs, window.state);
    if (window.caState !== this.#caState) this.#caStateChanged(nowUs, window.caState);
    const store = this.#windows;
    const row = store.claim();
    const { columns } = store;
    const { mss, rtt } = window;
    columns.timeUs[row] = nowUs;
    columns.order[row] = this.#nextOrder();
    columns.sndNxt[row] = window.sndNxt;
    columns.segAck[row] = window.segAck;
    columns.sndUna[row] = window.sndUna;
    columns.rcvNxt[row] = window.rcvNxt;
    columns.recoveryPoint[row] = window.recoveryPoint;
    columns.sndWnd[row] = window.sndWnd;
    columns.rcvWnd[row] = window.rcvWnd;
    columns.cwnd[row] = saturate(window.cwnd * mss);
    columns.ssthresh[row] = saturate(window.ssthresh * mss);
    columns.pipe[row] = window.segmentsInFlight * mss;
    columns.srttUs[row] = rtt.srttUs;
    columns.rttvarUs[row] = rtt.rttvarUs;
    columns.rtoUs[row] = window.rtoUs;
    columns.minRttUs[row] = rtt.minRttUs === NEVER ? 0 : rtt.minRttUs;
    columns.pacingRate[row] = window.paced && window.paceUsPerByte > 0 ? 1e6 / window.paceUsPerByte : 0;
    columns.info[row] = windowInfo(
      window.backoff,
      window.inRecovery,
      window.caState,
      this.#limitedBy,
      window.reordering,
    );
  }

  settled(nowUs: number, state: TimerState): void {
    if (!this.#recording) return;
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

  happened(nowUs: number, kind: number, a: number, b: number): void {
    if (!this.#recording) return;
    const store = this.#events;
    const row = store.claim();
    const { columns } = store;
    columns.timeUs[row] = nowUs;
    columns.order[row] = this.#nextOrder();
    columns.kind[row] = kind;
    columns.a[row] = a;
    columns.b[row] = b;
  }

  #segment(
    direction: number,
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
    let sackBlocks = 0;
    if (options.sackCount > 0) {
      sackBlocks = options.sackCount;
      this.#noteSacks(options);
    }
    const stamped = options.hasTimestamps;
    const store = this.#segments;
    const row = store.claim();
    const { columns } = store;
    columns.timeUs[row] = nowUs;
    columns.order[row] = this.#nextOrder();
    columns.seq[row] = seq;
    columns.ack[row] = ack;
    columns.bytes[row] = bytes;
    columns.window[row] = window;
    columns.tsVal[row] = stamped ? options.tsVal : 0;
    columns.tsEcr[row] = stamped ? options.tsEcr : 0;
    columns.delayUs[row] = delayUs > 0 ? Math.min(delayUs, MAX_UINT32) : 0;
    columns.info[row] = segmentInfo(direction === 1, flags, reason, stamped, sackBlocks);
  }

  /** Of the segment that is recorded next. */
  #noteSacks(options: ObservedOptions): void {
    const segment = this.#segments.total;
    const store = this.#sacks;
    for (let i = 0; i < options.sackCount; i++) {
      const row = store.claim();
      const { columns } = store;
      columns.segment[row] = segment;
      columns.left[row] = options.sackLeft[i]!;
      columns.right[row] = options.sackRight[i]!;
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

  /** Stays an int32, which is stored as quickly after 2^31 rows as before. */
  #nextOrder(): number {
    const order = this.#order.next;
    this.#order.next = (order + 1) | 0;
    return order;
  }
}
