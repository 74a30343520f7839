import { beforeEach, describe, expect, it } from 'vitest';
import { connect, type TestDomain, type TestMachine, testMachine } from './machine.ts';

let machine: TestMachine;
let a: TestDomain;
let b: TestDomain;
let port: number;
let send: () => number;

/** The vcpu of `b` blocks in SCHEDOP_poll on `ports`, and stays there. */
function pollBlocked(ports: number[], deadlineNs = 0): void {
  b.hypercalls.schedPoll(Int32Array.from(ports), ports.length, deadlineNs);
  expect(b.hypercalls.blocked).toBe(true);
}

beforeEach(() => {
  machine = testMachine();
  ({ a, b } = machine);
  const { fromPort, toPort } = connect(a, b);
  port = toPort;
  send = () => a.hypercalls.evtchnSend(fromPort);
});

/** The step points that one call goes through. */
function stepsOf(call: () => void): string[] {
  const steps: string[] = [];
  machine.hypervisor.step = (point) => steps.push(point);
  call();
  machine.hypervisor.step = undefined;
  return steps;
}

describe('set_pending(v, port)', () => {
  it('sets pending, the selector bit of the word, and upcall_pending', () => {
    expect(send()).toBe(0);
    expect(b.pending(port)).toBe(true);
    expect(b.sel(port >>> 6)).toBe(true);
    expect(b.upcallPending).toBe(1);
  });

  it('if test_and_set(pending[port]): return - already pending: no sel, no upcall', () => {
    b.setBit(2048, port);
    send();
    expect(b.sel(0)).toBe(false);
    expect(b.upcallPending).toBe(0);
  });

  it('if test_and_set(pending[port]): return - and NO poller check', () => {
    const other = b.hypercalls.evtchnAllocUnbound(a.domid);
    pollBlocked([other, 77]);
    b.setBit(2048, port);
    send();
    expect(b.hypercalls.blocked).toBe(true);
  });

  it('if !mask[port]: a masked port gets pending and nothing else', () => {
    b.mask(port);
    send();
    expect(b.pending(port)).toBe(true);
    expect(b.sel(0)).toBe(false);
    expect(b.upcallPending).toBe(0);
  });

  it('if !test_and_set(pending_sel): a selector bit that is set already marks nothing', () => {
    b.setBit(8, 0);
    send();
    expect(b.pending(port)).toBe(true);
    expect(b.upcallPending).toBe(0);
  });

  it('check_pollers(d, port) - done even if masked', () => {
    b.mask(port);
    pollBlocked([port]);
    send();
    expect(b.hypercalls.blocked).toBe(false);
  });

  it('keeps the order pending, sel, upcall, pollers', () => {
    expect(stepsOf(send)).toEqual([
      'set_pending:start',
      'set_pending:pending-set',
      'set_pending:sel-set',
      'set_pending:before-pollers',
    ]);
  });

  it('lands in the right half of the right word, for every kind of port number', () => {
    const delivery = machine.hypervisor.delivery;
    const record = machine.hypervisor.state.recordAddr(b.domid);
    for (const any of [1, 31, 32, 63, 64, 2047, 2048, 4064, 4095]) {
      b.clearEvents();
      delivery.setPending(record, any);
      const { view } = machine.hypervisor.memory;
      const shared = b.record.sharedInfoAddr;
      const word = BigInt(any >>> 6);
      expect(view.getBigUint64(shared + 2048 + Number(word) * 8, true)).toBe(1n << BigInt(any & 63));
      expect(view.getBigUint64(shared + 8, true)).toBe(1n << word);
    }
  });
});

describe('mark_events_pending(v)', () => {
  it('if test_and_set(upcall_pending): return - no kick', () => {
    pollBlocked([77]);
    b.upcallPending = 1;
    send();
    expect(b.upcallPending).toBe(1);
    expect(b.hypercalls.blocked).toBe(true);
  });

  it('kick(v) ignores upcall_mask: an unmasked event on ANY port ends a poll', () => {
    expect(b.upcallMask).toBe(1);
    pollBlocked([77, 78]);
    send();
    expect(b.hypercalls.blocked).toBe(false);
  });

  it('kick(v) ends a block', () => {
    b.hypercalls.schedBlock();
    expect(b.hypercalls.blocked).toBe(true);
    send();
    expect(b.hypercalls.blocked).toBe(false);
  });
});

