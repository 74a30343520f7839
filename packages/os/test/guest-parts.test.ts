import { Memory } from '@qanat/bytes';
import { VirtualClock } from '@qanat/clock';
import {
  BLOCKED_WAITING,
  GRANT_ENTRIES,
  GTF_PERMIT_ACCESS,
  GTF_READING,
  GTF_READONLY,
  Hypercalls,
  Hypervisor,
  RUNNING,
  VIRQ_DEBUG,
} from '@qanat/xen';
import { beforeEach, describe, expect, it } from 'vitest';
import { CpuNeighbours } from '../src/cpu-neighbours.ts';
import { Activations, GrantTable } from '../src/index.ts';
import { ReadyQueue } from '../src/ready-queue.ts';
import { SpinPolicy } from '../src/spin-policy.ts';

let hypervisor: Hypervisor;
let hypercalls: Hypercalls;
let activations: Activations;
let grants: GrantTable;
let tableAddr: number;

beforeEach(() => {
  hypervisor = Hypervisor.create(Memory.create({ bytes: 4 << 20 }), { clockOriginUs: 0, clock: new VirtualClock() });
  hypervisor.createDomain({ name: 'Domain-0', bytes: 4096 });
  const domid = hypervisor.createDomain({ name: 'a', bytes: 65536 });
  const record = hypervisor.domain(domid)!;
  tableAddr = record.grantTableAddr;
  hypercalls = new Hypercalls(hypervisor, domid);
  activations = new Activations(hypervisor.memory, hypercalls, record.sharedInfoAddr);
  grants = new GrantTable(hypervisor.memory, tableAddr, record.grantEntries);
});

describe('Activations', () => {
  let port: number;
  const raise = (): boolean => hypervisor.sendVirq(1, VIRQ_DEBUG);

  beforeEach(() => {
    port = hypercalls.evtchnBindVirq(VIRQ_DEBUG);
  });

  it('dispatches a port once however many events made it pending', () => {
    let calls = 0;
    activations.bind(port, () => calls++);
    raise();
    raise();
    expect(activations.demux()).toBe(true);
    expect(activations.dispatch()).toBe(1);
    expect(activations.demux()).toBe(false);
    expect(calls).toBe(1);
    expect(activations.counter(port)).toBe(1);
  });

  it('clears pending before the handler runs: an event from within it is dispatched in the next pass', () => {
    let calls = 0;
    activations.bind(port, () => {
      if (++calls < 3) raise();
    });
    raise();
    for (let i = 0; i < 5; i++) if (activations.demux()) activations.dispatch();
    expect(calls).toBe(3);
    expect(activations.counter(port)).toBe(3);
  });

  it('counts and keeps events that came before the handler', () => {
    raise();
    activations.demux();
    expect(activations.counter(port)).toBe(1);
    expect(activations.waiting).toBe(false);
    let calls = 0;
    activations.bind(port, () => calls++);
    expect(activations.waiting).toBe(true);
    activations.dispatch();
    expect(calls).toBe(1);
  });

  it('dispatches in the order of word and bit, the others also when one of them unbinds another', () => {
    const ports = [port, ...Array.from({ length: 70 }, () => hypercalls.evtchnAllocUnbound(1))];
    const order: number[] = [];
    for (const each of ports) {
      activations.bind(each, () => {
        order.push(each);
        if (each === ports[1]) activations.unbind(ports[2]!);
      });
    }
    const record = hypervisor.state.recordAddr(1);
    for (const each of [...ports].reverse()) hypervisor.delivery.setPending(record, each);
    activations.demux();
    activations.dispatch();
    expect(order).toEqual(ports.filter((each) => each !== ports[2]));
  });

  it('unbind masks the port and forgets its events', () => {
    let calls = 0;
    activations.bind(port, () => calls++);
    raise();
    activations.demux();
    activations.unbind(port);
    activations.unbind(port);
    activations.dispatch();
    raise();
    expect(activations.demux()).toBe(false);
    expect([calls, activations.counter(port), activations.count]).toEqual([0, 0, 0]);
    activations.bind(port, () => calls++);
    activations.demux();
    activations.dispatch();
    expect(calls).toBe(1);
  });

  it('a masked port leaves the poll list and comes back with what has come', () => {
    let calls = 0;
    activations.bind(port, () => calls++);
    activations.mask(port);
    activations.mask(port);
    expect(activations.count).toBe(0);
    raise();
    expect(activations.demux()).toBe(false);
    activations.unmask(port);
    activations.unmask(port);
    expect([activations.count, activations.ports[0]]).toEqual([1, port]);
    activations.demux();
    activations.dispatch();
    expect(calls).toBe(1);
    activations.unmask(999);
    expect(activations.count).toBe(1);
  });

  it('leaves alone what is masked, and what comes for a neighbour in the same word meanwhile', () => {
    const neighbour = hypercalls.evtchnAllocUnbound(1);
    const masked = hypercalls.evtchnAllocUnbound(1);
    const seen: number[] = [];
    for (const each of [port, neighbour, masked]) activations.bind(each, () => seen.push(each));
    activations.mask(masked);
    const record = hypervisor.state.recordAddr(1);
    hypervisor.delivery.setPending(record, masked);
    raise();
    const and = Atomics.and;
    Atomics.and = ((array: Int32Array, index: number, value: number): number => {
      Atomics.and = and;
      // Between the look at the word and its clearing.
      hypervisor.delivery.setPending(record, neighbour);
      return and(array, index, value);
    }) as typeof Atomics.and;
    try {
      for (let i = 0; i < 3; i++) if (activations.demux()) activations.dispatch();
    } finally {
      Atomics.and = and;
    }
    activations.unmask(masked);
    activations.demux();
    activations.dispatch();
    expect(seen).toEqual([port, neighbour, masked]);
  });

  it.each([0, -1, 4096, -22, Number.NaN])('refuses port %d', (bad) => {
    expect(() => activations.bind(bad, () => {})).toThrow('cannot be bound');
  });

  it('refuses a second handler', () => {
    activations.bind(port, () => {});
    expect(() => activations.bind(port, () => {})).toThrow('bound already');
  });

  it('describes the words that are not zero', () => {
    activations.bind(port, () => {});
    raise();
    expect(activations.describe()).toBe(`upcall_pending 1, sel[0] 1, pending[0] ${(1 << port).toString(16)}`);
  });
});

