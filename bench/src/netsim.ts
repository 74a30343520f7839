import { CONGESTION_NAMES, type CongestionName } from '@qanat/tcp';
import { FLOW_COUNTS, type FlowsResult, flowsTable, severalFlows } from './netsim-flows.ts';
import { type Cell, LARGE_BUFFERS, LOSS_RATES, matrix, matrixTable, SMOLTCP } from './netsim-matrix.ts';
import { type SteadyResult, steadyFlows, steadyTable } from './netsim-steady.ts';

export interface NetsimOptions {
  /** Fewer cells: a few seconds. */
  readonly quick: boolean;
  readonly congestions: readonly CongestionName[];
  readonly seed: number;
  readonly onProgress?: (line: string) => void;
}

export interface NetsimResult {
  readonly bench: 'netsim';
  readonly date: string;
  readonly seed: number;
  readonly quick: boolean;
  /** Bytes of each transfer (more where a large buffer needs it). */
  readonly bytes: number;
  readonly cells: readonly Cell[];
  readonly flows: readonly FlowsResult[];
  readonly steady: readonly SteadyResult[];
  /** Wall-clock seconds. */
  readonly seconds: number;
}

export const ALL_CONGESTIONS: readonly CongestionName[] = CONGESTION_NAMES;

const MEBIBYTE = 1024 * 1024;
const TRANSFER_BYTES = 10 * MEBIBYTE;
/** Fewer flows do not fill the bottleneck, for their buffers. */
const LEAST_STEADY_FLOWS = 16;
const STEADY = { warmSeconds: 20, seconds: 100 };
const QUICK_STEADY = { warmSeconds: 10, seconds: 20 };

/**
 * Goodput on virtual time: smoltcp's matrix of buffers and losses, its continuation to large buffers, and several flows
 * through a bottleneck. The same seed gives the same figures on every computer.
 */
export function benchNetsim(options: NetsimOptions): NetsimResult {
  const { quick, congestions, seed, onProgress } = options;
  const startMs = performance.now();
  const small = SMOLTCP.map(([buffer]) => buffer);
  const cells: Cell[] = [];
  for (const congestion of congestions) {
    const buffers = quick ? [512, 4096, 32_768, 262_144, 4_194_304] : [...small, ...LARGE_BUFFERS];
    const lossRates = quick ? [0, 0.001, 0.02, 0.1] : LOSS_RATES;
    cells.push(...matrix({ congestions: [congestion], buffers, lossRates, bytes: TRANSFER_BYTES, seed }));
    onProgress?.(`${congestion}: ${cells.length} cells`);
  }
  const flows: FlowsResult[] = [];
  const steady: SteadyResult[] = [];
  for (const congestion of congestions) {
    // BBR paces by itself; without congestion control there is no rate to pace at.
    for (const pacing of congestion === 'cubic' || congestion === 'newreno' ? [false, true] : [false]) {
      for (const count of quick ? [1, 16] : FLOW_COUNTS) {
        flows.push(severalFlows({ flows: count, congestion, pacing, bytesPerFlow: 2 * MEBIBYTE, seed }));
        if (count < LEAST_STEADY_FLOWS || congestion === 'none') continue;
        const options = { flows: count, congestion, pacing, seed, ...(quick ? QUICK_STEADY : STEADY) };
        steady.push(steadyFlows(options));
        if (congestion === 'cubic' && pacing) steady.push(steadyFlows({ ...options, renoFriendly: false }));
      }
    }
    onProgress?.(`${congestion}: several flows`);
  }
  const seconds = (performance.now() - startMs) / 1000;
  return {
    bench: 'netsim',
    date: new Date().toISOString(),
    seed,
    bytes: TRANSFER_BYTES,
    cells,
    flows,
    steady,
    quick,
    seconds,
  };
}

export function netsimTable(result: NetsimResult): string[] {
  const { warmSeconds, seconds } = result.quick ? QUICK_STEADY : STEADY;
  const mebibytes = result.bytes / MEBIBYTE;
  return [
    `${mebibytes} MiB one way, 100 ms of round trip, MTU 1500, random loss both ways, both buffers of the given size, seed ${result.seed}`,
    'buffers of 64 KiB and more without loss: 40 buffers at least; figures of smoltcp: its tests/netsim.rs, same scenario',
    ...matrixTable(result.cells),
    ...flowsTable(result.flows),
    ...steadyTable(result.steady, warmSeconds, seconds),
    '',
    `${result.seconds.toFixed(1)} s`,
  ];
}
