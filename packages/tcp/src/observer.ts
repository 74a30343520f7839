import type { ParsedOptions } from './options.ts';
import type { TcpErrorCode } from './state.ts';

/**
 * What a flow recorder may see of a connection. TCP calls it and never looks at what comes back; numbers and its own state
 * only, so that watching costs no allocation. What it is given may be read during the call.
 */
export interface TcpObserver {
  /**
   * A segment went down to the IP layer.
   * @param seq sequence number as on the wire (int32). @param ack acknowledgment number (int32).
   * @param flags TCP flag bits. @param bytes payload. @param window as advertised, unscaled field.
   * @param nowUs after the lower layers took it. @param delayUs time they needed.
   * @param reason why it was sent again (RESENT_*), 0 when it was not.
   */
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
  ): void;
  /**
   * A segment came, not processed yet.
   * @param arrivedUs when it entered the machine. @param nowUs when TCP looks at it.
   */
  segmentReceived(
    seq: number,
    ack: number,
    flags: number,
    bytes: number,
    window: number,
    arrivedUs: number,
    nowUs: number,
    options: ObservedOptions,
  ): void;
  /**
   * As `segmentSent`, of `count` segments of new data, one right after the other, with no option but timestamps. There are dozens in a
   * batch, so no time is taken: who wants one asks `state`.
   * @param seq of the first (int32). @param bytes payload of each. @param stamped whether they have timestamps; 0 are theirs else.
   */
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
  ): void;
  /**
   * As `segmentReceived` and `windowUpdated` together, of data that came as it was expected (header prediction) and is taken in: of
   * the window variables only SEG.ACK, RCV.NXT and RCV.WND can have changed. It follows the one before when nothing else was told in
   * between, and acknowledges and offers the same. As of `dataSent`, no time is taken.
   */
  segmentExpected(segment: ExpectedSegment, state: TimedState): void;
  /** The window variables after a segment was processed or a timer ran. */
  windowUpdated(nowUs: number, window: WindowState): void;
  /** The work on the connection is over for now: timers, states, and what stopped the sender stand as they will stay. */
  settled(nowUs: number, state: TimerState): void;
  /** Something else befell it. @param what SEEN_*, which says what `a` and `b` are. */
  happened(nowUs: number, what: number, a: number, b: number): void;
}

/** Options of a segment: those of ours are put into the same form as what was parsed. */
export type ObservedOptions = Pick<
  ParsedOptions,
  | 'hasTimestamps'
  | 'tsVal'
  | 'tsEcr'
  | 'mss'
  | 'windowShift'
  | 'sackPermitted'
  | 'cookieBytes'
  | 'sackCount'
  | 'sackLeft'
  | 'sackRight'
>;

/** Fields of a segment that has come. */
export interface ExpectedSegment {
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly bytes: number;
  readonly window: number;
  readonly arrivedUs: number;
  readonly options: Pick<ParsedOptions, 'hasTimestamps' | 'tsVal' | 'tsEcr'>;
}

export interface TimedState extends WindowState {
  /** @returns the time after `count` more things, each of which took as much work. */
  stamps(count: number): number;
  /** @returns the time of the last thing that had one. */
  stampMark(): number;
}

/** The fields of the 2013 window record and what has come since, read in place (the object is the connection's own state). */
export interface WindowState {
  /** SND.NXT (int32). */
  readonly sndNxt: number;
  /** Acknowledgment number of the last segment received (int32). */
  readonly segAck: number;
  /** SND.UNA (int32). */
  readonly sndUna: number;
  /** RCV.NXT (int32). */
  readonly rcvNxt: number;
  /** Consecutive retransmission timeouts. */
  readonly backoff: number;
  /** SND.WND in bytes, scaled. */
  readonly sndWnd: number;
  /** RCV.WND in bytes, scaled. */
  readonly rcvWnd: number;
  /** Congestion window in segments of `mss`. */
  readonly cwnd: number;
  /** Slow start threshold in segments of `mss`. */
  readonly ssthresh: number;
  /** Payload that fits one segment, in bytes. */
  readonly mss: number;
  /** Whether a loss recovery is under way. */
  readonly inRecovery: boolean;
  /** SND.NXT at the start of the recovery: it ends when this is acknowledged (int32). */
  readonly recoveryPoint: number;
  /** In segments of `mss` (RFC 6675's pipe). */
  readonly segmentsInFlight: number;
  readonly rtt: { readonly srttUs: number; readonly rttvarUs: number; readonly minRttUs: number };
  /** With its backoff. */
  readonly rtoUs: number;
  /** Whether data is paced, and then the time that each byte is paid for with. */
  readonly paced: boolean;
  readonly paceUsPerByte: number;
  /** Segments that may overtake one before it counts as lost. */
  readonly reordering: number;
  /** Congestion state (CA_*). */
  readonly caState: number;
  /** State of the connection. */
  readonly state: number;
}

/** Deadlines (NEVER: not armed), states, and what stopped the sender. */
export interface TimerState {
  readonly state: number;
  readonly caState: number;
  readonly error: TcpErrorCode | undefined;
  /** What `rtoAtUs` stands for: TIMER_* of timer-modes. */
  readonly rtoMode: number;
  readonly rtoAtUs: number;
  readonly delayedAckAtUs: number;
  readonly keepAliveAtUs: number;
  readonly lifeAtUs: number;
  readonly paceHeld: boolean;
  readonly paceAtUs: number;
  /** Why sending stopped (STOP_*). */
  readonly sendStop: number;
  /** Whether anything sent is unacknowledged. */
  readonly hasInFlight: boolean;
}

/** Why a segment was sent again. */
export const RESENT_FAST = 1;
export const RESENT_RTO = 2;
export const RESENT_LOSS_PROBE = 3;
/** In slow start after a timeout, or as F-RTO allows. */
export const RESENT_AFTER_RTO = 4;
export const RESENT_SYN = 5;
/** No data: a keep-alive or a probe of a closed window. */
export const RESENT_PROBE = 6;
export const RESENT_MTU = 7;
export const RESENT_OTHER = 15;

/** A timer fired: `a` which: TIMER_* of timer-modes, or one of those below. */
export const SEEN_TIMER_FIRED = 4;
/** A reduction was taken back: `a` why (UNDONE_*), `b` the window after it in bytes. */
export const SEEN_UNDO = 6;
/** `a` bytes were read. */
export const SEEN_READ = 7;
/** `a` bytes of the `b` offered were accepted. */
export const SEEN_WRITE = 8;
/** The application has nothing to do until `a` (WAITS_*). */
export const SEEN_WAIT = 9;
/** It is told that what it waits for, `a`, is there. */
export const SEEN_WAKE = 10;
/** The application closed (`a` 0) or shut its sending side (1). */
export const SEEN_CLOSE = 12;

export const FIRED_DELAYED_ACK = 4;
export const FIRED_KEEPALIVE = 5;
export const FIRED_PACE = 6;
export const FIRED_LIFE = 7;

export const UNDONE_DSACK = 1;
export const UNDONE_EIFEL = 2;
export const UNDONE_FRTO = 3;

export const WAITS_READABLE = 0;
export const WAITS_WRITABLE = 1;
export const WAITS_CONNECT = 2;
export const WAITS_CLOSE = 3;
