import { describe, expect, it } from 'vitest';
import { Back, type DriverFault, Front, link, SLOTS } from './driver.ts';
import { type Outcome, World } from './world.ts';

/** Two shipped kernels with a synthetic device between them. */
function device(faults: readonly DriverFault[], { audit = false, startIndex = 0, backFaults = faults } = {}) {
  const world = new World({ audit });
  const a = world.addKernel('front');
  const b = world.addKernel('back');
  const joined = link(a, b, startIndex);
  const front = new Front(world, a, joined, faults);
  const back = new Back(world, b, joined, backFaults);
  return { world, a, b, front, back };
}

/** Runs a scenario with the auditor off and on; the auditor must not change how a sound run ends. */
function shipped(run: (audit: boolean) => Outcome): void {
  for (const audit of [false, true]) expect(run(audit)).toMatchObject({ ending: 'done' });
}

describe('S1: the TX ring is full, the backend completes all and kicks once, the RX callback wants space', () => {
  const scenario = (faults: DriverFault[]) => (audit: boolean) => {
    const { world, front, back } = device(faults, { audit, backFaults: [] });
    let sent = 0;
    const send = (): void => front.send(sent++);
    // Every eighth packet is acknowledged, and the acknowledgement makes room for eight more.
    back.onPacket = (tag) => {
      if (tag % SLOTS === SLOTS - 1) back.send(tag);
    };
    front.onReceive = () => {
      for (let i = 0; i < SLOTS; i++) send();
    };
    for (let i = 0; i < SLOTS; i++) send();
    return world.run(() => back.packets.length >= 10 * SLOTS);
  };

  it('stalls when waiters are released by the event instead of by the reaping', () => {
    expect(scenario(['waiter-on-event'])(false)).toMatchObject({ ending: 'deadlock' });
  });

  it('the auditor says so when it happens', () => {
    const outcome = scenario(['waiter-on-event'])(true);
    expect(outcome.ending).toBe('audit');
    expect(outcome.detail).toContain('a packet of 1 slots waits, and 8 are free');
    expect(outcome.elapsedUs).toBe(0);
  });

  it('shipped: done', () => shipped(scenario([])));

  it('need >= free: a packet as large as the ring waits for ever', () => {
    const whole = (faults: DriverFault[]) => (audit: boolean) => {
      const { world, front, back } = device(faults, { audit, backFaults: [] });
      front.send(1, SLOTS);
      return world.run(() => back.packets.length === 1);
    };
    expect(whole(['off-by-one'])(false)).toMatchObject({ ending: 'deadlock' });
    expect(whole(['off-by-one'])(true)).toMatchObject({ ending: 'audit' });
    shipped(whole([]));
  });
});

describe('S2: the backend fills all RX slots in one burst', () => {
  const scenario = (faults: DriverFault[]) => (audit: boolean) => {
    const { world, front, back } = device(faults, { audit, backFaults: [] });
    world.at(10, () => {
      for (let i = 0; i < 3 * SLOTS; i++) back.send(i);
      back.event();
    });
    return world.run(() => front.received.length === 3 * SLOTS);
  };

  it('stalls when the frontend refills before it drains', () => {
    expect(scenario(['refill-before-drain'])(false)).toMatchObject({ ending: 'deadlock' });
  });

  it('shipped: drains, then refills, then makes the final check', () => shipped(scenario([])));
});

describe('S13: the RX callback waits for a TX write, and the same loop reaps', () => {
  const scenario = (faults: DriverFault[]) => (audit: boolean) => {
    const { world, front, back } = device(faults, { audit, backFaults: [] });
    front.onReceive = (tag) => {
      for (let i = 0; i < SLOTS + 1; i++) front.send(tag);
    };
    world.at(10, () => {
      back.send(1);
      back.send(2);
    });
    return world.run(() => back.packets.length === 2 * (SLOTS + 1));
  };

  it('deadlocks when the driver awaits the upper layer', () => {
    expect(scenario(['await-in-callback'])(false)).toMatchObject({ ending: 'deadlock' });
  });

  it('the auditor says so', () => {
    expect(scenario(['await-in-callback'])(true)).toMatchObject({ ending: 'audit' });
  });

  it('shipped: the packet waits at the ring, the driver goes on', () => shipped(scenario([])));
});

