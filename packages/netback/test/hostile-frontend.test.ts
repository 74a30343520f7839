import { Timer } from '@qanat/clock';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Port } from '../src/index.ts';
import { LooseFrontend } from './loose-frontend.ts';
import { type Station, TestMachine, testFrame, testMac } from './machine.ts';

const MORE = 4;
const EXTRA = 8;
const OKAY = 0;
const ERROR = -1;
const NULL = 1;

let machine: TestMachine;
/** Two who behave. */
let b: Station;
let c: Station;

beforeEach(async () => {
  machine = await TestMachine.create({ memoryMiB: 96 });
  b = await machine.station('b');
  c = await machine.station('c');
});

afterEach(async () => {
  // Whatever happened: nothing threw, and the others go on.
  const [fromB, fromC] = [b.received, c.received];
  b.run(() => {
    b.send(c.mac, 1000, 1);
    b.netif!.flush();
  });
  c.run(() => {
    c.send(b.mac, 1000, 1);
    c.netif!.flush();
  });
  await machine.until(() => b.received > fromB && c.received > fromC, 100);
  expect(machine.exits.filter(({ error }) => error !== undefined)).toEqual([]);
});

async function intruder(name = 'x'): Promise<{ x: LooseFrontend; port: Port }> {
  let x: LooseFrontend | undefined;
  let isUp = false;
  const kernel = await machine.domain(
    name,
    (guest) => {
      x = new LooseFrontend(guest);
      x.start(() => {
        isUp = true;
      });
    },
    4,
  );
  machine.plug(kernel.domid, 0);
  await machine.until(() => isUp);
  x!.isPuppet = true;
  const vif = [...machine.netback.vifs].find(({ setup }) => setup.domid === kernel.domid)!;
  return { x: x!, port: vif.port };
}

interface Slot {
  /** A page of the intruder's own unless said otherwise. */
  readonly ref?: number;
  readonly offset?: number;
  readonly flags?: number;
  readonly id?: number;
  readonly size?: number;
  /** Three raw words instead. */
  readonly raw?: readonly [number, number, number];
}

/** Writes TX requests, publishes them, and waits for the answers. @returns the statuses, one per slot. */
async function request(x: LooseFrontend, slots: readonly Slot[]): Promise<number[]> {
  const { memory } = x.kernel;
  const start = x.txRing.reqProdPvt;
  x.kernel.loop.defer(() => {
    for (const [i, { ref = x.txRefs[i]!, offset = 0, flags = 0, id = i, size = 60, raw }] of slots.entries()) {
      const slot = x.txRing.nextRequest() >>> 2;
      memory.u32[slot] = raw?.[0] ?? ref;
      memory.u32[slot + 1] = raw?.[1] ?? offset | (flags << 16);
      memory.u32[slot + 2] = raw?.[2] ?? id | (size << 16);
    }
    x.txRing.pushRequests();
    x.kick();
  });
  await machine.pass(5);
  const answered = (x.txRing.rspProd - start) >>> 0;
  const statuses: number[] = [];
  for (let i = 0; i < answered; i++) {
    const word = memory.i32[x.txRing.slotAddr(start + i) >>> 2]!;
    if (word >> 16 !== NULL) expect(word & 0xffff).toBe(slots[i]!.id ?? i);
    statuses.push(word >> 16);
  }
  return statuses;
}

function fill(x: LooseFrontend, frame: Uint8Array, cuts: readonly number[]): void {
  let at = 0;
  for (const [i, bytes] of cuts.entries()) {
    x.kernel.memory.u8.set(frame.subarray(at, at + bytes), x.txAddrs[i]!);
    at += bytes;
  }
}

