import { BackRing, FrontRing } from '@qanat/xen';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { PortQueue } from '../src/port-queue.ts';
import { RxWriter } from '../src/rx-writer.ts';
import { type Faults, LooseFrontend } from './loose-frontend.ts';
import { type Station, TestMachine, testMac } from './machine.ts';

/** Stalls of old drivers: each scenario with the shipped ones, and with the fault put in that makes it fail. */

afterEach(() => {
  vi.restoreAllMocks();
});

/** A machine with a loose frontend `a` and a shipped one, `b`. */
async function loose(faults: Faults): Promise<{ machine: TestMachine; a: LooseFrontend; b: Station }> {
  const machine = await TestMachine.create();
  let a: LooseFrontend | undefined;
  let isUp = false;
  const kernel = await machine.domain('a', (guest) => {
    a = new LooseFrontend(guest, faults);
    a.start(() => {
      isUp = true;
    });
  });
  machine.plug(kernel.domid, 0);
  await machine.until(() => isUp);
  const b = await machine.station('b');
  return { machine, a: a!, b };
}

/** Runs until the station has `frames`. @returns virtual microseconds that it took. */
async function receives(machine: TestMachine, b: { received: number }, frames: number): Promise<number> {
  const startUs = machine.clock.now();
  await machine.until(() => b.received >= frames, 5000);
  return machine.clock.now() - startUs;
}

describe('S1: the TX ring is full, all of it is answered with one event', () => {
  const FRAMES = 2000;

  it('shipped: who waits for room is woken by the reap, without a timer', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    let sent = 0;
    const more = (): void => {
      while (sent < FRAMES && a.send(b.mac, 200, sent)) sent++;
      a.netif!.flush();
    };
    a.onReady = more;
    a.run(more);
    expect(await receives(machine, b, FRAMES)).toBeLessThan(1000);
    expect(a.ready).toBeGreaterThan(2);
  });

  const scenario = async (faults: Faults): Promise<number> => {
    const { machine, a, b } = await loose(faults);
    let sent = 0;
    const more = (): void => {
      while (sent < FRAMES && a.send(b.mac, 200, sent)) sent++;
      a.flush();
      if (sent < FRAMES) a.waitForSpace(1, more);
    };
    a.kernel.loop.defer(more);
    return receives(machine, b, FRAMES);
  };

  it('a right frontend of the simple kind passes', async () => {
    expect(await scenario({})).toBeLessThan(1000);
  });

  it('fault: woken by the event and before the reap, it sleeps with a free ring', async () => {
    await expect(scenario({ wakeOnEvent: true })).rejects.toThrow('a waiter needs 1 tx slots and 256 are free');
  });
});

describe('S2: all RX slots are filled in one burst', () => {
  const FRAMES = 600;

  it('shipped: drains, then posts', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    let sent = 0;
    const more = (): void => {
      while (sent < FRAMES && a.send(b.mac, 1514, sent)) sent++;
      a.netif!.flush();
    };
    a.onReady = more;
    a.run(more);
    expect(await receives(machine, b, FRAMES)).toBeLessThan(1000);
    expect(b.frames.length).toBe(FRAMES);
  });

  const scenario = async (faults: Faults): Promise<number> => {
    const { machine, a, b } = await loose(faults);
    let sent = 0;
    const more = (): void => {
      while (sent < FRAMES && b.send(testMac(a.kernel.domid), 1514, sent)) sent++;
      b.netif!.flush();
    };
    b.onReady = more;
    // The bridge must know where `a` is.
    a.kernel.loop.defer(() => {
      a.send(b.mac, 60, 0);
      a.flush();
    });
    await receives(machine, b, 1);
    b.run(more);
    return receives(machine, a, FRAMES);
  };

  it('a right frontend of the simple kind passes', async () => {
    expect(await scenario({})).toBeLessThan(1000);
  });

  it('fault: posting before draining leaves the backend without pages, for ever', async () => {
    await expect(scenario({ refillFirst: true })).rejects.toThrow('nothing came');
  });
});

