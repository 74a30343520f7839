import {
  BLOCKED_WAITING,
  DOM_POLL_MASK,
  DOM_SHARED_INFO,
  DOMAIN_BYTES,
  DOMAIN_TABLE_ADDR,
  RUNNING,
  VCPU_BLOCKED,
  VCPU_POLL_EVTCHN,
} from './machine-layout.ts';
import type { MachineState } from './machine-state.ts';
import {
  SHARED_EVTCHN_MASK,
  SHARED_EVTCHN_PENDING,
  VCPU_PENDING_SEL,
  VCPU_UPCALL_MASK,
  VCPU_UPCALL_PENDING,
} from './shared-info.ts';

/**
 * How an event reaches a domain: Xen's 2-level ABI (xen/common/event_2l.c, xen/common/sched/core.c). Every domain has
 * one vcpu, number 0, and every port notifies it. Functions take the address of the domain's record. The order of the
 * operations is the contract; each is atomic on a shared word, and none takes a lock.
 */
export class EventDelivery {
  readonly #state: MachineState;
  readonly #i32: Int32Array;
  readonly #u8: Uint8Array;

  constructor(state: MachineState) {
    this.#state = state;
    this.#i32 = state.i32;
    this.#u8 = state.u8;
  }

  /** evtchn_2l_set_pending. */
  setPending(record: number, port: number): void {
    const i32 = this.#i32;
    const step = this.#state.step;
    const shared = i32[(record + DOM_SHARED_INFO) >>> 2]!;
    const word = port >>> 5;
    const bit = 1 << (port & 31);
    if (step !== undefined) step('set_pending:start');
    if ((Atomics.or(i32, ((shared + SHARED_EVTCHN_PENDING) >>> 2) + word, bit) & bit) !== 0) return;
    if (step !== undefined) step('set_pending:pending-set');
    let was = 0;
    if ((Atomics.load(i32, ((shared + SHARED_EVTCHN_MASK) >>> 2) + word) & bit) === 0) {
      const selBit = 1 << ((port >>> 6) & 31);
      if ((Atomics.or(i32, ((shared + VCPU_PENDING_SEL) >>> 2) + (port >>> 11), selBit) & selBit) === 0) {
        if (step !== undefined) step('set_pending:sel-set');
        was |= this.#markEventsPending(record, shared);
      }
    }
    if (step !== undefined) step('set_pending:before-pollers');
    was |= this.#checkPollers(record, port);
    this.#wake(record, was);
  }

  /** vcpu_unblock. */
  unblock(record: number): void {
    this.#wake(record, this.#clearBlocked(record));
  }

  /** vcpu_mark_events_pending: whether the guest takes upcalls (upcall_mask) does not matter here. */
  #markEventsPending(record: number, shared: number): number {
    if (Atomics.exchange(this.#u8, shared + VCPU_UPCALL_PENDING, 1) !== 0) return RUNNING;
    return this.#clearBlocked(record);
  }

  /** evtchn_check_pollers. */
  #checkPollers(record: number, port: number): number {
    const i32 = this.#i32;
    const maskIndex = (record + DOM_POLL_MASK) >>> 2;
    if (Atomics.load(i32, maskIndex) === 0) return RUNNING;
    const polled = Atomics.load(i32, (record + VCPU_POLL_EVTCHN) >>> 2);
    if (polled > 0 && polled !== port) return RUNNING;
    if (Atomics.exchange(i32, maskIndex, 0) === 0) return RUNNING;
    Atomics.store(i32, (record + VCPU_POLL_EVTCHN) >>> 2, 0);
    return this.#clearBlocked(record);
  }

  /** The part of vcpu_unblock that is not waking. @returns what the vcpu was. */
  #clearBlocked(record: number): number {
    const i32 = this.#i32;
    const blockedIndex = (record + VCPU_BLOCKED) >>> 2;
    let was = Atomics.exchange(i32, blockedIndex, RUNNING);
    if (was === RUNNING) return RUNNING;
    const step = this.#state.step;
    if (step !== undefined) step('unblock:cleared');
    if (Atomics.load(i32, (record + VCPU_POLL_EVTCHN) >>> 2) !== 0) {
      Atomics.store(i32, (record + VCPU_POLL_EVTCHN) >>> 2, 0);
      // The vcpu may have run on and blocked again: a cleared word wakes it once too often, never once too seldom.
      if (Atomics.exchange(i32, (record + DOM_POLL_MASK) >>> 2, 0) !== 0) {
        was |= Atomics.exchange(i32, blockedIndex, RUNNING);
      }
    }
    return was;
  }

  /**
   * vcpu_wake, after all else: a thread that is notified may get the caller's CPU at once, run and block again, and what
   * the caller had not done yet would then wake it for nothing. A vcpu that only spins has seen the word change.
   * @param was what it was when it was unblocked.
   */
  #wake(record: number, was: number): void {
    if (was === RUNNING) return;
    if ((was & BLOCKED_WAITING) !== 0) Atomics.notify(this.#i32, (record + VCPU_BLOCKED) >>> 2);
    const onWake = this.#state.onWake;
    if (onWake !== undefined) onWake(((record - DOMAIN_TABLE_ADDR) / DOMAIN_BYTES) | 0);
  }

  /** evtchn_2l_unmask. */
  unmask(record: number, port: number): void {
    const i32 = this.#i32;
    const shared = i32[(record + DOM_SHARED_INFO) >>> 2]!;
    const word = port >>> 5;
    const bit = 1 << (port & 31);
    if ((Atomics.and(i32, ((shared + SHARED_EVTCHN_MASK) >>> 2) + word, ~bit) & bit) === 0) return;
    if ((Atomics.load(i32, ((shared + SHARED_EVTCHN_PENDING) >>> 2) + word) & bit) === 0) return;
    const selBit = 1 << ((port >>> 6) & 31);
    if ((Atomics.or(i32, ((shared + VCPU_PENDING_SEL) >>> 2) + (port >>> 11), selBit) & selBit) !== 0) return;
    this.#wake(record, this.#markEventsPending(record, shared));
  }

  /** Takes back a port's pending bit (evtchn_close). */
  clearPending(record: number, port: number): void {
    const shared = this.#i32[(record + DOM_SHARED_INFO) >>> 2]!;
    Atomics.and(this.#i32, ((shared + SHARED_EVTCHN_PENDING) >>> 2) + (port >>> 5), ~(1 << (port & 31)));
  }

  isPending(record: number, port: number): boolean {
    const shared = this.#i32[(record + DOM_SHARED_INFO) >>> 2]!;
    const word = Atomics.load(this.#i32, ((shared + SHARED_EVTCHN_PENDING) >>> 2) + (port >>> 5));
    return (word & (1 << (port & 31))) !== 0;
  }

  /** local_events_need_delivery, PV. */
  needDelivery(record: number): boolean {
    const shared = this.#i32[(record + DOM_SHARED_INFO) >>> 2]!;
    return (
      Atomics.load(this.#u8, shared + VCPU_UPCALL_PENDING) !== 0 &&
      Atomics.load(this.#u8, shared + VCPU_UPCALL_MASK) === 0
    );
  }
}
