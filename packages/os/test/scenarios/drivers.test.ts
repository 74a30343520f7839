import { Timer } from '@qanat/clock';
import { SHARED_EVTCHN_MASK, SHARED_EVTCHN_PENDING } from '@qanat/xen';
import { describe, expect, it } from 'vitest';
import { Back, type DriverFault, Front, link, SLOTS } from './driver.ts';
import { injectBefore } from './inject.ts';
import { type Outcome, World } from './world.ts';

function pair(audit = true) {
  const world = new World({ audit });
  const guest = world.addKernel('guest');
  const peer = world.addKernel('peer');
  const port = guest.hypercalls.evtchnAllocUnbound(peer.domid);
  const bind = (): number => peer.hypercalls.evtchnBindInterdomain(guest.domid, port);
  return { world, guest, peer, port, bind };
}

describe('S3: an event while the driver is busy elsewhere', () => {
  /** A driver that works for 10 us on each message, and then waits for the next event. */
  const scenario = (dropEdges: boolean): Outcome => {
    const { world, guest, peer, port, bind } = pair(false);
    const peerPort = bind();
    let produced = 0;
    let consumed = 0;
    let waiting: (() => void) | undefined;
    let seen = 0;
    const work = (): void => {
      seen = guest.counter(port);
      if (consumed < produced) consumed++;
      guest.timers.arm(new Timer(wait), world.clock.now() + 10);
    };
    /** With the fault: the next event releases who waits then; one that finds nobody is gone. */
    const wait = (): void => {
      if (!dropEdges && guest.counter(port) > seen) work();
      else waiting = work;
    };
    guest.bind(port, () => {
      const release = waiting;
      waiting = undefined;
      release?.();
    });
    wait();
    const send = (): void => {
      produced++;
      peer.hypercalls.evtchnSend(peerPort);
    };
    world.at(100, send);
    world.at(105, send);
    return world.run(() => consumed === 2);
  };

  it('is dropped when only a waiter at that moment hears it', () => {
    expect(scenario(true)).toMatchObject({ ending: 'deadlock' });
  });

  it('shipped: the counter of the port has grown, so the driver goes on', () => {
    expect(scenario(false)).toMatchObject({ ending: 'done' });
  });
});

describe('S10: pending set while masked', () => {
  /** A driver that masks its port while it works, 10 us for each event. */
  const scenario = (plain: boolean): Outcome => {
    const { world, guest, peer, port, bind } = pair(false);
    const peerPort = bind();
    const { i32 } = world.memory;
    const { activations } = guest.kernel;
    const shared = guest.kernel.domain.sharedInfoAddr;
    const maskIndex = ((shared + SHARED_EVTCHN_MASK) >>> 2) + (port >>> 5);
    const bit = 1 << (port & 31);
    let handled = 0;
    guest.bind(port, () => {
      handled++;
      activations.mask(port);
      guest.timers.arm(
        new Timer(() => {
          if (plain) Atomics.and(i32, maskIndex, ~bit);
          else activations.unmask(port);
        }),
        world.clock.now() + 10,
      );
    });
    world.run(() => false, { maxUs: 50 });
    handled = 0;
    const send = (): void => void peer.hypercalls.evtchnSend(peerPort);
    world.at(100, send);
    world.at(105, send);
    world.at(500, send);
    return world.run(() => handled === 3, { maxTurns: 200, maxUs: 2000 });
  };

  it('a plain mask clear leaves it without selector and upcall: lost, also what comes later', () => {
    expect(scenario(true).ending).not.toBe('done');
  });

  it('shipped: unmasking makes it come again', () => {
    expect(scenario(false)).toMatchObject({ ending: 'done' });
  });

  it('shipped: Activations.bind does so for events that came before it', () => {
    const { world, guest, peer, port, bind } = pair();
    const peerPort = bind();
    const { i32 } = world.memory;
    const shared = guest.kernel.domain.sharedInfoAddr;
    Atomics.or(i32, ((shared + SHARED_EVTCHN_MASK) >>> 2) + (port >>> 5), 1 << (port & 31));
    peer.hypercalls.evtchnSend(peerPort);
    expect(i32[((shared + SHARED_EVTCHN_PENDING) >>> 2) + (port >>> 5)]! & (1 << (port & 31))).not.toBe(0);
    let handled = 0;
    guest.bind(port, () => {
      handled++;
    });
    expect(world.run(() => handled === 1)).toMatchObject({ ending: 'done' });
  });
});

