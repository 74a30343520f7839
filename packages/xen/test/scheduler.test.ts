import { beforeEach, describe, expect, it } from 'vitest';
import { VIRQ_TIMER } from '../src/index.ts';
import { connect, type TestDomain, type TestMachine, testMachine } from './machine.ts';

const EINVAL = -22;
const START_NS = 1e9;

let machine: TestMachine;
let a: TestDomain;
let b: TestDomain;
let port: number;
let send: () => void;

beforeEach(() => {
  machine = testMachine();
  ({ a, b } = machine);
  const { fromPort, toPort } = connect(a, b);
  port = toPort;
  send = () => a.hypercalls.evtchnSend(fromPort);
});

function poll(ports: number[], deadlineNs = 0): number {
  return b.hypercalls.schedPoll(Int32Array.from(ports), ports.length, deadlineNs);
}

/** Moves time and lets the vcpu's own CPU look at its timers. */
function passTo(ns: number): void {
  machine.clock.advanceTo(ns / 1000);
  b.hypercalls.runTimers(machine.hypervisor.nowNs());
}

/** Runs `action` at a step point of the hypercall that follows. */
function at(point: string, action: () => void): void {
  let done = false;
  machine.hypervisor.step = (now) => {
    if (now !== point || done) return;
    done = true;
    action();
  };
}

describe('SCHEDOP_block', () => {
  it('upcall_mask = 0', () => {
    expect(b.upcallMask).toBe(1);
    b.hypercalls.schedBlock();
    expect(b.upcallMask).toBe(0);
  });

  it('if need_delivery: clear blocked, return 0', () => {
    send();
    expect(b.hypercalls.schedBlock()).toBe(0);
    expect(b.hypercalls.blocked).toBe(false);
    expect(b.descheduled).toBe(0);
  });

  it('else deschedule; rc 0', () => {
    expect(b.hypercalls.schedBlock()).toBe(0);
    expect(b.hypercalls.blocked).toBe(true);
    expect(b.descheduled).toBe(1);
  });

  it('set blocked before the look: an event in between is seen or wakes', () => {
    at('block:unmasked', send);
    b.hypercalls.schedBlock();
    expect(b.hypercalls.blocked).toBe(false);
    b.clearEvents();
    at('block:blocked-set', send);
    b.hypercalls.schedBlock();
    expect(b.hypercalls.blocked).toBe(false);
    b.clearEvents();
    at('block:deschedule', send);
    b.hypercalls.schedBlock();
    expect(b.hypercalls.blocked).toBe(false);
  });

  it('a masked event does not end it', () => {
    b.mask(port);
    b.hypercalls.schedBlock();
    send();
    expect(b.hypercalls.blocked).toBe(true);
  });
});