describe('S14: push with nothing new, and the peer armed', () => {
  const scenario = (faults: DriverFault[]) => (audit: boolean) => {
    const { world, front, back } = device(faults, { audit });
    world.at(100, () => front.send(1));
    const outcome = world.run(() => back.packets.length === 1 && world.clock.now() >= 1_000_200, { maxUs: 1000 });
    return outcome;
  };

  it('never comes to rest without uint32: each end kicks the other for ever', () => {
    expect(scenario(['wide-compare'])(false)).toMatchObject({ ending: 'livelock' });
  });

  it('shipped: one packet costs a bounded number of events, then silence', () => {
    for (const audit of [false, true]) {
      const { world, a, b, front, back } = device([], { audit });
      // The synthetic event of the binder, then rest.
      expect(world.run(() => false)).toMatchObject({ ending: 'deadlock' });
      const before = a.kernel.activations.events + b.kernel.activations.events;
      world.at(100, () => front.send(1));
      world.run(() => false);
      expect(back.packets).toEqual([1]);
      expect(a.kernel.activations.events + b.kernel.activations.events - before).toBe(2);
    }
  });
});

describe('S15: indices that start at 0xfffffff0', () => {
  const scenario = (faults: DriverFault[]) => (audit: boolean) => {
    const { world, front, back } = device(faults, { audit, startIndex: 0xffff_fff0, backFaults: [] });
    let sent = 0;
    front.onReceive = () => front.send(sent++);
    back.onPacket = (tag) => back.send(tag);
    for (let i = 0; i < SLOTS; i++) front.send(sent++);
    return world.run(() => back.packets.length >= 100);
  };

  it('runs away when private indices are not wrapped', () => {
    expect(scenario(['no-wrap'])(false)).toMatchObject({ ending: 'livelock' });
  });

  it('shipped: passes the wrap', () => shipped(scenario([])));
});

describe('S17: several wait for space, k slots are freed', () => {
  const scenario = (faults: DriverFault[]) => (audit: boolean) => {
    const { world, front, back } = device(faults, { audit, backFaults: [] });
    for (let i = 0; i < 3 * SLOTS; i++) front.send(i);
    // The sender that waits longest has given up meanwhile: whoever is woken need not use what was freed.
    front.waiters[0] = { slots: 1, run: () => {} };
    return world.run(() => back.packets.length === 3 * SLOTS - 1);
  };

  it('the others sleep with free slots when one is woken', () => {
    expect(scenario(['wake-one'])(false)).toMatchObject({ ending: 'deadlock' });
  });

  it('the auditor says so', () => {
    const outcome = scenario(['wake-one'])(true);
    expect(outcome.ending).toBe('audit');
    expect(outcome.detail).toContain('slots waits');
  });

  it('shipped: wakes while space remains', () => shipped(scenario([])));
});

describe('S21: header and payload of a packet, written by two tasks', () => {
  const scenario = (faults: DriverFault[]) => {
    const { world, front, back } = device(faults, { audit: true, backFaults: [] });
    // Who is notified runs at once, before the frontend's next task.
    world.guests.reverse();
    world.at(100, () => front.send(7, 2));
    const outcome = world.run(() => back.packets.length === 1);
    return { outcome, packets: back.packets, torn: back.torn };
  };

  it('a backend that looks between the two pushes sees a torn packet', () => {
    expect(scenario(['push-per-fragment'])).toMatchObject({ torn: 1 });
  });

  it('shipped: req_prod is published once per packet', () => {
    expect(scenario([])).toMatchObject({ outcome: { ending: 'done' }, packets: [7], torn: 0 });
  });
});
