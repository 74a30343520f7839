import { Timer } from '@qanat/clock';
import { VIRQ_DEBUG } from '@qanat/xen';
import { describe, expect, it } from 'vitest';
import type { Guest } from './guest.ts';
import { injectBefore } from './inject.ts';
import type { LegacyFault } from './legacy-loop.ts';
import { type Outcome, type RunLimits, World } from './world.ts';

/** Accesses to shared memory in the passes that a scenario looks at are fewer than this. */
const MAX_ACCESSES = 200;

/** A world with the guest under test, shipped (no faults given) or faulty, and a peer that only sends. */
function lab(faults?: readonly LegacyFault[]) {
  const world = new World();
  const guest: Guest = faults === undefined ? world.addKernel('guest') : world.addLegacy('guest', faults);
  const peer = world.addKernel('peer');
  const open = (): { port: number; send: () => void } => {
    const port = guest.hypercalls.evtchnAllocUnbound(peer.domid);
    const peerPort = peer.hypercalls.evtchnBindInterdomain(guest.domid, port);
    return { port, send: () => void peer.hypercalls.evtchnSend(peerPort) };
  };
  return { world, guest, peer, open };
}

/**
 * An event that comes just before the k-th access to shared memory of a guest on its way to sleep, for every k: the
 * handler must run, without the help of a timer. The guest's driver counts messages that a ring would hold.
 * @returns the endings, by k.
 */
function interruptEverywhere(faults?: readonly LegacyFault[]): Outcome[] {
  const outcomes: Outcome[] = [];
  for (let k = 0; k < MAX_ACCESSES; k++) {
    const { world, guest, open } = lab(faults);
    const { port, send } = open();
    let produced = 0;
    let consumed = 0;
    guest.bind(port, () => {
      consumed = produced;
    });
    // Come to rest first; then one event wakes the guest, and another comes while it is awake.
    world.run(() => false, { maxUs: 10, maxTurns: 50 });
    const message = (): void => {
      produced++;
      send();
    };
    message();
    let reached = false;
    try {
      reached = injectBefore(k, message, () => {
        for (let i = 0; i < 4; i++) if (!guest.hypercalls.blocked) guest.turn();
      });
    } catch {
      reached = true;
    }
    if (!reached) return outcomes;
    const outcome = world.run(() => consumed === 2, { maxUs: 1000, maxTurns: 100 });
    outcomes.push(outcome);
    if (outcome.ending !== 'done') continue;
    // The message may have been taken without its event: then the next one shows whether the port still works.
    world.run(() => false, { maxUs: 1000, maxTurns: 100 });
    message();
    outcomes.push(world.run(() => consumed === 3, { maxUs: 1000, maxTurns: 100 }));
  }
  return outcomes;
}

const endings = (outcomes: Outcome[]): string[] => [...new Set(outcomes.map(({ ending }) => ending))].sort();

describe('an event at any instant', () => {
  it('shipped: none is lost, wherever it comes', () => {
    const outcomes = interruptEverywhere();
    expect(outcomes.length).toBeGreaterThan(20);
    expect(endings(outcomes)).toEqual(['done']);
  });

  it('the loop of the lab without faults loses none either', () => {
    expect(endings(interruptEverywhere([]))).toEqual(['done']);
  });

  it('S4: irqs on until SCHEDOP_block, and an upcall that clears upcall_pending only: lost', () => {
    expect(endings(interruptEverywhere(['irqs-on']))).toContain('deadlock');
  });

  it('S5: pending cleared without a latch between the rings and the poll: lost', () => {
    expect(endings(interruptEverywhere(['clear-without-latch']))).toContain('deadlock');
  });

  it('S11: upcall_pending cleared after the selector was taken: lost', () => {
    const found = endings(interruptEverywhere(['late-upcall-clear']));
    expect(found.some((ending) => ending === 'deadlock' || ending === 'livelock')).toBe(true);
  });

  it('S11: pending cleared after the handler: lost', () => {
    expect(endings(interruptEverywhere(['clear-after-handler']))).toContain('deadlock');
  });
});

describe('S4, S5: an event at each step point between the last look and the sleep', () => {
  it.each(['poll:blocked-set', 'poll:checked', 'poll:deschedule'])('shipped: at %s it ends the sleep', (point) => {
    const { world, guest, open } = lab();
    const { port, send } = open();
    let handled = 0;
    guest.bind(port, () => {
      handled++;
    });
    world.run(() => false, { maxUs: 10 });
    handled = 0;
    let sent = false;
    world.hypervisor.step = (now) => {
      if (now !== point || sent) return;
      sent = true;
      send();
    };
    world.hypervisor.wake(guest.domid);
    expect(world.run(() => handled === 1)).toMatchObject({ ending: 'done', elapsedUs: 0 });
  });
});

