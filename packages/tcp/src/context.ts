import type { Memory, PageAllocator } from '@qanat/bytes';
import type { TimerQueue } from '@qanat/clock';
import type { Connection } from './connection.ts';
import type { DestinationCache } from './destination-metrics.ts';
import type { SynOptions } from './options.ts';
import type { TcpErrorCode } from './state.ts';
import type { TcpStats } from './stats.ts';

/** Who a connection has to do with: its user, the listener it came from, and the layer it belongs to. */

/** Who uses a connection. Calls come at the end of a batch of segments or a timer, never from within a user call. */
export interface ConnectionUser {
  onConnect(): void;
  /** There is something to read. */
  onReadable(): void;
  /** A write that was refused (in part) would get further now. */
  onWritable(): void;
  /** Of the memory that was lent some was given back (`snd.lent` has become less). It may come after onClose. */
  onReturned?(): void;
  /** The peer has sent its FIN and everything before it is in the receive queue. */
  onEnd(): void;
  /** The peer says that urgent data is on its way (RFC 9293 section 3.8.5). */
  onUrgent(): void;
  /**
   * The connection is in trouble, and lives: ICMP told of a soft error, or R1 retransmissions went unanswered
   * (ETIMEDOUT). The asynchronous report of RFC 9293 section 3.9.1.8.
   */
  onTrouble?(code: TcpErrorCode): void;
  /** The connection is over; `error` is undefined after an orderly close. The last call. */
  onClose(error: TcpErrorCode | undefined): void;
  /**
   * The connection has been silent for a while, and is stored away: the object is not to be used any more, `slot` stands
   * for it (see `Tcp.wake`). A user without this method keeps its connection as it is.
   */
  onSleep?(slot: number): void;
  /** It is awake again, in another object. */
  onWake?(c: Connection): void;
}

/** Who hands out connections that peers open: a listener. */
export interface ConnectionParent {
  /** Nobody accepts: a handshake shall not be completed now. */
  readonly acceptQueueFull: boolean;
  /** The handshake is complete. */
  established(c: Connection): void;
  /** It ended before. */
  failed(c: Connection): void;
}

/** What a connection needs of the layer it belongs to. */
export interface TcpContext {
  readonly memory: Memory;
  readonly pages: PageAllocator;
  readonly timers: TimerQueue;
  readonly stats: TcpStats;
  /** Time of the batch being processed, in microseconds. */
  readonly nowUs: number;
  /** The same in milliseconds, as timestamps count them (int32, it wraps). */
  readonly nowMs: number;
  /** Grain of the clock, in microseconds. */
  readonly clockResolutionUs: number;
  /** Scratch for the options of a SYN. */
  readonly synOptions: SynOptions;
  /** What earlier connections taught about destinations. */
  readonly destinations: DestinationCache;
  /** The clock itself. */
  readClock(): number;
  /** A time for the flow log, of something that took a little work (see `stamp-clock`). */
  stamp(): number;
  /** The same, of so many things that took as much work each. */
  stamps(count: number): number;
  /** The stamp before, of what follows it at once. */
  stampMark(): number;
  /** A stamp for a call of the user. */
  stampUser(): number;
  /** A user call begins that acts by the time: outside of a batch, `nowUs` is that of the last one. */
  userBegins(): void;
  /** Asks for a turn (events, output) at the end of the batch. */
  touch(c: Connection): void;
  /** The device is full: asks for a turn when it has room. */
  blockOnDevice(c: Connection): void;
  /** Packets under way refer to memory that is not needed otherwise: sees to it when the device has answered. */
  awaitAnswers(c: Connection): void;
  /** Takes a closed connection out of the demultiplexer. */
  forget(c: Connection): void;
  /** Whether a connection whose last state was TIME-WAIT is still in it. */
  stillWaits(c: Connection): boolean;
  connectionTimer(c: Connection): void;
}

export const EVENT_CONNECT = 1;
export const EVENT_READABLE = 2;
export const EVENT_WRITABLE = 4;
export const EVENT_END = 8;
export const EVENT_CLOSE = 16;
export const EVENT_URGENT = 32;
export const EVENT_TROUBLE = 64;
export const EVENT_RETURNED = 128;
