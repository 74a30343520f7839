import { Memory, PAGE_SIZE, PageAllocator } from '@qanat/bytes';
import { seededRandom, Timer, VirtualTime } from '@qanat/clock';
import { createPipe, type ImpairmentOptions } from '@qanat/link';
import type { SleepOptions, TcpConfig } from '@qanat/tcp';
import { describe, expect, it } from 'vitest';
import { createStack, type Flow, type Stack } from '../src/index.ts';
import { Recorder } from './recorder.ts';

const AT_ONCE: SleepOptions = { mostAwake: 0, sleepAfterUs: 2000 };
const NEVER_SLEEP: SleepOptions = { mostAwake: 1_000_000 };

interface Bench {
  readonly time: VirtualTime;
  readonly pages: PageAllocator;
  readonly a: Stack;
  readonly b: Stack;
  readonly devices: readonly Recorder[];
  /** Pages that connections hold. */
  used(): number;
  run(untilUs: number): void;
}

function bench(sleep: SleepOptions, seed = 1, impair: ImpairmentOptions = {}, tcp: Partial<TcpConfig> = {}): Bench {
  const memory = Memory.create({ bytes: 32 << 20 });
  const pages = new PageAllocator(PAGE_SIZE, 24 << 20);
  const framePages = new PageAllocator(PAGE_SIZE + (24 << 20), 7 << 20);
  const time = new VirtualTime();
  const { clock, timers } = time;
  const random = seededRandom(seed);
  const [left, right] = createPipe({ memory, pages: framePages, clock, timers, impair, random });
  const host = (n: number): Stack => {
    // One end only, or both would probe at the same instant, in an order that means nothing.
    const config = n === 1 ? tcp : { ...tcp, keepAlive: false };
    return createStack({ memory, pages, clock, timers, random: seededRandom(n), tcp: config, sleep });
  };
  const [a, b] = [host(1), host(2)];
  const devices = [left, right].map((device) => new Recorder(device, () => clock.now()));
  a.addInterface(devices[0]!, { address: '10.0.0.1/24' });
  b.addInterface(devices[1]!, { address: '10.0.0.2/24' });
  const run = (untilUs: number): void => {
    while (timers.next() <= untilUs) time.step();
    if (clock.now() < untilUs) clock.advanceTo(untilUs);
  };
  // Addresses are resolved, which takes a page.
  a.connect({ host: '10.0.0.2', port: 9 });
  run(100_000);
  const freePages = pages.freePages;
  return { time, pages, a, b, devices, run, used: () => freePages - pages.freePages };
}

function drain(flow: Flow, read: (bytes: number) => void): void {
  flow.onReadable = () => {
    for (let n = flow.peekBytes; n > 0; n = flow.peekBytes) {
      read(n);
      flow.consume(n);
    }
  };
}

/** Flows that talk now and then, both ways, for half a minute; then they close. */
function chat(sleep: SleepOptions, seed: number, impair: ImpairmentOptions, tcp: Partial<TcpConfig>) {
  const t = bench(sleep, seed, impair, tcp);
  const random = seededRandom(seed + 100);
  let received = 0;
  const flows: Flow[] = [];
  const take = (flow: Flow): void => {
    flows.push(flow);
    drain(flow, (bytes) => {
      received += bytes;
    });
    flow.onEnd = () => flow.close();
  };
  t.b.listen({ port: 1, onFlow: take });
  for (let i = 0; i < 4; i++) {
    take(t.a.connect({ host: '10.0.0.2', port: 1 }));
    t.run(110_000 + i * 7000);
  }
  let least = Number.POSITIVE_INFINITY;
  for (let us = 500_000; us < 30e6; us += 1000 + Math.floor(random.float() ** 3 * 2e6)) {
    t.run(us);
    least = Math.min(least, t.a.tcp.awakeCount + t.b.tcp.awakeCount);
    const flow = flows[random.u32() % flows.length]!;
    if (flow.state === 'ESTABLISHED') flow.write(new Uint8Array(1 + (random.u32() % 20_000)).fill(us));
  }
  t.run(40e6);
  const infos = flows.map((flow) =>
    JSON.stringify([flow.state, flow.info(), flow.counters(), flow.local, flow.remote]),
  );
  for (const flow of flows) if (flow.remote.port === 1) flow.close();
  t.run(300e6);
  const ends = flows.map((flow) => flow.state);
  return { frames: t.devices.flatMap((device) => device.frames), received, infos, ends, least, used: t.used() };
}