describe('requests that are no good, and cost the frontend a packet', () => {
  it.each<[string, Slot]>([
    ['too short for an Ethernet header', { size: 13 }],
    ['of no bytes', { size: 0 }],
    ['with a grant that is not there', { ref: 3000 }],
    ['with a grant out of range', { ref: 0xffffffff }],
    ['with a grant that is reserved', { ref: 3 }],
  ])('%s', async (_name, slot) => {
    const { x, port } = await intruder();
    expect(await request(x, [slot])).toEqual([ERROR]);
    expect(await request(x, [{}])).toEqual([OKAY]);
    expect(port.counters.txErrors).toBe(1);
    expect(machine.errors).toEqual([]);
  });

  it('of which only the second slot has a bad grant', async () => {
    const { x, port } = await intruder();
    fill(x, testFrame(b.mac, testMac(x.kernel.domid), 100, 1), [50, 50]);
    const before = b.received;
    const slots = [
      { size: 100, flags: MORE },
      { size: 50, ref: 3000 },
    ];
    expect(await request(x, slots)).toEqual([ERROR, ERROR]);
    expect(b.received).toBe(before);
    // The page that was meant for it is used for the next one.
    expect(await request(x, [slots[0]!, { size: 50 }])).toEqual([OKAY, OKAY]);
    expect(b.received).toBe(before + 1);
    expect(port.fault).toBeUndefined();
  });

  it('with a GSO extra slot of TCP over IPv6, which was not offered', async () => {
    const { x } = await intruder();
    const gso: Slot = { raw: [1 | (1448 << 16), 2, 0] };
    expect(await request(x, [{ flags: EXTRA }, gso, {}])).toEqual([ERROR, NULL, OKAY]);
  });

  it('with a blank checksum or GSO on what is no TCP, for a peer without offloads', async () => {
    const plain = await machine.station('plain', {}, { checksumOffload: false });
    const { x } = await intruder();
    const [port] = [...machine.netback.vifs]
      .filter(({ setup }) => setup.domid === plain.kernel.domid)
      .map((v) => v.port);
    // The bridge learns where it is.
    plain.run(() => {
      plain.send(b.mac, 60);
      plain.netif!.flush();
    });
    await machine.pass(5);
    const gso = (size: number): Slot => ({ raw: [1 | (size << 16), 1, 0] });
    for (const bytes of [60, 14, 33, 900]) {
      fill(x, testFrame(plain.mac, testMac(x.kernel.domid), bytes, 1), [bytes]);
      expect(await request(x, [{ flags: 1, size: bytes }])).toEqual([OKAY]);
      expect(await request(x, [{ flags: EXTRA, size: bytes }, gso(1448)])).toEqual([OKAY, NULL]);
      expect(await request(x, [{ flags: EXTRA, size: bytes }, gso(1)])).toEqual([OKAY, NULL]);
    }
    expect(plain.received).toBe(0);
    expect(port!.counters.otherDrops).toBe(12);
    expect(machine.errors).toEqual([]);
  });

  it('with a multicast extra slot, which was not offered', async () => {
    const { x } = await intruder();
    expect(await request(x, [{ flags: EXTRA }, { raw: [2, 0, 0] }, {}])).toEqual([ERROR, NULL, OKAY]);
  });
});

describe('requests that are unusual, and right', () => {
  it('a hash extra slot is answered with NULL, and its packet delivered', async () => {
    const { x } = await intruder();
    fill(x, testFrame(b.mac, testMac(x.kernel.domid), 60, 1), [60]);
    const before = b.received;
    expect(await request(x, [{ flags: EXTRA }, { raw: [4, 0, 0] }, {}])).toEqual([OKAY, NULL, OKAY]);
    expect(b.received).toBeGreaterThan(before);
  });

  it.each([[[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 85]], [[5, 95]], [[50, 0, 50]], [[4096, 4096, 808]]])(
    'a packet in pieces of %s bytes',
    async (cuts) => {
      const { x } = await intruder();
      const total = cuts.reduce((sum, bytes) => sum + bytes);
      const frame = testFrame(b.mac, testMac(x.kernel.domid), total, 9);
      fill(x, frame, cuts);
      b.frames.length = 0;
      const slots = cuts.map((size, i) => ({ size: i === 0 ? total : size, flags: i < cuts.length - 1 ? MORE : 0 }));
      expect(await request(x, slots)).toEqual(cuts.map(() => OKAY));
      expect(Buffer.compare(b.frames.at(-1)!.bytes, frame)).toBe(0);
    },
  );

  it('a packet of 18 slots', async () => {
    const { x } = await intruder();
    const slots = Array.from({ length: 18 }, (_, i) => ({ size: i === 0 ? 18 * 100 : 100, flags: i < 17 ? MORE : 0 }));
    expect(await request(x, slots)).toEqual(slots.map(() => OKAY));
  });
});

