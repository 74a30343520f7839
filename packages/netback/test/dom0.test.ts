import { Memory } from '@qanat/bytes';
import { VirtualClock } from '@qanat/clock';
import { type Image, type Kernel, VirtualScheduler } from '@qanat/os';
import { Hypervisor, type LaunchedDomain } from '@qanat/xen';
import { describe, expect, it } from 'vitest';
import * as dom0Image from '../src/dom0.ts';
import type { BridgeStats, Dom0Message } from '../src/index.ts';
import { Station, testFrame } from './machine.ts';

const MIB = 1 << 20;

/** The Dom0 image as the toolstack runs it, and two stations on xenbr0. */
async function boot(args?: unknown): Promise<{
  ask(message: unknown, until: (answers: Dom0Message[]) => boolean): Promise<Dom0Message[]>;
  run(done: () => boolean): Promise<void>;
  stations: Station[];
  /** All that Dom0 has said. */
  heard: Dom0Message[];
}> {
  const clock = new VirtualClock();
  const hypervisor = Hypervisor.create(Memory.create({ bytes: 64 * MIB }), { clockOriginUs: 0, clock });
  const scheduler = new VirtualScheduler({ hypervisor, seed: 1, audit: true });
  const messages: Dom0Message[] = [];
  const heard: Dom0Message[] = [];
  const launch = (name: string, mib: number, image: Image): LaunchedDomain =>
    scheduler.launch({
      domid: hypervisor.createDomain({ name, bytes: mib * MIB }),
      config: { name, memoryMiB: mib, vifs: [] },
      image,
      args,
      onMessage: (message) => {
        messages.push(message as Dom0Message);
        heard.push(message as Dom0Message);
      },
      onExit: ({ error }) => {
        throw new Error(error?.stack);
      },
    });
  let kernel: Kernel | undefined;
  const dom0 = launch('Domain-0', 16, {
    main: (own) => {
      dom0Image.main(own);
      kernel = own;
    },
  });
  await scheduler.runUntil(() => kernel !== undefined);
  const stations = [new Station(), new Station()];
  for (const [i, station] of stations.entries()) {
    const domid = i + 1;
    launch(`station${domid}`, 8, { main: (guest) => station.boot(guest, {}) });
    const record = hypervisor.domain(domid)!;
    const { xenstore } = kernel!;
    xenstore.introduce(domid, record.xenstoreAddr >>> 12, record.xenstorePort);
    const front = `/local/domain/${domid}/device/vif/0`;
    const back = `/local/domain/0/backend/vif/${domid}/0`;
    xenstore.transaction((tx) => {
      for (const [path, owner, reader] of [
        [front, domid, 0],
        [back, 0, domid],
      ] as const) {
        tx.mkdir(path);
        tx.setPerms(path, [
          { access: 'n', domid: owner },
          { access: 'r', domid: reader },
        ]);
      }
      tx.writeAll(front, { backend: back, 'backend-id': 0, mac: `00:16:3e:00:00:0${domid}`, state: 1 });
      tx.writeAll(back, { frontend: front, 'frontend-id': domid, online: 1, state: 1 });
    });
  }
  const run = (done: () => boolean): Promise<void> => scheduler.runUntil(done);
  await run(() => stations.every(({ netif }) => netif !== undefined));
  return {
    stations,
    heard,
    run,
    ask: async (message, until) => {
      messages.length = 0;
      dom0.post(message);
      await run(() => until(messages));
      return [...messages];
    },
  };
}

/** The bytes of the enhanced packet blocks of a pcapng file. */
function packetsOf(file: Buffer): Buffer[] {
  const packets: Buffer[] = [];
  for (let at = 0; at < file.length; at += file.readUInt32LE(at + 4)) {
    if (file.readUInt32LE(at) === 6) packets.push(file.subarray(at + 28, at + 28 + file.readUInt32LE(at + 20)));
  }
  return packets;
}

const anyAnswer = (messages: Dom0Message[]): boolean => messages.length > 0;