describe('S6: a port of the poll set is masked, its pending bit never cleared', () => {
  const scenario = (faults?: readonly LegacyFault[]): Outcome => {
    const { world, guest, open } = lab(faults);
    const { port, send } = open();
    guest.bind(port, () => {});
    for (let i = 1; i <= 10; i++) world.at(i * 100, send);
    return world.run(() => world.clock.now() >= 1_001_100, { maxTurns: 500, maxUs: 5000 });
  };

  it('SCHEDOP_poll returns at once, for ever: a spin', () => {
    expect(scenario(['masked-ports'])).toMatchObject({ ending: 'livelock' });
  });

  it('shipped: sleeps between events, a handful of hypercalls for each', () => {
    const { world, guest, open } = lab();
    const { port, send } = open();
    let handled = 0;
    guest.bind(port, () => {
      handled++;
    });
    world.run(() => false, { maxUs: 10 });
    const before = guest.hypercalls.counters.hypercalls;
    const handledBefore = handled;
    for (let i = 1; i <= 10; i++) world.at(i * 100, send);
    world.run(() => handled === handledBefore + 10);
    // Each event: one poll.
    expect(guest.hypercalls.counters.hypercalls - before).toBeLessThanOrEqual(10);
  });
});

describe('S7: a task appears in the last phase before the sleep', () => {
  const scenario = (faults?: readonly LegacyFault[]): Outcome => {
    const { world, guest } = lab(faults);
    let deferred = false;
    let ran = false;
    guest.addBeforeSleep(() => {
      if (deferred) return;
      deferred = true;
      guest.defer(() => {
        ran = true;
      });
    });
    // Without this timer it would sleep for ever.
    guest.timers.arm(new Timer(() => {}), world.clock.now() + 10_000);
    return world.run(() => ran);
  };

  it('waits for the next timer when the loop sleeps with a run queue', () => {
    expect(scenario(['ignore-ready'])).toMatchObject({ ending: 'done', elapsedUs: 10_000 });
  });

  it('shipped: runs it at once', () => {
    expect(scenario()).toMatchObject({ ending: 'done', elapsedUs: 0 });
  });
});

describe('S8: events without end', () => {
  const scenario = (faults?: readonly LegacyFault[]): Outcome => {
    const { world, guest, peer } = lab(faults);
    const port = guest.hypercalls.evtchnAllocUnbound(peer.domid);
    const peerPort = peer.hypercalls.evtchnBindInterdomain(guest.domid, port);
    guest.bind(port, () => void guest.hypercalls.evtchnSend(port));
    // Keeps the guest's port pending whenever the guest looks.
    peer.bind(peerPort, () => void peer.hypercalls.evtchnSend(peerPort));
    let fired = false;
    guest.timers.arm(
      new Timer(() => {
        fired = true;
      }),
      world.clock.now() + 100,
    );
    return world.run(() => fired, { usPerTurn: 5, maxUs: 10_000 });
  };

  it('timers starve when they are looked at in the idle branch only', () => {
    expect(scenario(['timers-when-idle'])).toMatchObject({ ending: 'late' });
  });

  it('shipped: due timers fire on every pass', () => {
    const outcome = scenario();
    expect(outcome.ending).toBe('done');
    expect(outcome.elapsedUs).toBeLessThan(150);
  });

  it('shipped: timers without end do not starve events either', () => {
    const { world, guest, open } = lab();
    const timer: Timer = new Timer((nowUs) => guest.timers.arm(timer, nowUs));
    guest.timers.arm(timer, world.clock.now());
    const { port, send } = open();
    let handled = 0;
    guest.bind(port, () => {
      handled++;
    });
    send();
    expect(world.run(() => handled > 0, { maxTurns: 20 })).toMatchObject({ ending: 'done' });
  });

  it('shipped: tasks without end starve neither', () => {
    const { world, guest, open } = lab();
    const again = (): void => guest.defer(again);
    guest.defer(again);
    const { port, send } = open();
    let handled = 0;
    let fired = 0;
    guest.bind(port, () => {
      handled++;
    });
    guest.timers.arm(
      new Timer(() => {
        fired++;
      }),
      world.clock.now(),
    );
    send();
    expect(world.run(() => handled > 0 && fired > 0, { maxTurns: 20 })).toMatchObject({ ending: 'done' });
  });
});

describe('S9: a port beyond what the loop was written for', () => {
  const scenario = (ports: number, faults?: readonly LegacyFault[]): Outcome => {
    const { world, guest, open } = lab(faults);
    let handled = 0;
    let last = open();
    for (let i = 1; i < ports; i++) {
      if (i > ports - 3 || i < 200) guest.bind(last.port, () => {});
      last = open();
    }
    guest.bind(last.port, () => {
      handled++;
    });
    world.run(() => false, { maxUs: 10, maxTurns: 50 });
    const before = handled;
    last.send();
    return world.run(() => handled > before, { maxTurns: 100 });
  };

  it('is never dispatched by a loop that knows ten', () => {
    expect(scenario(20, ['ten-ports']).ending).not.toBe('done');
  });

  it.each([20, 130, 4000])('shipped: the %ith port is dispatched (beyond 128 by SCHEDOP_block)', (ports) => {
    expect(scenario(ports)).toMatchObject({ ending: 'done' });
  });

  it('shipped: deadlines hold with more ports than a poll takes', () => {
    const { world, guest, open } = lab();
    for (let i = 0; i < 140; i++) guest.bind(open().port, () => {});
    let firedUs = 0;
    guest.timers.arm(
      new Timer((nowUs) => {
        firedUs = nowUs;
      }),
      world.clock.now() + 777,
    );
    expect(world.run(() => firedUs !== 0)).toMatchObject({ ending: 'done', elapsedUs: 777 });
    expect(guest.hypercalls.counters.blocks).toBeGreaterThan(0);
  });
});

