import { type Cpus, createMachine, type DomainExit, type DomainHandle, type Image, type Machine } from 'qanat';
import { BUILDS, type Build, type BuildName } from './builds.ts';
import { HostMonitor, type HostTimes, NO_HOST } from './host-monitor.ts';
import * as historical from './images/historical.ts';
import * as shipped from './images/qanat.ts';
import type { GuestArgs, GuestMessage, GuestReport, HostMessage } from './protocol.ts';

export const MACHINE_KINDS = ['threads', 'virtual'] as const;
export type MachineKind = Extract<Cpus, (typeof MACHINE_KINDS)[number]>;

/** One run of one build. */
export interface TrialOptions {
  readonly build: BuildName;
  readonly machine: MachineKind;
  readonly seconds: number;
  readonly txqueuelen: number;
  readonly seed: number;
  /** Which of the runs that differ by the seed alone; the first is 0. */
  readonly run?: number;
  /** Record the flow also where it does not stall. */
  readonly record?: boolean;
}

/** What a run found. */
export interface Trial {
  readonly options: TrialOptions;
  readonly sender: GuestReport;
  readonly receiver: GuestReport;
  /** Events that Dom0 sent to the sender. */
  readonly events: number;
  /** Packets that the bridge dropped because a port's queue was full. */
  readonly queueDrops: number;
  /** Most packets that waited at a port at once. */
  readonly queueHighWater: number;
  /** When the computer did not run us. */
  readonly host: HostTimes;
}

/** What an idle guest costs. */
export interface IdleTrial {
  readonly build: BuildName;
  readonly machine: MachineKind;
  readonly report: GuestReport;
  /** CPU seconds of the whole process per second; on virtual time there is no such thing. */
  readonly cores: number | undefined;
}

/**
 * What things cost on virtual time. A copy by the hypervisor took about 2 us in 2013, with its share of the backend's work:
 * with that the speeds of the time come out, some Gbit/s.
 */
const PASS_NS = 1000;
const HYPERCALL_NS = 2000;

const SERVER_IP = '192.168.8.101';
const CLIENT_IP = '192.168.8.102';
const PORT = 5001;
const MEMORY_MIB = 64;
const MACHINE_MIB = 256;
/** Ten seconds of a guest that stalls; of one that does not, the end of its run. */
const RECORDS = 1 << 17;

/** Runs one build: a sender and a receiver of it for some seconds. @throws Error when a domain throws. */
export async function runTrial(options: TrialOptions): Promise<Trial> {
  const build = BUILDS[options.build];
  const machine = await start(build, options.machine, options.seed);
  const monitor = options.machine === 'threads' ? new HostMonitor(machine.clock) : undefined;
  try {
    const receiver = await domain(machine, 'receiver', options);
    const sender = await domain(machine, 'sender', options);
    const reports: Partial<Record<GuestArgs['role'], GuestReport>> = {};
    const bridge = { events: 0, queueDrops: 0, queueHighWater: 0 };
    let counted: Promise<void> | undefined;
    let ready = 0;
    const count = async (): Promise<void> => {
      const [found] = await machine.bridges();
      for (const { domid, queueDrops, bufferDrops, queueHighWater, notifications } of found?.ports ?? []) {
        if (domid === sender.domid) bridge.events += notifications;
        bridge.queueDrops += queueDrops + bufferDrops;
        bridge.queueHighWater = Math.max(bridge.queueHighWater, queueHighWater);
      }
      say(sender, 'exit');
      say(receiver, 'exit');
    };
    const hear = (message: unknown): void => {
      const said = message as GuestMessage;
      if (said.type === 'ready') {
        if (++ready === 2) say(sender, 'go');
        return;
      }
      reports[said.report.role] = said.report;
      // The ports of the bridge go with their domains: they are asked for their counts before.
      if (said.report.role === 'sender') say(receiver, 'report');
      else counted = count();
    };
    sender.onMessage = hear;
    receiver.onMessage = hear;
    checkExits(await machine.run());
    await counted;
    if (reports.sender === undefined || reports.receiver === undefined) throw new Error('a domain did not report');
    const { sender: sent, receiver: received } = reports;
    return { options, sender: sent, receiver: received, ...bridge, host: monitor?.times() ?? NO_HOST };
  } finally {
    monitor?.stop();
    await machine.close();
  }
}

