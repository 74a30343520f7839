import { Memory } from '@qanat/bytes';
import { VirtualClock } from '@qanat/clock';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { GTF_PERMIT_ACCESS, Hypercalls, Hypervisor, VIRQ_DOM_EXC } from '../src/index.ts';
import { DOM_COPYING, DOMAIN_SHIFT, DOMAIN_TABLE_ADDR, VCPU_BLOCKED } from '../src/machine-layout.ts';
import { connect, TestDomain, type TestMachine, testMachine } from './machine.ts';

let machine: TestMachine;
let hypervisor: Hypervisor;
let a: TestDomain;
let b: TestDomain;

beforeEach(() => {
  machine = testMachine();
  ({ hypervisor, a, b } = machine);
});

function grantPage(from: TestDomain, ref: number, domid: number): number {
  const { view } = hypervisor.memory;
  const entry = from.record.grantTableAddr + ref * 8;
  view.setUint32(entry + 4, from.record.firstAddr >>> 12, true);
  view.setUint32(entry, GTF_PERMIT_ACCESS | (domid << 16), true);
  return from.record.firstAddr;
}

describe('a machine', () => {
  it('is found by who attaches to the memory', () => {
    const other = Hypervisor.attach(hypervisor.memory, machine.clock);
    expect(other.domids()).toEqual([0, 1, 2]);
    expect(other.domain(1)).toEqual(a.record);
    expect(other.nowNs()).toBe(1e9);
  });

  it('refuses a memory without one', () => {
    expect(() => Hypervisor.attach(Memory.create({ bytes: 1 << 20 }))).toThrow('no machine in this memory');
  });

  it('refuses a memory that is too small', () => {
    expect(() => Hypervisor.create(Memory.create({ bytes: 0x1_0000 }), { clockOriginUs: 0 })).toThrow(RangeError);
  });

  it('reads the host clock from its origin unless it is given another', () => {
    const memory = Memory.create({ bytes: 1 << 20 });
    const clockOriginUs = 5;
    expect(Hypervisor.create(memory, { clockOriginUs }).clockOriginUs).toBe(5);
    const clock = new VirtualClock(7);
    expect(Hypervisor.attach(memory, clock).nowNs()).toBe(7000);
  });
});

describe('createDomain', () => {
  it('numbers domains from 0 on and gives each its own memory', () => {
    expect([machine.dom0.domid, a.domid, b.domid]).toEqual([0, 1, 2]);
    const ranges = [machine.dom0, a, b].map(({ record }) => [record.firstAddr, record.firstAddr + record.bytes]);
    for (const [start, end] of ranges) {
      expect(start! % 4096).toBe(0);
      for (const [otherStart, otherEnd] of ranges) {
        if (otherStart !== start) expect(end! <= otherStart! || start! >= otherEnd!).toBe(true);
      }
    }
  });

  it('takes a domid that is asked for, if it is free', () => {
    expect(hypervisor.createDomain({ name: 'x', bytes: 4096, domid: 50 })).toBe(50);
    expect(() => hypervisor.createDomain({ name: 'x', bytes: 4096, domid: 50 })).toThrow('no free domid');
    expect(() => hypervisor.createDomain({ name: 'x', bytes: 4096, domid: 128 })).toThrow('no free domid');
  });

  it('says so when memory runs out, and leaves nothing behind', () => {
    const before = hypervisor.freeBytes;
    expect(() => hypervisor.createDomain({ name: 'big', bytes: 64 << 20 })).toThrow(RangeError);
    expect(() => hypervisor.createDomain({ name: 'none', bytes: 0 })).toThrow(RangeError);
    expect(hypervisor.freeBytes).toBe(before);
    expect(hypervisor.domids()).toEqual([0, 1, 2]);
  });

  it('tells Dom0', () => {
    const port = machine.dom0.hypercalls.evtchnBindVirq(VIRQ_DOM_EXC);
    hypervisor.createDomain({ name: 'x', bytes: 4096 });
    expect(machine.dom0.pending(port)).toBe(true);
  });

  it('hands out zeroed memory, used before or not', () => {
    const { u8 } = hypervisor.memory;
    const { firstAddr, bytes } = a.record;
    u8.fill(0xaa, firstAddr, firstAddr + bytes);
    hypervisor.destroyDomain(a.domid);
    const next = new TestDomain(hypervisor, 'next', bytes);
    expect(next.record.firstAddr).toBe(firstAddr);
    expect(u8.subarray(firstAddr, firstAddr + bytes).every((byte) => byte === 0)).toBe(true);
  });
});

