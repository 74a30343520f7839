import { Timer } from '@qanat/clock';
import { VIRQ_DEBUG, VIRQ_TIMER } from '@qanat/xen';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type Kernel,
  LOOP_BLOCKED,
  LOOP_SLICE,
  LOOP_STOPPED,
  LOOP_TURN,
  MainLoop,
  SleepAuditError,
} from '../src/index.ts';
import { World } from './scenarios/world.ts';

let world: World;
let kernel: Kernel;

beforeEach(() => {
  world = new World();
  kernel = world.addKernel('guest').kernel;
});

const upcallMask = (): number => world.memory.u8[kernel.domain.sharedInfoAddr + 1]!;

describe('run', () => {
  it('comes back blocked when there is nothing to do', () => {
    expect(kernel.loop.run()).toBe(LOOP_BLOCKED);
    expect(kernel.hypercalls.blocked).toBe(true);
    expect(kernel.loop.counters).toMatchObject({ loops: 1, sleeps: 1 });
  });

  it('comes back after so many passes while there is work', () => {
    const again = (): void => kernel.loop.defer(again);
    again();
    expect(kernel.loop.run(7)).toBe(LOOP_SLICE);
    expect(kernel.loop.counters).toMatchObject({ loops: 7, sleeps: 0, tasks: 7 });
  });

  it('comes back after so many passes also when every sleep ends at once', () => {
    let polls = 0;
    world.hypervisor.step = (point) => {
      if (point !== 'poll:checked') return;
      if (++polls > 100) throw new Error('the slice does not end');
      world.hypervisor.wake(kernel.domid);
    };
    expect(kernel.loop.run(5)).toBe(LOOP_SLICE);
    expect(polls).toBe(5);
    expect(kernel.loop.counters.spuriousWakes).toBe(5);
  });

  it('comes back for a turn of the event loop when asked', () => {
    kernel.loop.defer(() => kernel.loop.requestTurn());
    expect(kernel.loop.run()).toBe(LOOP_TURN);
    expect(kernel.loop.run()).toBe(LOOP_BLOCKED);
    expect(kernel.loop.counters.turns).toBe(1);
  });

  it('stops for good, and not in the middle of a pass', () => {
    const order: string[] = [];
    kernel.loop.defer(() => {
      order.push('exit');
      kernel.exit(4);
      kernel.exit(5);
    });
    kernel.loop.defer(() => order.push('same pass'));
    kernel.loop.addBeforeSleep(() => order.push('sleep'));
    expect(kernel.loop.run()).toBe(LOOP_STOPPED);
    expect(kernel.loop.run()).toBe(LOOP_STOPPED);
    expect(order).toEqual(['exit', 'same pass']);
    expect(kernel.exitCode).toBe(4);
  });

  it('stops before the sleep when a before-sleep hook exits', () => {
    kernel.loop.addBeforeSleep(() => kernel.exit(0));
    expect(kernel.loop.run()).toBe(LOOP_STOPPED);
    expect(kernel.loop.counters.sleeps).toBe(0);
  });

  it('is not entered twice', () => {
    kernel.loop.defer(() => void kernel.loop.run());
    expect(() => kernel.loop.run()).toThrow('running already');
  });

  it('bounds the tasks and timers of a pass', () => {
    let tasks = 0;
    let timers = 0;
    for (let i = 0; i < 1000; i++) {
      kernel.loop.defer(() => tasks++);
      kernel.loop.timers.arm(new Timer(() => timers++), world.clock.now());
    }
    kernel.loop.run(1);
    expect([tasks, timers]).toEqual([256, 64]);
    kernel.loop.run();
    expect([tasks, timers]).toEqual([1000, 1000]);
  });

  it('runs before-sleep hooks only before a sleep, and what they defer at once', () => {
    let hooks = 0;
    let ran = 0;
    kernel.loop.addBeforeSleep(() => {
      if (++hooks === 1) kernel.loop.defer(() => ran++);
    });
    const left = { tasks: 3 };
    const task = (): void => {
      if (--left.tasks > 0) kernel.loop.defer(task);
      expect(hooks).toBe(0);
    };
    kernel.loop.defer(task);
    kernel.loop.run();
    expect([hooks, ran]).toEqual([2, 1]);
  });

  it('fires the one-shot timer of a domain that is busy', () => {
    const port = kernel.hypercalls.evtchnBindVirq(VIRQ_TIMER);
    let fired = 0;
    kernel.activations.bind(port, () => fired++);
    kernel.hypercalls.setTimerOp(world.hypervisor.nowNs() + 5000);
    const again = (): void => kernel.loop.defer(again);
    again();
    kernel.loop.run(3);
    expect(fired).toBe(0);
    world.clock.advanceTo(world.clock.now() + 5);
    kernel.loop.run(3);
    expect(fired).toBe(1);
  });

  it('has upcalls masked again after SCHEDOP_block', () => {
    for (let i = 0; i < 130; i++) kernel.activations.bind(kernel.hypercalls.evtchnAllocUnbound(0), () => {});
    kernel.loop.run();
    expect(kernel.hypercalls.counters.blocks).toBe(1);
    expect(upcallMask()).toBe(0);
    world.hypervisor.wake(kernel.domid);
    kernel.loop.defer(() => expect(upcallMask()).toBe(1));
    kernel.loop.run();
    expect(kernel.loop.counters.tasks).toBe(1);
  });

  it('counts the time asleep and what woke it', () => {
    const port = kernel.hypercalls.evtchnBindVirq(VIRQ_DEBUG);
    kernel.activations.bind(port, () => {});
    kernel.loop.timers.arm(new Timer(() => {}), world.clock.now() + 300);
    world.at(100, () => void world.hypervisor.sendVirq(kernel.domid, VIRQ_DEBUG));
    world.at(200, () => world.hypervisor.wake(kernel.domid));
    world.run(() => false, { maxUs: 1000 });
    expect(kernel.loop.counters).toMatchObject({ sleeps: 4, blockedUs: 300, spuriousWakes: 1, timersFired: 1 });
    expect(kernel.activations.events).toBe(1);
  });
});

