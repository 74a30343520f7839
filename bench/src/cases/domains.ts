/** Cases between two domains, each a thread, over netfront, Dom0's netback and netfront. */

import { hostCpus } from 'qanat';
import { type BenchCase, type Contender, type Figures, GIGABITS, type Metric, MICROSECONDS, PLAIN } from '../case.ts';
import { runNode } from '../child.ts';
import { gondolin } from '../contenders/gondolin.ts';
import { iperf } from '../contenders/iperf.ts';
import { loopback } from '../contenders/loopback.ts';
import { recording, recordingOff } from '../contenders/recording.ts';
import { vethBulk, vethPingPong } from '../contenders/veth.ts';

const DOMAINS = new URL('../domains/main.js', import.meta.url);
const LOOPBACK_CONNECTIONS = new URL('../contenders/loopback-connections.js', import.meta.url);

const SOFTWARE = 'qanat, no offload';
const GRO = 'qanat, GRO only';
const OFFLOAD = 'qanat, offloads';
const QANAT = 'qanat';
const QANAT_TWO_CPUS = 'qanat, Dom0 beside the server';
const QANAT_ONE_CPU = 'qanat, on one CPU';
const VETH_OFF = 'Linux veth, offloads off';
const VETH = 'Linux veth, default';
const VETH_ONE_CPU = 'Linux veth, on one CPU';
const NODE = 'node:net, loopback';
const GONDOLIN_IN = 'gondolin, receiving';
const GONDOLIN_OUT = 'gondolin, sending';

const GOODPUT: Metric = { key: 'bitsPerSecond', title: 'goodput', ...GIGABITS };
const CPU: Metric = { key: 'cpuNsPerByte', title: 'CPU a byte', per: 1, unit: 'ns', digits: 3 };
const BULK: readonly Metric[] = [
  GOODPUT,
  CPU,
  { key: 'longestGapMs', title: 'longest gap', per: 1, unit: 'ms', digits: 0 },
  { key: 'retransmits', title: 'retransmits', ...PLAIN },
];

const bulkSoftware: BenchCase = {
  name: 'bulk-software',
  title: 'one flow from domain to domain, MTU 1500, every checksum in software',
  metrics: BULK,
  contenders: [
    iperf(SOFTWARE, 'off'),
    iperf(GRO, 'gro'),
    vethBulk(VETH_OFF, 'off'),
    gondolin(GONDOLIN_IN, 'receives'),
    gondolin(GONDOLIN_OUT, 'sends'),
  ],
  ratios: [
    ['bitsPerSecond', SOFTWARE, VETH_OFF],
    ['bitsPerSecond', GRO, VETH_OFF],
    ['bitsPerSecond', SOFTWARE, GONDOLIN_IN],
    ['bitsPerSecond', SOFTWARE, GONDOLIN_OUT],
  ],
  goals: [
    { metric: 'bitsPerSecond', of: SOFTWARE, to: VETH_OFF, atLeast: 1.2 },
    // Sending, as only there it has to do with checksums: it does not verify them.
    { metric: 'bitsPerSecond', of: SOFTWARE, to: GONDOLIN_OUT, atLeast: 10 },
  ],
  inQuickSet: true,
};

const bulkOffload: BenchCase = {
  name: 'bulk-offload',
  title: 'one flow from domain to domain, GSO and checksum offload',
  metrics: BULK,
  contenders: [iperf(OFFLOAD, 'on'), vethBulk(VETH, 'on'), loopback(NODE)],
  ratios: [
    ['bitsPerSecond', OFFLOAD, VETH],
    ['bitsPerSecond', OFFLOAD, NODE],
    ['cpuNsPerByte', OFFLOAD, VETH],
  ],
  goals: [
    { metric: 'bitsPerSecond', of: OFFLOAD, to: VETH, atLeast: 1.2 },
    { metric: 'bitsPerSecond', of: OFFLOAD, to: NODE, atLeast: 1 },
  ],
  inQuickSet: true,
};

/** The same with several flows, or both ways at once, beside the kernel with the same options. */
function shape(name: string, title: string, args: readonly string[]): BenchCase {
  return {
    name,
    title,
    metrics: BULK,
    contenders: [
      iperf(SOFTWARE, 'off', args),
      vethBulk(VETH_OFF, 'off', args),
      iperf(OFFLOAD, 'on', args),
      vethBulk(VETH, 'on', args),
    ],
    ratios: [
      ['bitsPerSecond', SOFTWARE, VETH_OFF],
      ['bitsPerSecond', OFFLOAD, VETH],
    ],
    goals: [],
    inQuickSet: false,
  };
}

