import { ETH_HEADER_BYTES, macHi, macLo, writeHeader } from '@qanat/ethernet';
import { flowHash, flowQueue, writeHeader as writeIpHeader } from '@qanat/ipv4';
import type { Netfront, NetfrontDevice, NetfrontOptions } from '@qanat/netfront';
import { GRANT_ENTRIES } from '@qanat/xen';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ScriptedBackend } from '../../netfront/test/scripted-backend.ts';
import type { NetbackOptions, Port } from '../src/index.ts';
import { LooseFrontend } from './loose-frontend.ts';
import { Station, TestMachine, type VifOptions } from './machine.ts';

const IP_A = 0x0a00_0001;
const IP_B = 0x0a00_0002;
const SERVER_PORT = 5001;
const FIRST_PORT = 40_000;
const FLOWS = 64;
const HEADERS = ETH_HEADER_BYTES + 40;

/** Sends a frame of TCP of flow `flow` with a number in it. @returns false when its queue is full. */
function sendFlow(from: Station, to: Station, flow: number, number: number, bytes = 1000, protocol = 6): boolean {
  const { memory } = from.kernel;
  const port = FIRST_PORT + flow;
  const packet = from.netif!.allocate(bytes, protocol === 6 ? flowHash(IP_A, port, IP_B, SERVER_PORT) : 0);
  if (packet === null) return false;
  const { addr } = packet;
  const { view } = memory;
  writeHeader(memory, addr, macHi(to.mac), macLo(to.mac), macHi(from.mac), macLo(from.mac), 0x0800);
  const ip = addr + ETH_HEADER_BYTES;
  writeIpHeader(memory, ip, bytes - ETH_HEADER_BYTES, 0, 0x4000, 64, protocol, IP_A, IP_B, 0);
  memory.u8.fill(0, ip + 20, addr + bytes);
  view.setUint16(ip + 20, port);
  view.setUint16(ip + 22, SERVER_PORT);
  view.setUint8(ip + 32, 0x50);
  view.setInt32(addr + HEADERS, number);
  from.netif!.transmit(packet);
  return true;
}

/** Keeps the numbers that come, by flow. */
function record(station: Station): Map<number, number[]> {
  const flows = new Map<number, number[]>();
  station.keeps = false;
  station.onFrame = ({ addr }) => {
    const { view } = station.kernel.memory;
    const flow = view.getUint16(addr + ETH_HEADER_BYTES + 20) - FIRST_PORT;
    const numbers = flows.get(flow) ?? [];
    flows.set(flow, numbers);
    numbers.push(view.getInt32(addr + HEADERS));
  };
  return flows;
}

interface Pair {
  readonly machine: TestMachine;
  readonly a: Station;
  readonly b: Station;
  readonly portA: Port;
  readonly portB: Port;
}

async function pair(
  queues: number,
  backend: NetbackOptions = {},
  options: VifOptions = {},
  netfront: NetfrontOptions = { gro: false },
): Promise<Pair> {
  const machine = await TestMachine.create({ memoryMiB: 160, dom0MiB: 24, ...backend });
  const a = await machine.station('a', {}, { ...netfront, queues });
  const b = await machine.station('b', options, { ...netfront, queues });
  const [portA, portB] = [...machine.netback.vifs].map(({ port }) => port);
  await greet(machine, a, b);
  return { machine, a, b, portA: portA!, portB: portB! };
}

/** The bridge learns where both are. */
async function greet(machine: TestMachine, a: Station, b: Station): Promise<void> {
  const { received } = a;
  b.run(() => {
    b.send(a.mac, 60);
    b.netif!.flush();
  });
  await machine.until(() => a.received > received);
}

const device = ({ netfront }: { readonly netfront: Netfront }): NetfrontDevice => netfront.device!;
const negotiated = (station: Station): number => device(station).txQueues;
const rxPackets = (station: Station): number[] => device(station).queues.map(({ counters }) => counters.rx.packets);
const txPackets = (station: Station): number[] => device(station).queues.map(({ counters }) => counters.tx.packets);

