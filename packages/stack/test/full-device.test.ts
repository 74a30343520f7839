import { Memory, type Packet, PageAllocator } from '@qanat/bytes';
import { seededRandom, TimerQueue, VirtualClock } from '@qanat/clock';
import { flowQueue } from '@qanat/ipv4';
import { createPipe, type Netif, type PipeOptions } from '@qanat/link';
import { beforeEach, describe, expect, it } from 'vitest';
import { createStack, type Flow, type Stack } from '../src/index.ts';

const PORT = 80;
const TURN_US = 10;
const TURNS = 2000;

let memory: Memory;
let clock: VirtualClock;
let timers: TimerQueue;
let pages: PageAllocator;
let client: Stack;
let server: Stack;

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
function flowsTo(
  network: string,
  flows: number,
  options: Partial<PipeOptions>,
  turnsEach: number,
  device = (netif: Netif): Netif => netif,
): Float64Array {
  const [left, right] = createPipe({ memory, pages, clock, timers, ...options });
  server = host(2);
  client.addInterface(device(left), { address: `${network}.1/24` });
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

/** A device whose frames go by two queues, of which one can be stopped. */
class TwoQueues {
  stopped: number | undefined;
  readonly netif: Netif;

  constructor(netif: Netif) {
    const allocate = (bytes: number, flow = 0): Packet | null =>
      flowQueue(flow, 2) === this.stopped ? null : netif.allocate(bytes, flow);
    this.netif = new Proxy(netif, {
      get(target, key) {
        if (key === 'txQueues') return 2;
        if (key === 'allocate') return allocate;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
      set: (target, key, value) => Reflect.set(target, key, value, target),
    });
  }
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

  it.each([
    [6, 8],
    [17, 16],
    [3, 2],
    [33, 32],
  ])('gives %i flows their turns by a ring of %i frames', (flows, ringFrames) => {
    const bytes = flowsTo('10.0.0', flows, { ringFrames }, 50);
    turn(4000);
    bytes.fill(0);
    turn(8000);
    expect(client.stats().TxRingFull).toBeGreaterThan(100);
    const [least, most] = shares(bytes);
    expect(least).toBeGreaterThan(0.5);
    expect(most).toBeLessThan(2);
  });

  it('takes the last acknowledgments of connections in their turn', () => {
    const bytes = flowsTo('10.0.0', 40, { ringFrames: 16, impair: [{ delayUs: 300 }, { delayUs: 137 }] }, 10);
    const closing = 10;
    const flows: Flow[] = [];
    // Ends as soon as its client does.
    server.listen({ port: PORT + 1, backlog: closing, onFlow: (flow) => (flow.onEnd = () => flow.shutdown()) });
    for (let i = 0; i < closing; i++) {
      flows.push(client.connect({ host: '10.0.0.2', port: PORT + 1 }));
      turn(2000);
    }
    for (const flow of flows) flow.shutdown();
    bytes.fill(0);
    turn(20_000);
    expect(shares(bytes)[0]).toBeGreaterThan(0.5);
    expect([...server.flows].filter(({ local }) => local.port === PORT + 1)).toEqual([]);
  });

  it.each([0, 1])('has queues that are not waited for by the flows of another: %i stands', (stopped) => {
    let device: TwoQueues;
    const bytes = flowsTo('10.0.0', 40, { ringFrames: 32 }, 10, (netif) => (device = new TwoQueues(netif)).netif);
    turn(TURNS);
    const sent: boolean[] = [];
    for (const queue of [stopped, 1 - stopped]) {
      device!.stopped = queue;
      turn(TURNS);
      bytes.fill(0);
      turn(TURNS);
      const goingOn = bytes.filter((part) => part > 0);
      expect(goingOn.length).toBeGreaterThan(10);
      expect(shares(goingOn)[0]).toBeGreaterThan(0.5);
      for (const [flow, part] of bytes.entries()) if (part > 0) sent[flow] = !sent[flow];
    }
    // Each has sent while the other queue stood, and only then.
    expect(sent).toEqual(Array(40).fill(true));
  });
});
