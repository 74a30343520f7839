import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Contender, Figures } from '../case.ts';
import { runNodeMeasured } from '../child.ts';
import { type GcSummary, splitGcTrace } from '../gc-trace.ts';
import { type Progress, rateAfter } from '../statistics.ts';
import { type SampledRun, SPAN_SECONDS, steadiness } from '../steadiness.ts';
import { StolenTime } from '../stolen-time.ts';

const IPERF = new URL('../../../examples/iperf/dist/main.js', import.meta.url);
/** `--trace-gc` for all threads. As an option of the command line it would be handed to workers, which refuse it. */
export const TRACE_GC = [
  '--import',
  "data:text/javascript,import v8 from 'node:v8'; v8.setFlagsFromString('--trace-gc');",
];

/** The part of iperf's document that is read here. */
interface IperfDocument {
  readonly end: {
    readonly sum_sent: { readonly retransmits: number; readonly bytes: number };
    readonly sum_received: { readonly bits_per_second: number; readonly bytes: number };
  };
  readonly qanat: {
    readonly bridge: readonly { readonly queue_drops: number }[];
    readonly server_intervals: readonly { readonly sum: Progress }[];
    readonly domains: readonly { readonly name: string; readonly hypercalls: number; readonly sleeps: number }[];
  };
}

/** Its spans are as the server saw them: what it received, and sent. */
export interface IperfRun extends SampledRun {
  /** The whole run, slow start and compilation included. */
  readonly bitsPerSecond: number;
  readonly retransmits: number;
  readonly bridgeDrops: number;
  readonly gc: GcSummary;
  /** User and system time of all threads, from the start of the process. */
  readonly cpuSeconds: number;
}

/**
 * One run of examples/iperf.
 * @param gcWarmUpMs collections before this age of a thread are not counted.
 * @throws Error when it fails.
 */
export async function runIperf(seconds: number, args: readonly string[], gcWarmUpMs: number): Promise<IperfRun> {
  const all = ['--json', '-i', `${SPAN_SECONDS}`, '-t', `${seconds}`, ...args];
  const stolen = new StolenTime();
  const { stdout, cpuSeconds } = await runNodeMeasured(IPERF, TRACE_GC, all).finally(() => stolen.stop());
  const endMs = Date.now();
  const { summary: gc, rest } = splitGcTrace(stdout, gcWarmUpMs);
  const { end, qanat } = JSON.parse(rest) as IperfDocument;
  return {
    spans: qanat.server_intervals.map(({ sum }) => sum),
    bitsPerSecond: end.sum_received.bits_per_second,
    retransmits: end.sum_sent.retransmits,
    bridgeDrops: qanat.bridge.reduce((drops, port) => drops + port.queue_drops, 0),
    gc,
    cpuSeconds,
    stolen,
    endMs,
  };
}

/** @returns what to say where this iperf lacks an option. */
function without(option: string): string | undefined {
  help ??= execFileSync(process.execPath, [fileURLToPath(IPERF), '--help'], { encoding: 'utf8' });
  return new RegExp(`${option}\\b`).test(help) ? undefined : `this iperf has no ${option}`;
}
let help: string | undefined;

/** What a run switches off. */
const SWITCHES = { on: [], gro: ['--no-offload'], off: ['--no-offload', '--no-gro'] } as const;

/** `on`: as iperf has them by default. `gro`: every checksum in software, no segment above the MTU. `off`: nor GRO. */
export type IperfOffloads = keyof typeof SWITCHES;

/** Two domains and Dom0 in three threads. @param args further arguments of iperf. */
export function iperf(name: string, offloads: IperfOffloads, args: readonly string[] = []): Contender {
  return {
    name,
    missing: () => SWITCHES[offloads].map((option) => without(option)).find((reason) => reason !== undefined),
    run: async ({ seconds, warmUpSeconds }) => {
      const all = [...SWITCHES[offloads], ...args];
      const run = await runIperf(seconds + warmUpSeconds, all, warmUpSeconds * 1000);
      return iperfFigures(run, warmUpSeconds);
    },
  };
}

/** @param warmUpSeconds at the start of the run, left out of rates. */
export function iperfFigures(run: IperfRun, warmUpSeconds: number): Figures {
  const bytes = run.spans.reduce((sum, span) => sum + span.bytes, 0);
  return {
    bitsPerSecond: rateAfter(run.spans, warmUpSeconds) * 8,
    // Compilation included: the whole process over the whole run.
    cpuNsPerByte: (run.cpuSeconds * 1e9) / bytes,
    ...steadiness(run, warmUpSeconds),
    retransmits: run.retransmits,
    bridgeDrops: run.bridgeDrops,
    scavenges: run.gc.others.scavenges,
    heapGrowthMb: run.gc.others.heapGrowthMb,
  };
}
