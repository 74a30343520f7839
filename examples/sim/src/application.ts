import type { Memory } from '@qanat/bytes';
import { NEVER, Timer, type VirtualTime } from '@qanat/clock';
import { type Flow, NetError, type NetErrorCode } from '@qanat/stack';
import type { Invariant } from './invariant.ts';
import { fillStream, findDifference } from './pattern.ts';
import type { EndSpec } from './scenario.ts';

/** Names what was broken. Does not return. */
export type Fail = (invariant: Invariant, message: string) => never;

const DEFAULT_CHUNK = 16_384;

/** One end of a flow: writes its stream, checks the other's, and ends as its spec says. */
export class Application {
  readonly name: string;
  readonly spec: EndSpec;
  /** The other end. */
  peer!: Application;
  flow: Flow | undefined;
  connected = false;
  written = 0;
  read = 0;
  /** It sends no more: shut down, closed or reset. */
  doneSending = false;
  /** The peer's end was read. */
  ended = false;
  /** It was told that the flow is over, or let go of it. */
  closed = false;
  /** It let go of the flow in a way that may cost the peer data. */
  letGo = false;
  error: NetErrorCode | undefined;
  /** When it was told of the error. */
  errorUs = NEVER;
  /** When the flow was first over for this end, by error or because it let go. */
  goneUs = NEVER;
  /** Fault of tests: bytes lost between flow and application. */
  dropBytes = 0;
  /** Fault of tests: it does not hear of the end of the flow. */
  deaf = false;
  /** Fault of tests: it hears of the end of the flow, not of the error. */
  hideError = false;
  readonly #memory: Memory;
  readonly #time: VirtualTime;
  readonly #fail: Fail;
  readonly #salt: number;
  readonly #writeTimer: Timer;
  readonly #readTimer: Timer;
  readonly #finishTimer: Timer;
  readonly #buffer: Uint8Array;
  #readFromUs = 0;
  /** Within a call to the flow, from which no callback may come. */
  #inCall = false;
  #inBurst = 0;
  #flowOver = false;

  constructor(name: string, spec: EndSpec, salt: number, memory: Memory, time: VirtualTime, fail: Fail) {
    this.name = name;
    this.spec = spec;
    this.#salt = salt;
    this.#memory = memory;
    this.#time = time;
    this.#fail = fail;
    this.#writeTimer = new Timer(() => this.#write());
    this.#readTimer = new Timer(() => this.#read());
    this.#finishTimer = new Timer(() => this.#finishNow());
    this.#buffer = new Uint8Array(Math.max(spec.writeBytes ?? DEFAULT_CHUNK, spec.readBytes ?? DEFAULT_CHUNK));
  }

  /** Whether nothing more will come from this end. */
  get over(): boolean {
    return this.closed || (this.flow === undefined && this.peer.closed);
  }

  /** Takes a flow over: just opened, or accepted (then `connected`). @param startUs start of the flow. */
  take(flow: Flow, connected: boolean, startUs: number): void {
    const { spec } = this;
    this.flow = flow;
    if (spec.logRecords !== undefined) flow.startLogging(spec.logRecords);
    flow.onConnect = () => this.#told(() => this.#onConnect());
    flow.onReadable = () => this.#told(() => this.#read());
    flow.onWritable = () => this.#told(() => this.#write());
    flow.onEnd = () => this.#told(() => this.#read());
    flow.onClose = (error) => this.#told(() => this.#onClose(error));
    const { finish, finishUs = 0 } = spec;
    if (finish === 'meet') this.#arm(this.#finishTimer, Math.max(finishUs, this.#time.clock.now()));
    if (finish === 'abort') this.#arm(this.#finishTimer, Math.max(startUs + finishUs, this.#time.clock.now()));
    if (connected) this.#onConnect();
    else if (spec.early) this.#write();
  }

  /** What goes with the SYN: the first bytes of the stream, which count as written. */
  firstData(): Uint8Array | undefined {
    const bytes = Math.min(this.spec.fastOpenBytes ?? 0, this.spec.bytes);
    if (bytes === 0) return undefined;
    const data = new Uint8Array(bytes);
    fillStream(data, this.#salt, 0, bytes);
    this.written = bytes;
    return data;
  }

  /** Connect failed at once. */
  refuse(error: NetError): void {
    this.error = error.code;
    this.errorUs = this.#time.clock.now();
    this.goneUs = this.errorUs;
    this.#end();
  }

  /** Nobody will ever tell this end that its peer has gone: lets go of the flow, as an application's timeout would. */
  giveUp(): void {
    this.letGo = true;
    this.doneSending = true;
    this.#call(() => this.flow?.reset());
    this.#end();
  }

  /** Bytes of stream that moved here. */
  get moved(): number {
    return this.written + this.read;
  }

  #onConnect(): void {
    if (this.closed) return;
    if (this.connected) this.#fail('reported', `${this.name} was told twice that it is connected`);
    this.connected = true;
    this.#readFromUs = this.#time.clock.now() + (this.spec.readAfterUs ?? 0);
    this.#write();
    this.#read();
  }

  #onClose(error: NetError | undefined): void {
    if (this.#flowOver) this.#fail('reported', `${this.name} was told twice that the flow is over`);
    if (this.deaf) return;
    this.#flowOver = true;
    if (error !== undefined) {
      this.errorUs = this.#time.clock.now();
      this.goneUs = Math.min(this.goneUs, this.errorUs);
    }
    this.doneSending = true;
    if (error !== undefined && !this.hideError) this.error = error.code;
    if (this.closed) return;
    this.#time.timers.cancel(this.#writeTimer);
    this.#time.timers.cancel(this.#finishTimer);
    this.#read();
  }

