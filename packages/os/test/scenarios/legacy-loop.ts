import { PageAllocator } from '@qanat/bytes';
import { type Clock, NEVER, TimerQueue } from '@qanat/clock';
import {
  EVTCHN_PORTS,
  type Hypercalls,
  type Hypervisor,
  SHARED_EVTCHN_MASK,
  SHARED_EVTCHN_PENDING,
  VCPU_PENDING_SEL,
  VCPU_UPCALL_MASK,
  VCPU_UPCALL_PENDING,
  VIRQ_TIMER,
} from '@qanat/xen';
import { GrantTable } from '../../src/index.ts';
import type { Guest } from './guest.ts';

/** What can be wrong with a main loop; each was, somewhere, in 2013. */
export type LegacyFault =
  /** S4: upcalls stay enabled until SCHEDOP_block; the upcall handler clears upcall_pending and nothing else. */
  | 'irqs-on'
  /** S5: the pending bit is cleared before the sleep and nobody remembers it. */
  | 'clear-without-latch'
  /** S6: bound ports are masked, so their pending bits are never cleared. */
  | 'masked-ports'
  /** S7: goes to sleep with tasks in the ready queue. */
  | 'ignore-ready'
  /** S8: timers are looked at only when there is no event. */
  | 'timers-when-idle'
  /** S9: ports from 11 on do not exist for it. */
  | 'ten-ports'
  /** S11: upcall_pending is cleared after the selector was taken. */
  | 'late-upcall-clear'
  /** S11: the pending bit is cleared after the handler has run. */
  | 'clear-after-handler'
  /** S12: the interval until the next timer goes where an absolute time is expected. */
  | 'relative-timeout'
  /** S12: sleeps with SCHEDOP_block and whatever timeout, however far. */
  | 'uncapped-timeout'
  /** S19: calls the only handler whenever SCHEDOP_poll returns. */
  | 'rc-is-event';

/** A main loop in the shape of the shipped one, whose faults can be switched on. Without any it is a correct one. */
export class LegacyLoop implements Guest {
  readonly domid: number;
  readonly hypercalls: Hypercalls;
  readonly timers = new TimerQueue();
  readonly pages: PageAllocator;
  readonly grants: GrantTable;
  readonly #clock: Clock;
  readonly #faults: ReadonlySet<LegacyFault>;
  readonly #i32: Int32Array;
  readonly #u8: Uint8Array;
  readonly #shared: number;
  readonly #handlers = new Map<number, () => void>();
  readonly #counters = new Map<number, number>();
  readonly #beforeSleep: (() => void)[] = [];
  #ready: (() => void)[] = [];
  #latched: number[] = [];
  #slept = false;

