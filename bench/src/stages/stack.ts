import { Memory, PAGE_SIZE, Packet, PageAllocator } from '@qanat/bytes';
import { RealClock, seededRandom, TimerQueue } from '@qanat/clock';
import { NO_OFFLOAD, type Offload } from '@qanat/link';
import { createStack, type Flow, type Stack } from '@qanat/stack';
import { median } from '../statistics.ts';
import type { Stage, StageGroup } from './stage.ts';
import { StepPort } from './step-link.ts';

const [CLIENT_IP, SERVER_IP] = ['10.0.0.1', '10.0.0.2'];
const PORT = 5001;
const BUFFER_BYTES = 4 << 20;
const WRITE_BYTES = 65_536;
const WARM_UP_MS = 500;
const SPAN_MS = 120;
const SPANS = 7;

/** Two stacks on a cable that moves step by step. */
class Steps {
  readonly memory = Memory.create({ bytes: 128 << 20 });
  readonly clock = new RealClock(RealClock.hostNowUs());
  readonly timers = new TimerQueue();
  readonly pages = new PageAllocator(0, this.memory.bytes);
  readonly near: StepPort;
  readonly far: StepPort;
  readonly client: Stack;
  readonly server: Stack;

  constructor(mtu: number, offload: Offload, frames: number) {
    const { memory, pages, clock, timers } = this;
    this.near = new StepPort('near', memory, pages, mtu, offload, frames);
    this.far = new StepPort('far', memory, pages, mtu, offload, frames);
    const tcp = { sndBuf: BUFFER_BYTES, rcvBuf: BUFFER_BYTES, autoTune: false };
    const host = (seed: number): Stack =>
      createStack({ memory, pages, clock, timers, random: seededRandom(seed), tcp });
    this.client = host(1);
    this.server = host(2);
    this.client.addInterface(this.near, { address: `${CLIENT_IP}/24` });
    this.server.addInterface(this.far, { address: `${SERVER_IP}/24` });
  }

  /** All that waits, both ways, and what is due. */
  move(): void {
    this.near.hand(this.far);
    this.far.endBatch();
    this.far.hand(this.near);
    this.near.endBatch();
    this.timers.fire(this.clock.now());
  }

  until(done: () => boolean): void {
    for (let i = 0; i < 1_000_000 && !done(); i++) this.move();
    if (!done()) throw new Error('the stacks do not come to what they should');
  }
}

interface Phases {
  write: number;
  output: number;
  input: number;
  consume: number;
  acks: number;
  segments: number;
  bytes: number;
}

/** Bulk data, each phase timed once a batch. @returns nanoseconds a segment, and the bytes of one. */
function bulkPhases(mtu: number, offload: Offload, frames: number): Phases {
  const net = new Steps(mtu, offload, frames);
  const source = net.pages.allocContiguous(WRITE_BYTES / PAGE_SIZE);
  let received = 0;
  net.server.listen({
    port: PORT,
    onFlow: (flow) => {
      flow.onReadable = () => {
        for (let bytes = flow.peekBytes; bytes > 0; bytes = flow.peekBytes) {
          flow.consume(bytes);
          received += bytes;
        }
      };
    },
  });
  let writeMs = 0;
  const flow: Flow = net.client.connect({ host: SERVER_IP, port: PORT });
  const pump = (): void => {
    const startMs = performance.now();
    for (let i = 0; i < 1024; i++) if (flow.writeFrom(source, WRITE_BYTES) < WRITE_BYTES) break;
    writeMs += performance.now() - startMs;
  };
  flow.onConnect = pump;
  flow.onWritable = pump;
  const span = (ms: number): Phases => {
    let [input, consume, acks, output, segments] = [0, 0, 0, 0, 0];
    writeMs = 0;
    const before = received;
    const startMs = performance.now();
    let nowMs = startMs;
    while (nowMs - startMs < ms) {
      net.timers.fire(net.clock.now());
      const t0 = performance.now();
      segments += net.near.hand(net.far);
      const t1 = performance.now();
      net.far.endBatch();
      const t2 = performance.now();
      net.far.hand(net.near);
      const t3 = performance.now();
      net.near.endBatch();
      nowMs = performance.now();
      input += t1 - t0;
      consume += t2 - t1;
      acks += t3 - t2;
      output += nowMs - t3;
    }
    const each = 1e6 / segments;
    return {
      write: writeMs * each,
      output: (output - writeMs) * each,
      input: input * each,
      consume: consume * each,
      acks: acks * each,
      segments,
      bytes: (received - before) / segments,
    };
  };
  span(WARM_UP_MS);
  const spans = Array.from({ length: SPANS }, () => span(SPAN_MS));
  const middle = (key: keyof Phases): number => median(spans.map((one) => one[key]));
  return {
    write: middle('write'),
    output: middle('output'),
    input: middle('input'),
    consume: middle('consume'),
    acks: middle('acks'),
    segments: middle('segments'),
    bytes: middle('bytes'),
  };
}