describe('GrantTable', () => {
  const word = (ref: number): number => hypervisor.memory.i32[(tableAddr + ref * 8) >>> 2]!;

  it('writes frame, domid and flags', () => {
    const ref = grants.grantAccess(5, 0x12345, true);
    expect(ref).toBe(8);
    expect(word(ref)).toBe(GTF_PERMIT_ACCESS | GTF_READONLY | (5 << 16));
    expect(hypervisor.memory.i32[(tableAddr + ref * 8 + 4) >>> 2]).toBe(0x12);
    expect(word(grants.grantAccess(0, 0x12345, false))).toBe(GTF_PERMIT_ACCESS);
  });

  it('answers -1 when all references are taken, and never hands out a reserved one', () => {
    const refs = new Set<number>();
    for (let ref = grants.grantAccess(0, 4096, false); ref !== -1; ref = grants.grantAccess(0, 4096, false))
      refs.add(ref);
    expect(refs.size).toBe(GRANT_ENTRIES - 8);
    expect(Math.min(...refs)).toBe(8);
    expect(grants.free).toBe(0);
    expect(grants.endAccess(100)).toBe(true);
    expect(grants.grantAccess(0, 4096, false)).toBe(100);
  });

  it('does not take back what the peer uses', () => {
    const ref = grants.grantAccess(5, 4096, false);
    const index = (tableAddr + ref * 8) >>> 2;
    hypervisor.memory.i32[index] = word(ref) | GTF_READING;
    expect(grants.inUse(ref)).toBe(true);
    expect(grants.endAccess(ref)).toBe(false);
    expect(grants.free).toBe(GRANT_ENTRIES - 9);
    hypervisor.memory.i32[index] = word(ref) & ~GTF_READING;
    expect(grants.endAccess(ref)).toBe(true);
    expect(word(ref)).toBe(0);
    expect(grants.free).toBe(GRANT_ENTRIES - 8);
  });

  it('sees a use that begins while it takes back', () => {
    const ref = grants.grantAccess(5, 4096, false);
    const index = (tableAddr + ref * 8) >>> 2;
    const compareExchange = Atomics.compareExchange;
    let once = true;
    Atomics.compareExchange = ((array: Int32Array, at: number, expected: number, value: number): number => {
      if (at === index && once) {
        once = false;
        array[at] = array[at]! | GTF_READING;
      }
      return compareExchange(array, at, expected, value);
    }) as typeof Atomics.compareExchange;
    try {
      expect(grants.endAccess(ref)).toBe(false);
    } finally {
      Atomics.compareExchange = compareExchange;
    }
    expect(word(ref) & 3).toBe(GTF_PERMIT_ACCESS);
  });
});