describe('a flow that sleeps', () => {
  it.each([
    ['a clean path', 1, { delayUs: 300 }, {}],
    ['loss and reordering', 2, { delayUs: 2000, lossRate: 0.03, reorderRate: 0.03, duplicateRate: 0.01 }, {}],
    ['keepalive', 3, { delayUs: 100 }, { keepAlive: true, keepAliveIdleUs: 400_000, keepAliveIntervalUs: 100_000 }],
    ['newreno without timestamps', 4, { delayUs: 1000, lossRate: 0.01 }, { congestion: 'newreno', timestamps: false }],
    ['a bottleneck', 5, { delayUs: 1000, rateBitsPerSecond: 5e6, queuePackets: 12 }, { ecn: 'on' }],
    ['accurate ECN', 6, { delayUs: 500, lossRate: 0.01 }, { ecn: 'on', accurateEcn: true }],
  ] as const)('sends the frames of one that never does, at the same times: %s', (_name, seed, impair, tcp) => {
    const sleeping = chat(AT_ONCE, seed, impair, tcp);
    const waking = chat(NEVER_SLEEP, seed, impair, tcp);
    expect(sleeping.least).toBe(0);
    expect(waking.least).toBe(8);
    expect(sleeping.received).toBeGreaterThan(100_000);
    expect(sleeping.received).toBe(waking.received);
    expect(sleeping.frames.findIndex((frame, i) => frame !== waking.frames[i])).toBe(-1);
    expect(sleeping.infos).toEqual(waking.infos);
    expect(sleeping.frames.length).toBe(waking.frames.length);
    expect(sleeping.ends).toEqual(Array.from({ length: 8 }, () => 'CLOSED'));
    expect(sleeping.used).toBe(0);
  });

  it('keeps no page, and is an object only while it has something to do', () => {
    const t = bench(AT_ONCE);
    const flows: Flow[] = [];
    t.b.listen({ port: 1, backlog: 1000, onFlow: (flow) => drain(flow, () => flow.write(new Uint8Array(10))) });
    for (let i = 0; i < 200; i++) {
      const flow = t.a.connect({ host: '10.0.0.2', port: 1 });
      drain(flow, () => {});
      flow.onConnect = () => flow.write(new Uint8Array(10));
      flows.push(flow);
    }
    t.run(101_500);
    expect(t.a.tcp.awakeCount).toBe(200);
    t.run(1e6);
    expect([t.a.tcp.awakeCount, t.b.tcp.awakeCount]).toEqual([0, 0]);
    expect([t.a.tcp.connectionCount, t.b.tcp.connectionCount]).toEqual([200, 200]);
    expect(t.used()).toBe(0);
    // Looking does not wake it.
    expect(flows.map((flow) => [flow.state, flow.readable, flow.unacknowledged, flow.peekBytes])).toEqual(
      flows.map(() => ['ESTABLISHED', 0, 0, 0]),
    );
    const table = t.a.ss();
    expect(table.split('\n').length).toBe(1 + 2 * 200);
    const told = flows.map((flow) => [flow.local, flow.remote, flow.info(), flow.counters(), flow.ss()]);
    expect(t.a.tcp.awakeCount).toBe(0);
    // Nor is anything else to be seen when it is awake.
    for (const _ of t.a.tcp.connections);
    expect(t.a.tcp.awakeCount).toBe(200);
    expect(t.a.ss()).toBe(table);
    expect(flows.map((flow) => [flow.local, flow.remote, flow.info(), flow.counters(), flow.ss()])).toEqual(told);
    t.run(1.5e6);
    flows[3]!.write(new Uint8Array(1));
    t.run(2e6);
    expect([t.a.tcp.awakeCount, t.b.tcp.awakeCount]).toEqual([0, 0]);
    flows[7]!.write(new Uint8Array(5));
    expect(t.a.tcp.awakeCount).toBe(1);
    t.run(2_001_000);
    expect(t.b.tcp.awakeCount).toBe(1);
    t.run(3e6);
    expect([t.a.tcp.awakeCount, t.b.tcp.awakeCount]).toEqual([0, 0]);
  });

  it('stays awake while it is looked into, has unread data, or waits for room', () => {
    const t = bench(AT_ONCE);
    const served: Flow[] = [];
    t.b.listen({ port: 1, onFlow: (flow) => served.push(flow) });
    const [watched, unread, full] = [1, 2, 3].map(() => t.a.connect({ host: '10.0.0.2', port: 1 }));
    t.run(101_000);
    watched!.startLogging();
    unread!.write(new Uint8Array(1));
    while (full!.write(new Uint8Array(100_000)) > 0) t.run(t.time.clock.now() + 10_000);
    t.run(t.time.clock.now() + 1e6);
    expect([t.a.tcp.awakeCount, t.b.tcp.awakeCount]).toEqual([2, 2]);
    expect(served[1]!.readable).toBe(1);
    watched!.stopLogging();
    drain(served[1]!, () => {});
    served[1]!.onReadable!();
    drain(served[2]!, () => {});
    served[2]!.onReadable!();
    t.run(t.time.clock.now() + 5e6);
    expect([t.a.tcp.awakeCount, t.b.tcp.awakeCount]).toEqual([0, 0]);
  });

  it('is ended by the close of its stack', () => {
    const t = bench(AT_ONCE);
    t.b.listen({ port: 1, onFlow: () => {} });
    const flow = t.a.connect({ host: '10.0.0.2', port: 1 });
    t.run(1e6);
    expect(t.a.tcp.awakeCount).toBe(0);
    t.a.close();
    expect([flow.state, t.a.tcp.connectionCount]).toEqual(['CLOSED', 0]);
    expect(() => flow.write(new Uint8Array(1))).toThrow('ECONNABORTED');
  });
});

