import type { Figures } from './figures.ts';

/** @returns a name for a run that is good for files and keys. */
export function runName({
  build,
  machine,
  txqueuelen,
  run,
}: Pick<Figures, 'build' | 'machine' | 'txqueuelen' | 'run'>): string {
  return `${build}-${machine}-txqueuelen-${txqueuelen}${run > 0 ? `-run-${run + 1}` : ''}`;
}
