import { GRANT_ENTRIES } from '@qanat/xen';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { pattern, Station, TestMachine, testFrame } from '../../netback/test/machine.ts';
import { ScriptedBackend } from './scripted-backend.ts';

const MORE = 4;
const EXTRA = 8;

let machine: TestMachine;
let backend: ScriptedBackend;
let a: Station;
const errors: string[] = [];
const PEER = new Uint8Array([0, 0x16, 0x3e, 9, 9, 9]);

/** A new machine with one frontend, connected to the scripted backend. */
async function connect(mtu = 9000): Promise<void> {
  backend = new ScriptedBackend();
  errors.length = 0;
  machine = await TestMachine.create({ backend: backend.main });
  a = new Station();
  const kernel = await machine.domain('a', (guest) =>
    a.boot(guest, { onError: (error) => errors.push(error.message) }),
  );
  machine.plug(kernel.domid, 0, { mtu });
  const back = `/local/domain/0/backend/vif/${kernel.domid}/0`;
  backend.kernel.xenstore.waitFor(
    `${back}/frontend`,
    (path) => path !== undefined,
    () => backend.serve(kernel.domid),
  );
  await machine.until(() => a.netif !== undefined);
}

beforeEach(() => connect());

/** Has the frontend look at what the backend has done. */
async function turn(): Promise<void> {
  backend.push();
  backend.kick();
  await machine.pass(2);
}

async function expectBroken(message: RegExp): Promise<void> {
  await turn();
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatch(message);
  expect(machine.exits).toEqual([]);
  expect(a.netif!.allocate(100)).toBeNull();
  // It says so and lets go once the backend does.
  backend.setState(5);
  await machine.until(() => a.netfront.state === 'closed', 100);
  expect(a.netfront.error?.message).toMatch(message);
}

const frame = (bytes: number, seed = 1): Uint8Array => testFrame(a.mac, PEER, bytes, seed);

describe('TX responses', () => {
  function send(count: number, bytes = 100): void {
    for (let i = 0; i < count; i++) expect(a.send(PEER, bytes, i)).toBe(true);
    a.netif!.flush();
  }

  it('come in any order', async () => {
    a.run(() => send(3));
    await machine.pass(1);
    const ids = [2, 0, 1].map((ahead) => backend.txId(ahead));
    const { pool } = a.netfront.device!.queues[0]!;
    const free = pool.freeBuffers;
    for (const id of ids) backend.answerTx(id);
    await turn();
    expect(pool.freeBuffers).toBe(free + 3);
    expect(errors).toEqual([]);
  });

  it('with a bad status are counted', async () => {
    a.run(() => send(3));
    await machine.pass(1);
    const ids = [0, 1, 2].map((ahead) => backend.txId(ahead));
    backend.answerTx(ids[0]!, -1);
    backend.answerTx(ids[1]!, -2);
    backend.answerTx(ids[2]!, 0);
    await turn();
    expect(a.netfront.counters!.tx.errors).toBe(2);
    expect(errors).toEqual([]);
  });

  it('to a packet of several slots free its buffer when all have come', async () => {
    a.run(() => send(1, 9014));
    await machine.pass(1);
    const ids = [0, 1, 2].map((ahead) => backend.txId(ahead));
    const { pool } = a.netfront.device!.queues[0]!;
    const free = pool.freeBuffers;
    backend.answerTx(ids[0]!);
    backend.answerTx(ids[1]!);
    await turn();
    expect(pool.freeBuffers).toBe(free);
    backend.answerTx(ids[2]!);
    await turn();
    expect(pool.freeBuffers).toBe(free + 1);
  });

  it('for an id out of range break the device', async () => {
    a.run(() => send(1));
    await machine.pass(1);
    backend.answerTx(256);
    await expectBroken(/tx response for id 256/);
  });

  it('for an id that is not in flight break the device', async () => {
    a.run(() => send(2));
    await machine.pass(1);
    const id = backend.txId();
    backend.answerTx(id);
    backend.answerTx(id);
    await expectBroken(new RegExp(`tx response for id ${'\\d+'}, which is not in flight`));
  });

  it.each([1, 257, 0x80000000, 0xffffffff])('%i more than there are requests break the device', async (ahead) => {
    backend.tx.rspProdPvt = backend.tx.rspProdPvt + ahead;
    await expectBroken(/tx rsp_prod is \d+ ahead of 0 requests/);
  });

  it('that are held back make the ring full, and whoever waits is woken when they come', async () => {
    let sent = 0;
    a.run(() => {
      while (a.send(PEER, 100, sent)) sent++;
    });
    await machine.pass(1);
    expect(sent).toBe(256);
    // All that was queued is published, though nobody flushed: it could not be answered else.
    expect(backend.tx.unconsumedRequests()).toBe(256);
    const events = backend.events;
    const ids = Array.from({ length: 256 }, (_, i) => backend.txId(i));
    for (let i = 0; i < 127; i++) backend.answerTx(ids[i]!);
    backend.push();
    await machine.pass(1);
    expect(a.ready).toBe(0);
    backend.answerTx(ids[127]!);
    backend.push();
    await machine.pass(1);
    expect(a.ready).toBe(1);
    expect(backend.events).toBe(events);
  });
});