describe('SCHEDOP_poll(ports, n, timeout)', () => {
  it('n > 128 -> -EINVAL', () => {
    expect(poll(new Array(128).fill(port))).toBe(0);
    machine.hypervisor.wake(b.domid);
    expect(poll(new Array(129).fill(port))).toBe(EINVAL);
    expect(b.hypercalls.blocked).toBe(false);
  });

  it('-EINVAL: a count that is not one, or that the list does not have', () => {
    expect(b.hypercalls.schedPoll(new Int32Array(4), -1, 0)).toBe(EINVAL);
    expect(b.hypercalls.schedPoll(new Int32Array(4), Number.NaN, 0)).toBe(EINVAL);
    expect(b.hypercalls.schedPoll(new Int32Array(4), 5, 0)).toBe(EINVAL);
  });

  it('if need_delivery: out(0)', () => {
    b.upcallMask = 0;
    b.upcallPending = 1;
    expect(poll([77])).toBe(0);
    expect(b.descheduled).toBe(0);
    expect(b.hypercalls.blocked).toBe(false);
  });

  it('with upcalls masked an upcall_pending alone does not end it', () => {
    b.upcallPending = 1;
    poll([77]);
    expect(b.hypercalls.blocked).toBe(true);
  });

  it('invalid port -> out(-EINVAL): poll_evtchn = 0, clear poll_mask, clear blocked', () => {
    expect(poll([port, 4096])).toBe(EINVAL);
    expect(poll([-1])).toBe(EINVAL);
    const { i32 } = machine.hypervisor.memory;
    const record = machine.hypervisor.state.recordAddr(b.domid);
    expect([i32[(record + 64) >>> 2], i32[(record + 68) >>> 2], i32[(record + 72) >>> 2]]).toEqual([0, 0, 0]);
    expect(b.descheduled).toBe(0);
  });

  it('pending[p] -> out(0)', () => {
    send();
    expect(poll([77, port])).toBe(0);
    expect(b.descheduled).toBe(0);
  });

  it('pending[p], mask ignored: masked and pending counts', () => {
    b.mask(port);
    send();
    expect(poll([port])).toBe(0);
    expect(b.descheduled).toBe(0);
  });

  it('clears nothing: not pending, not sel, not upcall_pending', () => {
    send();
    poll([port]);
    expect(b.pending(port)).toBe(true);
    expect(b.sel(0)).toBe(true);
    expect(b.upcallPending).toBe(1);
  });

  it('does not enable upcalls', () => {
    poll([port]);
    expect(b.upcallMask).toBe(1);
  });

  it('set blocked, poll_evtchn = -1, poll_mask before the look: no event falls between', () => {
    for (const point of ['poll:blocked-set', 'poll:checked', 'poll:deschedule']) {
      b.clearEvents();
      at(point, send);
      expect(poll([port, 77])).toBe(0);
      expect(b.hypercalls.blocked).toBe(false);
      b.clearEvents();
      b.mask(port);
      at(point, send);
      expect(poll([port])).toBe(0);
      expect(b.hypercalls.blocked).toBe(false);
      b.mask(port, false);
    }
  });

  it('if n == 1: poll_evtchn = p - another masked port does not end it', () => {
    const second = connect(a, b);
    b.mask(port);
    b.mask(second.toPort);
    poll([port]);
    a.hypercalls.evtchnSend(second.fromPort);
    expect(b.hypercalls.blocked).toBe(true);
    send();
    expect(b.hypercalls.blocked).toBe(false);
  });

  it('timeout is ABSOLUTE ns system time', () => {
    poll([port], START_NS + 5000);
    expect(b.hypercalls.nextTimerNs()).toBe(START_NS + 5000);
    passTo(START_NS + 4000);
    expect(b.hypercalls.blocked).toBe(true);
    passTo(START_NS + 5000);
    expect(b.hypercalls.blocked).toBe(false);
  });

  it('timeout in the past fires at once', () => {
    b.whileBlocked = () => b.hypercalls.runTimers(machine.hypervisor.nowNs());
    expect(poll([port], 1)).toBe(0);
    expect(b.hypercalls.blocked).toBe(false);
  });

  it('timeout 0: no timer', () => {
    poll([port], 0);
    expect(b.hypercalls.nextTimerNs()).toBe(Number.POSITIVE_INFINITY);
  });

  it('rc 0 alike for an event, the timeout and an unrelated wake', () => {
    const rcs: number[] = [];
    for (const wake of [send, () => passTo(START_NS + 1e6), () => machine.hypervisor.wake(b.domid)]) {
      b.clearEvents();
      b.whileBlocked = wake;
      rcs.push(poll([port], START_NS + 1e6));
      expect(b.hypercalls.blocked).toBe(false);
    }
    expect(rcs).toEqual([0, 0, 0]);
  });
});

describe('poll_timer', () => {
  it('if test_and_clear(poll_mask): unblock - a vcpu that does not poll is left alone', () => {
    poll([port], START_NS + 1000);
    machine.hypervisor.wake(b.domid);
    b.hypercalls.schedBlock();
    expect(b.hypercalls.nextTimerNs()).toBe(Number.POSITIVE_INFINITY);
    passTo(START_NS + 1000);
    expect(b.hypercalls.blocked).toBe(true);
  });

  it('is never cancelled by an event: a stale timer may end a LATER poll early', () => {
    poll([port], START_NS + 1000);
    send();
    b.clearEvents();
    poll([port], 0);
    expect(b.hypercalls.nextTimerNs()).toBe(START_NS + 1000);
    passTo(START_NS + 1000);
    expect(b.hypercalls.blocked).toBe(false);
  });

  it('a later poll with a timeout of its own moves it', () => {
    poll([port], START_NS + 1000);
    send();
    b.clearEvents();
    poll([port], START_NS + 9000);
    passTo(START_NS + 1000);
    expect(b.hypercalls.blocked).toBe(true);
  });
});