describe('TIME-WAIT', () => {
  it('is a few words: thousands of them hold no page and one timer, and end on time', () => {
    const t = bench({ mostAwake: 1_000_000 });
    t.b.listen({
      port: 1,
      backlog: 4000,
      onFlow: (flow) => {
        flow.onEnd = () => flow.close();
      },
    });
    const idleTimers = t.time.timers.size;
    const flows: Flow[] = [];
    const timer = new Timer((nowUs) => {
      for (let i = 0; i < 50; i++) {
        const flow = t.a.connect({ host: '10.0.0.2', port: 1 });
        flow.onConnect = () => flow.close();
        flows.push(flow);
      }
      if (flows.length < 3000) t.time.timers.arm(timer, nowUs + 1000);
    });
    t.time.timers.arm(timer, 100_000);
    t.run(1e6);
    expect([t.a.tcp.connectionCount, t.b.tcp.connectionCount]).toEqual([3000, 0]);
    expect([t.a.tcp.awakeCount, t.time.timers.size]).toEqual([0, idleTimers + 1]);
    expect(t.used()).toBe(0);
    expect(new Set(flows.map((flow) => flow.state))).toEqual(new Set(['TIME-WAIT']));
    t.run(60_120_000);
    expect(t.a.tcp.connectionCount).toBeGreaterThan(1000);
    expect(t.a.tcp.connectionCount).toBeLessThan(2999);
    t.run(62e6);
    expect(t.a.tcp.connectionCount).toBe(0);
    expect(new Set(flows.map((flow) => flow.state))).toEqual(new Set(['CLOSED']));
  });

  it('is ended by a reset of the flow that waits', () => {
    const t = bench({});
    t.b.listen({
      port: 1,
      onFlow: (flow) => {
        flow.onEnd = () => flow.close();
      },
    });
    const flow = t.a.connect({ host: '10.0.0.2', port: 1 });
    flow.onConnect = () => flow.shutdown();
    t.run(1e6);
    expect([flow.state, t.a.tcp.awakeCount]).toEqual(['TIME-WAIT', 0]);
    flow.reset();
    expect([flow.state, t.a.tcp.connectionCount]).toEqual(['CLOSED', 0]);
  });
});
