import type { ExpectedSegment, ObservedOptions, TcpObserver, TimedState, TimerState, WindowState } from '@qanat/tcp';
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
  ENTRY_IS_RECEIVED,
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
  FlowJournal,
  type TakeEntries,
  WINDOW_ENTRY_WORDS,
} from './flow-journal.ts';
import {
  EVENT_CONGESTION,
  EVENT_ERROR,
  EVENT_LIMITED,
  EVENT_RESET,
  EVENT_STATE,
  EVENT_SYN_OPTIONS,
  EVENT_TIMER_ARMED,
  EVENT_TIMER_FIRED,
  SYN_RX,
  TIMER_DELAYED_ACK,
  TIMER_KEEPALIVE,
  TIMER_PACE,
  TIMER_TIME_WAIT,
} from './kinds.ts';
import { limitOf } from './limited-by.ts';
import { saturate } from './record.ts';
import { segmentInfo } from './segment-info.ts';
import { MAX_RUN, MAX_STEP_US } from './segment-runs.ts';
import { synBits } from './syn-bits.ts';
import { LOOK_DELAYED_ACK, LOOK_KEEP_ALIVE, LOOK_LIFE, LOOK_PACE, lookAt, lookWithout } from './timer-look.ts';
import { windowInfo } from './window-info.ts';

/** Segments that were noted and get their times later. */
export interface OpenRun {
  /** Gives them their times, because something else is noted now. @returns the last one. */
  closeRun(): number;
}

/** Numbers the rows of all recorders of a source, and keeps their times in that order. */
export interface OrderCounter {
  next: number;
  /** Who noted last, if it was segments without times. */
  open: OpenRun | undefined;
}

/** Whom a watch asks and tells. */
export interface WatchContext {
  /** What the source's recorders share. */
  readonly order?: OrderCounter;
  /** Index of a text in the strings of the source. */
  readonly stringIndex?: (text: string) => number;
  /** Called when the handshake is complete: what it settled can be described now. */
  readonly onEstablished?: () => void;
  /** Called when the connection is closed. */
  readonly onClosed?: () => void;
}

const SYN = 0x02;
const RST = 0x04;
const ESTABLISHED = 1;
const CLOSED = 7;
/** Of a run, until the clock is asked. */
const SEGMENTS_PER_STAMP = 16;
const NEVER = Number.POSITIVE_INFINITY;
/** Not seen yet, or not armed. */
const NONE = -1;

/**
 * Watches a connection: TCP's observer, which notes in a journal what it is told, and what has changed since it last looked. Off, it
 * costs a branch.
 */
export class FlowWatch implements TcpObserver, OpenRun {
  protected readonly journal: FlowJournal;
  protected isOn = false;
  readonly #order: OrderCounter;
  readonly #stringIndex: (text: string) => number;
  readonly #onEstablished: (() => void) | undefined;
  readonly #onClosed: (() => void) | undefined;
  // What the last look at the connection saw, so that changes are told.
  #state = NONE;
  #caState = 0;
  #limitedBy = 0;
  #timer = NONE;
  #look = 0;
  /** The connection, while a run of segments that come as expected goes on: a window row follows it. */
  #run: TimedState | undefined;
  /** Its entry. */
  #runAt = 0;
  /** Segments of the run that have no time yet, and how many it may still take. */
  #untimed = 0;
  #room = 0;

