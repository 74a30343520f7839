import type { Memory } from '@qanat/bytes';
import {
  EVTCHN_PORTS,
  EVTCHNSTAT_IPI,
  EVTCHNSTAT_VIRQ,
  type Hypercalls,
  SHARED_EVTCHN_MASK,
  SHARED_EVTCHN_PENDING,
  VCPU_PENDING_SEL,
  VCPU_UPCALL_PENDING,
} from '@qanat/xen';
import { PORT_INTERDOMAIN, PORT_IPI, PORT_VIRQ } from './machine-observer.ts';

/**
 * Event channels as drivers see them: a handler a port. `demux` latches what is pending and clears it before any
 * handler runs, `dispatch` calls the handlers of latched ports. A port's counter counts every event that was demuxed,
 * also before a handler was bound, so that none is lost.
 */
export class Activations {
  /** The bound ports that are not masked, for SCHEDOP_poll: the first `count` entries. */
  readonly ports = new Int32Array(EVTCHN_PORTS);
  count = 0;
  /** Events demuxed so far. */
  events = 0;
  readonly #hypercalls: Hypercalls;
  readonly #i32: Int32Array;
  readonly #u8: Uint8Array;
  readonly #upcallPending: number;
  readonly #selIndex: number;
  readonly #pendingIndex: number;
  readonly #maskIndex: number;
  readonly #handlers: ((() => void) | undefined)[] = new Array(EVTCHN_PORTS).fill(undefined);
  readonly #counters = new Float64Array(EVTCHN_PORTS);
  readonly #isLatched = new Uint8Array(EVTCHN_PORTS);
  /** A ring of latched ports in the order in which they were found; each at most once. */
  readonly #latched = new Int32Array(EVTCHN_PORTS);
  #latchedHead = 0;
  #latchedCount = 0;

  constructor(memory: Memory, hypercalls: Hypercalls, sharedInfoAddr: number) {
    this.#hypercalls = hypercalls;
    this.#i32 = memory.i32;
    this.#u8 = memory.u8;
    this.#upcallPending = sharedInfoAddr + VCPU_UPCALL_PENDING;
    this.#selIndex = (sharedInfoAddr + VCPU_PENDING_SEL) >>> 2;
    this.#pendingIndex = (sharedInfoAddr + SHARED_EVTCHN_PENDING) >>> 2;
    this.#maskIndex = (sharedInfoAddr + SHARED_EVTCHN_MASK) >>> 2;
  }