/** Runs one guest of a build that is up and has nothing to do. */
export async function runIdle(build: BuildName, kind: MachineKind, seconds: number, seed: number): Promise<IdleTrial> {
  const machine = await start(BUILDS[build], kind, seed);
  try {
    const guest = await domain(machine, 'receiver', {
      build,
      machine: kind,
      seconds,
      txqueuelen: 1000,
      seed,
      record: false,
    });
    let report: GuestReport | undefined;
    let before = process.cpuUsage();
    let used = 0;
    guest.onMessage = (message) => {
      const said = message as GuestMessage;
      if (said.type === 'ready') {
        before = process.cpuUsage();
        say(guest, 'idle');
        return;
      }
      const { user, system } = process.cpuUsage(before);
      used = user + system;
      report = said.report;
      say(guest, 'exit');
    };
    checkExits(await machine.run());
    if (report === undefined) throw new Error('the idle domain did not report');
    const cores = kind === 'threads' ? used / (report.endUs - report.startUs) : undefined;
    return { build, machine: kind, report, cores };
  } finally {
    await machine.close();
  }
}

/**
 * @returns the share of a run that a guest's virtual CPU was busy, 0..1: it did not sleep. On virtual time the clock may stand
 * while a domain runs and is charged afterwards; and who waits for his turn, as all share one CPU there, is busy, too.
 */
export function cpuShare(kind: MachineKind, { startUs, endUs, stats }: GuestReport): number {
  const us = endUs - startUs;
  const awakeUs = us - stats.blockedUs;
  const chargedUs = (stats.loops * PASS_NS + stats.hypercalls * HYPERCALL_NS) / 1000;
  return Math.min(1, Math.max(0, kind === 'virtual' ? Math.max(awakeUs, chargedUs) : awakeUs) / us);
}

function start(build: Build, cpus: MachineKind, seed: number): Promise<Machine> {
  // The machine's auditor ends a domain whose sleep is wrong. The guests of 2013 are to live on, and tell.
  const audit = build.image === 'qanat';
  const time = cpus === 'virtual' ? ({ passNs: PASS_NS, hypercallNs: HYPERCALL_NS, turns: 'random' } as const) : {};
  return createMachine({ cpus, memoryMiB: MACHINE_MIB, seed, audit, ...time });
}

function domain(machine: Machine, role: GuestArgs['role'], options: TrialOptions): Promise<DomainHandle> {
  const { build, seconds, txqueuelen, record = build === '2013' } = options;
  const { image, masked, tcp } = BUILDS[build];
  const args: GuestArgs = {
    role,
    masked,
    serverIp: SERVER_IP,
    port: PORT,
    durationUs: Math.round(seconds * 1e6),
    tcp,
    records: record ? RECORDS : 0,
    // What needs no hypercall costs nothing on virtual time.
    persistentGrants: options.machine !== 'virtual',
  };
  const ip = `${role === 'receiver' ? SERVER_IP : CLIENT_IP}/24`;
  return machine.create({
    name: role,
    image: imageOf(image, options.machine),
    args,
    memoryMiB: MEMORY_MIB,
    vifs: [{ ip, txqueuelen }],
  });
}

/** Threads load their images themselves. */
function imageOf(name: Build['image'], kind: MachineKind): URL | Image {
  if (kind === 'virtual') return name === 'qanat' ? shipped : historical;
  return new URL(`./images/${name}.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);
}

function say(guest: DomainHandle, type: HostMessage['type']): void {
  guest.post({ type } satisfies HostMessage);
}

function checkExits(exits: readonly DomainExit[]): void {
  for (const { name, code, error } of exits) {
    if (error !== undefined) throw new Error(`domain ${name} threw: ${error.stack}`);
    if (code !== 0) throw new Error(`domain ${name} ended with code ${code}`);
  }
}
