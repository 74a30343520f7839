import { Memory, PAGE_SIZE, PageAllocator } from '@qanat/bytes';
import { seededRandom, VirtualTime } from '@qanat/clock';
import { createPipe, type ImpairmentOptions } from '@qanat/link';
import { describe, expect, it } from 'vitest';
import { createStack, type Flow, type Stack } from '../src/index.ts';
import { Recorder } from './recorder.ts';

/** The stream: no two stretches of it are alike. */
function byteAt(i: number): number {
  return (i ^ ((i >>> 8) * 31)) & 0xff;
}

interface Run {
  readonly frames: readonly number[];
  readonly received: number;
  /** Bytes that were not what was sent. */
  readonly wrong: number;
  readonly info: string;
}

interface TwoHosts {
  readonly memory: Memory;
  readonly time: VirtualTime;
  readonly a: Stack;
  readonly b: Stack;
  /** Every frame that either device sent, with its time. */
  frames(): number[];
}

/** @param longWay whether TCP takes none of its shortcuts. */
function twoHosts(seed: number, impair: ImpairmentOptions, longWay: boolean): TwoHosts {
  const memory = Memory.create({ bytes: 32 << 20 });
  const pages = new PageAllocator(PAGE_SIZE, memory.bytes - PAGE_SIZE);
  const time = new VirtualTime();
  const { clock, timers } = time;
  const [left, right] = createPipe({ memory, pages, clock, timers, impair, random: seededRandom(seed) });
  const a = createStack({ memory, pages, clock, timers, random: seededRandom(1) });
  const b = createStack({ memory, pages, clock, timers, random: seededRandom(2) });
  for (const { tcp } of [a, b]) {
    tcp.onOpen = (c) => {
      c.longWay = longWay;
    };
  }
  const devices = [left, right].map((device) => new Recorder(device, () => clock.now()));
  a.addInterface(devices[0]!, { address: '10.0.0.1/24' });
  b.addInterface(devices[1]!, { address: '10.0.0.2/24' });
  return { memory, time, a, b, frames: () => [...devices[0]!.frames, ...devices[1]!.frames] };
}

/** Data both ways for a while. */
function run(seed: number, impair: ImpairmentOptions, longWay: boolean, observed = false): Run {
  const { memory, time, a, b, frames } = twoHosts(seed, impair, longWay);
  let received = 0;
  let [asked, wrong] = [0, 0];
  const drain = (flow: Flow): void => {
    flow.onReadable = () => {
      for (let n = flow.peekBytes; n > 0; n = flow.peekBytes) {
        if (flow.local.port === 1)
          for (let i = 0; i < n; i++) if (memory.u8[flow.peekAddr + i] !== byteAt(asked + i)) wrong++;
        if (flow.local.port === 1) asked += n;
        received += n;
        flow.consume(n);
      }
    };
  };
  const answer = new Uint8Array(3000);
  b.listen({
    port: 1,
    onFlow: (flow) => {
      if (observed) flow.startLogging(16);
      drain(flow);
      flow.onEnd = () => {
        flow.write(answer);
        flow.close();
      };
    },
  });
  const data = Uint8Array.from({ length: 600_000 }, (_, i) => byteAt(i));
  const flow = a.connect({ host: '10.0.0.2', port: 1 });
  if (observed) flow.startLogging(16);
  drain(flow);
  let sent = 0;
  const pump = (): void => {
    while (sent < data.length) {
      const taken = flow.write(data.subarray(sent));
      sent += taken;
      if (taken === 0) return;
    }
    flow.shutdown();
  };
  flow.onConnect = pump;
  flow.onWritable = pump;
  let info = '';
  flow.onEnd = () => {
    info = JSON.stringify(flow.info());
  };
  while (time.clock.now() < 300e6 && time.step());
  return { frames: frames(), received, wrong, info };
}

const QUESTIONS = 200;