describe('S12: the deadline of a sleep', () => {
  const timerIn = (world: World, guest: Guest, us: number): (() => boolean) => {
    let fired = false;
    guest.timers.arm(
      new Timer(() => {
        fired = true;
      }),
      world.clock.now() + us,
    );
    return () => fired;
  };

  const scenario = (us: number, limits: RunLimits, faults?: readonly LegacyFault[]) => {
    const { world, guest } = lab(faults);
    const fired = timerIn(world, guest, us);
    const outcome = world.run(fired, limits);
    return { outcome, polls: guest.hypercalls.counters.polls + guest.hypercalls.counters.blocks };
  };

  it('an interval where an absolute time is expected lies in the past: a spin', () => {
    expect(scenario(1000, { maxTurns: 1000 }, ['relative-timeout']).outcome).toMatchObject({ ending: 'livelock' });
  });

  it('shipped: sleeps once until the deadline', () => {
    const { outcome, polls } = scenario(1000, {});
    expect(outcome).toMatchObject({ ending: 'done', elapsedUs: 1000 });
    // One before the deadline, one after it.
    expect(polls).toBe(2);
  });

  /** 1000 days, as in 2013: beyond the 2^50 ns that the hypervisor believes. */
  const farUs = 1000 * 86_400e6;

  it('a thousand days through set_timer_op come back every 100 ms', () => {
    const { outcome, polls } = scenario(farUs, { maxUs: 10e6 }, ['uncapped-timeout']);
    expect(outcome).toMatchObject({ ending: 'late' });
    expect(polls).toBeGreaterThanOrEqual(100);
  });

  it('shipped: capped below 2^50 ns, by poll and by block', () => {
    for (const ports of [1, 140]) {
      const { world, guest, open } = lab();
      for (let i = 0; i < ports; i++) guest.bind(open().port, () => {});
      timerIn(world, guest, farUs);
      const before = guest.hypercalls.counters.hypercalls;
      expect(world.run(() => false, { maxUs: 86_400e6 })).toMatchObject({ ending: 'late' });
      expect(guest.hypercalls.counters.hypercalls - before).toBeLessThan(10);
    }
  });

  it('shipped: a thousand days later it fires', () => {
    const { outcome, polls } = scenario(farUs, { maxUs: 2 * farUs });
    expect(outcome).toMatchObject({ ending: 'done', elapsedUs: farUs });
    expect(polls).toBeLessThan(100);
  });
});

describe('S19: wake-ups without a cause', () => {
  /** A driver whose ring holds messages only after an event. */
  const scenario = (faults?: readonly LegacyFault[]) => {
    const { world, guest, open } = lab(faults);
    const { port, send } = open();
    let produced = 0;
    let consumed = 0;
    const calls: number[] = [];
    guest.bind(port, () => {
      calls.push(world.clock.now());
      if (faults === undefined) consumed = produced;
      else consumed++;
    });
    world.run(() => false, { maxUs: 10, maxTurns: 50 });
    consumed = 0;
    calls.length = 0;
    // A timer that has fired leaves nothing behind; one that an event preceded leaves the poll's timer armed.
    const timer = new Timer(() => {});
    guest.timers.arm(timer, world.clock.now() + 500);
    world.at(100, () => {
      guest.timers.cancel(timer);
      produced++;
      send();
    });
    const outcome = world.run(() => world.clock.now() >= 1_002_000, { maxUs: 5000 });
    return { outcome, produced, consumed, calls: calls.length };
  };

  it('who takes the return of a poll for an event takes a message that is not there', () => {
    const { produced, consumed } = scenario(['rc-is-event']);
    expect(consumed).toBeGreaterThan(produced);
  });

  it('shipped: a stale poll timer ends a later poll, and nothing comes of it', () => {
    const { produced, consumed, calls } = scenario();
    expect([produced, consumed, calls]).toEqual([1, 1, 1]);
  });

  it('shipped: another port’s event ends a poll of one port', () => {
    const { world, guest, peer } = lab();
    const virq = guest.hypercalls.evtchnBindVirq(VIRQ_DEBUG);
    world.run(() => false, { maxUs: 10 });
    void peer;
    world.at(100, () => world.hypervisor.sendVirq(guest.domid, VIRQ_DEBUG));
    const outcome = world.run(() => guest.counter(virq) === 1);
    expect(outcome).toMatchObject({ ending: 'done', elapsedUs: 100 });
  });
});
