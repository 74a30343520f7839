import type { Figures } from './figures.ts';

/** A column of the table: its heading, and what it says of a run. */
export interface Column {
  readonly head: string;
  readonly cell: (figures: Figures) => string;
}

const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;

export function rate(bitsPerSecond: number): string {
  return bitsPerSecond >= 1e9
    ? `${(bitsPerSecond / 1e9).toFixed(2)} Gbit/s`
    : `${(bitsPerSecond / 1e6).toFixed(0)} Mbit/s`;
}

export const COLUMNS: readonly Column[] = [
  { head: 'build', cell: ({ build, run }) => (run > 0 ? `${build} (${run + 1})` : build) },
  { head: 'txqueuelen', cell: ({ txqueuelen }) => `${txqueuelen}` },
  { head: 'throughput', cell: ({ bitsPerSecond }) => rate(bitsPerSecond) },
  { head: 'stalls > 100 ms', cell: ({ stalls }) => `${stalls.length}` },
  { head: 'by lost wake-up', cell: ({ stallsBy }) => `${stallsBy['lost wake-up']}` },
  { head: 'by loss', cell: ({ stallsBy }) => `${stallsBy.loss}` },
  { head: 'other', cell: ({ stallsBy }) => `${stallsBy['delayed ACK'] + stallsBy.unknown}` },
  { head: 'longest', cell: ({ stalls, longestMs }) => (stalls.length > 0 ? `${longestMs.toFixed(0)} ms` : '-') },
  { head: 'sleeps', cell: ({ sleeps }) => `${sleeps}` },
  { head: 'hypercalls/event', cell: ({ hypercallsPerEvent }) => hypercallsPerEvent.toFixed(1) },
  { head: 'CPU', cell: ({ senderCpu }) => percent(senderCpu) },
  { head: 'CPU idle', cell: ({ idleCpu }) => (idleCpu === undefined ? '-' : percent(idleCpu)) },
  { head: 'drops', cell: ({ queueDrops }) => `${queueDrops}` },
  { head: 'RTOs', cell: ({ timeouts }) => `${timeouts}` },
];

/** @returns the table of the runs on one kind of machine, a line each. */
export function table(runs: readonly Figures[]): string[] {
  return lines(
    COLUMNS.map(({ head }) => head),
    runs.map((run) => COLUMNS.map(({ cell }) => cell(run))),
  );
}

/** @returns a table as text: the first column flush left, the others flush right. */
export function lines(heads: readonly string[], body: readonly (readonly string[])[]): string[] {
  const rows = [heads, ...body];
  const widths = heads.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  );
}
