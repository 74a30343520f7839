import type { CongestionName } from '@qanat/tcp';
import { BOTTLENECK_BITS_PER_SECOND, Scene } from './netsim-bottleneck.ts';
import { type Ideal, idealFlows } from './netsim-ideal.ts';
import { jainIndex } from './statistics.ts';

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
  /** Part of the time from the first SYN to the last byte in which the bottleneck sent. */
  readonly busy: number;
  /** What that and the fairness could be at most. */
  readonly ideal: Ideal;
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

const LONGEST_US = 86_400e6;

/** Hosts that each send so much to one server through its bottleneck (`Scene`), all from the start. */
export function severalFlows(options: FlowsOptions): FlowsResult {
  const { flows, congestion, pacing, bytesPerFlow, seed } = options;
  const startMs = performance.now();
  const scene = new Scene(options);
  const { bottleneck, time } = scene;
  while (scene.done < flows && time.clock.now() < LONGEST_US && time.step()) {
    // Each step fires its timers.
  }
  if (scene.done < flows) throw new Error(`${scene.done} of ${flows} flows were through in a day`);
  const goodputs = scene.flows.map(({ doneAtUs }) => (bytesPerFlow * 1e6) / doneAtUs);
  const virtualUs = time.clock.now();
  const result: FlowsResult = {
    flows,
    congestion,
    pacing,
    aggregate: goodputs.reduce((a, b) => a + b, 0),
    least: Math.min(...goodputs),
    most: Math.max(...goodputs),
    jain: jainIndex(goodputs),
    drops: bottleneck.drops / (bottleneck.drops + bottleneck.frames),
    busy: (bottleneck.bytes * 8e6) / virtualUs / BOTTLENECK_BITS_PER_SECOND,
    ideal: idealFlows(flows, bytesPerFlow, seed),
    virtualUs,
    ms: performance.now() - startMs,
  };
  scene.close();
  return result;
}

/** The table of all runs, smoltcp's figures below it. */
export function flowsTable(results: readonly FlowsResult[]): string[] {
  const lines = ['', 'several flows of 2 MiB through 200 Mbit/s behind a queue of 64 KiB; goodputs in bytes/s'];
  lines.push(row(['cc', 'flows', 'sum', 'least', 'most', 'Jain', 'at most', 'drops', 'busy', 'at most', 'seconds']));
  for (const r of results) {
    const goodputs = [r.aggregate, r.least, r.most].map((goodput) => goodput.toFixed(0));
    const jain = [r.jain.toFixed(4), r.ideal.jain.toFixed(4)];
    const busy = [percent(r.drops, 2), percent(r.busy, 1), percent(r.ideal.busy, 1)];
    const seconds = (r.virtualUs / 1e6).toFixed(2);
    lines.push(row([controlName(r), String(r.flows), ...goodputs, ...jain, ...busy, seconds]));
  }
  for (const [flows, sum, least, most, jain, drops] of SMOLTCP_FLOWS) {
    const goodputs = [sum!, least!, most!].map((goodput) => goodput.toFixed(0));
    lines.push(row(['smoltcp', String(flows), ...goodputs, jain!.toFixed(4), '', percent(drops!, 2)]));
  }
  lines.push(
    '+p: paced; sum, least, most: each flow from the start to its own end; busy: share of the time from the first SYN to the last byte;',
    'at most: flows that begin with ten segments, double each round trip, lose nothing and share max-min',
  );
  return lines;
}

interface Control {
  readonly congestion: CongestionName;
  readonly pacing: boolean;
  readonly renoFriendly?: boolean;
}

export function controlName({ congestion, pacing, renoFriendly = true }: Control): string {
  return `${congestion}${pacing ? '+p' : ''}${renoFriendly ? '' : '-r'}`;
}

export function percent(part: number, digits: number): string {
  return `${(100 * part).toFixed(digits)} %`;
}

export function row(cells: readonly string[]): string {
  return cells.map((cell, i) => cell.padStart(i === 0 ? 10 : i === 1 ? 6 : 11)).join('');
}
