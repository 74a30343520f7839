import { Memory, type Packet, PageAllocator } from '@qanat/bytes';
import { VirtualTime } from '@qanat/clock';
import { describe, expect, it } from 'vitest';
import { createPipe, type Netif, type NetifUp, type PipeOptions } from '../src/index.ts';

type Options = Partial<Omit<PipeOptions, 'memory' | 'pages' | 'clock' | 'timers'>>;

/** Writes down what comes up, as text: the first byte after the header, and the ends of batches. */
class Recorder implements NetifUp {
  readonly log: string[] = [];
  readonly frames: number[][] = [];
  readonly memory: Memory;
  readonly time: VirtualTime;

  constructor(memory: Memory, time: VirtualTime) {
    this.memory = memory;
    this.time = time;
  }

  receive(packet: Packet): void {
    this.log.push(`${this.time.clock.now()}:${this.memory.u8[packet.addr + 14]}`);
    this.frames.push(Array.from(this.memory.u8.subarray(packet.addr, packet.addr + packet.len)));
    expect(packet.arrivedUs).toBe(this.time.clock.now());
    expect(packet.addr % 4).toBe(2);
  }

  receiveDone(): void {
    this.log.push('done');
  }

  transmitReady(): void {
    this.log.push('ready');
  }
}

function setUp(options: Options = {}) {
  const memory = Memory.create({ bytes: 32 << 20 });
  const pages = new PageAllocator(0, memory.bytes);
  const time = new VirtualTime();
  const freeBefore = pages.freePages;
  const [a, b] = createPipe({ memory, pages, clock: time.clock, timers: time.timers, ...options });
  const atA = new Recorder(memory, time);
  const atB = new Recorder(memory, time);
  a.attach(atA);
  b.attach(atB);
  return { memory, pages, time, freeBefore, a, b, atA, atB };
}

function send(netif: Netif, value: number, bytes = 64): boolean {
  const packet = netif.allocate(bytes);
  if (packet === null) return false;
  netif.memory.u8.fill(value, packet.addr, packet.addr + bytes);
  packet.set(packet.addr, bytes);
  netif.transmit(packet);
  return true;
}

describe('a pipe', () => {
  it('delivers a flushed batch at the next turn, never from within flush, and ends it once', () => {
    const { a, atA, atB, time } = setUp();
    send(a, 1);
    send(a, 2, 1514);
    time.run();
    expect(atB.log).toEqual([]);
    a.flush();
    expect(atB.log).toEqual([]);
    time.run();
    expect(atB.log).toEqual(['0:1', '0:2', 'done']);
    expect(atB.frames.map((frame) => frame.length)).toEqual([64, 1514]);
    expect(atA.log).toEqual([]);
  });

  it('tells a sender that found it full when there is room again', () => {
    const { a, atA, atB, time } = setUp({ ringFrames: 4 });
    expect([1, 2, 3, 4].map((value) => send(a, value))).toEqual([true, true, true, true]);
    expect(a.allocate(64)).toBeNull();
    a.flush();
    time.run();
    expect(atB.log).toEqual(['0:1', '0:2', '0:3', '0:4', 'done']);
    expect(atA.log).toEqual(['ready']);
    expect(send(a, 5)).toBe(true);
  });
});