describe('S16: a push between the consumer’s look and the arming of its event', () => {
  /** The backend has taken all there is; before the k-th access of its way to sleep the frontend sends once more. */
  const scenario = (faults: DriverFault[]): string[] => {
    const endings = new Set<string>();
    for (let k = 0; ; k++) {
      const world = new World({ audit: false });
      const a = world.addKernel('front');
      const b = world.addKernel('back');
      const joined = link(a, b);
      const front = new Front(world, a, joined, []);
      const back = new Back(world, b, joined, faults);
      world.run(() => false, { maxUs: 10 });
      front.send(1);
      const reached = injectBefore(
        k,
        () => front.send(2),
        () => {
          for (let i = 0; i < 4; i++) if (!b.hypercalls.blocked) b.turn();
        },
      );
      if (!reached) return [...endings].sort();
      endings.add(world.run(() => back.packets.length === 2, { maxUs: 1000 }).ending);
    }
  };

  it('is lost without the second look', () => {
    expect(scenario(['no-final-check'])).toEqual(['deadlock', 'done']);
  });

  it('shipped: the final check finds it, wherever it falls', () => {
    expect(scenario([])).toEqual(['done']);
  });
});

describe('S18: a notify before the peer has bound the channel', () => {
  const scenario = (ignoreSynthetic: boolean): Outcome => {
    const { world, guest, peer, port, bind } = pair(false);
    let produced = 0;
    let consumed = 0;
    guest.bind(port, () => {});
    world.at(100, () => {
      produced++;
      expect(guest.hypercalls.evtchnSend(port)).toBe(0);
    });
    world.at(200, () => {
      const peerPort = bind();
      // The fault: what was pending when the handler is bound is taken for old and thrown away.
      if (ignoreSynthetic) {
        const pendingIndex = ((peer.kernel.domain.sharedInfoAddr + SHARED_EVTCHN_PENDING) >>> 2) + (peerPort >>> 5);
        Atomics.and(world.memory.i32, pendingIndex, ~(1 << (peerPort & 31)));
      }
      peer.bind(peerPort, () => {
        consumed = produced;
      });
    });
    return world.run(() => consumed === 1, { maxUs: 1000 });
  };

  it('is dropped silently, and stays so for who ignores the synthetic event', () => {
    expect(scenario(true).ending).not.toBe('done');
  });

  it('shipped: the binder gets an event of its own', () => {
    expect(scenario(false)).toMatchObject({ ending: 'done' });
  });
});

describe('S20: the backend still maps a page that is revoked', () => {
  /** A driver that takes a grant back while other messages come. */
  const scenario = (sleepUntilRevoked: boolean): { outcome: Outcome; revoked: boolean } => {
    const { world, guest, peer, port, bind } = pair();
    const peerPort = bind();
    const page = guest.pages.alloc();
    const ref = guest.grants.grantAccess(peer.domid, page, false);
    const { handle } = peer.hypercalls.grantMap(guest.domid, ref, false);
    let handled = 0;
    let frozen = false;
    let revoked = false;
    const revoke = (): void => {
      frozen = false;
      revoked = guest.grants.endAccess(ref);
      if (revoked) return;
      // The fault: the driver's own loop waits. Else the reference goes to a list that is looked at now and then.
      frozen = sleepUntilRevoked;
      guest.timers.arm(new Timer(revoke), world.clock.now() + (sleepUntilRevoked ? 10e6 : 1000));
    };
    guest.bind(port, () => {
      if (!frozen) handled++;
    });
    world.run(() => false, { maxUs: 10 });
    handled = 0;
    revoke();
    for (let i = 1; i <= 5; i++) world.at(i * 100, () => void peer.hypercalls.evtchnSend(peerPort));
    world.at(3000, () => void peer.hypercalls.grantUnmap(handle));
    const outcome = world.run(() => handled >= 5, { maxUs: 20_000 });
    world.run(() => revoked, { maxUs: 10_000 });
    return { outcome, revoked };
  };

  it('freezes the driver for 10 s when it waits for the revocation', () => {
    expect(scenario(true).outcome.ending).not.toBe('done');
  });

  it('shipped: endAccess says "not yet" at once; the driver goes on and the page comes back later', () => {
    expect(scenario(false)).toMatchObject({ outcome: { ending: 'done', elapsedUs: 500 }, revoked: true });
  });
});

describe('the whole device', () => {
  it('carries a thousand packets both ways, with every sleep audited', () => {
    const world = new World();
    const a = world.addKernel('front');
    const b = world.addKernel('back');
    const joined = link(a, b, 0xffff_ff80);
    const front = new Front(world, a, joined, []);
    const back = new Back(world, b, joined, []);
    let sent = 0;
    back.onPacket = (tag) => {
      if (tag % 3 === 0) back.send(tag);
    };
    front.onReceive = () => {
      while (sent < 1000 && front.waiters.length < 2 * SLOTS) front.send(sent++, 1 + (sent % 4));
    };
    front.send(sent++);
    const outcome = world.run(() => back.packets.length === 1000, { maxTurns: 20_000 });
    expect(outcome).toMatchObject({ ending: 'done', elapsedUs: 0 });
    expect(back.packets).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(front.received).toEqual(
      Array.from({ length: 334 }, (_, i) => i * 3).filter((tag) => front.received.includes(tag)),
    );
    expect(back.torn).toBe(0);
  });
});