/** Sends `each` frames of every flow in turn, as fast as the queues take them. */
async function burst(all: Pair, each: number, flows = FLOWS, bytes = 1000): Promise<Map<number, number[]>> {
  const { machine, a, b } = all;
  const came = record(b);
  const sent = new Int32Array(flows);
  const more = (): void => {
    for (let flow = 0; flow < flows; flow++) {
      while (sent[flow]! < each && sendFlow(a, b, flow, sent[flow]!, bytes)) sent[flow] = sent[flow]! + 1;
    }
    a.netif!.flush();
  };
  a.onReady = more;
  a.run(more);
  const total = (): number => [...came.values()].reduce((sum, { length }) => sum + length, 0);
  await machine.until(() => total() + all.portB.counters.queueDrops >= each * flows);
  return came;
}

function expectInOrder(came: Map<number, number[]>, each: number, flows = FLOWS): void {
  const whole = Array.from({ length: each }, (_, i) => i);
  for (let flow = 0; flow < flows; flow++) expect(came.get(flow)).toEqual(whole);
}

async function read(machine: TestMachine, path: string, keys: readonly string[]): Promise<(string | undefined)[]> {
  let values: (string | undefined)[] | undefined;
  machine.dom0.xenstore.readMany(
    keys.map((key) => `${path}/${key}`),
    (_error, found) => {
      values = found;
    },
  );
  await machine.until(() => values !== undefined);
  return values!;
}

