import { PACKET_CSUM_BLANK, PACKET_DATA_VALIDATED } from '@qanat/bytes';
import { macHi, macLo, writeHeader as writeEthernet } from '@qanat/ethernet';
import { FLAG_DF, pseudoHeaderSum, writeHeader } from '@qanat/ipv4';
import type { PcapngOptions } from '@qanat/link';
import type { NetfrontOptions } from '@qanat/netfront';
import { describe, expect, it } from 'vitest';
import { Capture } from '../src/index.ts';
import { pattern, type Station, TestMachine, type VifOptions } from './machine.ts';

const [SRC, DST, MSS] = [0x0a00_0001, 0x0a00_0002, 1448];
const HEADERS = 66;

/** Sends a TCP frame with a blank checksum, a super-segment where `gsoSize` is not 0. */
function sendTcp(from: Station, to: Station, payload: number, gsoSize: number, seq = 1, seed = 1): boolean {
  const netif = from.netif!;
  const packet = netif.allocate(HEADERS + payload);
  if (packet === null) return false;
  const { memory } = from.kernel;
  const { addr } = packet;
  writeEthernet(memory, addr, macHi(to.mac), macLo(to.mac), macHi(netif.mac), macLo(netif.mac), 0x0800);
  writeHeader(memory, addr + 14, 52 + payload, 0, FLAG_DF, 64, 6, SRC, DST, 0);
  memory.view.setInt32(addr + 34, (5001 << 16) | 80);
  memory.view.setInt32(addr + 38, seq);
  memory.view.setInt32(addr + 42, 0);
  memory.view.setInt32(addr + 46, (((32 << 10) | 0x18) << 16) | 500);
  memory.view.setInt32(addr + 50, pseudoHeaderSum(SRC, DST, 6, 32 + payload) << 16);
  memory.u8.fill(1, addr + 54, addr + 66);
  memory.u8.set(pattern(payload, seed), addr + HEADERS);
  packet.flags |= PACKET_CSUM_BLANK;
  packet.gsoSize = gsoSize;
  netif.transmit(packet);
  return true;
}