describe('cpuNeighbours', () => {
  it('are the vcpus that are kept to the same CPU of the host, while they are there', () => {
    const [c, d, e] = [0, 0, 1].map((affinity) => hypervisor.createDomain({ name: 'x', bytes: 4096, affinity }));
    const word = (domid: number) => (DOMAIN_TABLE_ADDR + (domid << DOMAIN_SHIFT) + VCPU_BLOCKED) >>> 2;
    expect(hypervisor.cpuNeighbours(c!)).toEqual([word(d!)]);
    expect(hypervisor.cpuNeighbours(d!)).toEqual([word(c!)]);
    // Those that are kept to none are nobody's.
    for (const domid of [e!, a.domid]) expect(hypervisor.cpuNeighbours(domid)).toEqual([]);
    hypervisor.destroyDomain(d!);
    expect(hypervisor.cpuNeighbours(c!)).toEqual([]);
  });
});

describe('destroyDomain', () => {
  it('frees the memory, and the domid comes again late', () => {
    const before = hypervisor.freeBytes;
    hypervisor.destroyDomain(a.domid);
    expect(hypervisor.domain(a.domid)).toBeUndefined();
    expect(hypervisor.freeBytes).toBe(before + a.record.bytes);
    expect(hypervisor.createDomain({ name: 'x', bytes: 4096 })).toBe(3);
    expect(() => new Hypercalls(hypervisor, a.domid)).toThrow('there is no domain 1');
  });

  it('goes round: domids below 128, never 0 again', () => {
    const seen = new Set<number>();
    for (let i = 0; i < 300; i++) {
      const domid = hypervisor.createDomain({ name: 'x', bytes: 4096 });
      seen.add(domid);
      hypervisor.destroyDomain(domid);
    }
    expect(seen.has(0)).toBe(false);
    expect(seen.size).toBe(125);
  });

  it('a domid that comes again starts with fresh pages', () => {
    connect(a, b);
    a.mask(77);
    hypervisor.destroyDomain(a.domid);
    expect(hypervisor.createDomain({ name: 'again', bytes: 4096, domid: a.domid })).toBe(a.domid);
    expect(a.masked(77)).toBe(false);
    expect(a.upcallMask).toBe(1);
    expect(hypervisor.channels.status(a.domid, 3)?.status).toBe(0);
  });

  it('closes its ports: peers revert to unbound', () => {
    const { fromPort, toPort } = connect(a, b);
    hypervisor.destroyDomain(a.domid);
    expect(b.hypercalls.evtchnStatus(toPort)).toMatchObject({ status: 1, remoteDomid: a.domid });
    expect(b.hypercalls.evtchnSend(toPort)).toBe(0);
    void fromPort;
  });

  it('drops its maps of others', () => {
    grantPage(a, 8, b.domid);
    b.hypercalls.grantMap(a.domid, 8, false);
    hypervisor.destroyDomain(b.domid);
    expect(hypervisor.memory.view.getUint16(a.record.grantTableAddr + 64, true)).toBe(GTF_PERMIT_ACCESS);
  });

  it('memory that others have mapped stays until they unmap it', () => {
    const page = grantPage(a, 8, b.domid);
    const { handle, addr } = b.hypercalls.grantMap(a.domid, 8, false);
    expect(addr).toBe(page);
    const before = hypervisor.freeBytes;
    hypervisor.destroyDomain(a.domid);
    expect(hypervisor.freeBytes).toBe(before);
    expect(hypervisor.domain(a.domid)?.state).toBe('dying');
    expect(hypervisor.domids()).toEqual([0, 2]);
    expect(b.hypercalls.grantCopyIn(a.domid, 8, 0, b.record.firstAddr, 1)).toBe(-2);
    expect(b.hypercalls.grantUnmap(handle)).toBe(0);
    expect(hypervisor.freeBytes).toBe(before + a.record.bytes);
    expect(hypervisor.domain(a.domid)).toBeUndefined();
  });

  it('tells Dom0, once, and a second time is nothing', () => {
    const port = machine.dom0.hypercalls.evtchnBindVirq(VIRQ_DOM_EXC);
    hypervisor.destroyDomain(a.domid);
    expect(machine.dom0.pending(port)).toBe(true);
    machine.dom0.clearEvents();
    hypervisor.destroyDomain(a.domid);
    hypervisor.destroyDomain(999);
    expect(machine.dom0.pending(port)).toBe(false);
  });

  it('frees the locks that its thread died with', () => {
    const { i32 } = hypervisor.memory;
    i32[(4096 + 64) >>> 2] = a.domid + 1;
    i32[(4096 + 128) >>> 2] = a.domid + 1;
    hypervisor.destroyDomain(a.domid);
    expect(b.hypercalls.evtchnAllocUnbound(0)).toBeGreaterThan(0);
    expect(b.hypercalls.grantMap(0, 0, true).status).toBe(-1);
  });
});

