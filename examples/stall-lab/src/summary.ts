import type { Figures } from './figures.ts';
import { lines, rate } from './table.ts';

const HEADS = ['build', 'txqueuelen', 'runs', 'with stalls', 'stalls a run', 'throughput, median', 'longest'];

/** @returns what repeated runs have in common, a line for each build and queue; nothing where none was repeated. */
export function summary(runs: readonly Figures[]): string[] {
  const groups = new Map<string, Figures[]>();
  for (const run of runs) {
    const key = `${run.build} ${run.txqueuelen}`;
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  if (groups.size === runs.length) return [];
  return lines(HEADS, [...groups.values()].map(row));
}

function row(group: readonly Figures[]): string[] {
  const { build, txqueuelen } = group[0]!;
  const counts = group.map(({ stalls }) => stalls.length);
  const rates = group.map(({ bitsPerSecond }) => bitsPerSecond).sort((a, b) => a - b);
  const middle = (rates[(rates.length - 1) >> 1]! + rates[rates.length >> 1]!) / 2;
  const least = Math.min(...counts);
  const most = Math.max(...counts);
  return [
    build,
    `${txqueuelen}`,
    `${group.length}`,
    `${counts.filter((count) => count > 0).length}`,
    least === most ? `${least}` : `${least} to ${most}`,
    rate(middle),
    most === 0 ? '-' : `${Math.max(...group.map(({ longestMs }) => longestMs)).toFixed(0)} ms`,
  ];
}
