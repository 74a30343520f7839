import { UsageError } from './usage-error.ts';

/** CPUs of the host that the domains are kept to. */
export interface Affinity {
  readonly dom0: number;
  readonly server: number;
  readonly client: number;
}

/** @param cpus those that a thread can be kept to. @throws UsageError for one that is not there. */
export function checkAffinity({ dom0, server, client }: Affinity, cpus: readonly number[]): void {
  if (cpus.length === 0) throw new UsageError('-A/--affinity takes Linux and its program taskset: leave it out');
  const missing = [dom0, server, client].find((cpu) => !cpus.includes(cpu));
  if (missing === undefined) return;
  throw new UsageError(`-A/--affinity: there is no CPU ${missing} to run on, give three of ${cpus.join(', ')}`);
}