const WRITE_BYTES = 1024;

const shape1k = shape('writes-1k', 'one flow from domain to domain, written in pieces of 1 KiB', [
  '-l',
  `${WRITE_BYTES}`,
]);
const writes1k: BenchCase = {
  ...shape1k,
  contenders: [...shape1k.contenders, loopback(NODE, WRITE_BYTES)],
  ratios: [...shape1k.ratios, ['bitsPerSecond', SOFTWARE, NODE], ['bitsPerSecond', OFFLOAD, NODE]],
};

function domains(mode: 'ping-pong' | 'connections'): Contender['run'] {
  return async ({ seconds, warmUpSeconds }) =>
    JSON.parse(await runNode(DOMAINS, [], [mode, `${seconds}`, `${warmUpSeconds}`])) as Figures;
}

/** The vcpus kept to CPUs. On one, a wake-up is a switch, and no interrupt to another CPU that has to start first. */
function pinnedPingPong(name: string, cpus: readonly [dom0: number, server: number, client: number]): Contender {
  return {
    name,
    missing: () => {
      const there = hostCpus();
      return cpus.every((cpu) => there.includes(cpu)) ? undefined : `needs Linux, taskset, and CPUs ${cpus.join(', ')}`;
    },
    run: async ({ seconds, warmUpSeconds }) => {
      const args = ['ping-pong', `${seconds}`, `${warmUpSeconds}`, cpus.join(',')];
      return JSON.parse(await runNode(DOMAINS, [], args)) as Figures;
    },
  };
}

const latency: BenchCase = {
  name: 'latency',
  title: 'one byte to and fro, from domain to domain; the kernel with an end on each of two CPUs, and with both on one',
  metrics: [
    { key: 'p50Us', title: 'p50', per: 1, unit: 'us', digits: 1 },
    { key: 'p99Us', title: 'p99', per: 1, unit: 'us', digits: 1 },
    { key: 'meanUs', title: 'mean', per: 1, unit: 'us', digits: 1 },
    { key: 'roundTripsPerSecond', title: 'rate [1/s]', ...PLAIN },
    { key: 'p99OverP50', title: 'p99/p50', per: 1, unit: '', digits: 2 },
  ],
  contenders: [
    { name: QANAT, run: domains('ping-pong') },
    pinnedPingPong(QANAT_TWO_CPUS, [0, 0, 1]),
    pinnedPingPong(QANAT_ONE_CPU, [0, 0, 0]),
    vethPingPong(VETH, [0, 1]),
    vethPingPong(VETH_ONE_CPU, [0, 0]),
  ],
  ratios: [
    ['p50Us', QANAT, VETH],
    ['p50Us', QANAT_TWO_CPUS, VETH],
    ['p99Us', QANAT_TWO_CPUS, VETH],
    ['p50Us', QANAT_ONE_CPU, VETH],
    ['p50Us', QANAT_ONE_CPU, VETH_ONE_CPU],
  ],
  goals: [QANAT, QANAT_TWO_CPUS, QANAT_ONE_CPU].flatMap((of) => [
    { metric: 'p50Us', of, to: VETH, atMost: 1 },
    { metric: 'p99OverP50', of, atMost: 3 },
  ]),
  inQuickSet: true,
};

const connections: BenchCase = {
  name: 'connections',
  title: 'from domain to domain: connections opened, used for a byte each way, and closed; 64 at once',
  metrics: [
    { key: 'connectionsPerSecond', title: 'connections [1/s]', ...PLAIN },
    { key: 'usPerConnection', title: 'each', ...MICROSECONDS },
  ],
  contenders: [
    { name: QANAT, run: domains('connections') },
    {
      name: NODE,
      run: async ({ seconds, warmUpSeconds }) =>
        JSON.parse(await runNode(LOOPBACK_CONNECTIONS, [], [`${seconds}`, `${warmUpSeconds}`])) as Figures,
    },
  ],
  ratios: [['connectionsPerSecond', QANAT, NODE]],
  goals: [{ metric: 'connectionsPerSecond', of: QANAT, atLeast: 20_000 }],
  inQuickSet: true,
};