describe('S13: the receive callback wants to send while the TX ring is full', () => {
  const FRAMES = 1500;

  it('shipped: echoes wait with the stack and go out as there is room', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    for (const station of [a, b]) station.keeps = false;
    let sent = 0;
    const more = (): void => {
      while (sent < FRAMES && a.send(b.mac, 600, sent)) sent++;
      a.netif!.flush();
    };
    a.onReady = more;
    let owed = 0;
    const echo = (): void => {
      while (owed > 0 && b.send(a.mac, 600, owed)) owed--;
      b.netif!.flush();
    };
    b.onFrame = () => {
      owed += 2;
      echo();
    };
    b.onReady = echo;
    a.run(more);
    expect(await receives(machine, a, 2 * FRAMES)).toBeLessThan(1000);
    expect(b.netfront.counters!.tx.ringFull).toBeGreaterThan(0);
  });

  const scenario = async (faults: Faults): Promise<number> => {
    const { machine, a, b } = await loose(faults);
    b.keeps = false;
    let owed = 0;
    const echo = (): boolean => {
      while (owed > 0 && a.send(b.mac, 600, owed)) owed--;
      a.flush();
      if (owed > 0) a.waitForSpace(1, echo);
      return owed === 0;
    };
    a.onFrame = () => {
      owed += 2;
      return echo();
    };
    a.kernel.loop.defer(() => {
      a.send(b.mac, 60, 0);
      a.flush();
    });
    await receives(machine, b, 1);
    let sent = 0;
    const more = (): void => {
      while (sent < FRAMES && b.send(testMac(a.kernel.domid), 600, sent)) sent++;
      b.netif!.flush();
    };
    b.onReady = more;
    b.run(more);
    return receives(machine, b, 2 * FRAMES);
  };

  it('a right frontend of the simple kind passes', async () => {
    expect(await scenario({})).toBeLessThan(1000);
  });

  it('fault: a callback that waits for room in the loop that makes it', async () => {
    await expect(scenario({ callbackWaits: true })).rejects.toThrow(/unread responses|nothing came/);
  });
});

describe('S14: nothing new, and the peer armed', () => {
  it('shipped: an idle pair exchanges no events, and a spurious one ends there', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    a.run(() => {
      for (let i = 0; i < 100; i++) a.send(b.mac, 100, i);
      a.netif!.flush();
    });
    await receives(machine, b, 100);
    await machine.pass(10);
    const sends = (): number =>
      [machine.dom0, a.kernel, b.kernel].reduce((sum, kernel) => sum + kernel.hypercalls.counters.evtchnSends, 0);
    const before = sends();
    await machine.pass(1000);
    expect(sends()).toBe(before);
    for (const { port } of machine.netback.vifs) machine.dom0.hypercalls.evtchnSend(port.queues[0]!.rings!.eventPort);
    await machine.pass(1000);
    expect(sends()).toBe(before + 2);
  });

  it('fault: pushed at every event and compared as signed numbers, they kick each other without end', async () => {
    const { machine, a, b } = await loose({});
    await machine.pass(10);
    const word = (address: number): number => machine.dom0.memory.i32[address >>> 2]!;
    vi.spyOn(FrontRing.prototype, 'pushRequestsAndCheckNotify').mockImplementation(function (this: FrontRing) {
      const old = word(this.addr);
      this.pushRequests();
      return this.reqProdPvt - word(this.addr + 4) < this.reqProdPvt - old;
    });
    vi.spyOn(BackRing.prototype, 'pushResponsesAndCheckNotify').mockImplementation(function (this: BackRing) {
      const old = word(this.addr + 8);
      this.pushResponses();
      return this.rspProdPvt - word(this.addr + 12) < this.rspProdPvt - old;
    });
    vi.spyOn(PortQueue.prototype, 'publish').mockImplementation(function (this: PortQueue) {
      const { rx, tx, eventPort } = this.rings!;
      const [toRx, toTx] = [rx.push(), tx.push()];
      if (toRx || toTx) machine.dom0.hypercalls.evtchnSend(eventPort);
      return true;
    });
    const { counters } = a.kernel.hypercalls;
    a.kernel.loop.defer(() => {
      a.send(b.mac, 60, 0);
      a.flush();
    });
    await machine.until(() => counters.evtchnSends > 1000, 1);
  });
});

/** Has `between` run once, just before the next store to a word of machine memory. */
function beforeStoreTo(index: number, between: () => void): void {
  const { store } = Atomics;
  let isArmed = true;
  vi.spyOn(Atomics, 'store').mockImplementation(((array: Int32Array, at: number, value: number): number => {
    if (isArmed && at === index && array instanceof Int32Array) {
      isArmed = false;
      between();
    }
    return store(array, at, value);
  }) as typeof Atomics.store);
}

