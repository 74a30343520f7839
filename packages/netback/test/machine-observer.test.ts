import {
  type Kernel,
  LOST_NO_BUFFER,
  LOST_ON_LINK,
  LOST_QUEUE_FULL,
  type MachineObserver,
  WATCHED_RX,
  WATCHED_TX,
} from '@qanat/os';
import { describe, expect, it } from 'vitest';
import type { Port } from '../src/index.ts';
import type { VifOptions } from './machine.ts';
import { type Pair, pair } from './pair.ts';

/** What an observer was told, but for sleeps. */
interface Seen {
  readonly pushed: number[][];
  readonly reaped: number[][];
  readonly notified: [number, boolean][];
  readonly queued: number[][];
  readonly dropped: number[][];
}

function watch(kernel: Kernel): Seen {
  const seen: Seen = { pushed: [], reaped: [], notified: [], queued: [], dropped: [] };
  kernel.watched.observer = {
    sleeps: () => {},
    wakes: () => {},
    sleepFault: () => {},
    pushed: (...row) => void seen.pushed.push(row),
    reaped: (...row) => void seen.reaped.push(row),
    notified: (...row) => void seen.notified.push(row),
    queued: (...row) => void seen.queued.push(row),
    dropped: (...row) => void seen.dropped.push(row),
  } satisfies MachineObserver;
  return seen;
}

/** Two stations that know each other and have nothing under way. */
async function quietPair(options: VifOptions = {}): Promise<Pair> {
  const both = await pair(options);
  await both.machine.pass(10);
  return both;
}

async function send({ machine, a, b }: Pair, frames: number): Promise<void> {
  a.run(() => {
    for (let i = 0; i < frames; i++) a.send(b.mac, 1000, i);
    a.netif!.flush();
  });
  await machine.pass(10);
}

/** Dom0 moves `count` frames, while b has no turn. */
async function flood(all: Pair, count: number): Promise<void> {
  const { machine, a, b, portA } = all;
  const pass = (): void => {
    machine.netback.switchboard.run(portA.queues[0]!);
    machine.netback.switchboard.pass();
  };
  a.run(() => {
    for (let sent = 0; sent < count; ) {
      if (a.send(b.mac, 1000, sent)) sent++;
      else pass();
    }
    a.netif!.flush();
    for (let i = 0; i < 8; i++) pass();
  });
  await machine.pass(10);
}

/** A frontend knows its device, the backend the domain, too. */
const FRONTEND = 0;
const numberOf = ({ vif }: Port): number => vif << 8;
const of = (rows: number[][], ring: number, number: number): number[] =>
  rows.filter((row) => row[0] === ring && row[2] === number).map((row) => row[1]!);
const sum = (list: readonly number[]): number => list.reduce((all, one) => all + one, 0);

describe('an observer of frontends', () => {
  it('is told of pushes with what is in use, and of the notification', async () => {
    const all = await quietPair();
    const sender = watch(all.a.kernel);
    const counted = all.a.netfront.counters!.tx.notifications;
    await send(all, 5);
    expect(sender.pushed).toEqual([[WATCHED_TX, 5, FRONTEND]]);
    // The answers lie on the ring until there is need of room.
    expect(sender.reaped).toEqual([]);
    const sent = sender.notified.filter(([, isSent]) => isSent);
    expect([sender.notified.length, sent.length]).toEqual([1, 1]);
    expect(all.a.netfront.counters!.tx.notifications - counted).toBe(1);
    expect([sender.queued, sender.dropped]).toEqual([[], []]);
  });

  it('is told of answers taken off the TX ring, with what is left in use', async () => {
    const all = await quietPair();
    const sender = watch(all.a.kernel);
    await flood(all, 300);
    const pushed = of(sender.pushed, WATCHED_TX, FRONTEND);
    const reaped = of(sender.reaped, WATCHED_TX, FRONTEND);
    // In pieces, until the ring is full; then Dom0 has answered 64 and the other 44 go, and in the end it has answered all.
    expect(pushed.slice(0, 8)).toEqual([32, 64, 96, 128, 160, 192, 224, 256]);
    expect(reaped).toEqual([192, 0]);
    expect(pushed.slice(8)).toEqual([224, 236]);
    expect(sender.notified.length).toBe(pushed.length);
  });

  it('is told how many pages of the RX ring are not filled: when packets are taken off it, and when pages are posted again', async () => {
    const all = await quietPair();
    const receiver = watch(all.b.kernel);
    await send(all, 5);
    expect(all.b.received).toBe(5);
    // Five of all are filled; then all of the ring are the backend's again.
    expect(of(receiver.reaped, WATCHED_RX, FRONTEND)).toEqual([251]);
    expect(of(receiver.pushed, WATCHED_RX, FRONTEND).at(-1)).toBe(256);
    expect(receiver.notified.length).toBe(receiver.pushed.length);
  });

  it('is told of notifications that the backend had not asked for', async () => {
    const all = await quietPair();
    const sender = watch(all.a.kernel);
    all.a.run(() => {
      for (let i = 0; i < 3; i++) {
        all.a.send(all.b.mac, 1000, i);
        all.a.netif!.flush();
      }
    });
    await all.machine.pass(10);
    expect(of(sender.pushed, WATCHED_TX, FRONTEND)).toEqual([1, 2, 3]);
    expect(sender.notified.map(([, isSent]) => isSent)).toEqual([true, false, false]);
    expect(new Set(sender.notified.map(([port]) => port)).size).toBe(1);
  });

  it('that has ended is told nothing more', async () => {
    const all = await quietPair();
    const [sender, receiver, dom0] = [all.a.kernel, all.b.kernel, all.machine.dom0].map(watch);
    for (const kernel of [all.a.kernel, all.b.kernel, all.machine.dom0]) kernel.watched.observer = undefined;
    await flood(all, 300);
    for (const seen of [sender, receiver, dom0]) {
      expect(seen).toEqual({ pushed: [], reaped: [], notified: [], queued: [], dropped: [] });
    }
  });
});

