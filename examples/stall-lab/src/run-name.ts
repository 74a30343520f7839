import type { Figures } from './figures.ts';

/** @returns a name for a run that is good for files and keys. */
export function runName({ build, machine, txqueuelen }: Pick<Figures, 'build' | 'machine' | 'txqueuelen'>): string {
  return `${build}-${machine}-txqueuelen-${txqueuelen}`;
}