describe('S16: the producer pushes between the check and the arming of the event', () => {
  /** A frame from `a` reaches `b`'s ring just before `b` arms its event. */
  const responses = async (): Promise<void> => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    const [portA, portB] = [...machine.netback.vifs].map(({ port }) => port.queues[0]!);
    const rspEvent = (portB!.rings!.rx.ring.addr + 12) >>> 2;
    a.run(() => {
      a.send(b.mac, 100, 0);
      a.netif!.flush();
    });
    b.onBatch = () => {
      if (b.received > 1) return;
      beforeStoreTo(rspEvent, () => {
        a.send(b.mac, 100, 1);
        a.netif!.flush();
        machine.netback.switchboard.run(portA!);
        machine.netback.switchboard.pass();
      });
    };
    await machine.until(() => b.received >= 2, 100);
  };

  it('shipped: netfront looks again', async () => {
    await responses();
  });

  it('fault: a check without a second look', async () => {
    vi.spyOn(FrontRing.prototype, 'finalCheckForResponses').mockImplementation(function (this: FrontRing) {
      if (this.unconsumedResponses() > 0) return true;
      this.armResponseEvent(1);
      return false;
    });
    await expect(responses()).rejects.toThrow('1 unread responses');
  });

  /** `a` publishes a request just before netback arms its event. */
  const requests = async (): Promise<void> => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    const [portA] = [...machine.netback.vifs].map(({ port }) => port.queues[0]!);
    const reqEvent = (portA!.rings!.tx.ring.addr + 4) >>> 2;
    a.run(() => {
      a.send(b.mac, 100, 0);
      a.netif!.flush();
      beforeStoreTo(reqEvent, () => {
        a.send(b.mac, 100, 1);
        a.netif!.flush();
      });
    });
    await machine.until(() => b.received >= 2, 100);
  };

  it('shipped: netback looks again', async () => {
    await requests();
  });

  it('fault: a check without a second look, in netback', async () => {
    vi.spyOn(BackRing.prototype, 'finalCheckForRequests').mockImplementation(function (this: BackRing) {
      if (this.unconsumedRequests() > 0) return true;
      this.armRequestEvent(1);
      return false;
    });
    await expect(requests()).rejects.toThrow('1 unread requests');
  });

  /** `b` posts pages just before netback arms the event for them. */
  const pages = async (): Promise<void> => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    const [portA, portB] = [...machine.netback.vifs].map(({ port }) => port.queues[0]!);
    const { ring } = portB!.rings!.rx;
    let sent = 0;
    const more = (): void => {
      while (sent < 300 && a.send(b.mac, 100, sent)) sent++;
      a.netif!.flush();
    };
    a.onReady = more;
    beforeStoreTo((ring.addr + 4) >>> 2, () => b.netfront.device!.poll());
    a.run(() => {
      // All of Dom0's work is done before `b` has its turn.
      for (let i = 0; i < 16; i++) {
        more();
        machine.netback.switchboard.run(portA!);
        machine.netback.switchboard.pass();
      }
    });
    await machine.until(() => b.received >= 300, 100);
    expect(portB!.counters.rxQueued).toBeGreaterThan(0);
  };

  it('shipped: netback looks again for pages', async () => {
    await pages();
  });

  it('fault: no second look for pages', async () => {
    vi.spyOn(RxWriter.prototype, 'arm').mockImplementation(function (this: RxWriter, slots: number) {
      this.ring.armRequestEvent(slots);
      return false;
    });
    await expect(pages()).rejects.toThrow(/wait for 1 rx requests|nothing came/);
  });
});

describe('S17: several wait for room, and there is room for all', () => {
  it('shipped: all are woken, in order', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    const woken: number[] = [];
    a.run(() => {
      let sent = 0;
      while (a.send(b.mac, 100, sent)) sent++;
      for (let i = 0; i < 5; i++) a.netfront.device!.waitForSpace(100, () => woken.push(i));
    });
    await machine.until(() => woken.length === 5, 100);
    expect(woken).toEqual([0, 1, 2, 3, 4]);
  });

  const scenario = async (faults: Faults): Promise<void> => {
    const { machine, a, b } = await loose(faults);
    let woken = 0;
    a.kernel.loop.defer(() => {
      let sent = 0;
      while (a.send(b.mac, 100, sent)) sent++;
      for (let i = 0; i < 20; i++) a.waitForSpace(1, () => woken++);
      a.flush();
    });
    await machine.until(() => woken === 20, 100);
  };

  it('a right frontend of the simple kind passes', async () => {
    await scenario({});
  });

  it('fault: one is woken for each event, the others sleep beside free slots', async () => {
    await expect(scenario({ wakeOne: true })).rejects.toThrow('a waiter needs 1 tx slots');
  });
});