describe('what kills a vif', () => {
  const chain = (count: number, size = 100): Slot[] =>
    Array.from({ length: count }, (_, i) => ({ size: i === 0 ? count * size : size, flags: i < count - 1 ? MORE : 0 }));

  it.each<[string, Slot[], RegExp]>([
    ['a slot that crosses its page', [{ offset: 4090, size: 60 }], /60 bytes at offset 4090/],
    ['an offset beyond the page', [{ offset: 65535, size: 20 }], /at offset 65535/],
    [
      'a later slot that crosses its page',
      [
        { size: 200, flags: MORE },
        { offset: 4000, size: 100 },
      ],
      /100 bytes at offset 4000/,
    ],
    ['19 slots', chain(19), /more than 18 slots/],
    ['pieces longer than the packet', [{ size: 100, flags: MORE }, { size: 100 }], /with 100 behind its first slot/],
    ['a first piece that crosses its page', [{ size: 5000, flags: MORE }, { size: 100 }], /4900 bytes at offset 0/],
    ['a packet that ends too early', [{ size: 100, flags: MORE }], /ends before its last slot/],
    ['an extra slot that does not come', [{ flags: EXTRA }], /ends before its extra slots/],
    ['an extra slot of type 0', [{ flags: EXTRA }, { raw: [0, 0, 0] }], /type 0/],
    ['an extra slot of a type unheard of', [{ flags: EXTRA }, { raw: [5, 0, 0] }], /type 5/],
    [
      'a chain of extra slots',
      [{ flags: EXTRA }, ...new Array(8).fill({ raw: [0x104, 0, 0] })],
      /more than 4 tx extra/,
    ],
    ['a GSO size of 0', [{ flags: EXTRA }, { raw: [1, 1, 0] }], /GSO of type 1, size 0/],
    ['a GSO type unheard of', [{ flags: EXTRA }, { raw: [1 | (1448 << 16), 9, 0] }], /GSO of type 9/],
    [
      'an extra slot in the middle',
      [{ size: 100, flags: MORE }, { size: 50, flags: EXTRA }, { raw: [4, 0, 0] }],
      /first slot/,
    ],
  ])('%s', async (_name, slots, message) => {
    const { x } = await intruder();
    await request(x, slots);
    expect(machine.errors).toHaveLength(1);
    expect(machine.errors[0]).toMatch(message);
    const back = `back${x.kernel.domid} 5`;
    await machine.until(() => machine.trace.at(-1) === back, 100);
    // Nothing of its rings is used any more.
    const events = machine.dom0.hypercalls.counters.evtchnSends;
    x.kick();
    await machine.pass(5);
    expect(machine.dom0.hypercalls.counters.evtchnSends - events).toBeLessThan(3);
    machine.destroy(x.kernel.domid);
    await machine.pass(5);
    expect(machine.hypervisor.domain(x.kernel.domid)).toBeUndefined();
  });

  it.each([257, 1000, 0x7fffffff, 0xffffffff])('a req_prod that is %i ahead', async (ahead) => {
    const { x } = await intruder();
    const { memory } = x.kernel;
    x.kernel.loop.defer(() => {
      Atomics.store(memory.i32, x.txRing.addr >>> 2, (x.txRing.reqProdPvt + ahead) | 0);
      x.kick();
    });
    await machine.pass(5);
    expect(machine.errors[0]).toMatch(`tx req_prod is ${ahead} ahead`);
  });

  it.each([257, 0x80000000, 0xffffffff])('an rx req_prod that is %i ahead', async (ahead) => {
    const { x } = await intruder();
    const { memory } = x.kernel;
    Atomics.store(memory.i32, x.rxRing.addr >>> 2, (x.rxRing.rspCons + ahead) | 0);
    b.run(() => {
      b.send(testMac(x.kernel.domid), 100, 1);
      b.netif!.flush();
    });
    await machine.until(() => machine.errors.length > 0, 100);
    expect(machine.errors[0]).toMatch(/rx req_prod/);
  });
});