describe('the image of Dom0', () => {
  it('runs xenstored and netback, and tells what the bridges have counted', async () => {
    const { ask, run, stations } = await boot();
    const [a, b] = stations as [Station, Station];
    a.run(() => {
      for (let i = 0; i < 5; i++) a.send(b.mac, 100, i);
      a.netif!.flush();
    });
    await run(() => b.received === 5);
    const [answer] = await ask({ type: 'bridge-stats', id: 7 }, anyAnswer);
    expect(answer).toMatchObject({ type: 'bridge-stats', id: 7 });
    const { bridges } = answer as { bridges: BridgeStats[] };
    expect(bridges).toHaveLength(1);
    expect(bridges[0]).toMatchObject({ name: 'xenbr0', flooded: 5, forwarded: 0, filtered: 0 });
    expect(bridges[0]!.ports[0]).toMatchObject({ name: 'vif1.0', txPackets: 5, txBytes: 500, rxPackets: 0, drops: 0 });
    expect(bridges[0]!.ports[1]).toMatchObject({
      name: 'vif2.0',
      domid: 2,
      rxPackets: 5,
      rxBytes: 500,
      connected: true,
    });
  });

  it('captures a bridge as pcapng', async () => {
    const { ask, run, stations, heard } = await boot();
    const [a, b] = stations as [Station, Station];
    // The answer to the second says that the first was served.
    await ask({ type: 'pcap-start', bridge: 'xenbr0', options: { chunkBytes: 1000 } }, () => true);
    await ask({ type: 'bridge-stats' }, anyAnswer);
    a.run(() => {
      for (let i = 0; i < 5; i++) a.send(b.mac, 600 + i, i);
      a.netif!.flush();
    });
    await run(() => b.received === 5);
    b.run(() => {
      b.send(a.mac, 60, 9);
      b.netif!.flush();
    });
    await run(() => a.received === 1);
    const messages = await ask({ type: 'pcap-stop', bridge: 'xenbr0' }, (all) => all.at(-1)?.type === 'pcap-end');
    expect(messages.at(-1)).toEqual({ type: 'pcap-end', bridge: 'xenbr0', packets: 6, droppedPackets: 0 });
    const chunks = heard.flatMap((message) => (message.type === 'pcap' ? [message.chunk] : []));
    expect(chunks.length).toBeGreaterThan(2);
    const frames = packetsOf(Buffer.concat(chunks));
    expect(frames).toHaveLength(6);
    for (let i = 0; i < 5; i++) expect(Buffer.compare(frames[i]!, testFrame(b.mac, a.mac, 600 + i, i))).toBe(0);
    expect(Buffer.compare(frames[5]!, testFrame(a.mac, b.mac, 60, 9))).toBe(0);
  });

  it('ignores what it does not understand', async () => {
    const { ask } = await boot();
    for (const message of [
      null,
      1,
      'bridge-stats',
      { type: 'reboot' },
      { type: 'pcap-start' },
      { type: 'pcap-stop', bridge: 5 },
    ]) {
      await ask(message, () => true);
    }
    const [answer] = await ask({ type: 'bridge-stats' }, anyAnswer);
    expect(answer).toMatchObject({ type: 'bridge-stats' });
  });

  it('runs nowhere else', async () => {
    const hypervisor = Hypervisor.create(Memory.create({ bytes: 8 * MIB }), {
      clockOriginUs: 0,
      clock: new VirtualClock(),
    });
    hypervisor.createDomain({ name: 'Domain-0', bytes: MIB });
    const domid = hypervisor.createDomain({ name: 'other', bytes: MIB });
    const scheduler = new VirtualScheduler({ hypervisor });
    let message = '';
    scheduler.launch({
      domid,
      config: { name: 'other', memoryMiB: 1, vifs: [] },
      image: dom0Image,
      args: undefined,
      onMessage: () => {},
      onExit: ({ error }) => {
        message = error?.message ?? '';
      },
    });
    await scheduler.runUntil(() => message !== '');
    expect(message).toMatch(/EPERM/);
  });
});