/** Whether the TCP checksum of a frame is right. */
function isSummed(frame: Uint8Array): boolean {
  let sum = pseudoHeaderSum(SRC, DST, 6, frame.length - 34);
  for (let i = 34; i < frame.length; i += 2) sum += (frame[i]! << 8) | (frame[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum === 0xffff;
}

interface Pair {
  readonly machine: TestMachine;
  readonly a: Station;
  readonly b: Station;
  /** flags and gsoSize of what came to b. */
  readonly marks: [number, number][];
}

async function pair(b: NetfrontOptions = {}, vif: VifOptions = {}, a: NetfrontOptions = {}): Promise<Pair> {
  const machine = await TestMachine.create({ memoryMiB: 96 });
  const from = await machine.station('a', {}, a);
  const to = await machine.station('b', vif, { gro: false, ...b });
  const marks: [number, number][] = [];
  to.onFrame = (packet) => marks.push([packet.flags, packet.gsoSize]);
  // The bridge learns where b is.
  to.run(() => {
    to.send(from.mac, 60);
    to.netif!.flush();
  });
  await machine.until(() => from.received > 0);
  return { machine, a: from, b: to, marks };
}

async function carry({ machine, a, b }: Pair, payload: number, gsoSize: number): Promise<Uint8Array> {
  a.run(() => {
    expect(sendTcp(a, b, payload, gsoSize)).toBe(true);
    a.netif!.flush();
  });
  await machine.pass(50);
  expect(machine.errors).toEqual([]);
  const parts = b.frames.map(({ bytes }) => bytes.slice(HEADERS));
  return Buffer.concat(parts);
}

describe('a super-segment', () => {
  it('goes whole to a frontend that takes it, with one slot of extra info on both rings', async () => {
    const all = await pair();
    expect(await carry(all, 60_000, MSS)).toEqual(Buffer.from(pattern(60_000, 1)));
    expect(all.b.received).toBe(1);
    expect(all.marks).toEqual([[PACKET_CSUM_BLANK | PACKET_DATA_VALIDATED, MSS]]);
    expect(all.a.netfront.counters!.tx).toMatchObject({ packets: 1, slots: 16, gsoPackets: 1, blankChecksums: 1 });
    expect(all.b.netfront.counters!.rx).toMatchObject({ packets: 1, slots: 16, gsoPackets: 1 });
  });

  it.each([
    ['takes none, but blank checksums', { gso: false }, PACKET_CSUM_BLANK | PACKET_DATA_VALIDATED],
    ['takes neither', { checksumOffload: false }, 0],
  ])('is cut by Dom0 for a frontend that %s', async (_name, netfront, flags) => {
    const all = await pair(netfront);
    expect(await carry(all, 60_000, MSS)).toEqual(Buffer.from(pattern(60_000, 1)));
    expect(all.b.received).toBe(Math.ceil(60_000 / MSS));
    for (const mark of all.marks) expect(mark).toEqual([flags, 0]);
    if (flags === 0) for (const { bytes } of all.b.frames) expect(isSummed(bytes)).toBe(true);
    const { port } = [...all.machine.netback.vifs].find(({ setup }) => setup.domid === all.b.kernel.domid)!;
    expect(port.counters).toMatchObject({ gsoCut: 1, gsoSegments: 42, checksums: flags === 0 ? 42 : 0 });
  });

  it('is cut and summed where the link is impaired: it carries what a cable would', async () => {
    const all = await pair({}, { impair: { delayUs: 1000 } });
    expect(await carry(all, 20_000, MSS)).toEqual(Buffer.from(pattern(20_000, 1)));
    expect(all.b.received).toBe(14);
    for (const mark of all.marks) expect(mark).toEqual([0, 0]);
    for (const { bytes } of all.b.frames) expect(isSummed(bytes)).toBe(true);
  });

  it('waits in the queue of its port as what it is, when the pages run out', async () => {
    const all = await pair();
    const { machine, a, b, marks } = all;
    let sent = 0;
    const more = (): void => {
      while (sent < 60 && sendTcp(a, b, 60_000, MSS, 1, sent)) sent++;
      a.netif!.flush();
    };
    a.onReady = more;
    // b is deaf until all of them are in Dom0.
    a.run(more);
    await machine.until(() => b.received === 60);
    expect(a.netfront.counters!.tx.gsoPackets).toBe(60);
    for (const mark of marks) expect(mark[1]).toBe(MSS);
    for (const [i, { bytes }] of b.frames.entries()) {
      expect(Buffer.compare(bytes.subarray(HEADERS), pattern(60_000, i))).toBe(0);
    }
  });

  it('has its checksum in a capture', async () => {
    const all = await pair();
    const chunks: Uint8Array[] = [];
    const bridge = all.machine.netback.switchboard.bridge('xenbr0');
    const options: PcapngOptions = {};
    bridge.tap = new Capture(all.machine.dom0, (chunk) => chunks.push(chunk), options);
    await carry(all, 5000, MSS);
    (bridge.tap as Capture).writer.flush();
    const file = Buffer.concat(chunks);
    // The frame stands in the last packet block.
    const at = file.indexOf(Buffer.from(all.b.frames[0]!.bytes.subarray(0, 14)));
    expect(isSummed(file.subarray(at, at + HEADERS + 5000))).toBe(true);
  });
});

describe('a blank checksum', () => {
  it.each<[string, NetfrontOptions, VifOptions, boolean]>([
    ['stays blank for a frontend that takes it', {}, {}, true],
    ['is computed for one that does not', { checksumOffload: false }, {}, false],
    ['is computed for an impaired link', {}, { impair: { delayUs: 10 } }, false],
  ])('%s', async (_name, netfront, vif, blank) => {
    const all = await pair(netfront, vif);
    expect(await carry(all, 1000, 0)).toEqual(Buffer.from(pattern(1000, 1)));
    expect(all.marks).toEqual([[blank ? PACKET_CSUM_BLANK | PACKET_DATA_VALIDATED : 0, 0]]);
    expect(isSummed(all.b.frames[0]!.bytes)).toBe(!blank);
  });

  it('is not offered by a frontend, or to one, that shall not', async () => {
    const off = await pair({}, {}, { checksumOffload: false });
    expect(off.a.netif!.offload).toEqual({ txChecksum: false, gsoMaxBytes: 0 });
    expect(off.b.netif!.offload).toEqual({ txChecksum: true, gsoMaxBytes: 65_520 });
    const machine = await TestMachine.create({ gso: false });
    expect((await machine.station('a')).netif!.offload).toEqual({ txChecksum: true, gsoMaxBytes: 0 });
    const none = await TestMachine.create({ checksumOffload: false });
    expect((await none.station('a')).netif!.offload).toEqual({ txChecksum: false, gsoMaxBytes: 0 });
  });

  it('of a frame that was made before a reconnect is computed where the new backend takes none', async () => {
    const { machine, a, b } = await pair();
    const packet = a.netif!.allocate(1000)!;
    expect(packet).not.toBeNull();
    a.netif!.release(packet);
    const [vif] = machine.netback.vifs;
    (machine.netback.switchboard.config as { checksumOffload: boolean }).checksumOffload = false;
    const back = vif!.setup.path;
    machine.dom0.xenstore.write(`${back}/feature-no-csum-offload`, '1');
    vif!.kill('again');
    await machine.until(() => a.netfront.state !== 'connected');
    await machine.until(() => a.netfront.state === 'connected');
    expect(a.netif!.offload).toEqual({ txChecksum: false, gsoMaxBytes: 0 });
    b.frames.length = 0;
    a.run(() => {
      sendTcp(a, b, 500, 0);
      // Too long for it: lost.
      sendTcp(a, b, 1400, 700);
      a.netif!.flush();
    });
    await machine.pass(20);
    expect(b.frames.map(({ bytes }) => isSummed(bytes))).toEqual([true]);
  });
});

describe('persistent grants', () => {
  it('map each page once, copy without hypercalls, and let go of them at the end', async () => {
    const all = await pair();
    const { machine, a, b } = all;
    b.keeps = false;
    const rounds = async (): Promise<number> => {
      const before = machine.dom0.hypercalls.counters.hypercalls;
      for (let round = 0; round < 20; round++) {
        a.run(() => {
          sendTcp(a, b, 60_000, MSS);
          a.netif!.flush();
        });
        await machine.pass(1);
      }
      return machine.dom0.hypercalls.counters.hypercalls - before;
    };
    await rounds();
    const maps = machine.netback.switchboard.mapsLeft;
    // Every page of the ring was seen: no more maps, and no copy for each of the 320 pages.
    expect(await rounds()).toBeLessThan(20 * 8);
    expect(machine.netback.switchboard.mapsLeft).toBe(maps);
    expect(b.received).toBe(40);
    machine.destroy(a.kernel.domid);
    machine.destroy(b.kernel.domid);
    await machine.pass(5);
    expect(machine.netback.switchboard.mapsLeft).toBeGreaterThan(maps);
    expect(machine.hypervisor.domain(a.kernel.domid)).toBeUndefined();
    expect(machine.hypervisor.domain(b.kernel.domid)).toBeUndefined();
  });

  it('can be refused by either side, and run out: then it is grant copies', async () => {
    for (const [options, netfront] of [
      [{ persistentGrants: false }, {}],
      [{}, { persistentGrants: false }],
    ] as const) {
      const machine = await TestMachine.create({ memoryMiB: 96, ...options });
      const a = await machine.station('a', {}, netfront);
      const b = await machine.station('b', {}, netfront);
      const maps = machine.netback.switchboard.mapsLeft;
      a.run(() => {
        sendTcp(a, b, 60_000, MSS);
        a.netif!.flush();
      });
      await machine.until(() => b.received === 1);
      expect(machine.netback.switchboard.mapsLeft).toBe(maps);
    }
    const all = await pair();
    all.machine.netback.switchboard.mapsLeft = 3;
    expect(await carry(all, 60_000, MSS)).toEqual(Buffer.from(pattern(60_000, 1)));
    expect(all.machine.netback.switchboard.mapsLeft).toBe(0);
  });
});

describe('split event channels', () => {
  it.each([
    ['both want them', {}, { splitEventChannels: true }, true],
    ['the backend does not offer them', { splitEventChannels: false }, { splitEventChannels: true }, false],
    ['the frontend does not ask', {}, {}, false],
  ])('%s', async (_name, backend, netfront, split) => {
    const machine = await TestMachine.create({ memoryMiB: 96, ...backend });
    const a = await machine.station('a', {}, netfront);
    const b = await machine.station('b', {}, netfront);
    for (const { port } of machine.netback.vifs) {
      expect(port.queues[0]!.rings!.eventPort !== port.queues[0]!.rings!.rxEventPort).toBe(split);
    }
    const exchange = async (frames: number): Promise<void> => {
      const { received } = b;
      let sent = 0;
      const more = (): void => {
        while (sent < frames && a.send(b.mac, 1000, sent)) sent++;
        a.netif!.flush();
      };
      a.onReady = more;
      a.run(more);
      await machine.until(() => b.received === received + frames);
    };
    await exchange(1000);
    const [vif] = machine.netback.vifs;
    vif!.kill('again');
    await machine.until(() => a.netfront.state !== 'connected');
    await machine.until(() => a.netfront.state === 'connected');
    await exchange(1000);
  });
});
