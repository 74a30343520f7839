import { Memory, PAGE_SIZE, PageAllocator } from '@qanat/bytes';
import { seededRandom, VirtualTime } from '@qanat/clock';
import { createSwitch, Impairment, type SwitchPortOptions } from '@qanat/link';
import { createStack, type Flow, type Stack } from '@qanat/stack';
import type { CongestionName } from '@qanat/tcp';
import { STEADY_ARP } from './netsim-transfer.ts';

export interface FlowsOptions {
  readonly flows: number;
  readonly congestion: CongestionName;
  /** Spreads segments over the round trip, as Linux does with the fq queueing discipline. */
  readonly pacing: boolean;
  readonly bytesPerFlow: number;
  readonly seed: number;
}

export interface FlowsResult {
  readonly flows: number;
  readonly congestion: CongestionName;
  readonly pacing: boolean;
  /** Sum of the flows' goodputs in bytes/s, each from the start until its own end. */
  readonly aggregate: number;
  readonly least: number;
  readonly most: number;
  /** Jain's index of the goodputs. */
  readonly jain: number;
  /** Part of the frames that the bottleneck's queue dropped. */
  readonly drops: number;
  /** Payload that arrived until the first flow was through, over what the bottleneck carries in that time. */
  readonly utilisation: number;
  readonly virtualUs: number;
  /** Wall-clock milliseconds. */
  readonly ms: number;
}

export const FLOW_COUNTS: readonly number[] = [1, 2, 4, 8, 16, 32, 64];

/** smoltcp's expected output for this scenario, without congestion control: flows, sum, least, most, Jain, drops. */
export const SMOLTCP_FLOWS: readonly (readonly number[])[] = [
  [1, 3449.54, 3449.54, 3449.54, 1, 0.4467],
  [2, 6966.98, 3448.67, 3518.3, 0.9999, 0.4427],
  [4, 12848.4, 3138.89, 3300.6, 0.9997, 0.443],
  [16, 52408.19, 2931.62, 3908.99, 0.9913, 0.4364],
  [32, 94342.76, 2166.74, 4694.84, 0.9759, 0.4379],
  [64, 167823.63, 2056.19, 3412.1, 0.9866, 0.4548],
];

const BOTTLENECK_BITS_PER_SECOND = 200e6;
const QUEUE_BYTES = 65_536;
const BUFFER_BYTES = 262_144;
const RTT_LEAST_US = 50_000;
const RTT_MOST_US = 150_000;
const MTU = 1500;
const PORT = 5001;
const CHUNK = 65_536;
const LONGEST_US = 86_400e6;

/**
 * Hosts that each send to one server through its bottleneck: 200 Mbit/s behind a drop-tail queue of 64 KiB, with round
 * trips of 50 to 150 ms and buffers of 256 KiB.
 */
export function severalFlows(options: FlowsOptions): FlowsResult {
  const { flows, congestion, pacing, bytesPerFlow, seed } = options;
  const startMs = performance.now();
  const memory = Memory.create({ bytes: (64 + 2 * flows) * 1024 * 1024 });
  const pages = new PageAllocator(PAGE_SIZE, memory.bytes - PAGE_SIZE);
  const time = new VirtualTime();
  const random = seededRandom(seed);
  const bottleneck = new Impairment(
    { rateBitsPerSecond: BOTTLENECK_BITS_PER_SECOND, queuePackets: 0x10_0000, queueBytes: QUEUE_BYTES },
    random,
  );
  const ports: SwitchPortOptions[] = [{ name: 'server', impair: bottleneck }];
  for (let i = 0; i < flows; i++) {
    // The whole round trip lies on the way back to the sender.
    const delayUs = Math.round(RTT_LEAST_US + random.float() * (RTT_MOST_US - RTT_LEAST_US));
    ports.push({ name: `host${i}`, impair: { delayUs } });
  }
  const world = { memory, pages, clock: time.clock, timers: time.timers };
  const lan = createSwitch({ ...world, mtu: MTU, ports });
  const tcp = {
    sndBuf: BUFFER_BYTES,
    rcvBuf: BUFFER_BYTES,
    congestion,
    pacing,
    retries2: 1000,
    mtuProbing: 'off',
  } as const;
  const hosts = lan.ports.map((netif, i) => {
    const stack = createStack({ ...world, random: seededRandom(seed + i), name: netif.name, tcp, arp: STEADY_ARP });
    stack.addInterface(netif, { address: `10.0.${i >>> 8}.${(i & 255) + 1}/16` });
    return stack;
  });
  const server = serve(hosts[0]!, time, bytesPerFlow);
  const sinceUs = time.clock.now();
  for (const host of hosts.slice(1)) send(host, bytesPerFlow);
  let busy = { us: 1, bytes: 0 };
  while (server.doneAtUs.length < flows && time.clock.now() < LONGEST_US && time.step()) {
    if (server.doneAtUs.length === 0) busy = { us: time.clock.now() - sinceUs, bytes: server.bytes };
  }
  if (server.doneAtUs.length < flows)
    throw new Error(`${server.doneAtUs.length} of ${flows} flows were through in a day`);
  const goodputs = server.doneAtUs.map((us) => (bytesPerFlow * 1e6) / (us - sinceUs));
  const sum = goodputs.reduce((a, b) => a + b, 0);
  const squares = goodputs.reduce((a, b) => a + b * b, 0);
  const { queueDrops } = bottleneck.counters;
  const delivered = hosts[0]!.interfaces[0]!.stats.rxFrames;
  const result: FlowsResult = {
    flows,
    congestion,
    pacing,
    aggregate: sum,
    least: Math.min(...goodputs),
    most: Math.max(...goodputs),
    jain: (sum * sum) / (goodputs.length * squares),
    drops: queueDrops / (queueDrops + delivered),
    utilisation: (busy.bytes * 8e6) / busy.us / BOTTLENECK_BITS_PER_SECOND,
    virtualUs: time.clock.now() - sinceUs,
    ms: performance.now() - startMs,
  };
  for (const host of hosts) host.close();
  return result;
}