describe('a thread that was stopped anywhere', () => {
  const DOMAIN_LOCK = (4096 + 192) >>> 2;

  it('leaves no lock behind, also not that of the domains', () => {
    const { i32 } = hypervisor.memory;
    for (const offset of [64, 128, 192]) i32[(4096 + offset) >>> 2] = a.domid + 1;
    hypervisor.threadEnded(a.domid);
    for (const offset of [64, 128, 192]) expect(i32[(4096 + offset) >>> 2]).toBe(0);
    // Those of others stay, and who never was has none.
    i32[DOMAIN_LOCK] = b.domid + 1;
    hypervisor.threadEnded(a.domid);
    hypervisor.threadEnded(999);
    expect(i32[DOMAIN_LOCK]).toBe(b.domid + 1);
  });

  it('in a copy keeps nobody from taking another domain apart', () => {
    const { i32 } = hypervisor.memory;
    const copying = (DOMAIN_TABLE_ADDR + (b.domid << DOMAIN_SHIFT) + DOM_COPYING) >>> 2;
    i32[copying] = 1;
    hypervisor.threadEnded(b.domid);
    hypervisor.destroyDomain(a.domid);
    expect(hypervisor.domain(a.domid)).toBeUndefined();
  });

  it('while it buried a domain is made good for', () => {
    const { i32 } = hypervisor.memory;
    grantPage(a, 8, b.domid);
    const { handle } = b.hypercalls.grantMap(a.domid, 8, false);
    const before = hypervisor.freeBytes;
    hypervisor.destroyDomain(a.domid);
    // As if it was stopped with the lock in its hand: nothing after that happens.
    const store = vi.spyOn(Atomics, 'store').mockImplementation((words, index, value) => {
      if (i32[DOMAIN_LOCK] === b.domid + 1) throw new Error('stopped');
      words[index] = value as never;
      return value as never;
    });
    expect(() => b.hypercalls.grantUnmap(handle)).toThrow('stopped');
    store.mockRestore();
    expect(i32[DOMAIN_LOCK]).toBe(b.domid + 1);
    hypervisor.threadEnded(b.domid);
    expect(hypervisor.freeBytes).toBe(before + a.record.bytes);
    expect(hypervisor.domain(a.domid)).toBeUndefined();
    hypervisor.createDomain({ name: 'next', bytes: 4096 });
  });
});