describe('pages that cannot be written to', () => {
  it('the frame is lost to the frontend, answered with an error, and the next one is fine', async () => {
    const { x, port } = await intruder();
    const { memory } = x.kernel;
    expect(await request(x, [{}])).toEqual([OKAY]);
    x.kernel.grants.endAccess(x.rxRefs[0]!);
    memory.u32[(x.rxRing.slotAddr(1) + 4) >>> 2] = 0xfffffff0;
    const start = x.rxRing.rspCons;
    b.run(() => {
      for (let i = 0; i < 4; i++) b.send(testMac(x.kernel.domid), 100, i);
      b.netif!.flush();
    });
    await machine.until(() => ((x.rxRing.rspProd - start) >>> 0) - 256 !== 0 && port.counters.rxErrors === 2, 100);
    expect(port.counters.rxErrors).toBe(2);
    expect(port.fault).toBeUndefined();
    expect(b.netfront.counters!.tx.errors).toBe(0);
  });
});

describe('garbage (property)', () => {
  const word = fc.oneof(
    fc.integer({ min: 0, max: 600 }),
    fc.integer({ min: 0xffffff00, max: 0xffffffff }),
    fc.integer({ min: 0, max: 0xffffffff }),
  );
  const action = fc.oneof(
    fc.record({
      kind: fc.constant('index' as const),
      ring: fc.boolean(),
      at: fc.integer({ min: 0, max: 3 }),
      value: word,
    }),
    fc.record({
      kind: fc.constant('slot' as const),
      ring: fc.boolean(),
      at: fc.integer({ min: 0, max: 255 }),
      value: fc.tuple(word, word, word),
    }),
    fc.record({
      kind: fc.constant('requests' as const),
      slots: fc.array(
        fc.record({
          ref: fc.oneof(fc.integer({ min: 0, max: 20 }), word),
          offset: fc.constantFrom(0, 2, 4000, 4095, 4096, 65535),
          flags: fc.integer({ min: 0, max: 31 }),
          size: fc.constantFrom(0, 13, 14, 60, 1514, 4096, 9000, 65535),
        }),
        { minLength: 1, maxLength: 40 },
      ),
    }),
    fc.record({ kind: fc.constant('revoke' as const), ref: fc.integer({ min: 0, max: 255 }), rx: fc.boolean() }),
  );

  it('in rings, slots and grants: Dom0 does not throw, does not spin, and serves the others', async () => {
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 30 }), async (actions) => {
        const { x } = await intruder(`x${runs++}`);
        const { kernel, txRing, rxRing } = x;
        const { memory } = kernel;
        const passes = machine.netback.switchboard.passes;
        const beat = new Timer(() => {});
        for (const act of actions) {
          if (act.kind === 'index') {
            Atomics.store(memory.i32, ((act.ring ? txRing : rxRing).addr >>> 2) + act.at, act.value | 0);
          } else if (act.kind === 'slot') {
            const slot = (act.ring ? txRing : rxRing).slotAddr(act.at) >>> 2;
            memory.u32.set(act.ring ? act.value : act.value.slice(0, 2), slot);
          } else if (act.kind === 'requests') {
            for (const [i, { ref, offset, flags, size }] of act.slots.entries()) {
              const slot = txRing.slotAddr(txRing.reqProdPvt + i) >>> 2;
              memory.u32[slot] = ref < 20 ? x.txRefs[ref]! : ref;
              memory.u32[slot + 1] = offset | (flags << 16);
              memory.u32[slot + 2] = i | (size << 16);
            }
            txRing.reqProdPvt += act.slots.length;
            txRing.pushRequests();
          } else {
            kernel.grants.endAccess((act.rx ? x.rxRefs : x.txRefs)[act.ref]!);
          }
          x.kick();
          b.run(() => {
            b.send(testMac(kernel.domid), 200, 1);
            b.netif!.flush();
          });
          kernel.loop.timers.arm(beat, kernel.clock.now() + 1);
          const { received } = c;
          b.run(() => {
            b.send(c.mac, 200, 1);
            b.netif!.flush();
          });
          await machine.until(() => c.received > received, 50);
        }
        await machine.pass(2);
        expect(machine.netback.switchboard.passes - passes).toBeLessThan(40 * (actions.length + 1));
        machine.destroy(kernel.domid);
        await machine.pass(2);
        expect(machine.hypervisor.domain(kernel.domid)).toBeUndefined();
      }),
      { numRuns: 40 },
    );
    const { pool } = machine.netback.switchboard;
    expect(pool.freeBlocks).toBe(pool.limitBlocks);
  }, 60_000);
});
