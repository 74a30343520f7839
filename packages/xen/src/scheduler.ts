import { EINVAL } from './errno.ts';
import { SCHED_POLL_PORTS_MAX, VIRQ_TIMER } from './event-channel-layout.ts';
import type { EventDelivery } from './event-delivery.ts';
import {
  BLOCKED,
  DOM_POLL_MASK,
  DOM_SHARED_INFO,
  DOM_VIRQ_PORT,
  RUNNING,
  VCPU_BLOCKED,
  VCPU_POLL_EVTCHN,
  VCPU_POLL_TIMER,
  VCPU_SINGLESHOT_TIMER,
} from './machine-layout.ts';
import type { MachineState } from './machine-state.ts';
import { EVTCHN_PORTS, VCPU_UPCALL_MASK } from './shared-info.ts';

/** A one-shot timer further ahead than this is taken for a mistake (xen/common/sched/core.c). */
export const TIMER_AHEAD_MAX_NS = 2 ** 50;
/** When a mistaken one-shot timer fires instead. */
export const TIMER_MISTAKE_NS = 100e6;

/**
 * What a vcpu runs on. A worker thread comes back from `deschedule` when the vcpu is runnable again; a cooperative CPU
 * comes back at once, with the vcpu still blocked, and its kernel returns to the scheduler.
 */
export interface VirtualCpu {
  /** The vcpu has blocked itself. Its timers (`Hypercalls.nextTimerNs`) bound the sleep. */
  deschedule(): void;
  /** SCHEDOP_yield: others may run. */
  yieldCpu(): void;
}

/** The sched operations and timers of one vcpu, called on its own CPU only. */
export class VcpuScheduler {
  readonly #state: MachineState;
  readonly #delivery: EventDelivery;
  readonly #record: number;
  readonly #i32: Int32Array;
  readonly #f64: Float64Array;
  readonly #blockedIndex: number;
  readonly #pollEvtchnIndex: number;
  readonly #pollMaskIndex: number;
  readonly #pollTimerIndex: number;
  readonly #singleshotIndex: number;
  readonly #timerVirqIndex: number;
  cpu: VirtualCpu | undefined;

  constructor(state: MachineState, delivery: EventDelivery, record: number) {
    this.#state = state;
    this.#delivery = delivery;
    this.#record = record;
    this.#i32 = state.i32;
    this.#f64 = state.memory.f64;
    this.#blockedIndex = (record + VCPU_BLOCKED) >>> 2;
    this.#pollEvtchnIndex = (record + VCPU_POLL_EVTCHN) >>> 2;
    this.#pollMaskIndex = (record + DOM_POLL_MASK) >>> 2;
    this.#pollTimerIndex = (record + VCPU_POLL_TIMER) >>> 3;
    this.#singleshotIndex = (record + VCPU_SINGLESHOT_TIMER) >>> 3;
    this.#timerVirqIndex = ((record + DOM_VIRQ_PORT) >>> 2) + VIRQ_TIMER;
  }

  /** Index into `memory.i32` of the word that says whether the vcpu is blocked. */
  get blockedIndex(): number {
    return this.#blockedIndex;
  }