describe('an observer of Dom0', () => {
  it('is told of answers on both rings, with the notifications that go with them', async () => {
    const all = await quietPair();
    const dom0 = watch(all.machine.dom0);
    const notifications = (): number =>
      sum([all.portA, all.portB].map((port) => sum(port.queues.map(({ counters }) => counters.notifications))));
    const before = notifications();
    await send(all, 5);
    expect(sum(of(dom0.pushed, WATCHED_TX, numberOf(all.portA)))).toBe(5);
    expect(sum(of(dom0.pushed, WATCHED_RX, numberOf(all.portB)))).toBe(5);
    expect(dom0.pushed.length).toBe(dom0.notified.length);
    expect(dom0.notified.filter(([, isSent]) => isSent).length).toBe(notifications() - before);
    expect([dom0.queued, dom0.dropped]).toEqual([[], []]);
  });

  it('is told of what waits in the bridge and of what a full queue drops', async () => {
    const all = await quietPair({ txqueuelen: 10 });
    const dom0 = watch(all.machine.dom0);
    await flood(all, 300);
    const { vif } = all.portB;
    expect(dom0.dropped).toEqual(Array.from({ length: 300 - 266 }, () => [vif, LOST_QUEUE_FULL]));
    // 256 pages; then one more waits each time, until b takes them.
    const filling = Array.from({ length: 10 }, (_, i) => [vif, i + 1, (i + 1) * 1000]);
    expect(dom0.queued.slice(0, 10)).toEqual(filling);
    expect(dom0.queued.length).toBeGreaterThan(10);
    expect(dom0.queued.at(-1)).toEqual([vif, 0, 0]);
  });

  it('is told of what an impaired link loses', async () => {
    const all = await quietPair({ impair: { lossRate: 1 } });
    const dom0 = watch(all.machine.dom0);
    await send(all, 7);
    expect(dom0.dropped).toEqual(Array.from({ length: 7 }, () => [all.portB.vif, LOST_ON_LINK]));
    expect(all.b.received).toBe(0);
  });

  it('is told of what waits for an impaired link, and of what its full queue drops', async () => {
    const all = await quietPair({ txqueuelen: 20, impair: { rateBitsPerSecond: 8e6, delayUs: 500 } });
    const dom0 = watch(all.machine.dom0);
    await flood(all, 50);
    await all.machine.pass(100);
    const { vif } = all.portB;
    expect(all.b.received).toBe(20);
    expect(dom0.dropped).toEqual(Array.from({ length: 30 }, () => [vif, LOST_QUEUE_FULL]));
    const filling = Array.from({ length: 20 }, (_, i) => [vif, i + 1, (i + 1) * 1000]);
    expect(dom0.queued.slice(0, 20)).toEqual(filling);
    // They leave one by one, and each is told of when it arrives.
    expect(new Set(dom0.queued.slice(20).map(([, packets]) => packets))).toEqual(
      new Set(Array.from({ length: 21 }, (_, i) => 20 - i)),
    );
    expect(dom0.queued.at(-1)).toEqual([vif, 0, 0]);
  });
});

// Which reason is which is part of the file format.
it('has numbers of reasons that stay', () => {
  expect([LOST_QUEUE_FULL, LOST_NO_BUFFER, LOST_ON_LINK]).toEqual([1, 2, 4]);
});