  #told(act: () => void): void {
    if (this.#inCall) this.#fail('reported', `${this.name} was called back from within its own call`);
    act();
  }

  #call<T>(call: () => T): T {
    const outer = this.#inCall;
    this.#inCall = true;
    try {
      return call();
    } finally {
      this.#inCall = outer;
    }
  }

  // --- Writing -------------------------------------------------------------------------------------------------

  #write(): void {
    const { spec, flow } = this;
    if (flow === undefined || this.doneSending) return;
    const { bytes, writeBytes = DEFAULT_CHUNK, writePauseUs = 0, burst = 1 } = spec;
    while (this.written < bytes) {
      if (this.#writeTimer.armed) return;
      const chunk = Math.min(writeBytes, bytes - this.written);
      fillStream(this.#buffer, this.#salt, this.written, chunk);
      let taken: number;
      try {
        taken = this.#call(() => flow.write(this.#buffer.subarray(0, chunk)));
      } catch (error) {
        if (!(error instanceof NetError) || error.code === 'ENOBUFS') throw error;
        // The flow has ended under it; onClose is to say so.
        return;
      }
      this.written += taken;
      if (taken < chunk) return;
      if (writePauseUs > 0 && ++this.#inBurst >= burst && this.written < bytes) {
        this.#inBurst = 0;
        this.#arm(this.#writeTimer, this.#time.clock.now() + writePauseUs);
        return;
      }
    }
    this.#allWritten();
  }

  #allWritten(): void {
    const { finish = 'shutdown' } = this.spec;
    if (finish === 'close') {
      this.doneSending = true;
      this.letGo = !this.ended;
      this.#end();
    } else if (finish === 'shutdown' || (finish === 'afterPeer' && this.ended)) {
      this.#shutdown();
    }
  }

  #shutdown(): void {
    if (this.doneSending) return;
    this.doneSending = true;
    this.#time.timers.cancel(this.#writeTimer);
    this.#call(() => this.flow!.shutdown());
    if (this.ended) this.#end();
  }

  #finishNow(): void {
    if (this.closed) return;
    if (this.spec.finish === 'abort') {
      this.letGo = true;
      this.doneSending = true;
      this.#call(() => this.flow!.reset());
      this.#end();
    } else {
      this.#shutdown();
    }
  }

  // --- Reading -------------------------------------------------------------------------------------------------

  #read(): void {
    const { flow, spec } = this;
    if (flow === undefined || this.closed || this.#readTimer.armed) return;
    const nowUs = this.#time.clock.now();
    if (nowUs < this.#readFromUs) {
      this.#arm(this.#readTimer, this.#readFromUs);
      return;
    }
    const { readBytes = DEFAULT_CHUNK, readPauseUs = 0 } = spec;
    while (flow.readable > 0) {
      this.#take(flow, Math.min(readBytes, flow.readable));
      if (readPauseUs > 0) {
        this.#arm(this.#readTimer, nowUs + readPauseUs);
        return;
      }
    }
    if (flow.ended) this.#peerEnded();
    else if (this.#flowOver) this.#flowEnded();
  }

  #take(flow: Flow, most: number): void {
    const salt = this.peer.#salt;
    let bytes: number;
    let wrong: number;
    if (this.spec.peek) {
      bytes = Math.min(most, flow.peekBytes);
      wrong = findDifference(this.#memory.u8, flow.peekAddr, salt, this.read, bytes);
      this.#call(() => flow.consume(bytes));
    } else {
      bytes = this.#call(() => flow.read(this.#buffer.subarray(0, most)));
      wrong = findDifference(this.#buffer, 0, salt, this.read, bytes);
    }
    if (bytes <= 0) this.#fail('exact', `${this.name} read nothing of what is readable`);
    if (wrong >= 0) this.#fail('exact', `${this.name} read a wrong byte at ${this.read + wrong}`);
    this.read += bytes;
    if (this.dropBytes > 0) this.read += this.dropBytes;
    if (this.read > this.peer.written) {
      this.#fail('exact', `${this.name} read ${this.read} bytes, its peer wrote ${this.peer.written}`);
    }
  }

  #peerEnded(): void {
    if (!this.ended) {
      this.ended = true;
      const { peer } = this;
      if (!peer.doneSending) this.#fail('exact', `${this.name} saw an end that its peer did not make`);
      if (this.read !== peer.written) {
        this.#fail('exact', `${this.name} saw the end after ${this.read} of ${peer.written} bytes`);
      }
    }
    if (this.doneSending) this.#end();
    else if (this.spec.finish === 'afterPeer' && this.written === this.spec.bytes) this.#shutdown();
  }

  /** The flow is over and the end of the peer's stream did not come: there must be a reason. */
  #flowEnded(): void {
    if (this.error === undefined) {
      this.#fail(
        'reported',
        `${this.name} was closed without an error after ${this.read} of ${this.peer.written} bytes`,
      );
    }
    this.#end();
  }

  #end(): void {
    if (this.closed) return;
    this.closed = true;
    this.doneSending = true;
    if (this.letGo) this.goneUs = Math.min(this.goneUs, this.#time.clock.now());
    const { timers } = this.#time;
    timers.cancel(this.#writeTimer);
    timers.cancel(this.#readTimer);
    timers.cancel(this.#finishTimer);
    this.#call(() => this.flow?.close());
  }

  #arm(timer: Timer, atUs: number): void {
    this.#time.timers.arm(timer, atUs);
  }
}
