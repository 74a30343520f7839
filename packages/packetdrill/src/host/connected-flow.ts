import type { Flow } from '@qanat/stack';
import { CONSTANTS, ERRNO } from '../constants.ts';
import { UnsupportedError } from '../errors.ts';
import { readBytes } from './flow-calls.ts';
import { done, failed, failure, success, waiting } from './open-file.ts';
import { connectionMask, POLL_WRITE } from './poll-mask.ts';
import { SendBuffer, type SendPolicy } from './send-buffer.ts';
import type { Outcome, PendingCall, ReceivedMessage } from './system-calls.ts';

const C = CONSTANTS as Readonly<Record<string, number>>;
const EPIPE = ERRNO['EPIPE']!;

/** How a call waits, and what a read reports besides. */
export interface CallManner {
  readonly flags: number;
  readonly nonBlocking: boolean;
}

/** The connection of a TCP socket: reading, writing and readiness with Linux's manners above a flow. */
export class ConnectedFlow {
  readonly flow: Flow;
  readonly buffer: SendBuffer;
  connected: boolean;
  closed = false;
  readonly #wake: () => void;
  /** sk_err: told once. */
  #error = 0;
  #readShut = false;
  #writeShut = false;
  #peerEnded = false;
  /** A writer was refused: the next time there is room is an edge. */
  #wantsRoom = false;

  /** @param connected whether it came from a listener. @param wake something happened that poll might tell. */
  constructor(flow: Flow, connected: boolean, policy: SendPolicy, wake: () => void) {
    this.flow = flow;
    this.connected = connected;
    this.buffer = new SendBuffer(flow, policy);
    this.#wake = wake;
    flow.onReadable = wake;
    flow.onConnect = () => {
      this.connected = true;
      wake();
    };
    flow.onEnd = () => {
      this.#peerEnded = true;
      wake();
    };
    flow.onClose = (error) => {
      this.closed = true;
      // Linux: a reset in CLOSE-WAIT is EPIPE.
      if (error) this.#error = error.code === 'ECONNRESET' && this.#peerEnded ? EPIPE : -error.errno;
      wake();
    };
  }

  /** @returns the errno that waits to be told, 0 for none. */
  takeError(): number {
    const error = this.#error;
    this.#error = 0;
    return error;
  }

  write(bytes: number, manner: CallManner): PendingCall {
    const more = (manner.flags & C['MSG_MORE']!) !== 0;
    const endOfRecord = (manner.flags & C['MSG_EOR']!) !== 0;
    let taken = 0;
    const attempt = (): Outcome | undefined => {
      const broken = this.#error !== 0 || this.closed || this.#writeShut;
      if (broken) return taken > 0 ? success(taken) : failure(this.takeError() || EPIPE);
      if (!this.connected) return undefined;
      taken += this.buffer.write(bytes - taken, more, endOfRecord);
      if (taken === bytes) return success(taken);
      this.#wantsRoom = true;
      return manner.nonBlocking && taken > 0 ? success(taken) : undefined;
    };
    return waiting(attempt, manner.nonBlocking);
  }

  /** @param inq TCP_INQ: what is left is told with what was read. */
  read(bytes: number, manner: CallManner, inq: boolean): PendingCall {
    const { flags, nonBlocking } = manner;
    if (flags & (C['MSG_OOB']! | C['MSG_ERRQUEUE']!)) {
      throw new UnsupportedError('MSG_OOB and MSG_ERRQUEUE are not supported');
    }
    const waitAll = (flags & C['MSG_WAITALL']!) !== 0;
    let got = 0;
    const attempt = (): Outcome | undefined => {
      got += readBytes(this.flow, bytes - got, (flags & C['MSG_PEEK']!) !== 0);
      const over = this.#error !== 0 || this.#atEnd();
      if (got > 0 && (got === bytes || !waitAll || over)) return this.#received(got, inq);
      if (this.#error !== 0) return failure(this.takeError());
      if (over || bytes === 0) return this.#received(got, inq);
      return nonBlocking && got > 0 ? this.#received(got, inq) : undefined;
    };
    return waiting(attempt, nonBlocking);
  }

  #atEnd(): boolean {
    return this.#readShut || this.closed || this.flow.ended;
  }

  #received(bytes: number, inq: boolean): Outcome {
    const left = { level: C['SOL_TCP']!, type: C['TCP_CM_INQ']!, data: this.flow.readable };
    const control: ReceivedMessage['control'] = inq ? [left] : [];
    return { value: bytes, errno: 0, message: { flags: 0, control } };
  }

  shutdown(how: number): PendingCall {
    if (this.closed) return failed('ENOTCONN');
    if (how !== C['SHUT_WR']) this.#readShut = true;
    if (how !== C['SHUT_RD'] && !this.#writeShut) {
      this.#writeShut = true;
      this.flow.shutdown();
    }
    this.#wake();
    return done(0);
  }

  pollMask(): number {
    const mask = connectionMask({
      error: this.#error !== 0,
      closed: this.closed,
      connected: this.connected,
      readEnd: this.#readShut || this.#peerEnded,
      writeEnd: this.#writeShut,
      readable: this.flow.readable > 0,
      writable: this.buffer.writable,
    });
    if (this.connected && (mask & POLL_WRITE) === 0) this.#wantsRoom = true;
    return mask;
  }

  refresh(): void {
    if (!this.#wantsRoom || !this.connected || !this.buffer.writable) return;
    this.#wantsRoom = false;
    this.#wake();
  }
}