describe('SCHEDOP_yield', () => {
  it('touches no event state', () => {
    send();
    expect(b.hypercalls.schedYield()).toBe(0);
    expect(b.pending(port)).toBe(true);
    expect(b.upcallPending).toBe(1);
    expect(b.hypercalls.blocked).toBe(false);
  });
});

describe('set_timer_op(t)', () => {
  let timerPort: number;

  beforeEach(() => {
    timerPort = b.hypercalls.evtchnBindVirq(VIRQ_TIMER);
  });

  it('fires set_pending(VIRQ_TIMER port) at t', () => {
    expect(b.hypercalls.setTimerOp(START_NS + 2000)).toBe(0);
    passTo(START_NS + 1000);
    expect(b.pending(timerPort)).toBe(false);
    passTo(START_NS + 2000);
    expect(b.pending(timerPort)).toBe(true);
  });

  it('fires once', () => {
    b.hypercalls.setTimerOp(START_NS + 2000);
    passTo(START_NS + 2000);
    b.clearEvents();
    passTo(START_NS + 9000);
    expect(b.pending(timerPort)).toBe(false);
  });

  it('0 stops it', () => {
    b.hypercalls.setTimerOp(START_NS + 2000);
    b.hypercalls.setTimerOp(0);
    passTo(START_NS + 9000);
    expect(b.pending(timerPort)).toBe(false);
  });

  it('ends SCHEDOP_block', () => {
    b.hypercalls.setTimerOp(START_NS + 2000);
    b.hypercalls.schedBlock();
    expect(b.hypercalls.nextTimerNs()).toBe(START_NS + 2000);
    passTo(START_NS + 2000);
    expect(b.hypercalls.blocked).toBe(false);
  });

  it('t < 0 -> fires in 100 ms', () => {
    b.hypercalls.setTimerOp(-1);
    expect(b.hypercalls.nextTimerNs()).toBe(START_NS + 100e6);
  });

  it('more than 2^50 ns ahead -> fires in 100 ms', () => {
    b.hypercalls.setTimerOp(START_NS + 2 ** 50);
    expect(b.hypercalls.nextTimerNs()).toBe(START_NS + 100e6);
    b.hypercalls.setTimerOp(Number.POSITIVE_INFINITY);
    expect(b.hypercalls.nextTimerNs()).toBe(START_NS + 100e6);
    b.hypercalls.setTimerOp(Number.NaN);
    expect(b.hypercalls.nextTimerNs()).toBe(START_NS + 100e6);
    b.hypercalls.setTimerOp(START_NS + 2 ** 50 - 1000);
    expect(b.hypercalls.nextTimerNs()).toBe(START_NS + 2 ** 50 - 1000);
  });

  it('in the past -> fires at once', () => {
    b.hypercalls.setTimerOp(START_NS - 1);
    b.hypercalls.runTimers(machine.hypervisor.nowNs());
    expect(b.pending(timerPort)).toBe(true);
  });

  it('without VIRQ_TIMER bound nothing arrives', () => {
    b.hypercalls.evtchnClose(timerPort);
    b.hypercalls.setTimerOp(START_NS + 1);
    passTo(START_NS + 1000);
    expect(b.upcallPending).toBe(0);
  });
});

describe('SCHEDOP_shutdown', () => {
  it('notes the reason and tells Dom0', () => {
    const exc = machine.dom0.hypercalls.evtchnBindVirq(3);
    expect(b.record.shutdownReason).toBe(-1);
    expect(b.hypercalls.schedShutdown(3)).toBe(0);
    expect(machine.hypervisor.domain(b.domid)?.shutdownReason).toBe(3);
    expect(machine.dom0.pending(exc)).toBe(true);
    expect(b.hypercalls.schedShutdown(-1)).toBe(EINVAL);
  });
});
