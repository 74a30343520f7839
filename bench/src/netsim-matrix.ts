import type { CongestionName } from '@qanat/tcp';
import { type TransferResult, transfer } from './netsim-transfer.ts';

export const RTT_US = 100_000;
export const LOSS_RATES: readonly number[] = [0, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3];

/**
 * What smoltcp keeps as the expected output of its test `netsim`: goodput in bytes per second of 10 MiB one way with
 * 100 ms of round trip, MTU 1514 (with the Ethernet header) and no congestion control, by buffer and loss rate.
 */
export const SMOLTCP: readonly (readonly [number, readonly number[]])[] = [
  [128, [1279.98, 1255.76, 1054.15, 886.36, 538.66, 227.84, 33.99, 7.18]],
  [256, [2559.91, 2507.27, 2100.03, 1770.3, 1070.71, 468.24, 66.71, 14.35]],
  [512, [5119.63, 5011.95, 4172.36, 3531.57, 2098.73, 942.38, 144.73, 29.45]],
  [1024, [10238.5, 10023.19, 8340.9, 7084.25, 4003.34, 1869.94, 290.74, 60.92]],
  [2048, [17535.11, 17171.82, 14093.5, 11963.68, 7399.06, 3416.41, 690.5, 126.57]],
  [4096, [35062.41, 33859.8, 26937.41, 21886.99, 14073.67, 7870.66, 1603.6, 401.79]],
  [8192, [77374.28, 72992.18, 58490.74, 46527.73, 29421.45, 15515.23, 3737.2, 710.8]],
  [16384, [161842.28, 159310.62, 127090.53, 104233.16, 55319.33, 27269.28, 7654.51, 1277.32]],
  [32768, [322944.88, 314779.73, 219670.76, 166587.86, 76626.48, 37774.62, 6079.34, 1156.4]],
];

/** The rows that go on where smoltcp's end. */
export const LARGE_BUFFERS: readonly number[] = [65536, 131072, 262144, 524288, 1048576, 2097152, 4194304];
/** A large buffer needs a long transfer, or its start is all that is seen. */
const BUFFERS_PER_TRANSFER = 40;

export interface Cell extends TransferResult {
  readonly congestion: CongestionName;
  readonly bufferBytes: number;
  readonly lossRate: number;
  readonly bytes: number;
  /** smoltcp's goodput, where it has one. */
  readonly smoltcp?: number;
  /** buffer / RTT: what the window allows. */
  readonly windowLimit: number;
  /** Wall-clock milliseconds. */
  readonly ms: number;
}

export interface MatrixOptions {
  readonly congestions: readonly CongestionName[];
  readonly buffers: readonly number[];
  readonly lossRates: readonly number[];
  readonly bytes: number;
  readonly seed: number;
  readonly onCell?: (cell: Cell) => void;
}

export function matrix(options: MatrixOptions): Cell[] {
  const cells: Cell[] = [];
  for (const congestion of options.congestions) {
    for (const bufferBytes of options.buffers) {
      for (const lossRate of options.lossRates) {
        const cell = runCell(options, congestion, bufferBytes, lossRate);
        cells.push(cell);
        options.onCell?.(cell);
      }
    }
  }
  return cells;
}

function runCell(options: MatrixOptions, congestion: CongestionName, bufferBytes: number, lossRate: number): Cell {
  const large = bufferBytes >= LARGE_BUFFERS[0]! && lossRate === 0;
  const bytes = large ? Math.max(options.bytes, BUFFERS_PER_TRANSFER * bufferBytes) : options.bytes;
  const startMs = performance.now();
  const result = transfer({ bytes, bufferBytes, lossRate, rttUs: RTT_US, congestion, seed: options.seed });
  const ms = performance.now() - startMs;
  const theirs = congestion === 'none' ? smoltcpFigure(bufferBytes, lossRate) : undefined;
  const windowLimit = (bufferBytes * 1e6) / RTT_US;
  return {
    ...result,
    ...{ congestion, bufferBytes, lossRate, bytes, windowLimit, ms },
    ...(theirs === undefined ? {} : { smoltcp: theirs }),
  };
}

function smoltcpFigure(bufferBytes: number, lossRate: number): number | undefined {
  const row = SMOLTCP.find(([buffer]) => buffer === bufferBytes)?.[1];
  return row?.[LOSS_RATES.indexOf(lossRate)];
}

/** One table for each congestion control: goodput in bytes/s, and its ratio to smoltcp's where there is one. */
export function matrixTable(cells: readonly Cell[]): string[] {
  const lines: string[] = [];
  for (const congestion of new Set(cells.map((cell) => cell.congestion))) {
    const own = cells.filter((cell) => cell.congestion === congestion);
    const rates = [...new Set(own.map((cell) => cell.lossRate))];
    lines.push(
      '',
      `congestion control: ${congestion}; goodput in bytes/s${congestion === 'none' ? ' (ratio to smoltcp)' : ''}`,
    );
    lines.push(`${'buffer \\ loss'.padStart(13)}${rates.map((loss) => loss.toFixed(3).padStart(19)).join('')}`);
    for (const bufferBytes of new Set(own.map((cell) => cell.bufferBytes))) {
      const row = own.filter((cell) => cell.bufferBytes === bufferBytes);
      lines.push(`${String(bufferBytes).padStart(13)}${row.map(cellText).join('')}`);
    }
    const limited = own.filter((cell) => cell.lossRate === 0);
    const least = limited.reduce((min, cell) => Math.min(min, cell.steadyGoodput / cell.windowLimit), 1);
    lines.push(`without loss, the second half at ${(100 * least).toFixed(1)} % of buffer / RTT or more`);
    const compared = own.filter((cell) => cell.smoltcp !== undefined);
    const below = compared.filter((cell) => cell.goodput < cell.smoltcp!);
    if (compared.length > 0)
      lines.push(`${compared.length - below.length} of ${compared.length} cells at smoltcp's figure or above`);
  }
  return lines;
}

function cellText(cell: Cell): string {
  const ratio = cell.smoltcp === undefined ? '' : ` (${(cell.goodput / cell.smoltcp).toFixed(2)})`;
  return `${cell.goodput.toFixed(2)}${ratio}`.padStart(19);
}