/** Questions and answers of some bytes up to a few segments, one at a time: each segment acknowledges the one before. */
function ask(seed: number, impair: ImpairmentOptions, longWay: boolean, observed = false): Run {
  const { memory, time, a, b, frames } = twoHosts(seed, impair, longWay);
  const bytesOf = (i: number): number => 1 + ((i * 7919) % (i % 5 === 0 ? 6000 : 90));
  const text = Uint8Array.from({ length: 6000 }, (_, i) => byteAt(i));
  let received = 0;
  let wrong = 0;
  /** Calls back when so many bytes have come as the length of text `i` is, with the number of the next one. */
  const hear = (flow: Flow, heard: (i: number) => void): void => {
    let [i, at] = [0, 0];
    if (observed) flow.startLogging(16);
    flow.onReadable = () => {
      for (let n = flow.peekBytes; n > 0; n = flow.peekBytes) {
        n = Math.min(n, bytesOf(i) - at);
        for (let k = 0; k < n; k++) if (memory.u8[flow.peekAddr + k] !== byteAt(at + k)) wrong++;
        received += n;
        flow.consume(n);
        at += n;
        if (at < bytesOf(i)) continue;
        at = 0;
        heard(++i);
      }
    };
  };
  b.listen({
    port: 1,
    onFlow: (flow) => {
      hear(flow, (i) => flow.write(text.subarray(0, bytesOf(i - 1))));
      flow.onEnd = () => flow.close();
    },
  });
  const flow = a.connect({ host: '10.0.0.2', port: 1 });
  const question = (i: number): void => {
    if (i < QUESTIONS) flow.write(text.subarray(0, bytesOf(i)));
    else flow.shutdown();
  };
  hear(flow, question);
  flow.onConnect = () => question(0);
  let info = '';
  flow.onEnd = () => {
    info = JSON.stringify(flow.info());
  };
  while (time.clock.now() < 300e6 && time.step());
  return { frames: frames(), received, wrong, info };
}

describe('the short ways through TCP', () => {
  it.each([
    ['a clean path', 1, { delayUs: 500 }],
    ['a bottleneck', 2, { delayUs: 2000, rateBitsPerSecond: 20e6, queuePackets: 30 }],
    ['loss', 3, { delayUs: 1000, lossRate: 0.02 }],
    ['reordering and duplicates', 4, { delayUs: 1000, reorderRate: 0.03, duplicateRate: 0.02 }],
    ['corruption and jitter', 5, { delayUs: 3000, jitterUs: 900, corruptRate: 0.01 }],
  ] as const)('send the same frames at the same time as the long ones: %s', (_name, seed, impair) => {
    const short = run(seed, impair, false);
    const long = run(seed, impair, true);
    const watched = run(seed, impair, false, true);
    expect(watched).toEqual(short);
    expect([short.received, short.wrong, long.wrong]).toEqual([603_000, 0, 0]);
    expect(short.frames.length).toBeGreaterThan(400);
    expect(short.frames).toEqual(long.frames);
    expect(short.info).toBe(long.info);
  });

  it.each([
    ['a clean path', 1, { delayUs: 500 }],
    ['loss', 3, { delayUs: 1000, lossRate: 0.02 }],
    ['reordering and duplicates', 4, { delayUs: 1000, reorderRate: 0.03, duplicateRate: 0.02 }],
    ['corruption and jitter', 5, { delayUs: 3000, jitterUs: 900, corruptRate: 0.01 }],
  ] as const)('and where each segment answers the last: %s', (_name, seed, impair) => {
    const short = ask(seed, impair, false);
    const long = ask(seed, impair, true);
    const watched = ask(seed, impair, false, true);
    expect(watched).toEqual(short);
    expect(short.received).toBeGreaterThan(50_000);
    expect([long.received, short.wrong, long.wrong]).toEqual([short.received, 0, 0]);
    expect(short.frames).toEqual(long.frames);
    expect(short.info).not.toBe('');
    expect(short.info).toBe(long.info);
  });
});
