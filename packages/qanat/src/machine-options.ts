import { Memory } from '@qanat/bytes';
import { RealClock, VirtualClock } from '@qanat/clock';
import { DEFAULT_NETBACK_CONFIG, MAX_QUEUES } from '@qanat/netback';
import { CooperativeScheduler, type Image, ThreadLauncher, VirtualScheduler } from '@qanat/os';
import { Hypervisor, type Launcher } from '@qanat/xen';
import { MachineError } from './machine-error.ts';

/** What domains run on. */
export type Cpus =
  /** A worker thread each, which blocks while the domain has nothing to do. */
  | 'threads'
  /** All in the caller's thread, on the host's clock. */
  | 'cooperative'
  /** All in the caller's thread, on a clock that jumps: the same run for the same seed. */
  | 'virtual';

export interface MachineOptions {
  /** Default `threads`. */
  readonly cpus?: Cpus;
  /** Memory of the whole machine in MiB, 16..2047; pages count when they are used. Default 512. */
  readonly memoryMiB?: number;
  /** Memory of Dom0 in MiB. Default 64. */
  readonly dom0MemoryMiB?: number;
  /** With threads: the CPU of the host that Dom0 is kept to (`hostCpus()` has those there are). Default: the host's choice, ever anew. */
  readonly dom0Affinity?: number | undefined;
  /** Most queues that Dom0 offers a network frontend, which asks for some by `netfront: { queues }`; 1..64. Default 8. */
  readonly maxQueues?: number;
  /** Repeats all chance: MACs, initial sequence numbers, ... Default on virtual time: 1; else unpredictable. */
  readonly seed?: number;
  /** Checks at every sleep of a domain that nothing was forgotten; a domain that sleeps with work left throws. */
  readonly audit?: boolean;
  /** With threads: how long a domain spins for an event before it sleeps, in microseconds. Default 50, or 200 by `affinity`. */
  readonly spinUs?: number;
  /** On virtual time: what a pass of a domain's loop costs, in nanoseconds. Default 0: the clock stands while anybody runs. */
  readonly passNs?: number;
  /** On virtual time: what a hypercall costs, in nanoseconds. Default 0. */
  readonly hypercallNs?: number;
  /** On virtual time: who has the next turn; `random` as the seed has it, so that races come out. Default `domid`. */
  readonly turns?: 'domid' | 'random';
}

const CPUS: readonly Cpus[] = ['threads', 'cooperative', 'virtual'];
const OPTIONS = [
  'cpus',
  'memoryMiB',
  'dom0MemoryMiB',
  'dom0Affinity',
  'maxQueues',
  'seed',
  'audit',
  'spinUs',
  'passNs',
  'hypercallNs',
  'turns',
];
const DEFAULT_MEMORY_MIB = 512;
const MIN_MEMORY_MIB = 16;
const MAX_MEMORY_MIB = 2047;
const DEFAULT_DOM0_MEMORY_MIB = 64;

/** Options with nothing left open. */
export interface ResolvedMachineOptions {
  readonly cpus: Cpus;
  readonly memoryMiB: number;
  readonly dom0MemoryMiB: number;
  readonly dom0Affinity: number | undefined;
  readonly maxQueues: number;
  readonly seed: number | undefined;
  readonly audit: boolean;
  readonly spinUs: number | undefined;
  readonly passNs: number;
  readonly hypercallNs: number;
  readonly turns: 'domid' | 'random';
}

/** @throws MachineError ERR_INVALID_OPTION for the first value that cannot be. */
export function resolveMachineOptions(options: MachineOptions): ResolvedMachineOptions {
  for (const key of Object.keys(options)) {
    if (!OPTIONS.includes(key)) invalid(`"${key}" is no option of a machine: there are ${OPTIONS.join(', ')}`);
  }
  const {
    cpus = 'threads',
    memoryMiB = DEFAULT_MEMORY_MIB,
    audit = false,
    spinUs,
    dom0Affinity,
    passNs = 0,
    hypercallNs = 0,
  } = options;
  const { turns = 'domid', maxQueues = DEFAULT_NETBACK_CONFIG.maxQueues } = options;
  const { dom0MemoryMiB = DEFAULT_DOM0_MEMORY_MIB, seed = cpus === 'virtual' ? 1 : undefined } = options;
  if (!CPUS.includes(cpus)) invalid(`cpus "${cpus}": use one of ${CPUS.join(', ')}`);
  checkInteger('memoryMiB', memoryMiB, MIN_MEMORY_MIB, MAX_MEMORY_MIB);
  checkInteger('dom0MemoryMiB', dom0MemoryMiB, 1, memoryMiB);
  checkInteger('maxQueues', maxQueues, 1, MAX_QUEUES);
  if (seed !== undefined) checkInteger('seed', seed, 0, Number.MAX_SAFE_INTEGER);
  if (spinUs !== undefined && !(spinUs >= 0 && spinUs <= 1e6)) invalid(`spinUs ${spinUs}: use 0 to 1000000`);
  for (const [name, value] of Object.entries({ passNs, hypercallNs })) {
    if (!(value >= 0 && value <= 1e9)) invalid(`${name} ${value}: use 0 to 1000000000`);
  }
  if (turns !== 'domid' && turns !== 'random') invalid(`turns "${turns}": use domid or random`);
  return { cpus, memoryMiB, dom0MemoryMiB, dom0Affinity, maxQueues, seed, audit, spinUs, passNs, hypercallNs, turns };
}

/**
 * Makes the machine's memory and hypervisor.
 * @throws MachineError where threads are wanted and the host has no SharedArrayBuffer, or the memory cannot be had.
 */
export function createHypervisor({ cpus, memoryMiB }: ResolvedMachineOptions): Hypervisor {
  const shared = cpus === 'threads';
  if (shared && typeof SharedArrayBuffer === 'undefined') {
    throw new MachineError(
      'ERR_SHARED_ARRAY_BUFFER_MISSING',
      'domains in threads need SharedArrayBuffer, which this host does not have: ' +
        "serve the page cross-origin isolated (COOP and COEP headers), or use cpus: 'cooperative'",
    );
  }
  let memory: Memory;
  try {
    memory = Memory.create({ bytes: memoryMiB * 0x10_0000, shared });
  } catch (cause) {
    throw new MachineError('ERR_MACHINE_MEMORY', `${memoryMiB} MiB of memory cannot be had: lower memoryMiB`, {
      cause,
    });
  }
  return cpus === 'virtual'
    ? Hypervisor.create(memory, { clockOriginUs: 0, clock: new VirtualClock() })
    : Hypervisor.create(memory, { clockOriginUs: RealClock.hostNowUs() });
}

/** @returns what starts the domains' virtual CPUs. */
export function createLauncher(hypervisor: Hypervisor, options: ResolvedMachineOptions): Launcher<Image> {
  const { cpus, seed, audit, spinUs, passNs, hypercallNs, turns } = options;
  switch (cpus) {
    case 'threads':
      return new ThreadLauncher({ hypervisor, seed, audit, spinUs });
    case 'cooperative':
      return new CooperativeScheduler({ hypervisor, seed, audit });
    case 'virtual':
      return new VirtualScheduler({ hypervisor, seed, audit, passNs, hypercallNs, turns });
  }
}

function checkInteger(name: string, value: number, min: number, max: number): void {
  if (!(Number.isInteger(value) && value >= min && value <= max)) {
    invalid(`${name} ${value}: use a whole number of ${min} to ${max}`);
  }
}

function invalid(message: string): never {
  throw new MachineError('ERR_INVALID_OPTION', message);
}