  get blocked(): boolean {
    return Atomics.load(this.#i32, this.#blockedIndex) !== RUNNING;
  }

  /** SCHEDOP_block. @returns 0. */
  block(): number {
    const i32 = this.#i32;
    const step = this.#state.step;
    const shared = i32[(this.#record + DOM_SHARED_INFO) >>> 2]!;
    Atomics.store(this.#state.u8, shared + VCPU_UPCALL_MASK, 0);
    if (step !== undefined) step('block:unmasked');
    Atomics.store(i32, this.#blockedIndex, BLOCKED);
    if (step !== undefined) step('block:blocked-set');
    if (this.#delivery.needDelivery(this.#record)) {
      Atomics.store(i32, this.#blockedIndex, RUNNING);
      return 0;
    }
    if (step !== undefined) step('block:deschedule');
    this.#deschedule();
    return 0;
  }

  /**
   * SCHEDOP_poll over `ports[0..count-1]`; clears nothing and enables no upcalls.
   * @param deadlineNs absolute, 0 for none. @returns 0 for an event, the deadline or any other wake-up alike; -EINVAL.
   */
  poll(ports: Int32Array, count: number, deadlineNs: number): number {
    if (!(count >= 0 && count <= SCHED_POLL_PORTS_MAX) || count > ports.length) return -EINVAL;
    const i32 = this.#i32;
    const step = this.#state.step;
    Atomics.store(i32, this.#blockedIndex, BLOCKED);
    Atomics.store(i32, this.#pollEvtchnIndex, -1);
    Atomics.store(i32, this.#pollMaskIndex, 1);
    if (step !== undefined) step('poll:blocked-set');
    if (this.#delivery.needDelivery(this.#record)) return this.#pollOut(0);
    for (let i = 0; i < count; i++) {
      const port = ports[i]!;
      if (!(port >= 0 && port < EVTCHN_PORTS)) return this.#pollOut(-EINVAL);
      if (this.#delivery.isPending(this.#record, port)) return this.#pollOut(0);
    }
    if (step !== undefined) step('poll:checked');
    if (count === 1) Atomics.store(i32, this.#pollEvtchnIndex, ports[0]!);
    if (deadlineNs !== 0) this.#f64[this.#pollTimerIndex] = deadlineNs;
    if (step !== undefined) step('poll:deschedule');
    this.#deschedule();
    return 0;
  }

  /** SCHEDOP_yield. @returns 0. */
  yieldCpu(): number {
    this.cpu?.yieldCpu();
    return 0;
  }

  /** set_timer_op. @param deadlineNs absolute, 0 stops the timer. @returns 0. */
  setTimer(deadlineNs: number): number {
    if (deadlineNs === 0) {
      this.#f64[this.#singleshotIndex] = 0;
      return 0;
    }
    const now = this.#state.nowNs();
    const mistaken = !(deadlineNs >= 0 && deadlineNs - now < TIMER_AHEAD_MAX_NS);
    this.#f64[this.#singleshotIndex] = mistaken ? now + TIMER_MISTAKE_NS : deadlineNs;
    return 0;
  }

  /** The next time at which a timer has something to do for this vcpu, in ns, or Infinity. */
  nextTimerNs(): number {
    const poll = this.#f64[this.#pollTimerIndex]!;
    const singleshot = this.#f64[this.#singleshotIndex]!;
    let next = Number.POSITIVE_INFINITY;
    // A stale poll timer is still armed, but concerns only a vcpu that polls.
    if (poll !== 0 && Atomics.load(this.#i32, this.#pollMaskIndex) !== 0) next = poll;
    return singleshot !== 0 && singleshot < next ? singleshot : next;
  }

  /** Runs the timers that are due. Called by the CPU of the vcpu, blocked or running. */
  runTimers(nowNs: number): void {
    const poll = this.#f64[this.#pollTimerIndex]!;
    if (poll !== 0 && nowNs >= poll) {
      this.#f64[this.#pollTimerIndex] = 0;
      if (Atomics.exchange(this.#i32, this.#pollMaskIndex, 0) !== 0) this.#delivery.unblock(this.#record);
    }
    const singleshot = this.#f64[this.#singleshotIndex]!;
    if (singleshot !== 0 && nowNs >= singleshot) {
      this.#f64[this.#singleshotIndex] = 0;
      const port = Atomics.load(this.#i32, this.#timerVirqIndex);
      if (port !== 0) this.#delivery.setPending(this.#record, port);
    }
  }

  #pollOut(rc: number): number {
    Atomics.store(this.#i32, this.#pollEvtchnIndex, 0);
    Atomics.store(this.#i32, this.#pollMaskIndex, 0);
    Atomics.store(this.#i32, this.#blockedIndex, RUNNING);
    return rc;
  }

  #deschedule(): void {
    if (this.cpu === undefined) throw new Error('the vcpu has no CPU to be descheduled from');
    this.cpu.deschedule();
  }
}