describe('S18: an event before the channel is bound', () => {
  const scenario = async (hasSyntheticEvent: boolean): Promise<void> => {
    const machine = await TestMachine.create();
    const b = await machine.station('b');
    let a: LooseFrontend | undefined;
    const kernel = await machine.domain('a', (guest) => {
      a = new LooseFrontend(guest, { sendsEarly: true });
      a.start(() => {
        a!.send(b.mac, 100, 1);
        a!.flush();
      });
    });
    if (!hasSyntheticEvent) {
      vi.spyOn(machine.netback.switchboard, 'run').mockImplementation(() => {});
    }
    machine.plug(kernel.domid, 0);
    await machine.until(() => b.received === 1, 1000);
  };

  it('shipped: a binder looks at the rings, so what came too early is found', async () => {
    await scenario(true);
  });

  it('fault: netback that waits for the first event', async () => {
    await expect(scenario(false)).rejects.toThrow(/unread requests|nothing came/);
  });

  it('shipped: netfront calls back only when the backend is connected, so its first packet is not lost', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    expect(machine.trace.filter((entry) => entry.startsWith('back'))).toContain(`back${b.kernel.domid} 4`);
    b.run(() => {
      b.send(a.mac, 60, 1);
      b.netif!.flush();
    });
    await machine.until(() => a.received === 1, 100);
  });
});

describe('S20: the backend still uses a grant that is taken back', () => {
  it('shipped: the page is replaced, the grant is taken back later, and nothing waits for it', async () => {
    const machine = await TestMachine.create();
    await machine.station('a');
    const b = await machine.station('b');
    const { domid } = b.kernel;
    // A backend that maps: finds out a posted page's grant from the ring, and holds on to it.
    const [, portB] = [...machine.netback.vifs].map(({ port }) => port.queues[0]!);
    const { ring } = portB!.rings!.rx;
    const ref = machine.dom0.memory.u32[(ring.slotAddr(5) + 4) >>> 2]!;
    const { status, handle } = machine.dom0.hypercalls.grantMap(domid, ref, false);
    expect(status).toBe(0);
    const startUs = machine.clock.now();
    b.run(() => b.netfront.close());
    await machine.until(() => b.netfront.state === 'closed', 100);
    expect(machine.clock.now() - startUs).toBeLessThan(1000);
    expect(b.netfront.unreclaimedGrants).toBe(1);
    await machine.pass(5000);
    expect(b.netfront.unreclaimedGrants).toBe(1);
    machine.dom0.hypercalls.grantUnmap(handle);
    await machine.pass(2000);
    expect(b.netfront.unreclaimedGrants).toBe(0);
  });

  it('shipped: a page that is in use does not hold up the others', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    const [, portB] = [...machine.netback.vifs].map(({ port }) => port.queues[0]!);
    const ref = machine.dom0.memory.u32[(portB!.rings!.rx.ring.slotAddr(5) + 4) >>> 2]!;
    machine.dom0.hypercalls.grantMap(b.kernel.domid, ref, false);
    let sent = 0;
    const more = (): void => {
      while (sent < 1000 && a.send(b.mac, 100, sent)) sent++;
      a.netif!.flush();
    };
    a.onReady = more;
    a.run(more);
    expect(await receives(machine, b, 1000)).toBeLessThan(1000);
  });

  const scenario = async (faults: Faults): Promise<number> => {
    const { machine, a, b } = await loose(faults);
    a.kernel.loop.defer(() => {
      a.send(b.mac, 60, 0);
      a.flush();
    });
    await receives(machine, b, 1);
    machine.dom0.hypercalls.grantMap(a.kernel.domid, a.rxRefs[5]!, false);
    let sent = 0;
    const more = (): void => {
      while (sent < 500 && b.send(testMac(a.kernel.domid), 100, sent)) sent++;
      b.netif!.flush();
    };
    b.onReady = more;
    b.run(more);
    return receives(machine, a, 500);
  };

  it('a right frontend of the simple kind passes', async () => {
    expect(await scenario({})).toBeLessThan(1000);
  });

  it('fault: taking a grant back for each packet, and sleeping 10 s when it is in use', async () => {
    await expect(scenario({ regrants: true })).rejects.toThrow('nothing came');
  });
});

describe('S21: a packet of two slots, an event in between', () => {
  const scenario = async (faults: Faults): Promise<TestMachine> => {
    const { machine, a, b } = await loose(faults);
    a.kernel.loop.defer(() => {
      for (let i = 0; i < 50; i++) a.send(b.mac, 1000 + i, i, 2);
      a.flush();
    });
    await receives(machine, b, 50);
    return machine;
  };

  it('shipped: whole packets only are published, whatever the batch', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a', { mtu: 9000 }, { txPushBatch: 1 });
    const b = await machine.station('b', { mtu: 9000 });
    a.run(() => {
      for (let i = 0; i < 30; i++) a.send(b.mac, 9014, i);
      a.netif!.flush();
    });
    await receives(machine, b, 30);
    expect(machine.errors).toEqual([]);
  });

  it('a right frontend of the simple kind passes', async () => {
    const machine = await scenario({});
    expect(machine.errors).toEqual([]);
  });

  it('fault: published slot by slot, a packet is torn and the vif is killed', async () => {
    await expect(scenario({ publishesSlots: true })).rejects.toThrow('nothing came');
  });
});