describe('RX responses', () => {
  it('in pieces of any size are one packet with its headers in one place', async () => {
    const whole = frame(4000, 5);
    let headLen = 0;
    let fragments = 0;
    a.onFrame = (packet) => {
      headLen = packet.headLen;
      fragments = packet.fragCount;
    };
    for (const cuts of [
      [1000, 3000],
      [10, 20, 30, 40, 28, 3872],
      [10, 3990],
      [127, 1, 3872],
      [0, 50, 0, 3950],
      [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3983],
    ]) {
      let at = 0;
      for (const [i, bytes] of cuts.entries()) {
        backend.answerRx(whole.subarray(at, at + bytes), {
          offset: i === 0 ? 2 : 0,
          flags: i + 1 < cuts.length ? MORE : 0,
        });
        at += bytes;
      }
      await turn();
      const seen = a.frames.at(-1)!.bytes;
      expect(Buffer.compare(seen, whole)).toBe(0);
      expect(headLen).toBeGreaterThanOrEqual(128);
      expect(fragments).toBeLessThanOrEqual(17);
    }
    expect(a.frames).toHaveLength(6);
    expect(errors).toEqual([]);
  });

  it('whose head is all there is, in many pieces', async () => {
    const whole = frame(60, 5);
    for (let i = 0; i < 15; i++) backend.answerRx(whole.subarray(i * 4, i * 4 + 4), { flags: i < 14 ? MORE : 0 });
    let headLen = 0;
    a.onFrame = (packet) => {
      headLen = packet.headLen;
      expect(packet.fragCount).toBe(0);
    };
    await turn();
    expect(headLen).toBe(60);
    expect(Buffer.compare(a.frames[0]!.bytes, whole)).toBe(0);
  });

  it('that end in the middle of a packet are left on the ring until the rest comes', async () => {
    const whole = frame(3000, 3);
    backend.answerRx(whole.subarray(0, 1000), { flags: MORE });
    await turn();
    backend.answerRx(whole.subarray(1000, 2000), { flags: MORE });
    backend.push();
    await machine.pass(1);
    expect(a.received).toBe(0);
    const { polls } = a.netfront.counters!;
    await machine.pass(1000);
    expect(a.netfront.counters!.polls - polls).toBeLessThan(3);
    backend.answerRx(whole.subarray(2000));
    // The event was asked for, though there were responses on the ring.
    backend.push();
    await machine.pass(1);
    expect(Buffer.compare(a.frames[0]!.bytes, whole)).toBe(0);
  });

  it('with an error cost one packet, and their page is posted again', async () => {
    for (let i = 0; i < 300; i++) {
      backend.answerRx(frame(60), { status: -1 });
      if (i % 50 === 49) await turn();
    }
    backend.answerRx(frame(200), { flags: MORE });
    backend.answerRx(frame(60), { status: -1 });
    backend.answerRx(frame(61));
    await turn();
    expect(a.netfront.counters!.rx).toMatchObject({ errors: 301, packets: 1, dropped: 0 });
    expect(backend.rx.unconsumedRequests()).toBe(256);
  });

  it('that are too short are dropped', async () => {
    backend.answerRx(frame(14).subarray(0, 13));
    backend.answerRx(new Uint8Array(0));
    await turn();
    expect(a.netfront.counters!.rx).toMatchObject({ dropped: 2, packets: 0 });
  });

  it('that are too long are dropped', async () => {
    for (let i = 0; i < 17; i++) backend.answerRx(pattern(4096, i), { offset: 0, flags: i < 16 ? MORE : 0 });
    await turn();
    expect(a.netfront.counters!.rx).toMatchObject({ dropped: 1, packets: 0 });
    expect(errors).toEqual([]);
  });

  it('with a hash in an extra slot are taken without it', async () => {
    backend.answerRx(frame(100), { flags: EXTRA });
    backend.rawRx(4, 0);
    backend.answerRx(frame(101), { flags: EXTRA | MORE });
    backend.rawRx(4, 0);
    backend.answerRx(pattern(50, 1));
    await turn();
    expect(a.frames.map(({ bytes }) => bytes.length)).toEqual([100, 151]);
    expect(a.netfront.counters!.rx.slots).toBe(5);
    expect(backend.rx.unconsumedRequests()).toBe(256);
  });

  it.each<[string, () => void, RegExp]>([
    ['the id of another slot', () => backend.answerRx(frame(60), { id: 7 }), /rx response for id 7 in slot 0/],
    ['an id out of range', () => backend.answerRx(frame(60), { id: 40000 }), /rx response for id 40000/],
    ['more bytes than the page has', () => backend.answerRx(frame(60), { offset: 4090 }), /60 bytes at offset 4090/],
    ['a size beyond the page', () => backend.answerRx(frame(60), { status: 0x7fff }), /32767 bytes at offset 2/],
    [
      'a later piece beyond its page',
      () => {
        backend.answerRx(frame(60), { flags: MORE });
        backend.answerRx(frame(60), { offset: 65535 });
      },
      /60 bytes at offset 65535/,
    ],
    [
      'the id of another slot in a later piece',
      () => {
        backend.answerRx(frame(60), { flags: MORE });
        backend.answerRx(frame(60), { id: 0 });
      },
      /rx response for id 0 in slot 1/,
    ],
    [
      'a packet of more than 18 slots',
      () => {
        for (let i = 0; i < 19; i++) backend.answerRx(frame(60), { flags: i < 18 ? MORE : 0 });
      },
      /more than 18 slots/,
    ],
    [
      'a packet that never ends',
      () => {
        for (let i = 0; i < 256; i++) backend.answerRx(frame(60), { flags: MORE });
      },
      /more than 18 slots/,
    ],
    [
      'GSO of size 0',
      () => {
        backend.answerRx(frame(60), { flags: EXTRA });
        backend.rawRx(1, 1);
      },
      /rx GSO of type 1, size 0/,
    ],
    [
      'GSO of TCP over IPv6, which was not negotiated',
      () => {
        backend.answerRx(frame(60), { flags: EXTRA });
        backend.rawRx(1 | (1448 << 16), 2);
      },
      /rx GSO of type 2/,
    ],
    [
      'a multicast extra slot',
      () => {
        backend.answerRx(frame(60), { flags: EXTRA });
        backend.rawRx(2, 0);
      },
      /rx extra slot of type 2, not negotiated/,
    ],
    [
      'an extra slot of no type',
      () => {
        backend.answerRx(frame(60), { flags: EXTRA });
        backend.rawRx(0, 0);
      },
      /rx extra slot of type 0/,
    ],
    [
      'extra slots without end',
      () => {
        backend.answerRx(frame(60), { flags: EXTRA });
        for (let i = 0; i < 200; i++) backend.rawRx(0x104, 0);
      },
      /more than 4 rx extra slots/,
    ],
    [
      'extra info in a later piece',
      () => {
        backend.answerRx(frame(60), { flags: MORE });
        backend.answerRx(frame(60), { flags: EXTRA });
        backend.rawRx(4, 0);
      },
      /does not belong to the first slot/,
    ],
  ])('with %s break the device', async (_name, misbehave, message) => {
    misbehave();
    await expectBroken(message);
  });

  it.each([257, 0x80000000, 0xffffffff])('%i ahead break the device', async (ahead) => {
    backend.rx.rspProdPvt = backend.rx.rspProdPvt + ahead;
    await expectBroken(/rx rsp_prod is \d+ ahead/);
  });
});