  constructor(context: WatchContext, take: TakeEntries) {
    this.journal = new FlowJournal(take);
    this.#order = context.order ?? { next: 0, open: undefined };
    this.#stringIndex = context.stringIndex ?? (() => 0);
    this.#onEstablished = context.onEstablished;
    this.#onClosed = context.onClosed;
  }

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
    if (!this.isOn) return;
    const timeUs = this.#timeAfterRuns(nowUs);
    if (options.sackCount > 0) this.#sacks(options);
    const info = segmentInfo(false, flags, reason, options.hasTimestamps, options.sackCount);
    this.#segment(ENTRY_IS_SENT_SINGLE, info, timeUs, delayUs, seq, ack, bytes, window, options);
    if ((flags & (SYN | RST)) !== 0) this.#synOrReset(timeUs, flags, 0, options);
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
    if (!this.isOn) return;
    const timeUs = this.#timeAfterRuns(nowUs);
    if (options.sackCount > 0) this.#sacks(options);
    const info = segmentInfo(true, flags, 0, options.hasTimestamps, options.sackCount);
    this.#segment(ENTRY_IS_RECEIVED, info, timeUs, arrivedUs, seq, ack, bytes, window, options);
    if ((flags & SYN) !== 0) this.#synOrReset(timeUs, flags & SYN, SYN_RX, options);
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
    if (!this.isOn) return;
    this.#timeAfterRuns(0);
    const { journal } = this;
    const at = journal.claim(ENTRY_WORDS);
    const { words, doubles } = journal;
    doubles[(at >>> 1) + ENTRY_SINCE] = state.stampMark();
    doubles[(at >>> 1) + ENTRY_TIME] = state.stamps(count);
    words[at + ENTRY_SEQ] = seq;
    words[at + ENTRY_ACK] = ack;
    words[at + ENTRY_INFO] = segmentInfo(false, flags, 0, stamped, 0);
    words[at + ENTRY_BYTES] = bytes;
    words[at + ENTRY_WINDOW] = window;
    words[at + ENTRY_TS_VAL] = tsVal;
    words[at + ENTRY_TS_ECR] = tsEcr;
    words[at + ENTRY_ORDER] = this.#nextOrders(count);
    words[at + ENTRY_COUNT] = count;
    words[at + ENTRY_KIND] = ENTRY_IS_SENT;
  }

  segmentExpected(segment: ExpectedSegment, state: TimedState): void {
    if (!this.isOn) return;
    const { options } = segment;
    const { hasTimestamps } = options;
    const info = segmentInfo(true, segment.flags, 0, hasTimestamps, 0);
    const { journal } = this;
    if (this.#run !== undefined) {
      const run = this.#runAt;
      const { words } = journal;
      const order = this.#order.next;
      const count = words[run + ENTRY_COUNT]!;
      if (
        this.#room > 0 &&
        order === ((words[run + ENTRY_ORDER]! + count) | 0) &&
        info === words[run + ENTRY_INFO] &&
        segment.bytes === words[run + ENTRY_BYTES] &&
        (!hasTimestamps ||
          (options.tsVal === words[run + ENTRY_TS_VAL] && options.tsEcr === words[run + ENTRY_TS_ECR])) &&
        segment.arrivedUs === journal.doubles[(run >>> 1) + ENTRY_SINCE]
      ) {
        this.#order.next = (order + 1) | 0;
        words[run + ENTRY_COUNT] = count + 1;
        this.#room--;
        if (++this.#untimed >= SEGMENTS_PER_STAMP) this.#stampRun(state);
        return;
      }
    }
    // Runs of a batch share a window row.
    this.#order.open?.closeRun();
    const nowUs = state.stamps(1);
    const { seq, ack, bytes, window, arrivedUs } = segment;
    const at = this.#segment(ENTRY_IS_EXPECTED, info, nowUs, arrivedUs, seq, ack, bytes, window, options);
    journal.words[at + ENTRY_COUNT] = 1;
    journal.doubles[(at >>> 1) + ENTRY_LAST] = nowUs;
    this.#run = state;
    this.#runAt = at;
    this.#room = MAX_RUN - 1;
    this.#order.open = this;
  }

  windowUpdated(nowUs: number, window: WindowState): void {
    if (!this.isOn) return;
    const timeUs = this.#timeAfterRuns(nowUs);
    this.#window(timeUs, window);
  }

  settled(nowUs: number, state: TimerState): void {
    if (!this.isOn) return;
    const timeUs = this.#timeAfterRuns(nowUs);
    const look = lookAt(state);
    if (look !== this.#look) this.#changed(timeUs, look, state);
  }

  happened(nowUs: number, kind: number, a: number, b: number): void {
    if (!this.isOn) return;
    const timeUs = this.#timeAfterRuns(nowUs);
    if (kind === EVENT_TIMER_FIRED) this.#fired(a);
    const { journal } = this;
    const at = journal.claim(ENTRY_WORDS);
    const { words } = journal;
    journal.doubles[(at >>> 1) + ENTRY_TIME] = timeUs;
    words[at + ENTRY_EVENT] = kind;
    words[at + ENTRY_A] = a;
    words[at + ENTRY_B] = b;
    words[at + ENTRY_ORDER] = this.#nextOrders(1);
    words[at + ENTRY_KIND] = ENTRY_IS_EVENT;
  }

  /** Hands on everything that was noted. */
  protected settle(): void {
    if (this.#run !== undefined) this.#endRuns(0);
    this.journal.drain();
  }

  /** @returns its entry. */
  #segment(
    kind: number,
    info: number,
    timeUs: number,
    since: number,
    seq: number,
    ack: number,
    bytes: number,
    window: number,
    options: ExpectedSegment['options'],
  ): number {
    const { journal } = this;
    const at = journal.claim(ENTRY_WORDS);
    const { words, doubles } = journal;
    doubles[(at >>> 1) + ENTRY_TIME] = timeUs;
    doubles[(at >>> 1) + ENTRY_SINCE] = since;
    words[at + ENTRY_SEQ] = seq;
    words[at + ENTRY_ACK] = ack;
    words[at + ENTRY_INFO] = info;
    words[at + ENTRY_BYTES] = bytes;
    words[at + ENTRY_WINDOW] = window;
    words[at + ENTRY_TS_VAL] = options.hasTimestamps ? options.tsVal : 0;
    words[at + ENTRY_TS_ECR] = options.hasTimestamps ? options.tsEcr : 0;
    words[at + ENTRY_ORDER] = this.#nextOrders(1);
    words[at + ENTRY_KIND] = kind;
    return at;
  }

  /** Of the segment that is noted next. */
  #sacks(options: ObservedOptions): void {
    const { journal } = this;
    const at = journal.claim(ENTRY_WORDS);
    const { words } = journal;
    words[at + ENTRY_BLOCKS] = options.sackCount;
    words[at + ENTRY_KIND] = ENTRY_IS_SACKS;
    let place = at + ENTRY_FIRST_BLOCK;
    for (let i = 0; i < options.sackCount; i++) {
      words[place++] = options.sackLeft[i]!;
      words[place++] = options.sackRight[i]!;
    }
  }

  #window(nowUs: number, window: WindowState): void {
    if (window.state !== this.#state) this.#stateChanged(nowUs, window.state);
    if (window.caState !== this.#caState) this.#caStateChanged(nowUs, window.caState);
    const { journal } = this;
    const at = journal.claim(WINDOW_ENTRY_WORDS);
    const { words, doubles } = journal;
    const { rtt } = window;
    doubles[(at >>> 1) + ENTRY_TIME] = nowUs;
    doubles[(at >>> 1) + ENTRY_SINCE] = window.paced ? window.paceUsPerByte : 0;
    words[at + ENTRY_SEQ] = window.sndNxt;
    words[at + ENTRY_ACK] = window.segAck;
    words[at + ENTRY_INFO] = window.sndUna;
    words[at + ENTRY_BYTES] = window.rcvNxt;
    words[at + ENTRY_WINDOW] = window.recoveryPoint;
    words[at + ENTRY_TS_VAL] = window.sndWnd;
    words[at + ENTRY_TS_ECR] = window.rcvWnd;
    words[at + ENTRY_ORDER] = this.#nextOrders(1);
    words[at + ENTRY_CWND] = window.cwnd;
    words[at + ENTRY_KIND] = ENTRY_IS_WINDOW;
    words[at + ENTRY_SSTHRESH] = window.ssthresh;
    words[at + ENTRY_IN_FLIGHT] = window.segmentsInFlight;
    words[at + ENTRY_SRTT] = rtt.srttUs;
    words[at + ENTRY_RTTVAR] = rtt.rttvarUs;
    words[at + ENTRY_RTO] = window.rtoUs;
    // 0 when it is not known, which is an infinite time there.
    words[at + ENTRY_MIN_RTT] = rtt.minRttUs;
    const { backoff, inRecovery, caState, reordering } = window;
    words[at + ENTRY_WINDOW_INFO] = windowInfo(backoff, inRecovery, caState, this.#limitedBy, reordering);
    words[at + ENTRY_MSS] = window.mss;
  }

  /** Those of the run that have no time yet get theirs: between the last one that has, and now. */
  #stampRun(state: TimedState): void {
    const count = this.#untimed;
    if (count === 0) return;
    this.#untimed = 0;
    const nowUs = state.stamps(count);
    const { doubles } = this.journal;
    const last = (this.#runAt >>> 1) + ENTRY_LAST;
    // A pause among segments is not spread over what follows.
    if (nowUs - doubles[last]! > MAX_STEP_US * count) this.#room = 0;
    doubles[last] = nowUs;
  }

  closeRun(): number {
    this.#order.open = undefined;
    const state = this.#run!;
    this.#stampRun(state);
    return state.stampMark();
  }

  /** As `#endRuns`, where there are any: mostly there are none. */
  #timeAfterRuns(nowUs: number): number {
    return this.#run === undefined && this.#order.open === undefined ? nowUs : this.#endRuns(nowUs);
  }

  /**
   * Runs get their last times, also that of another flow, and that of this one its window row, before anything else is noted.
   * @returns `nowUs`, or the last stamp when that is later.
   */
  #endRuns(nowUs: number): number {
    let timeUs = nowUs;
    const { open } = this.#order;
    if (open !== undefined) timeUs = Math.max(timeUs, open.closeRun());
    const state = this.#run;
    if (state !== undefined) {
      this.#run = undefined;
      // Something of the machine may have come in between.
      timeUs = Math.max(timeUs, state.stampMark());
      this.#window(timeUs, state);
    }
    return timeUs;
  }

  /** Tells what is other than when it last looked. */
  #changed(nowUs: number, look: number, state: TimerState): void {
    const begun = look & ~this.#look;
    this.#look = look;
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
    if (begun & LOOK_DELAYED_ACK) this.#armed(nowUs, TIMER_DELAYED_ACK, state.delayedAckAtUs);
    if (begun & LOOK_KEEP_ALIVE) this.#armed(nowUs, TIMER_KEEPALIVE, state.keepAliveAtUs);
    if (begun & LOOK_LIFE) this.#armed(nowUs, TIMER_TIME_WAIT, state.lifeAtUs);
    if (begun & LOOK_PACE) this.#armed(nowUs, TIMER_PACE, state.paceAtUs);
    if (closed) this.#onClosed?.();
  }

  /** When it is armed again, with the same or another deadline, that is told. */
  #fired(timer: number): void {
    this.#look = lookWithout(this.#look, timer);
    if (timer === this.#timer) this.#timer = NONE;
  }

  #synOrReset(nowUs: number, flags: number, direction: number, options: ObservedOptions): void {
    if ((flags & RST) !== 0) this.happened(nowUs, EVENT_RESET, 0, 0);
    if ((flags & SYN) === 0) return;
    this.happened(nowUs, EVENT_SYN_OPTIONS, options.mss, synBits(options, direction));
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
