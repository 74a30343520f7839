import type { Connection } from './connection.ts';
import type { ExpectedSegment, ObservedOptions, TcpObserver, TimedState, TimerState, WindowState } from './observer.ts';

/** Has an observer watch a connection, beside those that do already. */
export function addObserver(c: Connection, observer: TcpObserver): void {
  c.observer = c.observer === undefined ? observer : new BothObservers(c.observer, observer);
}

/** Ends the watching of one of them; of one that does not watch nothing happens. */
export function removeObserver(c: Connection, observer: TcpObserver): void {
  if (c.observer !== undefined) c.observer = without(c.observer, observer);
}

function without(from: TcpObserver, observer: TcpObserver): TcpObserver | undefined {
  if (from === observer) return undefined;
  if (!(from instanceof BothObservers)) return from;
  const first = without(from.first, observer);
  const second = without(from.second, observer);
  if (first === undefined) return second;
  return second === undefined ? first : new BothObservers(first, second);
}

/** Two in the place of one. */
class BothObservers implements TcpObserver {
  readonly first: TcpObserver;
  readonly second: TcpObserver;

  constructor(first: TcpObserver, second: TcpObserver) {
    this.first = first;
    this.second = second;
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
    this.first.segmentSent(seq, ack, flags, bytes, window, nowUs, delayUs, reason, options);
    this.second.segmentSent(seq, ack, flags, bytes, window, nowUs, delayUs, reason, options);
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
    this.first.segmentReceived(seq, ack, flags, bytes, window, arrivedUs, nowUs, options);
    this.second.segmentReceived(seq, ack, flags, bytes, window, arrivedUs, nowUs, options);
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
    this.first.dataSent(seq, ack, flags, bytes, window, stamped, tsVal, tsEcr, count, state);
    this.second.dataSent(seq, ack, flags, bytes, window, stamped, tsVal, tsEcr, count, state);
  }

  segmentExpected(segment: ExpectedSegment, state: TimedState): void {
    this.first.segmentExpected(segment, state);
    this.second.segmentExpected(segment, state);
  }

  windowUpdated(nowUs: number, window: WindowState): void {
    this.first.windowUpdated(nowUs, window);
    this.second.windowUpdated(nowUs, window);
  }

  settled(nowUs: number, state: TimerState): void {
    this.first.settled(nowUs, state);
    this.second.settled(nowUs, state);
  }

  happened(nowUs: number, what: number, a: number, b: number): void {
    this.first.happened(nowUs, what, a, b);
    this.second.happened(nowUs, what, a, b);
  }
}
