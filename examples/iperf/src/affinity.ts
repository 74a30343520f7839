import type { IperfOptions } from './options.ts';
import { UsageError } from './usage-error.ts';

/** CPUs of the host that the domains are kept to. */
export interface Affinity {
  readonly dom0: number;
  readonly server: number;
  readonly client: number;
}

/**
 * On a host with two CPUs Dom0 goes with the receiver, whose pages it fills: left alone, the three threads are moved about, and go
 * a tenth slower. With more there is one for each.
 * @param cpus those that a thread can be kept to.
 * @returns undefined for no such bounds.
 * @throws UsageError for a CPU that is not there.
 */
export function placeDomains({ affinity, direction }: IperfOptions, cpus: readonly number[]): Affinity | undefined {
  if (affinity === 'none') return undefined;
  if (affinity === 'auto') {
    const [dom0, other] = cpus;
    if (dom0 === undefined || other === undefined || cpus.length > 2) return undefined;
    return direction === 'reverse' ? { dom0, server: other, client: dom0 } : { dom0, server: dom0, client: other };
  }
  const { dom0, server, client } = affinity;
  for (const cpu of [dom0, server, client]) {
    if (cpus.includes(cpu)) continue;
    throw new UsageError(
      cpus.length === 0
        ? '-A/--affinity takes Linux and its program taskset: leave it out'
        : `-A/--affinity: there is no CPU ${cpu} to run on, give one of ${cpus.join(', ')}`,
    );
  }
  return affinity;
}