  constructor(hypervisor: Hypervisor, hypercalls: Hypercalls, clock: Clock, faults: readonly LegacyFault[]) {
    const record = hypervisor.domain(hypercalls.domid)!;
    this.domid = hypercalls.domid;
    this.hypercalls = hypercalls;
    this.pages = new PageAllocator(record.firstAddr, record.bytes);
    this.grants = new GrantTable(hypervisor.memory, record.grantTableAddr, record.grantEntries);
    this.#clock = clock;
    this.#faults = new Set(faults);
    this.#i32 = hypervisor.memory.i32;
    this.#u8 = hypervisor.memory.u8;
    this.#shared = record.sharedInfoAddr;
    hypercalls.cpu = { deschedule: () => {}, yieldCpu: () => {} };
    if (this.#has('uncapped-timeout')) this.bind(hypercalls.evtchnBindVirq(VIRQ_TIMER), () => {});
  }

  bind(port: number, handler: () => void): void {
    this.#handlers.set(port, handler);
    if (this.#has('masked-ports')) {
      Atomics.or(this.#i32, (this.#shared + SHARED_EVTCHN_MASK + (port >>> 5) * 4) >>> 2, 1 << (port & 31));
    } else {
      this.hypercalls.evtchnUnmask(port);
    }
  }

  counter(port: number): number {
    return this.#counters.get(port) ?? 0;
  }

  defer(task: () => void): void {
    this.#ready.push(task);
  }

  addBeforeSleep(hook: () => void): void {
    this.#beforeSleep.push(hook);
  }

  addAudit(): void {}

  turn(): void {
    const nowUs = this.#clock.now();
    if (this.#slept) {
      this.#slept = false;
      if (this.#has('irqs-on')) this.#upcall();
      else this.#mask(1);
      if (this.#has('rc-is-event')) for (const handler of this.#handlers.values()) handler();
    }
    const ready = this.#ready;
    this.#ready = [];
    for (const task of ready) task();
    if (!this.#has('timers-when-idle')) this.timers.fire(nowUs);
    this.hypercalls.runTimers(nowUs * 1000);
    if (this.#has('clear-without-latch')) {
      this.#polledRings();
    } else if (this.#demux()) {
      const latched = this.#latched;
      this.#latched = [];
      for (const port of latched) this.#dispatch(port);
      return;
    }
    if (this.#has('timers-when-idle')) this.timers.fire(nowUs);
    for (const hook of this.#beforeSleep) hook();
    if (this.#ready.length > 0 && !this.#has('ignore-ready')) return;
    if (this.timers.next() <= nowUs) return;
    this.#sleep(nowUs);
  }

  #sleep(nowUs: number): void {
    const nextUs = this.timers.next();
    const pollable = this.#has('ten-ports') ? Int32Array.from({ length: 10 }, (_, i) => i + 1) : this.#ports();
    this.#slept = true;
    if (this.#has('irqs-on')) {
      this.#mask(0);
      if (this.#look()) {
        this.#slept = false;
        return;
      }
      this.#upcall();
      this.hypercalls.schedBlock();
      return;
    }
    if (this.#look()) {
      this.#slept = false;
      return;
    }
    let deadlineNs = nextUs === NEVER ? 0 : nextUs * 1000;
    if (this.#has('relative-timeout') && deadlineNs !== 0) deadlineNs -= nowUs * 1000;
    if (this.#has('uncapped-timeout')) {
      this.hypercalls.setTimerOp(deadlineNs);
      this.hypercalls.schedBlock();
      return;
    }
    this.hypercalls.schedPoll(pollable, pollable.length, deadlineNs);
  }

  /** look_for_work: whether any unmasked port is pending. */
  #look(): boolean {
    if (this.#has('clear-without-latch')) return false;
    for (const port of this.#handlers.keys()) {
      const bit = 1 << (port & 31);
      const pending = Atomics.load(this.#i32, (this.#shared + SHARED_EVTCHN_PENDING + (port >>> 5) * 4) >>> 2);
      const masked = Atomics.load(this.#i32, (this.#shared + SHARED_EVTCHN_MASK + (port >>> 5) * 4) >>> 2);
      if ((pending & ~masked & bit) !== 0) return true;
    }
    return this.#latched.length > 0;
  }

  /** The upcall as 2013's stub had it. */
  #upcall(): void {
    if (Atomics.load(this.#u8, this.#shared + VCPU_UPCALL_PENDING) !== 0) {
      Atomics.store(this.#u8, this.#shared + VCPU_UPCALL_PENDING, 0);
    }
  }

  /** Runs the drivers, then clears what is pending: an event in between is gone. */
  #polledRings(): void {
    for (const handler of this.#handlers.values()) handler();
    this.#demux();
    this.#latched = [];
  }

  #demux(): boolean {
    const upcallPending = this.#shared + VCPU_UPCALL_PENDING;
    if (!this.#has('irqs-on')) {
      if (Atomics.load(this.#u8, upcallPending) === 0) return this.#latched.length > 0;
      if (!this.#has('late-upcall-clear')) Atomics.store(this.#u8, upcallPending, 0);
    }
    for (let half = 0; half < 2; half++) {
      const selIndex = ((this.#shared + VCPU_PENDING_SEL) >>> 2) + half;
      const sel = Atomics.exchange(this.#i32, selIndex, 0);
      for (let bit = 0; bit < 32; bit++) {
        if ((sel & (1 << bit)) === 0) continue;
        this.#demuxWord((half * 32 + bit) * 2);
        this.#demuxWord((half * 32 + bit) * 2 + 1);
      }
    }
    if (this.#has('late-upcall-clear')) Atomics.store(this.#u8, upcallPending, 0);
    return this.#latched.length > 0;
  }

  #demuxWord(word: number): void {
    const pendingIndex = ((this.#shared + SHARED_EVTCHN_PENDING) >>> 2) + word;
    const mask = Atomics.load(this.#i32, ((this.#shared + SHARED_EVTCHN_MASK) >>> 2) + word);
    const pending = Atomics.load(this.#i32, pendingIndex) & ~mask;
    for (let bit = 0; bit < 32; bit++) {
      if ((pending & (1 << bit)) === 0) continue;
      const port = word * 32 + bit;
      if (!this.#has('clear-after-handler')) Atomics.and(this.#i32, pendingIndex, ~(1 << bit));
      if (this.#has('ten-ports') && port > 10) continue;
      this.#counters.set(port, this.counter(port) + 1);
      if (this.#handlers.has(port)) this.#latched.push(port);
    }
  }

  #dispatch(port: number): void {
    this.#handlers.get(port)?.();
    if (this.#has('clear-after-handler')) {
      const index = ((this.#shared + SHARED_EVTCHN_PENDING) >>> 2) + (port >>> 5);
      Atomics.and(this.#i32, index, ~(1 << (port & 31)));
    }
  }

  #ports(): Int32Array {
    return Int32Array.from([...this.#handlers.keys()].filter((port) => port > 0 && port < EVTCHN_PORTS).slice(0, 128));
  }

  #mask(value: number): void {
    Atomics.store(this.#u8, this.#shared + VCPU_UPCALL_MASK, value);
  }

  #has(fault: LegacyFault): boolean {
    return this.#faults.has(fault);
  }
}
