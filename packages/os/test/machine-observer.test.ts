import { NEVER, Timer } from '@qanat/clock';
import { VIRQ_DEBUG } from '@qanat/xen';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Kernel, type MachineObserver, SleepAuditError } from '../src/index.ts';
import { PORT_INTERDOMAIN, PORT_VIRQ } from '../src/machine-observer.ts';
import { World } from './scenarios/world.ts';

let world: World;
let kernel: Kernel;
let seen: (readonly (string | number)[])[];
let startUs: number;

/** Times are told since the start of the test. */
function observer(): MachineObserver {
  const other = (what: string) => (): void => void seen.push([what]);
  return {
    sleeps: (nowUs, deadlineUs) => seen.push(['sleeps', nowUs - startUs, deadlineUs - startUs]),
    wakes: (nowUs, port, kind) => seen.push(['wakes', nowUs - startUs, port, kind]),
    sleepFault: (nowUs, fault) => seen.push(['fault', nowUs - startUs, fault]),
    pushed: other('pushed'),
    reaped: other('reaped'),
    notified: other('notified'),
    queued: other('queued'),
    dropped: other('dropped'),
  };
}

beforeEach(() => {
  world = new World();
  kernel = world.addKernel('guest').kernel;
  seen = [];
  startUs = world.clock.now();
});

function idle(us: number): void {
  world.run(() => false, { maxUs: us });
}

describe('an observer of a domain', () => {
  it('is told when it sleeps, until when, and which port or that time woke it', () => {
    const peer = world.addKernel('peer');
    const { activations, hypercalls } = kernel;
    const virq = hypercalls.evtchnBindVirq(VIRQ_DEBUG);
    const port = hypercalls.evtchnAllocUnbound(peer.domid);
    const peerPort = peer.hypercalls.evtchnBindInterdomain(kernel.domid, port);
    for (const bound of [virq, port]) activations.bind(bound, () => {});
    kernel.loop.timers.arm(new Timer(() => {}), startUs + 500);
    world.at(100, () => void world.hypervisor.sendVirq(kernel.domid, VIRQ_DEBUG));
    world.at(200, () => void peer.hypercalls.evtchnSend(peerPort));
    world.at(300, () => world.hypervisor.wake(kernel.domid));
    // What is pending when the loop is entered for the first time is not what woke it.
    idle(0);
    seen = [];
    kernel.watched.observer = observer();
    idle(1000);
    expect(seen).toEqual([
      ['wakes', 100, virq, PORT_VIRQ],
      ['sleeps', 100, 500],
      ['wakes', 200, port, PORT_INTERDOMAIN],
      ['sleeps', 200, 500],
      ['wakes', 300, -1, PORT_INTERDOMAIN],
      ['sleeps', 300, 500],
      ['wakes', 500, -1, PORT_INTERDOMAIN],
      ['sleeps', 500, NEVER],
    ]);
  });

  it('is told nothing before it watches and after it has ended', () => {
    const watching = observer();
    kernel.loop.timers.arm(new Timer(() => {}), startUs + 100);
    kernel.loop.timers.arm(new Timer(() => {}), startUs + 200);
    kernel.loop.timers.arm(new Timer(() => {}), startUs + 300);
    world.at(150, () => {
      kernel.watched.observer = watching;
    });
    world.at(250, () => {
      kernel.watched.observer = undefined;
    });
    idle(1000);
    expect(seen).toEqual([
      ['wakes', 200, -1, PORT_INTERDOMAIN],
      ['sleeps', 200, 300],
    ]);
    expect(kernel.loop.counters.sleeps).toBe(4);
  });

  it('is told of each fault that the sleep auditor finds', () => {
    kernel.loop.addAudit('tx', () => 'room for 3');
    kernel.loop.addAudit('rx', () => 'a packet');
    kernel.watched.observer = observer();
    expect(() => kernel.loop.run()).toThrow(SleepAuditError);
    expect(seen).toEqual([
      ['sleeps', 0, NEVER],
      ['fault', 0, 'tx: room for 3'],
      ['fault', 0, 'rx: a packet'],
    ]);
  });
});