describe('blockDomain', () => {
  let port: number;

  beforeEach(() => {
    port = kernel.hypercalls.evtchnBindVirq(VIRQ_DEBUG);
    kernel.activations.bind(port, () => {});
  });

  it.each([0, -1, Number.NEGATIVE_INFINITY, Number.NaN])('of %d polls once and does not sleep', (timeoutUs) => {
    world.hypervisor.sendVirq(kernel.domid, VIRQ_DEBUG);
    kernel.loop.blockDomain(timeoutUs);
    expect(kernel.hypercalls.counters.polls).toBe(0);
    expect(kernel.activations.counter(port)).toBe(1);
    expect(kernel.activations.waiting).toBe(true);
    world.hypervisor.sendVirq(kernel.domid, VIRQ_DEBUG);
    kernel.loop.blockDomain(timeoutUs);
    // Latched twice, dispatched once.
    expect(kernel.activations.counter(port)).toBe(2);
    expect(kernel.activations.dispatch()).toBe(1);
  });

  it('takes an interval and sleeps until an absolute time', () => {
    kernel.loop.blockDomain(1234);
    expect(kernel.hypercalls.blocked).toBe(true);
    expect(kernel.hypercalls.nextTimerNs()).toBe((world.clock.now() + 1234) * 1000);
  });

  it('of Infinity sleeps without a timer', () => {
    kernel.loop.blockDomain(Number.POSITIVE_INFINITY);
    expect(kernel.hypercalls.nextTimerNs()).toBe(Number.POSITIVE_INFINITY);
  });

  it('does not sleep when an event waits', () => {
    world.hypervisor.sendVirq(kernel.domid, VIRQ_DEBUG);
    kernel.loop.blockDomain(1000);
    expect(kernel.hypercalls.blocked).toBe(false);
  });
});

describe('the sleep auditor', () => {
  it('finds nothing in a kernel at rest', () => {
    kernel.loop.run();
    expect(kernel.loop.sleepFaults()).toEqual([]);
  });

  it('names what is left', () => {
    const port = kernel.hypercalls.evtchnBindVirq(VIRQ_DEBUG);
    kernel.activations.bind(port, () => {});
    kernel.loop.defer(() => {});
    kernel.loop.timers.arm(new Timer(() => {}), world.clock.now() + 50);
    kernel.loop.addAudit('tx', () => 'room for 3');
    kernel.loop.addAudit('rx', () => undefined);
    world.hypervisor.sendVirq(kernel.domid, VIRQ_DEBUG);
    expect(kernel.loop.sleepFaults()).toEqual([
      '1 ready tasks',
      `a timer at ${world.clock.now() + 50} us and no wake-up for it`,
      `port ${port} is pending`,
      'an event was not dispatched',
      'tx: room for 3',
    ]);
  });

  it('throws in the domain that sleeps, with the event-channel bits', () => {
    kernel.loop.addAudit('tx', () => 'room for 3');
    expect(() => kernel.loop.run()).toThrow(SleepAuditError);
    try {
      kernel.loop.run();
    } catch (error) {
      expect((error as SleepAuditError).violation).toEqual({
        domid: kernel.domid,
        name: 'guest',
        atUs: world.clock.now(),
        faults: ['tx: room for 3'],
        events: 'upcall_pending 0',
      });
    }
  });
});

describe('an image with a loop of its own', () => {
  it('takes over with what waits already, and the auditor looks at it', () => {
    const order: string[] = [];
    kernel.loop.defer(() => order.push('deferred before'));
    kernel.loop.addAudit('driver', () => 'a fault');
    const shipped = kernel.loop;
    let own: MainLoop | undefined;
    void kernel.start({
      createLoop: (parts) => {
        own = new MainLoop(parts);
        return own;
      },
      main: ({ loop }) => loop.defer(() => order.push('main')),
    });
    expect(kernel.loop).toBe(own);
    expect(kernel.loop).not.toBe(shipped);
    expect(() => kernel.loop.run()).toThrow('driver: a fault');
    expect(order).toEqual(['deferred before', 'main']);
  });
});