  /**
   * Has `handler` called in a pass of the loop after events on `port`; events that came before count. Unmasks the port.
   * @throws Error when the port cannot be or is bound already.
   */
  bind(port: number, handler: () => void): void {
    if (!(port > 0 && port < EVTCHN_PORTS)) throw new Error(`port ${port} cannot be bound`);
    if (this.#handlers[port] !== undefined) throw new Error(`port ${port} is bound already`);
    this.#handlers[port] = handler;
    if (this.#counters[port]! > 0) this.#latch(port);
    this.unmask(port);
  }

  /** Masks a port and forgets its handler and events. One that is not bound is ignored. */
  unbind(port: number): void {
    if (this.#handlers[port] === undefined) return;
    this.mask(port);
    this.#handlers[port] = undefined;
    this.#counters[port] = 0;
  }

  /** Holds a bound port's events back until `unmask`: a driver that goes over to polling. */
  mask(port: number): void {
    Atomics.or(this.#i32, this.#maskIndex + (port >>> 5), 1 << (port & 31));
    // A masked port that is pending would end every SCHEDOP_poll at once.
    const at = this.ports.subarray(0, this.count).indexOf(port);
    if (at >= 0) this.ports[at] = this.ports[--this.count]!;
  }

  /** Lets a bound port's events come again, with what has come meanwhile. */
  unmask(port: number): void {
    if (this.#handlers[port] === undefined) return;
    if (!this.ports.subarray(0, this.count).includes(port)) this.ports[this.count++] = port;
    this.#hypercalls.evtchnUnmask(port);
  }

  /** @returns how many times events of `port` were demuxed (several sends may make one event). */
  counter(port: number): number {
    return this.#counters[port] ?? 0;
  }

  /** Whether a port is latched and not dispatched, or the vcpu has something to demux. */
  get waiting(): boolean {
    return this.#latchedCount !== 0 || Atomics.load(this.#u8, this.#upcallPending) !== 0;
  }

  /**
   * Takes what is pending and not masked: upcall_pending is cleared before the selector is taken, and a port's pending
   * bit before its handler runs, so that an event that comes in between is found by the next pass.
   * @returns whether any port is latched.
   */
  demux(): boolean {
    if (Atomics.load(this.#u8, this.#upcallPending) !== 0) {
      Atomics.store(this.#u8, this.#upcallPending, 0);
      this.#demuxHalf(0);
      this.#demuxHalf(1);
    }
    return this.#latchedCount !== 0;
  }

  /** Calls the handlers of the ports that are latched now. @returns how many. */
  dispatch(): number {
    const latched = this.#latchedCount;
    for (let i = 0; i < latched; i++) {
      const port = this.#latched[this.#latchedHead]!;
      this.#latchedHead = (this.#latchedHead + 1) & (EVTCHN_PORTS - 1);
      this.#latchedCount--;
      this.#isLatched[port] = 0;
      const handler = this.#handlers[port];
      if (handler !== undefined) handler();
    }
    return latched;
  }

  /** Sleep audit: @returns a bound port whose event nobody has taken though nothing masks it, or 0. */
  pendingPort(): number {
    for (let i = 0; i < this.count; i++) {
      const port = this.ports[i]!;
      const bit = 1 << (port & 31);
      const pending = Atomics.load(this.#i32, this.#pendingIndex + (port >>> 5));
      if ((pending & bit) !== 0) return port;
    }
    return 0;
  }

  /** @returns what an event of `port` comes from: PORT_*. */
  kindOf(port: number): number {
    switch (this.#hypercalls.evtchnStatus(port)?.status) {
      case EVTCHNSTAT_VIRQ:
        return PORT_VIRQ;
      case EVTCHNSTAT_IPI:
        return PORT_IPI;
      default:
        return PORT_INTERDOMAIN;
    }
  }

  /** The words of the event channels that are not zero, for reports. */
  describe(): string {
    const hex = (word: number): string => (word >>> 0).toString(16);
    const words: string[] = [`upcall_pending ${this.#u8[this.#upcallPending]}`];
    for (let half = 0; half < 2; half++) {
      const sel = this.#i32[this.#selIndex + half]!;
      if (sel !== 0) words.push(`sel[${half}] ${hex(sel)}`);
    }
    for (let word = 0; word < EVTCHN_PORTS / 32; word++) {
      const pending = this.#i32[this.#pendingIndex + word]!;
      const mask = this.#i32[this.#maskIndex + word]!;
      if (pending !== 0) words.push(`pending[${word}] ${hex(pending)}`);
      if (mask !== 0) words.push(`mask[${word}] ${hex(mask)}`);
    }
    return words.join(', ');
  }

  #demuxHalf(half: number): void {
    const i32 = this.#i32;
    let sel = Atomics.exchange(i32, this.#selIndex + half, 0);
    while (sel !== 0) {
      const bit = 31 - Math.clz32(sel & -sel);
      sel &= sel - 1;
      // A 64-bit word of Xen's is two of ours.
      const word = (half * 32 + bit) * 2;
      this.#demuxWord(word);
      this.#demuxWord(word + 1);
    }
  }

  #demuxWord(word: number): void {
    const i32 = this.#i32;
    let pending = Atomics.load(i32, this.#pendingIndex + word) & ~Atomics.load(i32, this.#maskIndex + word);
    if (pending === 0) return;
    Atomics.and(i32, this.#pendingIndex + word, ~pending);
    while (pending !== 0) {
      const port = word * 32 + 31 - Math.clz32(pending & -pending);
      pending &= pending - 1;
      this.events++;
      this.#counters[port] = this.#counters[port]! + 1;
      if (this.#handlers[port] !== undefined) this.#latch(port);
    }
  }

  #latch(port: number): void {
    if (this.#isLatched[port] !== 0) return;
    this.#isLatched[port] = 1;
    this.#latched[(this.#latchedHead + this.#latchedCount) & (EVTCHN_PORTS - 1)] = port;
    this.#latchedCount++;
  }
}
