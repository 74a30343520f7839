import { type BenchCase, type Contender, type Figures, GIGABITS, MICROSECONDS, PLAIN, type RunSpan } from '../case.ts';
import { runNode } from '../child.ts';
import { lwip } from '../contenders/lwip.ts';

const CHILD = new URL('../pipe/main.js', import.meta.url);
const QANAT = 'qanat';
const LWIP = 'lwIP, native';
const LWIP_LTO = 'lwIP, native, LTO';

function figuresOf(output: string): Figures {
  return JSON.parse(output) as Figures;
}

function child(name: string, args: (span: RunSpan) => readonly string[] = () => []): Contender['run'] {
  return async (span) => {
    const times = [`seconds=${span.seconds}`, `warmUp=${span.warmUpSeconds}`];
    return figuresOf(await runNode(CHILD, ['--expose-gc'], [name, ...times, ...args(span)]));
  };
}

const pipeBulk: BenchCase = {
  name: 'pipe-bulk',
  title: 'two stacks on a pipe in one thread, bulk, MTU 1500, checksums computed and verified',
  metrics: [
    { key: 'bitsPerSecond', title: 'goodput', ...GIGABITS },
    { key: 'nsPerSegment', title: 'a segment', per: 1, unit: 'ns', digits: 0 },
    { key: 'cpuNsPerByte', title: 'CPU a byte', per: 1, unit: 'ns', digits: 3 },
    { key: 'segmentsPerAck', title: 'segments an ACK', per: 1, unit: '', digits: 1 },
  ],
  contenders: [{ name: QANAT, run: child('bulk') }, lwip(LWIP, 'bulk'), lwip(LWIP_LTO, 'bulk', 'lwip-pipe-lto')],
  ratios: [
    ['bitsPerSecond', QANAT, LWIP],
    ['bitsPerSecond', QANAT, LWIP_LTO],
    ['cpuNsPerByte', QANAT, LWIP],
  ],
  goals: [{ metric: 'bitsPerSecond', of: QANAT, to: LWIP, atLeast: 0.75 }],
  inQuickSet: true,
};

const pipePingPong: BenchCase = {
  name: 'pipe-ping-pong',
  title: 'two stacks on a pipe in one thread, 1 byte to and fro',
  metrics: [
    { key: 'meanUs', title: 'round trip', ...MICROSECONDS },
    { key: 'roundTripsPerSecond', title: 'rate [1/s]', ...PLAIN },
    { key: 'p50Us', title: 'p50', ...MICROSECONDS },
    { key: 'p99Us', title: 'p99', ...MICROSECONDS },
  ],
  contenders: [{ name: QANAT, run: child('ping-pong') }, lwip(LWIP, 'ping-pong')],
  ratios: [['meanUs', QANAT, LWIP]],
  goals: [{ metric: 'meanUs', of: QANAT, atMost: 3 }],
  inQuickSet: true,
};

const pipeConnections: BenchCase = {
  name: 'pipe-connections',
  title: 'two stacks on a pipe in one thread: connections opened, used for a byte each way, and closed; TIME-WAIT 60 s',
  metrics: [
    { key: 'connectionsPerSecond', title: 'connections [1/s]', ...PLAIN },
    { key: 'usPerConnection', title: 'each', ...MICROSECONDS },
    { key: 'heapMb', title: 'heap at the end', per: 1, unit: 'MB', digits: 0 },
  ],
  contenders: [{ name: QANAT, run: child('connections') }, lwip(LWIP, 'connections')],
  ratios: [['connectionsPerSecond', QANAT, LWIP]],
  goals: [{ metric: 'connectionsPerSecond', of: QANAT, atLeast: 20_000 }],
  inQuickSet: true,
};