const stability: BenchCase = {
  name: 'stability',
  title: 'five minutes at full speed: gaps, variation of 1 s intervals, growth of the heap (--seconds for less)',
  metrics: [
    GOODPUT,
    { key: 'variationPercent', title: 'variation', per: 1, unit: '%', digits: 1 },
    { key: 'stolenPercent', title: 'stolen by the host', per: 1, unit: '%', digits: 1 },
    { key: 'calmVariationPercent', title: 'variation of calm seconds', per: 1, unit: '%', digits: 1 },
    { key: 'calmPercent', title: 'calm seconds', per: 1, unit: '%', digits: 0 },
    { key: 'longestGapMs', title: 'longest gap', per: 1, unit: 'ms', digits: 0 },
    { key: 'heapGrowthMb', title: 'heap growth', per: 1, unit: 'MB', digits: 2 },
    { key: 'scavenges', title: 'scavenges', ...PLAIN },
    { key: 'retransmits', title: 'retransmits', ...PLAIN },
  ],
  // The kernel beside it says how calm the machine was.
  contenders: [iperf(OFFLOAD, 'on'), vethBulk(VETH, 'on'), iperf(SOFTWARE, 'off')],
  ratios: [['bitsPerSecond', OFFLOAD, VETH]],
  goals: [SOFTWARE, OFFLOAD].flatMap((of) => [
    { metric: 'longestGapMs', of, atMost: 0 },
    { metric: 'calmVariationPercent', of, atMost: 10 },
  ]),
  runs: 1,
  seconds: 300,
  inQuickSet: false,
};

const IN_MEMORY = 'in memory, offloads';
const IN_MEMORY_PLAIN = 'in memory, MTU 1500';

const flowLog: BenchCase = {
  name: 'flow-log',
  title: 'what the flow log costs: one flow, recording switched off and on in turn within each run',
  metrics: [
    { key: 'costPercent', title: 'cost', per: 1, unit: '%', digits: 1 },
    { key: 'cpuCostPercent', title: 'CPU a byte', per: 1, unit: '%', digits: 1 },
    { ...GOODPUT, title: 'goodput, on' },
    { key: 'offBitsPerSecond', title: 'off', ...GIGABITS },
    { key: 'records', title: 'records', ...PLAIN },
    { key: 'rowsLost', title: 'lost', ...PLAIN },
    { key: 'fileBytes', title: 'file', per: 1e6, unit: 'MB', digits: 1 },
  ],
  contenders: [
    recording('nothing switched, offloads', 'nothing', 'gso'),
    recording(IN_MEMORY, 'memory', 'gso'),
    recording('written, offloads', 'file', 'gso'),
    recording('nothing switched, MTU 1500', 'nothing', 'plain'),
    recording(IN_MEMORY_PLAIN, 'memory', 'plain'),
    recording('written, MTU 1500', 'file', 'plain'),
  ],
  ratios: [],
  goals: [
    { metric: 'costPercent', of: IN_MEMORY, atMost: 2 },
    { metric: 'costPercent', of: IN_MEMORY_PLAIN, atMost: 2 },
    { metric: 'rowsLost', of: 'written, offloads', atMost: 0 },
    { metric: 'rowsLost', of: 'written, MTU 1500', atMost: 0 },
  ],
  runs: 10,
  seconds: 6,
  inQuickSet: false,
};

const OFF = 'off';

const flowLogOff: BenchCase = {
  name: 'flow-log-off',
  title:
    'what the flow log costs while it is off: two stacks on a pipe, beside two without a branch that looks for an observer',
  metrics: [
    { key: 'costPercent', title: 'cost', per: 1, unit: '%', digits: 1 },
    { key: 'nsPerSegment', title: 'a segment', per: 1, unit: 'ns', digits: 0 },
    { key: 'otherNsPerSegment', title: 'beside it', per: 1, unit: 'ns', digits: 0 },
  ],
  contenders: [recordingOff('nothing stripped', 'again'), recordingOff(OFF, 'stripped')],
  ratios: [],
  goals: [{ metric: 'costPercent', of: OFF, atMost: 1 }],
  runs: 10,
  seconds: 4,
  inQuickSet: false,
};

const WARM_UP_SECONDS = 3;

const CASES: readonly BenchCase[] = [
  bulkSoftware,
  bulkOffload,
  ...[2, 4, 16].map((flows) => shape(`flows-${flows}`, `${flows} flows from domain to domain`, ['-P', `${flows}`])),
  shape('bidirectional', 'one flow each way between two domains, both directions summed', ['--bidir']),
  writes1k,
  latency,
  connections,
  flowLog,
  flowLogOff,
  stability,
];

export const DOMAIN_CASES = CASES.map((bench) => ({ ...bench, warmUpSeconds: WARM_UP_SECONDS }));