/** A pure ACK that says nothing new, given to one connection or to many in turn: what finding it costs. */
function ackNs(connections: number): number {
  const net = new Steps(1500, NO_OFFLOAD, 512);
  net.server.listen({ port: PORT, backlog: 4096, onFlow: () => {} });
  const flows: Flow[] = [];
  for (let i = 0; i < connections; i++) {
    const flow = net.client.connect({ host: SERVER_IP, port: PORT });
    flows.push(flow);
    net.until(() => flow.state === 'ESTABLISHED');
  }
  for (let i = 0; i < 4; i++) net.move();
  // Each sends a byte; the frame of its answer is kept.
  const frames: Packet[] = [];
  const byte = new Uint8Array(1);
  for (const flow of flows) {
    flow.write(byte);
    net.near.hand(net.far);
    net.far.endBatch();
    for (let i = 0; i < 1_000_000 && net.far.last === undefined; i++) {
      net.timers.fire(net.clock.now());
      net.far.endBatch();
    }
    const answer = net.far.last!;
    const copy = new Packet();
    const addr = net.pages.alloc() + 2;
    net.memory.kernel.copy(addr, answer.addr, answer.len);
    copy.set(addr, answer.len);
    frames.push(copy);
    net.move();
  }
  const again = new Packet();
  const batch = (count: number): number => {
    const startMs = performance.now();
    for (let i = 0; i < count; i++) {
      const frame = frames[(i * 7919) % frames.length]!;
      again.set(frame.addr, frame.len);
      net.near.inject(again);
      if ((i & 63) === 63) net.near.endBatch();
    }
    return ((performance.now() - startMs) * 1e6) / count;
  };
  for (let i = 0; i < 10; i++) batch(10_000);
  return median(Array.from({ length: SPANS }, () => batch(20_000)));
}

const FULL_OFFLOAD: Offload = { ...NO_OFFLOAD, txChecksum: true, gsoMaxBytes: 65_535 };

/** The stack's own steps, in bulk: at MTU 1500, with large segments in software, and with both offloads. */
export function stackStages(): StageGroup[] {
  const small = bulkPhases(1500, NO_OFFLOAD, 256);
  const large = bulkPhases(65_535, NO_OFFLOAD, 24);
  const offloaded = bulkPhases(1500, FULL_OFFLOAD, 24);
  const blank = bulkPhases(1500, { ...NO_OFFLOAD, txChecksum: true }, 256);
  const groups: StageGroup[] = [
    { title: 'the stack, bulk, checksums in software (MTU 1500 and 65535)', stages: phases(small, large) },
    { title: 'the stack, bulk, checksum offload (MTU 1500, without and with GSO)', stages: phases(blank, offloaded) },
  ];
  const [one, many] = [ackNs(1), ackNs(500)];
  groups.push({
    title: 'demultiplexing',
    stages: [
      { stage: 'an old ACK comes in, for the connection of the last one', smallNs: one, largeNs: null },
      { stage: 'the same among 500 connections in turn', smallNs: many, largeNs: null },
    ],
  });
  return groups;
}

function phases(small: Phases, large: Phases): Stage[] {
  const both = (stage: string, key: keyof Phases): Stage => ({ stage, smallNs: small[key], largeNs: large[key] });
  const sum = ({ write, output, input, consume, acks }: Phases): number => write + output + input + consume + acks;
  return [
    both('payload of a segment, bytes', 'bytes'),
    both('application writes: copy into the send ring', 'write'),
    both('TCP, IP, Ethernet output: copy and checksum into a frame, headers, bookkeeping', 'output'),
    both('TCP, IP, Ethernet input: checks, checksum, copy into the receive ring', 'input'),
    both('end of the batch at the receiver: application consumes, ACK goes out', 'consume'),
    both('ACKs come in at the sender', 'acks'),
    { stage: 'sum', smallNs: sum(small), largeNs: sum(large) },
  ];
}