const pipeIdle: BenchCase = {
  name: 'pipe-idle',
  title: 'memory of an idle established connection, per end, 100 000 of them (--quick: 10 000)',
  metrics: [
    { key: 'bytesPerEnd', title: 'bytes an end', ...PLAIN },
    { key: 'heapBytesPerEnd', title: 'heap', ...PLAIN },
    { key: 'outsideBytesPerEnd', title: 'typed arrays', ...PLAIN },
    { key: 'pageBytesPerEnd', title: 'pages', ...PLAIN },
  ],
  contenders: [{ name: QANAT, run: child('idle', ({ quick }) => [`connections=${quick ? 10_000 : 100_000}`]) }],
  ratios: [],
  goals: [{ metric: 'bytesPerEnd', of: QANAT, atMost: 1024 }],
  inQuickSet: false,
};

const COUNTS = [0, 100, 10_000, 100_000] as const;
const ALONE = 'alone';

function beside(count: number): string {
  return count === 0 ? ALONE : `beside ${count}`;
}

const pipeIdleBeside: BenchCase = {
  name: 'pipe-beside-idle',
  title: 'bulk of one flow on a pipe, alone and beside idle established connections',
  metrics: pipeBulk.metrics,
  contenders: COUNTS.map((count) => ({
    name: beside(count),
    // Where there is little time, the large one is left to others.
    run: child('bulk', ({ quick }) => [`idle=${quick ? Math.min(count, 10_000) : count}`]),
  })),
  ratios: COUNTS.slice(1).map((count) => ['bitsPerSecond', beside(count), ALONE] as const),
  goals: [{ metric: 'bitsPerSecond', of: beside(100_000), to: ALONE, atLeast: 0.95 }],
  inQuickSet: false,
};

const FLOW_COUNTS = [1, 100, 1000] as const;

function flowsAtOnce(count: number): string {
  return count === 1 ? ALONE : `${count} flows`;
}

const pipeFlows: BenchCase = {
  name: 'pipe-flows',
  title: 'bulk of many flows at once on a pipe: all of them together, and how even their shares are',
  metrics: [
    { key: 'bitsPerSecond', title: 'goodput', ...GIGABITS },
    { key: 'nsPerSegment', title: 'a segment', per: 1, unit: 'ns', digits: 0 },
    { key: 'jain', title: "Jain's index", per: 1, unit: '', digits: 4 },
    { key: 'leastShare', title: 'least share/mean', per: 1, unit: '', digits: 3 },
    { key: 'retransmits', title: 'retransmits', ...PLAIN },
  ],
  contenders: FLOW_COUNTS.map((count) => ({ name: flowsAtOnce(count), run: child('bulk', () => [`flows=${count}`]) })),
  ratios: FLOW_COUNTS.slice(1).map((count) => ['bitsPerSecond', flowsAtOnce(count), ALONE] as const),
  goals: [],
  inQuickSet: false,
};

const GROWTH_COUNTS = [1, 100, 10_000, 100_000] as const;

function among(count: number): string {
  return `among ${count}`;
}

const pipeGrowth: BenchCase = {
  name: 'pipe-growth',
  title:
    'one byte to and fro on a connection taken by chance among 1 to 100 000, on a pipe; many need an ACK of its own',
  metrics: [
    { key: 'meanUs', title: 'round trip', ...MICROSECONDS },
    { key: 'roundTripsPerSecond', title: 'rate [1/s]', ...PLAIN },
    { key: 'firstUs', title: 'the first on each', ...MICROSECONDS },
    { key: 'establishUs', title: 'to establish one', ...MICROSECONDS },
  ],
  contenders: GROWTH_COUNTS.map((count) => ({
    name: among(count),
    run: child('growth', ({ quick }) => [`connections=${quick ? Math.min(count, 10_000) : count}`]),
  })),
  ratios: GROWTH_COUNTS.slice(1).map((count) => ['meanUs', among(count), among(1)] as const),
  goals: [],
  inQuickSet: false,
};

export const PIPE_CASES: readonly BenchCase[] = [
  pipeBulk,
  pipePingPong,
  pipeConnections,
  pipeIdle,
  pipeIdleBeside,
  pipeFlows,
  pipeGrowth,
];
