import { node } from './node-host.ts';

/**
 * CPUs of the host that this process may run on and that a thread can be kept to, ascending: what a domain's `affinity`
 * can be. None where that cannot be done: it takes Linux and its program `taskset` [sched_setaffinity(2)].
 */
export function hostCpus(): readonly number[] {
  if (node === undefined || process.platform !== 'linux') return [];
  const { status, stdout } = node.spawnSync('taskset', ['-cp', `${process.pid}`], { encoding: 'utf8' });
  return status === 0 ? parseCpuList(stdout.slice(stdout.lastIndexOf(':') + 1)) : [];
}

/** @param text as Linux writes CPUs: `0-2,5`. @returns their numbers; none of what is no such list. */
export function parseCpuList(text: string): number[] {
  const cpus: number[] = [];
  for (const part of text.trim().split(',')) {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
    if (first === undefined) return [];
    for (let cpu = Number(first); cpu <= Number(last); cpu++) cpus.push(cpu);
  }
  return cpus;
}

/**
 * Keeps the thread that calls this to a CPU of the host, for good.
 * @throws Error where that cannot be done: no Linux, no `taskset`, no such CPU.
 */
export function keepThreadTo(cpu: number): void {
  const reason = setAffinity(cpu);
  if (reason !== '') throw new Error(`this domain cannot be kept to CPU ${cpu} of the host (affinity): ${reason}`);
}

/** @returns what is in the way, or nothing. */
function setAffinity(cpu: number): string {
  if (node === undefined || process.platform !== 'linux') return 'only Linux can do that';
  const self = node.readlinkSync('/proc/thread-self');
  const tid = self.slice(self.lastIndexOf('/') + 1);
  const { status, stderr, error } = node.spawnSync('taskset', ['-cp', `${cpu}`, tid], { encoding: 'utf8' });
  if (error !== undefined) return `no taskset (${error.message})`;
  return status === 0 ? '' : stderr.trim().replaceAll(/\s*\n\s*/g, '; ') || `taskset ended with ${status}`;
}