describe('ReadyQueue', () => {
  it('is first in first out, also around its end and when it grows', () => {
    const queue = new ReadyQueue();
    const ran: number[] = [];
    let next = 0;
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 50; i++) {
        const id = next++;
        queue.push(() => ran.push(id));
      }
      queue.run(33);
    }
    while (queue.length > 0) queue.run(100);
    expect(ran).toEqual(Array.from({ length: 500 }, (_, i) => i));
  });

  it('leaves to the next pass what its tasks add', () => {
    const queue = new ReadyQueue();
    let runs = 0;
    const again = (): void => {
      runs++;
      queue.push(again);
    };
    queue.push(again);
    expect(queue.run(256)).toBe(1);
    expect([runs, queue.length]).toEqual([1, 1]);
  });

  it('goes on after a task that throws', () => {
    const queue = new ReadyQueue();
    let ran = 0;
    queue.push(() => {
      throw new Error('task');
    });
    queue.push(() => ran++);
    expect(() => queue.run(10)).toThrow('task');
    queue.run(10);
    expect([ran, queue.length]).toEqual([1, 0]);
  });
});

describe('SpinPolicy', () => {
  it('spins while it pays, stops after misses, and probes now and then', () => {
    const policy = new SpinPolicy(20);
    const budgets = (sleeps: number): number[] =>
      Array.from({ length: sleeps }, () => {
        const budget = policy.budgetUs();
        if (budget > 0) policy.miss();
        return budget;
      });
    expect(budgets(4)).toEqual([20, 20, 20, 20]);
    const probes = (sleeps: number): number => budgets(sleeps).filter((budget) => budget > 0).length;
    expect(probes(32)).toBe(1);
    policy.hit();
    expect(policy.budgetUs()).toBe(20);
  });

  it('probes half as often after each probe that misses, down to a bound, and as before after a hit', () => {
    const policy = new SpinPolicy(20);
    const sleepsToSpin = (): number => {
      let sleeps = 1;
      while (policy.budgetUs() === 0) sleeps++;
      return sleeps;
    };
    const gaps = (spins: number): number[] =>
      Array.from({ length: spins }, () => {
        const sleeps = sleepsToSpin();
        policy.miss();
        return sleeps;
      });
    expect(gaps(11)).toEqual([1, 1, 1, 1, 32, 64, 128, 256, 512, 512, 512]);
    sleepsToSpin();
    policy.hit();
    expect(gaps(6)).toEqual([1, 1, 1, 1, 32, 64]);
  });

  it('never spins with a bound of 0', () => {
    expect(new SpinPolicy(0).budgetUs()).toBe(0);
  });
});

describe('CpuNeighbours', () => {
  it('says whether a vcpu that is kept to the same CPU could run, and hears of new ones after a while', () => {
    const domain = (affinity?: number): Hypercalls =>
      new Hypercalls(hypervisor, hypervisor.createDomain({ name: 'x', bytes: 4096, affinity }));
    const { i32 } = hypervisor.memory;
    const [self, near, far] = [domain(0), domain(0), domain(1)];
    const neighbours = new CpuNeighbours(hypervisor, self.domid);
    neighbours.look(0);
    expect(neighbours.awake).toBe(true);
    i32[near.blockedIndex] = BLOCKED_WAITING;
    expect([neighbours.awake, i32[far.blockedIndex]]).toEqual([false, RUNNING]);
    domain(0);
    neighbours.look(9_999);
    expect(neighbours.awake).toBe(false);
    neighbours.look(10_000);
    expect(neighbours.awake).toBe(true);
  });

  it('has none where nothing is kept to a CPU', () => {
    const neighbours = new CpuNeighbours(hypervisor, hypercalls.domid);
    neighbours.look(0);
    expect(neighbours.awake).toBe(false);
  });
});
