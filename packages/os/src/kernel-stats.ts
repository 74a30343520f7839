import type { Hypervisor } from '@qanat/xen';

/** How a domain's kernel fares; counts since the domain started. */
export interface KernelStats {
  /** Passes of the main loop. */
  loops: number;
  sleeps: number;
  /** Time asleep, in microseconds. */
  blockedUs: number;
  /** Events taken from event channels. */
  events: number;
  /** Wake-ups without event or deadline. */
  spuriousWakes: number;
  /** Sleeps that an event made unnecessary while the CPU spun. */
  spinWakes: number;
  tasks: number;
  timersFired: number;
  /** Turns given to the thread's event loop. */
  turns: number;
  hypercalls: number;
  evtchnSends: number;
  polls: number;
  blocks: number;
  yields: number;
  grantCopies: number;
  grantMaps: number;
}

/** The order in which they lie in the domain's statistics area, a f64 each. */
export const KERNEL_STATS = [
  'loops',
  'sleeps',
  'blockedUs',
  'events',
  'spuriousWakes',
  'spinWakes',
  'tasks',
  'timersFired',
  'turns',
  'hypercalls',
  'evtchnSends',
  'polls',
  'blocks',
  'yields',
  'grantCopies',
  'grantMaps',
] as const satisfies readonly (keyof KernelStats)[];

/** @returns what a domain's kernel last published (before each sleep and turn), from any thread; undefined: no domain. */
export function readKernelStats(hypervisor: Hypervisor, domid: number): KernelStats | undefined {
  const record = hypervisor.domain(domid);
  if (record === undefined) return undefined;
  const base = record.statsAddr >>> 3;
  const stats = {} as Record<keyof KernelStats, number>;
  for (const [i, name] of KERNEL_STATS.entries()) stats[name] = hypervisor.memory.f64[base + i]!;
  return stats;
}
