import { Memory, PageAllocator } from '@qanat/bytes';
import { seededRandom, TimerQueue, VirtualClock } from '@qanat/clock';
import { createPipe, type PipeOptions } from '@qanat/link';
import { beforeEach, describe, expect, it } from 'vitest';
import { createStack, type Stack } from '../src/index.ts';

const PORT = 80;
const TURN_US = 10;
const TURNS = 2000;

let memory: Memory;
let clock: VirtualClock;
let timers: TimerQueue;
let pages: PageAllocator;
let client: Stack;

beforeEach(() => {
  memory = Memory.create({ bytes: 32 << 20 });
  clock = new VirtualClock();
  timers = new TimerQueue();
  pages = new PageAllocator(0, memory.bytes);
  client = host(1);
});

function host(seed: number): Stack {
  const tcp = { sndBuf: 65_536, rcvBuf: 65_536 };
  return createStack({ memory, pages, clock, timers, random: seededRandom(seed), tcp });
}

function turn(turns: number, us = TURN_US): void {
  for (let i = 0; i < turns; i++) {
    clock.advanceTo(clock.now() + us);
    timers.fire(clock.now());
  }
}

/** A pipe of the client's to a host of its own, and flows to it that send for ever. @returns the bytes that arrive, by flow. */
function flowsTo(network: string, flows: number, options: Partial<PipeOptions>, turnsEach: number): Float64Array {
  const [left, right] = createPipe({ memory, pages, clock, timers, ...options });
  const server = host(2);
  client.addInterface(left, { address: `${network}.1/24` });
  server.addInterface(right, { address: `${network}.2/24` });
  const bytes = new Float64Array(flows);
  let accepted = 0;
  server.listen({
    port: PORT,
    backlog: flows,
    onFlow: (flow) => {
      const index = accepted++;
      flow.onReadable = () => {
        for (let got = flow.peekBytes; got > 0; got = flow.peekBytes) {
          flow.consume(got);
          bytes[index]! += got;
        }
      };
    },
  });
  const data = new Uint8Array(16_384);
  for (let i = 0; i < flows; i++) {
    const flow = client.connect({ host: `${network}.2`, port: PORT });
    const pump = (): void => {
      while (flow.write(data) === data.length);
    };
    flow.onConnect = pump;
    flow.onWritable = pump;
    turn(turnsEach);
  }
  return bytes;
}

/** The least and the most of them, of the mean. */
function shares(bytes: Float64Array): [least: number, most: number] {
  const mean = bytes.reduce((sum, part) => sum + part) / bytes.length;
  return [Math.min(...bytes) / mean, Math.max(...bytes) / mean];
}

describe('a device that is full most of the time', () => {
  it('gives flows their turns: none waits while others send again and again', () => {
    const bytes = flowsTo('10.0.0', 40, { ringFrames: 32 }, 10);
    turn(TURNS);
    bytes.fill(0);
    turn(TURNS);
    expect(client.stats().TxRingFull).toBeGreaterThan(100);
    const [least, most] = shares(bytes);
    expect(least).toBeGreaterThan(0.5);
    expect(most).toBeLessThan(2);
  });

  it('is not waited for by the flows of another', () => {
    const slow = flowsTo('10.0.1', 20, { ringFrames: 2, impair: { delayUs: 50_000 } }, 2000);
    turn(10_000, 1000);
    const fast = flowsTo('10.0.0', 40, { ringFrames: 32 }, 10);
    turn(TURNS);
    fast.fill(0);
    slow.fill(0);
    turn(TURNS);
    // In these 20 ms the slow one takes and gives next to nothing.
    expect(slow.reduce((sum, part) => sum + part)).toBeLessThan(10_000);
    const [least, most] = shares(fast);
    expect(least).toBeGreaterThan(0.5);
    expect(most).toBeLessThan(2);
  });
});