describe('check_pollers(d, port)', () => {
  beforeEach(() => b.mask(port));

  it('v.poll_evtchn == port: wakes who polls this port alone', () => {
    pollBlocked([port]);
    send();
    expect(b.hypercalls.blocked).toBe(false);
  });

  it('v.poll_evtchn is another port: goes on sleeping', () => {
    pollBlocked([port + 1]);
    send();
    expect(b.hypercalls.blocked).toBe(true);
  });

  it('v.poll_evtchn <= 0 (many): wakes who polls several, whichever they are', () => {
    pollBlocked([port + 1, port + 2]);
    send();
    expect(b.hypercalls.blocked).toBe(false);
  });

  it('for v in poll_mask: who blocks without polling is not a poller', () => {
    b.hypercalls.schedBlock();
    send();
    expect(b.hypercalls.blocked).toBe(true);
  });

  it('clear bit; poll_evtchn = 0: the next poll begins anew', () => {
    pollBlocked([port]);
    send();
    const { i32 } = machine.hypervisor.memory;
    const record = machine.hypervisor.state.recordAddr(b.domid);
    expect(i32[(record + 72) >>> 2]).toBe(0);
    expect(i32[(record + 68) >>> 2]).toBe(0);
  });
});

describe('unblock(v)', () => {
  it('if !test_and_clear(blocked): return - a running vcpu stays as it is', () => {
    const woken: number[] = [];
    machine.hypervisor.onWake = (domid) => woken.push(domid);
    machine.hypervisor.wake(b.domid);
    expect(woken).toEqual([]);
    pollBlocked([77]);
    machine.hypervisor.wake(b.domid);
    machine.hypervisor.wake(b.domid);
    expect(woken).toEqual([b.domid]);
  });

  it('if poll_evtchn != 0: the polling period ends with it', () => {
    pollBlocked([77]);
    machine.hypervisor.wake(b.domid);
    const { i32 } = machine.hypervisor.memory;
    const record = machine.hypervisor.state.recordAddr(b.domid);
    expect(i32[(record + 68) >>> 2]).toBe(0);
    expect(i32[(record + 72) >>> 2]).toBe(0);
  });

  it('if test_and_clear(poll_mask): clear(blocked) again - a vcpu that polls again meanwhile is not lost', () => {
    pollBlocked([77]);
    let again = false;
    machine.hypervisor.step = (point) => {
      if (point !== 'unblock:cleared' || again) return;
      again = true;
      pollBlocked([77]);
    };
    machine.hypervisor.wake(b.domid);
    expect(again).toBe(true);
    expect(b.hypercalls.blocked).toBe(false);
  });
});

describe('vcpu_wake', () => {
  it('comes last: a vcpu that runs at once on the CPU of its waker and blocks again is not woken for nothing', () => {
    pollBlocked([port]);
    let woken = 0;
    machine.hypervisor.onWake = () => {
      woken++;
      b.clearEvents();
      pollBlocked([port]);
    };
    send();
    expect(woken).toBe(1);
    expect(b.hypercalls.blocked).toBe(true);
  });
});

describe('unmask(p) [EVTCHNOP_unmask]', () => {
  const unmask = (): number => b.hypercalls.evtchnUnmask(port);

  it('test_and_clear(mask): clears the mask', () => {
    b.mask(port);
    expect(unmask()).toBe(0);
    expect(b.masked(port)).toBe(false);
    expect(b.upcallPending).toBe(0);
  });

  it('&& pending && !test_and_set(sel): mark_events_pending - what came while masked comes again', () => {
    b.mask(port);
    send();
    unmask();
    expect(b.sel(0)).toBe(true);
    expect(b.upcallPending).toBe(1);
  });

  it('a port that was not masked: nothing', () => {
    b.setBit(2048, port);
    unmask();
    expect(b.upcallPending).toBe(0);
  });

  it('a selector bit that is set already: nothing more', () => {
    b.mask(port);
    send();
    b.setBit(8, 0);
    unmask();
    expect(b.upcallPending).toBe(0);
  });

  it('wakes a vcpu that is blocked', () => {
    b.mask(port);
    send();
    b.hypercalls.schedBlock();
    expect(b.hypercalls.blocked).toBe(true);
    unmask();
    expect(b.hypercalls.blocked).toBe(false);
  });

  it.each([0, -1, 4096, Number.NaN])('port %d: -EINVAL', (bad) => {
    expect(b.hypercalls.evtchnUnmask(bad)).toBe(-22);
  });
});

describe('need_delivery(v) = upcall_pending && !upcall_mask', () => {
  it.each([
    [0, 0, false],
    [0, 1, false],
    [1, 1, false],
    [1, 0, true],
  ])('upcall_pending %i, upcall_mask %i: %s', (pending, mask, need) => {
    b.upcallPending = pending;
    b.upcallMask = mask;
    const record = machine.hypervisor.state.recordAddr(b.domid);
    expect(machine.hypervisor.delivery.needDelivery(record)).toBe(need);
  });
});
