import { runNode } from './child.ts';
import { runIperf, TRACE_GC } from './contenders/iperf.ts';
import { type GcSummary, splitGcTrace } from './gc-trace.ts';
import type { LoopbackRun } from './loopback.ts';
import { describeMachine, type MachineDescription } from './machine-description.ts';
import { alignColumns, longestGap, median, type Summary, summarize } from './statistics.ts';
import { SPAN_SECONDS } from './steadiness.ts';

const LOOPBACK = new URL('./loopback.js', import.meta.url);
/** Start of the process, compilation, slow start. */
const WARM_UP_MS = 1500;

export interface IperfBenchOptions {
  readonly runs: number;
  readonly seconds: number;
  /** Further options for iperf, as on its command line. */
  readonly iperfArgs: readonly string[];
}

interface Run {
  readonly bitsPerSecond: number;
  readonly longestGapSeconds: number;
  readonly gc: GcSummary;
}

interface QanatRun extends Run {
  readonly retransmits: number;
  readonly bridgeDrops: number;
}

export interface IperfBenchResult {
  readonly bench: 'iperf';
  readonly date: string;
  readonly machine: MachineDescription;
  readonly seconds: number;
  readonly iperfArgs: readonly string[];
  readonly qanat: { readonly runs: readonly QanatRun[]; readonly bitsPerSecond: Summary };
  readonly loopback: { readonly runs: readonly Run[]; readonly bitsPerSecond: Summary };
  /** Median of the ratios of the pairs. */
  readonly ratio: number;
  readonly longestGapSeconds: number;
}

/** Runs Qanat's iperf and node:net in turn, so that both see the same moods of the computer. */
export async function benchIperf(
  options: IperfBenchOptions,
  progress: (line: string) => void,
): Promise<IperfBenchResult> {
  const qanat: QanatRun[] = [];
  const loopback: Run[] = [];
  for (let run = 1; run <= options.runs; run++) {
    qanat.push(await runQanat(options));
    loopback.push(await runLoopback(options.seconds));
    const rates = `qanat ${gigabits(qanat.at(-1)!.bitsPerSecond)}, node:net ${gigabits(loopback.at(-1)!.bitsPerSecond)}`;
    progress(`run ${run} of ${options.runs}: ${rates} Gbit/s`);
  }
  return {
    bench: 'iperf',
    date: new Date().toISOString(),
    machine: describeMachine(),
    seconds: options.seconds,
    iperfArgs: options.iperfArgs,
    qanat: { runs: qanat, bitsPerSecond: summarize(qanat.map((run) => run.bitsPerSecond)) },
    loopback: { runs: loopback, bitsPerSecond: summarize(loopback.map((run) => run.bitsPerSecond)) },
    ratio: median(qanat.map((run, i) => run.bitsPerSecond / loopback[i]!.bitsPerSecond)),
    longestGapSeconds: Math.max(...qanat.map((run) => run.longestGapSeconds)),
  };
}

async function runQanat({ seconds, iperfArgs }: IperfBenchOptions): Promise<QanatRun> {
  const run = await runIperf(seconds, iperfArgs, WARM_UP_MS);
  const { bitsPerSecond, gc, retransmits, bridgeDrops } = run;
  return { bitsPerSecond, longestGapSeconds: longestGap(run.spans, SPAN_SECONDS), gc, retransmits, bridgeDrops };
}

async function runLoopback(seconds: number): Promise<Run> {
  const { summary, rest } = splitGcTrace(await runNode(LOOPBACK, TRACE_GC, [`${seconds}`]), WARM_UP_MS);
  const run = JSON.parse(rest) as LoopbackRun;
  return {
    bitsPerSecond: (run.bytes * 8) / run.seconds,
    longestGapSeconds: longestGap(run.spans, SPAN_SECONDS),
    gc: summary,
  };
}

/** @returns the lines of a table for people. */
export function iperfTable(result: IperfBenchResult): string[] {
  const { machine, qanat, loopback } = result;
  const row = (name: string, rate: Summary, runs: readonly Run[]): string[] => [
    name,
    gigabits(rate.median),
    `${gigabits(rate.least)}..${gigabits(rate.most)}`,
    `${(rate.spread * 100).toFixed(0)} %`,
    `${(Math.max(...runs.map((run) => run.longestGapSeconds)) * 1000).toFixed(0)} ms`,
    ...gcCells(runs, 'others'),
    ...gcCells(runs, 'host'),
  ];
  const table = alignColumns([
    [
      '1 flow',
      'Gbit/s',
      'range',
      'spread',
      'longest gap',
      'scavenges',
      'major',
      'growth',
      'main scav.',
      'major',
      'growth',
    ],
    row('qanat, two domains', qanat.bitsPerSecond, qanat.runs),
    row('node:net, loopback', loopback.bitsPerSecond, loopback.runs),
  ]);
  const drops = qanat.runs.map((run) => `${run.retransmits}/${run.bridgeDrops}`).join(' ');
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.platform}, Node ${machine.node}`,
    `${qanat.runs.length} pairs of runs of ${result.seconds} s; medians; gaps without progress of ${SPAN_SECONDS} s and more;`,
    'scavenges, major collections and heap growth after warm-up: in the workers (domains, server), and in the main thread',
    '',
    ...table,
    '',
    `ratio qanat / node:net: ${result.ratio.toFixed(2)} (median of the pairs)`,
    `retransmits/bridge drops of each run of qanat: ${drops}`,
  ];
}

function gcCells(runs: readonly Run[], threads: keyof GcSummary): string[] {
  return [
    `${median(runs.map(({ gc }) => gc[threads].scavenges))}`,
    `${median(runs.map(({ gc }) => gc[threads].markCompacts))}`,
    `${Math.max(...runs.map(({ gc }) => gc[threads].heapGrowthMb)).toFixed(1)} MB`,
  ];
}

function gigabits(bitsPerSecond: number): string {
  return (bitsPerSecond / 1e9).toFixed(2);
}