describe('the device', () => {
  it('can be closed from inside of receive', async () => {
    a.onFrame = () => a.netif!.close();
    for (let i = 0; i < 10; i++) backend.answerRx(frame(100, i));
    await turn();
    expect(a.received).toBe(1);
    backend.setState(5);
    await machine.until(() => a.netfront.state === 'closed', 100);
  });

  it('drops and counts what is sent after it broke', async () => {
    const packet = a.netif!.allocate(60)!;
    backend.tx.rspProdPvt = 99;
    await turn();
    a.netif!.transmit(packet);
    a.netif!.flush();
    expect(a.netfront.counters!.tx.dropped).toBe(1);
  });

  it('refuses a backend that cannot copy received packets', async () => {
    const fresh = new ScriptedBackend();
    fresh.features = { 'feature-sg': 1 };
    const other = await TestMachine.create({ backend: fresh.main });
    let message = '';
    const station = new Station();
    const kernel = await other.domain('a', (guest) =>
      station.boot(guest, {
        onError: (error) => {
          message = error.message;
        },
      }),
    );
    other.plug(kernel.domid, 0);
    await other.pass(1);
    fresh.serve(kernel.domid);
    await other.until(() => message !== '', 100);
    expect(message).toMatch(/feature-rx-copy/);
    expect(station.netif).toBeUndefined();
  });

  it('sends no packet of several slots to a backend without feature-sg: its MTU is smaller', async () => {
    const fresh = new ScriptedBackend();
    fresh.features = { 'feature-rx-copy': 1 };
    const other = await TestMachine.create({ backend: fresh.main });
    const station = new Station();
    const kernel = await other.domain('a', (guest) => station.boot(guest, {}));
    other.plug(kernel.domid, 0, { mtu: 9000 });
    await other.pass(1);
    fresh.serve(kernel.domid);
    await other.until(() => station.netif !== undefined, 100);
    expect(station.netif!.mtu).toBe(4080);
    expect(station.send(PEER, 4094, 1)).toBe(true);
    expect(station.netfront.counters!.tx).toMatchObject({ packets: 1, slots: 1 });
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
      at: fc.nat(255),
      value: fc.tuple(word, word, word),
    }),
    fc.record({
      kind: fc.constant('rx' as const),
      answers: fc.array(
        fc.record({
          id: fc.oneof({ weight: 20, arbitrary: fc.constant(-1) }, { weight: 1, arbitrary: fc.nat(65535) }),
          offset: fc.constantFrom(0, 0, 2, 2, 4000, 4096, 65535),
          flags: fc.constantFrom(0, 0, 0, 1, 2, 3, MORE, MORE, EXTRA, MORE | EXTRA),
          status: fc.constantFrom(-1, -32768, 0, 1, 13, 14, 60, 1514, 4094, 4096, 32767),
        }),
        { minLength: 1, maxLength: 40 },
      ),
    }),
    fc.record({ kind: fc.constant('tx' as const), ids: fc.array(fc.nat(300), { maxLength: 20 }) }),
    fc.record({
      kind: fc.constant('send' as const),
      sizes: fc.array(fc.integer({ min: 14, max: 9014 }), { maxLength: 20 }),
    }),
  );

  it('in rings and slots: the frontend does not throw, does not spin, and closes in order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 25 }), async (actions) => {
        await connect();
        const { memory } = backend.kernel;
        let seen = 0;
        a.keeps = false;
        a.onFrame = (packet) => {
          // What is handed up lies in pages of the domain, and is as long as it says.
          let len = packet.headLen;
          for (let i = 0; i < packet.fragCount; i++) len += packet.fragLen[i]!;
          expect(len).toBe(packet.len);
          expect(packet.headLen >= 128 || packet.headLen === packet.len).toBe(true);
          seen++;
        };
        for (const act of actions) {
          const { polls } = a.netfront.counters!;
          if (act.kind === 'index') {
            Atomics.store(memory.i32, ((act.ring ? backend.tx : backend.rx).addr >>> 2) + act.at, act.value | 0);
          } else if (act.kind === 'slot') {
            const slot = (act.ring ? backend.tx : backend.rx).slotAddr(act.at) >>> 2;
            memory.u32.set(act.ring ? act.value : act.value.slice(0, 2), slot);
          } else if (act.kind === 'rx') {
            for (const { id, offset, flags, status } of act.answers) {
              const slot = backend.rx.slotAddr(backend.rx.rspProdPvt);
              backend.rawRx((id < 0 ? memory.u16[slot >>> 1]! : id) | (offset << 16), flags | (status << 16));
            }
            backend.push();
          } else if (act.kind === 'tx') {
            for (const id of act.ids) backend.answerTx(id);
            backend.push();
          } else {
            a.run(() => {
              for (const size of act.sizes) a.send(PEER, size, 1);
              a.netif!.flush();
            });
          }
          backend.kick();
          await machine.pass(1);
          expect(a.netfront.counters!.polls - polls).toBeLessThan(30);
        }
        expect(machine.exits).toEqual([]);
        expect(errors.length).toBeLessThanOrEqual(1);
        expect(seen).toBe(a.received);
        a.run(() => a.netfront.close());
        backend.setState(5);
        await machine.until(() => a.netfront.state === 'closed', 100);
        expect(a.kernel.grants.free).toBeGreaterThanOrEqual(GRANT_ENTRIES - 8 - 2);
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