async function reconnect({ machine, a }: Pair): Promise<void> {
  const [vif] = machine.netback.vifs;
  vif!.kill('again');
  await machine.until(() => a.netfront.state !== 'connected');
  await machine.until(() => a.netfront.state === 'connected');
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('queues are agreed on', () => {
  it.each([
    [1, 8, 1],
    [2, 8, 2],
    [8, 8, 8],
    [8, 3, 3],
    [4, 1, 1],
  ])('%d wanted, %d offered: %d', async (queues, maxQueues, got) => {
    const all = await pair(queues, { maxQueues });
    const { machine, a, portA } = all;
    expect([negotiated(a), portA.queueCount]).toEqual([got, got]);
    const back = await read(machine, `/local/domain/0/backend/vif/${a.kernel.domid}/0`, ['multi-queue-max-queues']);
    expect(back).toEqual([`${maxQueues}`]);
    const front = `/local/domain/${a.kernel.domid}/device/vif/0`;
    const keys = ['tx-ring-ref', 'rx-ring-ref', 'event-channel'];
    expect(await read(machine, front, ['multi-queue-num-queues'])).toEqual([`${got}`]);
    const flat = await read(machine, front, keys);
    const last = await read(machine, `${front}/queue-${got - 1}`, keys);
    const behind = await read(machine, `${front}/queue-${got}`, keys);
    const isThere = (values: (string | undefined)[]): boolean => values.every((value) => Number(value) > 0);
    expect([isThere(flat), isThere(last), isThere(behind)]).toEqual([got === 1, got > 1, false]);
    expectInOrder(await burst(all, 5), 5);
  });

  it('a frontend that knows nothing of them has one', async () => {
    const machine = await TestMachine.create();
    let isUp = false;
    const kernel = await machine.domain('a', (guest) => {
      new LooseFrontend(guest).start(() => {
        isUp = true;
      });
    });
    machine.plug(kernel.domid, 0);
    await machine.until(() => isUp);
    const [vif] = machine.netback.vifs;
    expect(vif!.port).toMatchObject({ queueCount: 1, isConnected: true });
  });

  it.each<[string | undefined, number, string | undefined]>([
    [undefined, 1, undefined],
    [undefined, 4, '1'],
    ['1', 4, '1'],
    ['0', 4, '1'],
    ['-2', 4, '1'],
    ['many', 4, '1'],
    ['', 4, '1'],
    ['99999999999999999999', 4, '1'],
    ['1', 1, '1'],
  ])('a backend that offers %s, %d wanted: one queue, where it always was', async (offer, queues, written) => {
    const backend = new ScriptedBackend();
    if (offer !== undefined) backend.features = { ...backend.features, 'multi-queue-max-queues': offer };
    const machine = await TestMachine.create({ backend: backend.main });
    const a = new Station();
    const kernel = await machine.domain('a', (guest) => a.boot(guest, { queues }));
    machine.plug(kernel.domid, 0);
    backend.kernel.xenstore.waitFor(
      `/local/domain/0/backend/vif/${kernel.domid}/0/frontend`,
      (path) => path !== undefined,
      () => backend.serve(kernel.domid),
    );
    await machine.until(() => a.netif !== undefined);
    expect(negotiated(a)).toBe(1);
    const front = `/local/domain/${kernel.domid}/device/vif/0`;
    expect(await read(machine, front, ['multi-queue-num-queues'])).toEqual([written]);
  });

  it('a domain with little memory has fewer than it wants, and they work', async () => {
    const machine = await TestMachine.create({ memoryMiB: 128 });
    const small = new Station();
    const kernel = await machine.domain('a', (guest) => small.boot(guest, { queues: 8, gro: false }), 12);
    machine.plug(kernel.domid, 0);
    await machine.until(() => small.netif !== undefined);
    const free = kernel.pages.freePages;
    expect(negotiated(small)).toBeGreaterThan(1);
    expect(negotiated(small)).toBeLessThan(8);
    expect(free).toBeGreaterThan(600);
    const b = await machine.station('b', {}, { gro: false });
    await greet(machine, small, b);
    const [portA, portB] = [...machine.netback.vifs].map(({ port }) => port);
    expectInOrder(await burst({ machine, a: small, b, portA: portA!, portB: portB! }, 10), 10);
  });

  it.each([0, -1, 1.5, 65, Number.NaN])('%d queues cannot be asked for, or offered', async (queues) => {
    const machine = await TestMachine.create();
    const kernel = await machine.domain('a');
    expect(() => new Station().boot(kernel, { queues })).toThrow(/queues is .*: it must be in 1\.\.64/);
    await expect(TestMachine.create({ maxQueues: queues })).rejects.toThrow(/maxQueues is .*: it must be in 1\.\.64/);
  });
});

describe('what a frontend may write of its queues', () => {
  const queue = (n: number, nodes: Record<string, string>): Record<string, string> =>
    Object.fromEntries(Object.entries(nodes).map(([key, value]) => [`queue-${n}/${key}`, value]));
  const two = { 'multi-queue-num-queues': '2' };

  it.each<[string, Record<string, string>, RegExp]>([
    ['none', { 'multi-queue-num-queues': '0' }, /num-queues is "0": it must be in 1..4/],
    ['more than were offered', { 'multi-queue-num-queues': '5' }, /num-queues is "5"/],
    ['a number below zero', { 'multi-queue-num-queues': '-1' }, /num-queues is "-1"/],
    ['no number', { 'multi-queue-num-queues': 'two' }, /num-queues is "two"/],
    ['nothing', { 'multi-queue-num-queues': '' }, /num-queues is ""/],
    ['a long story', { 'multi-queue-num-queues': '9'.repeat(1000) }, /num-queues is "9{20}"/],
    ['no directories', two, /queue-0: tx-ring-ref/],
    [
      'a directory too few',
      { ...two, ...queue(0, { 'tx-ring-ref': '8', 'rx-ring-ref': '9', 'event-channel': '3' }) },
      /queue-1: tx-ring-ref/,
    ],
    [
      'a ring twice',
      {
        ...two,
        ...queue(0, { 'tx-ring-ref': '8', 'rx-ring-ref': '9', 'event-channel': '3' }),
        ...queue(1, { 'tx-ring-ref': '9', 'rx-ring-ref': '10', 'event-channel': '4' }),
      },
      /two rings have grant reference 9/,
    ],
    [
      'a channel twice',
      {
        ...two,
        ...queue(0, { 'tx-ring-ref': '8', 'rx-ring-ref': '9', 'event-channel': '3' }),
        ...queue(1, { 'tx-ring-ref': '10', 'rx-ring-ref': '11', 'event-channel': '3' }),
      },
      /two queues have event channel 3/,
    ],
    [
      'rings that were not granted',
      {
        ...two,
        ...queue(0, { 'tx-ring-ref': '4000', 'rx-ring-ref': '4001', 'event-channel': '3' }),
        ...queue(1, { 'tx-ring-ref': '4002', 'rx-ring-ref': '4003', 'event-channel': '4' }),
      },
      /tx ring cannot be mapped/,
    ],
  ])('%s: the vif is refused', async (_name, nodes, message) => {
    const machine = await TestMachine.create({ maxQueues: 4 });
    const guest = await machine.domain('a');
    machine.plug(guest.domid, 0);
    await machine.until(() => machine.trace.includes(`back${guest.domid} 2`));
    const path = `/local/domain/${guest.domid}/device/vif/0`;
    guest.xenstore.transaction((tx) =>
      tx.writeAll(path, { ...nodes, 'request-rx-copy': 1, 'feature-rx-notify': 1, state: 4 }),
    );
    await machine.until(() => machine.trace.includes(`back${guest.domid} 5`));
    expect(machine.errors).toHaveLength(1);
    expect(machine.errors[0]).toMatch(message);
    expect(machine.exits).toEqual([]);
  });

  it('its second queue broken: what was mapped of the first is let go of', async () => {
    const { machine, a } = await pair(2);
    const front = `/local/domain/${a.kernel.domid}/device/vif/0`;
    const { hypercalls } = machine.dom0;
    const maps = (): number => hypercalls.counters.grantMaps - hypercalls.counters.grantUnmaps;
    const [vif] = machine.netback.vifs;
    a.netfront.close();
    await machine.until(() => vif!.state === 6);
    const before = maps();
    const unbound = a.kernel.hypercalls.evtchnAllocUnbound(0);
    const pages = [a.kernel.pages.alloc(), a.kernel.pages.alloc()];
    const refs = pages.map((page) => a.kernel.grants.grantAccess(0, page, false));
    a.kernel.xenstore.transaction((tx) =>
      tx.writeAll(front, {
        'queue-0/tx-ring-ref': refs[0]!,
        'queue-0/rx-ring-ref': refs[1]!,
        'queue-0/event-channel': unbound,
        'queue-1/tx-ring-ref': 4000,
        state: 4,
      }),
    );
    await machine.until(() => machine.errors.length === 1);
    expect(machine.errors[0]).toMatch(/tx ring cannot be mapped by grant 4000/);
    expect(maps()).toBe(before);
    for (const ref of refs) expect(a.kernel.grants.endAccess(ref)).toBe(true);
  });
});

describe('flows', () => {
  it('keep to one queue at both ends, and to their order; 64 of them use all queues', async () => {
    const all = await pair(4);
    const { a, b, machine } = all;
    expectInOrder(await burst(all, 50), 50);
    for (const counts of [txPackets(a), rxPackets(b)]) {
      expect(Math.min(...counts)).toBeGreaterThan((FLOWS * 50) / 4 / 2);
      expect(Math.max(...counts)).toBeLessThan(((FLOWS * 50) / 4) * 2);
    }
    const [stats] = machine.netback.stats()[0]!.ports;
    expect(stats!.queues!.map(({ txPackets: sent }) => sent)).toEqual(txPackets(a));
    expect(stats!.txPackets).toBe(txPackets(a).reduce((sum, count) => sum + count, 0));
    for (let flow = 0; flow < 8; flow++) {
      const expected = flowQueue(flowHash(IP_B, SERVER_PORT, IP_A, FIRST_PORT + flow), 4);
      const [tx, rx] = [txPackets(a), rxPackets(b)];
      a.run(() => {
        for (let i = 0; i < 10; i++) sendFlow(a, b, flow, i);
        a.netif!.flush();
      });
      await machine.pass(2);
      const grown = (after: number[], before: number[]): number[] => after.map((count, i) => count - before[i]!);
      const only = [0, 1, 2, 3].map((i) => (i === expected ? 10 : 0));
      expect([grown(txPackets(a), tx), grown(rxPackets(b), rx)]).toEqual([only, only]);
    }
  });

  it('keep their order where they wait in Dom0 for pages', async () => {
    const all = await pair(3, {}, { txqueuelen: 5000 });
    const { machine, a, b, portA, portB } = all;
    const came = record(b);
    const [each, flows] = [300, 16];
    let sent = 0;
    const more = (): void => {
      while (sent < each * flows && sendFlow(a, b, sent % flows, Math.floor(sent / flows))) sent++;
      a.netif!.flush();
    };
    a.onReady = more;
    a.run(() => {
      // All of Dom0's work is done before `b` has its turn.
      for (let i = 0; i < 40; i++) {
        more();
        for (const queue of portA.queues) machine.netback.switchboard.run(queue);
        machine.netback.switchboard.pass();
        device(a).poll();
      }
    });
    await machine.until(() => [...came.values()].reduce((sum, { length }) => sum + length, 0) === each * flows);
    expectInOrder(came, each, flows);
    for (const { counters } of portB.queues) expect(counters.rxQueued).toBeGreaterThan(300);
  });

  it('keep their order on an impaired link', async () => {
    const all = await pair(4, {}, { impair: { delayUs: 500, rateBitsPerSecond: 1e9, queuePackets: 5000 } });
    expectInOrder(await burst(all, 20, 16), 20, 16);
    expect(all.portB.queues.filter(({ counters }) => counters.rxPackets > 0).length).toBeGreaterThan(2);
  });

  it('of other protocols, and what is no IPv4, take the first queue', async () => {
    const { machine, a, b } = await pair(4);
    const [tx, rx] = [txPackets(a), rxPackets(b)];
    a.run(() => {
      for (let i = 0; i < 10; i++) sendFlow(a, b, i, i, 100, 1);
      for (let i = 0; i < 10; i++) a.send(b.mac, 60 + i, i);
      for (let i = 0; i < 10; i++) a.send(b.mac, 15, i);
      a.netif!.flush();
    });
    await machine.pass(5);
    expect(txPackets(a).map((count, i) => count - tx[i]!)).toEqual([30, 0, 0, 0]);
    expect(rxPackets(b).map((count, i) => count - rx[i]!)).toEqual([30, 0, 0, 0]);
  });

  it('are flooded to whom they belong, too', async () => {
    const { machine, a, b } = await pair(4);
    const c = await machine.station('c', {}, { gro: false, queues: 2 });
    const { table } = machine.netback.switchboard.bridge('xenbr0');
    for (let port = 0; port < 3; port++) table.forgetPort(port);
    const came = [record(b), record(c)];
    a.run(() => {
      for (let flow = 0; flow < FLOWS; flow++) sendFlow(a, b, flow, 0);
      a.netif!.flush();
    });
    await machine.pass(5);
    for (const flows of came) expectInOrder(flows, 1);
    expect(Math.min(...rxPackets(c))).toBeGreaterThan(0);
  });
});

describe('a queue that stands still', () => {
  it('at the receiver holds up its own flows only, and takes no more buffers than its share', async () => {
    const all = await pair(4, { dom0MiB: 8 } as NetbackOptions, { txqueuelen: 100_000 });
    const { machine, a, b, portB } = all;
    const { pool } = machine.netback.switchboard;
    // A stack that has gone deaf on queue 2; the auditor shall not mind.
    const deaf = device(b).queues[2]!;
    vi.spyOn(deaf, 'poll').mockImplementation(() => {});
    vi.spyOn(deaf, 'sleepFault').mockReturnValue(undefined);
    const came = record(b);
    const each = 400;
    const sent = new Int32Array(FLOWS);
    const more = (): void => {
      for (let flow = 0; flow < FLOWS; flow++) {
        while (sent[flow]! < each && sendFlow(a, b, flow, sent[flow]!)) sent[flow] = sent[flow]! + 1;
      }
      a.netif!.flush();
    };
    a.onReady = more;
    a.run(more);
    const isDeaf = (flow: number): boolean => flowQueue(flowHash(IP_A, FIRST_PORT + flow, IP_B, SERVER_PORT), 4) === 2;
    const heard = Array.from({ length: FLOWS }, (_, flow) => flow).filter((flow) => !isDeaf(flow));
    await machine.until(() => heard.every((flow) => came.get(flow)?.length === each));
    for (const flow of heard) expect(came.get(flow)).toEqual(Array.from({ length: each }, (_, i) => i));
    await machine.until(() => sent.every((count) => count === each));
    const [, , queue] = portB.queues;
    expect(queue!.counters.bufferDrops).toBeGreaterThan(0);
    // A fifth of the buffers: as much as each of four queues would have, and something left for other ports.
    expect(Math.abs(queue!.waiting.size - pool.limitBlocks / 5)).toBeLessThan(2);
    for (const other of portB.queues)
      if (other !== queue) expect(other.counters).toMatchObject({ bufferDrops: 0, queueDrops: 0 });
  });

  it('at the sender: its flows wait, and are woken when it goes on; the others go on', async () => {
    const all = await pair(4);
    const { machine, a, b, portA } = all;
    const stuck = portA.queues[1]!;
    const board = machine.netback.switchboard;
    const run = vi.spyOn(board, 'run').mockImplementation(function (this: typeof board, queue) {
      if (queue === stuck) return;
      run.mockRestore();
      board.run(queue);
      mock();
    });
    function mock(): void {
      vi.spyOn(board, 'run').mockImplementation((queue) => {
        if (queue !== stuck) original.call(board, queue);
      });
    }
    const original = Object.getPrototypeOf(board).run as (queue: typeof stuck) => void;
    mock();
    const audit = vi.spyOn(stuck, 'sleepFault').mockReturnValue(undefined);
    const came = record(b);
    const each = 100;
    const sent = new Int32Array(FLOWS);
    const more = (): void => {
      for (let flow = 0; flow < FLOWS; flow++) {
        while (sent[flow]! < each && sendFlow(a, b, flow, sent[flow]!)) sent[flow] = sent[flow]! + 1;
      }
      a.netif!.flush();
    };
    a.onReady = more;
    a.run(more);
    const isStuck = (flow: number): boolean => flowQueue(flowHash(IP_A, FIRST_PORT + flow, IP_B, SERVER_PORT), 4) === 1;
    await machine.pass(50);
    for (let flow = 0; flow < FLOWS; flow++) expect(came.get(flow)?.length ?? 0).toBe(isStuck(flow) ? 0 : each);
    expect(device(a).queues[1]!.waiters.size).toBe(1);
    vi.mocked(board.run).mockRestore();
    audit.mockRestore();
    machine.dom0.loop.defer(() => board.run(stuck));
    await machine.until(() => [...came.values()].every(({ length }) => length === each) && came.size === FLOWS);
    expectInOrder(came, each);
  });
});

describe('backends that come and go', () => {
  it('with more queues, or fewer: flows go on, and everything is given back at the end', async () => {
    const all = await pair(6, { maxQueues: 4 });
    const { machine, a, b } = all;
    const config = machine.netback.switchboard.config as { maxQueues: number };
    for (const maxQueues of [4, 1, 6, 2, 3]) {
      config.maxQueues = maxQueues;
      // What is offered is written when the vif goes back to state 2.
      machine.dom0.xenstore.write(
        `/local/domain/0/backend/vif/${a.kernel.domid}/0/multi-queue-max-queues`,
        `${maxQueues}`,
      );
      await machine.pass(1);
      await reconnect(all);
      expect(negotiated(a)).toBe(maxQueues);
      await greet(machine, a, b);
      expectInOrder(await burst(all, 10), 10);
    }
    const { pages, grants } = a.kernel;
    a.netfront.close();
    await machine.until(() => a.netfront.state === 'closed');
    await machine.pass(3000);
    expect(grants.free).toBe(GRANT_ENTRIES - 8);
    expect(pages.freePages).toBe(pages.frameCount);
  });

  it('who waits for room in a queue that is no more is woken, and packets of it are lost', async () => {
    const all = await pair(4);
    const { machine, a } = all;
    let flow = 0;
    while (flowQueue(flowHash(IP_A, FIRST_PORT + flow, IP_B, SERVER_PORT), 4) !== 3) flow++;
    const hash = flowHash(IP_A, FIRST_PORT + flow, IP_B, SERVER_PORT);
    const [held, other] = [a.netif!.allocate(60, hash)!, a.netif!.allocate(60, hash)!];
    expect(held.queue).toBe(3);
    let woken = 0;
    // More than the ring has: it is asked for again, and waits still.
    while (a.netif!.allocate(60, hash) !== null);
    const wait = (): void => {
      woken++;
    };
    device(a).waitForSpace(60, wait, hash);
    expect(woken).toBe(0);
    machine.dom0.xenstore.write(`/local/domain/0/backend/vif/${a.kernel.domid}/0/multi-queue-max-queues`, '2');
    await machine.pass(1);
    expect(woken).toBe(0);
    await reconnect(all);
    await machine.pass(1);
    expect(woken).toBe(1);
    expect(a.ready).toBeGreaterThan(0);
    const { dropped } = a.netfront.counters!.tx;
    a.run(() => {
      a.netif!.transmit(held);
      a.netif!.release(other);
      a.netif!.flush();
    });
    await machine.pass(1);
    expect(a.netfront.counters!.tx.dropped).toBe(dropped + 1);
    await greet(machine, a, all.b);
    expectInOrder(await burst(all, 5), 5);
  });
});

describe('each queue is guarded like the only one', () => {
  it.each([0, 1, 2, 3])('by netback: garbage on the TX ring of queue %d', async (index) => {
    const { machine, a, b, portA } = await pair(4);
    const { ring } = portA.queues[index]!.rings!.tx;
    machine.dom0.memory.i32[ring.addr >>> 2] = (ring.reqProd + 1000) | 0;
    machine.dom0.loop.defer(() => machine.netback.switchboard.run(portA.queues[index]!));
    await machine.until(() => machine.errors.length === 1);
    expect(machine.errors[0]).toMatch(/tx req_prod is 1\d\d\d ahead/);
    await machine.until(() => a.netfront.state !== 'connected');
    await machine.until(() => a.netfront.state === 'connected');
    await greet(machine, a, b);
  });

  it.each([0, 1, 2, 3])('by netfront: garbage on the rings of queue %d', async (index) => {
    const { machine, a, portA } = await pair(4);
    const { tx, eventPort } = portA.queues[index]!.rings!;
    machine.dom0.memory.i32[(tx.ring.addr + 8) >>> 2] = (tx.ring.rspProdPvt + 500) | 0;
    machine.dom0.hypercalls.evtchnSend(eventPort);
    await machine.until(() => a.netfront.error !== undefined);
    expect(a.netfront.error!.message).toMatch(/tx rsp_prod is 5\d\d ahead/);
    for (let flow = 0; flow < 16; flow++) {
      expect(a.netif!.allocate(60, flowHash(IP_A, FIRST_PORT + flow, IP_B, SERVER_PORT))).toBeNull();
    }
    expect(machine.exits).toEqual([]);
  });

  it('by netback: garbage in the rings of any of them (property): Dom0 lives, and serves the others', async () => {
    const machine = await TestMachine.create({ memoryMiB: 160, dom0MiB: 24 });
    const b = await machine.station('b', {}, { gro: false, queues: 4 });
    const c = await machine.station('c');
    await greet(machine, c, b);
    let runs = 0;
    const word = fc.oneof(fc.integer({ min: 0, max: 600 }), fc.integer({ min: -256, max: -1 }), fc.integer());
    // What a frontend writes: req_prod and rsp_event of both rings, and the words of a request to send.
    const place = fc.oneof(
      fc.record({ inTx: fc.boolean(), at: fc.constantFrom(0, 3) }),
      fc.record({ inTx: fc.constant(true), at: fc.integer({ min: 16, max: 783 }) }),
    );
    const garbage = fc.record({ queue: fc.integer({ min: 0, max: 3 }), place, word });
    await fc.assert(
      fc.asyncProperty(fc.array(garbage, { minLength: 1, maxLength: 12 }), async (writes) => {
        const { kernel } = await machine.station(`intruder${runs++}`, {}, { gro: false, queues: 4 });
        const vif = [...machine.netback.vifs].find(({ setup }) => setup.domid === kernel.domid)!;
        for (const { queue, place, word } of writes) {
          // A queue that broke has no rings, until the frontend has connected again (if what it reads lets it).
          const rings = vif.port.queues[queue]?.rings;
          if (rings === undefined) continue;
          const { addr } = (place.inTx ? rings.tx : rings.rx).ring;
          Atomics.store(machine.dom0.memory.i32, (addr >>> 2) + place.at, word);
          machine.dom0.loop.defer(() => machine.netback.switchboard.run(vif.port.queues[queue]!));
          await greet(machine, b, c);
        }
        machine.destroy(kernel.domid);
        await machine.pass(2);
        expect(machine.hypervisor.domain(kernel.domid)).toBeUndefined();
      }),
      { numRuns: 30 },
    );
    const { pool } = machine.netback.switchboard;
    expect(pool.freeBlocks).toBe(pool.limitBlocks);
  });

  it.each([0, 1, 2, 3])('by the sleep auditor: queue %d of the frontend has unread frames', async (index) => {
    const all = await pair(4);
    vi.spyOn(device(all.b).queues[index]!, 'poll').mockImplementation(() => {});
    await expect(burst(all, 2)).rejects.toThrow(index === 0 ? /unread responses/ : `queue ${index}: `);
  });

  it.each([0, 1, 2, 3])('by the sleep auditor: queue %d of the backend has unread requests', async (index) => {
    const all = await pair(4);
    const queue = all.portA.queues[index]!;
    const board = all.machine.netback.switchboard;
    const original = Object.getPrototypeOf(board).run as (other: typeof queue) => void;
    vi.spyOn(board, 'run').mockImplementation((other) => {
      if (other !== queue) original.call(board, other);
    });
    await expect(burst(all, 2)).rejects.toThrow(new RegExp(`queue ${index}: tx: .*unread requests`));
  });
});