/** What has arrived at the server: payload in all, and when each flow was through. */
interface Server {
  bytes: number;
  readonly doneAtUs: number[];
}

function serve(stack: Stack, time: VirtualTime, bytesPerFlow: number): Server {
  const server: Server = { bytes: 0, doneAtUs: [] };
  stack.listen({
    port: PORT,
    onFlow: (flow) => {
      let received = 0;
      flow.onReadable = () => {
        for (let n = flow.peekBytes; n > 0; n = flow.peekBytes) {
          received += n;
          server.bytes += n;
          flow.consume(n);
        }
        if (received === bytesPerFlow) server.doneAtUs.push(time.clock.now());
      };
    },
  });
  return server;
}

function send(stack: Stack, bytes: number): void {
  const flow: Flow = stack.connect({ host: '10.0.0.1', port: PORT });
  const source = new Uint8Array(CHUNK);
  let unwritten = bytes;
  const pump = (): void => {
    while (unwritten > 0) {
      const taken = flow.write(unwritten < CHUNK ? source.subarray(0, unwritten) : source);
      unwritten -= taken;
      if (taken < CHUNK) break;
    }
  };
  flow.onConnect = pump;
  flow.onWritable = pump;
}

/** The table of all runs, smoltcp's figures below it. */
export function flowsTable(results: readonly FlowsResult[]): string[] {
  const lines = ['', 'several flows through 200 Mbit/s behind a queue of 64 KiB; goodputs in bytes/s'];
  lines.push(row(['cc', 'flows', 'sum', 'least', 'most', 'Jain', 'drops', 'busy', 'virtual s']));
  for (const r of results) {
    const goodputs = [r.aggregate, r.least, r.most].map((goodput) => goodput.toFixed(0));
    const percent = `${(100 * r.drops).toFixed(2)} %`;
    const busy = `${(100 * r.utilisation).toFixed(1)} %`;
    lines.push(
      row([
        r.pacing ? `${r.congestion}+p` : r.congestion,
        String(r.flows),
        ...goodputs,
        r.jain.toFixed(4),
        percent,
        busy,
        (r.virtualUs / 1e6).toFixed(2),
      ]),
    );
  }
  for (const [flows, sum, least, most, jain, drops] of SMOLTCP_FLOWS) {
    const goodputs = [sum!, least!, most!].map((goodput) => goodput.toFixed(0));
    lines.push(
      row(['smoltcp', String(flows), ...goodputs, jain!.toFixed(4), `${(100 * drops!).toFixed(2)} %`, '', '']),
    );
  }
  lines.push(
    '+p: paced; sum, least, most: each flow from the start to its own end; busy: share of the bottleneck until the first is through',
  );
  return lines;
}

function row(cells: readonly string[]): string {
  return cells.map((cell, i) => cell.padStart(i === 0 ? 10 : i === 1 ? 6 : 12)).join('');
}
