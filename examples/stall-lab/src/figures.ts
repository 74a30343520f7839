import type { BuildName } from './builds.ts';
import { notRun } from './host-monitor.ts';
import { findStalls, type Stall, union } from './stalls.ts';
import { cpuShare, type IdleTrial, type MachineKind, type Trial } from './trial.ts';

/** What the table says of one run. */
export interface Figures {
  readonly build: BuildName;
  readonly machine: MachineKind;
  readonly txqueuelen: number;
  readonly seconds: number;
  readonly bitsPerSecond: number;
  readonly stalls: readonly Stall[];
  readonly longestMs: number;
  /** Of the stalls, those where the auditor saw a domain sleep with work left. */
  readonly lostWakeups: number;
  readonly sleeps: number;
  readonly loops: number;
  readonly hypercalls: number;
  readonly events: number;
  readonly hypercallsPerEvent: number;
  /** Shares of one CPU, 0..1. */
  readonly senderCpu: number;
  readonly receiverCpu: number;
  readonly idleCpu: number | undefined;
  readonly idleCores: number | undefined;
  readonly queueDrops: number;
  readonly queueHighWater: number;
  readonly retransmits: number;
  readonly timeouts: number;
  readonly ringFull: number;
  /** Seconds in which the computer did not run us. */
  readonly hostAbsentS: number;
}

export function figuresOf(trial: Trial, idle: IdleTrial | undefined): Figures {
  const { options, sender, receiver, queueDrops, queueHighWater, events } = trial;
  const isReal = options.machine === 'threads';
  const absent = isReal ? [...trial.hostGaps, ...notRun(sender.samples), ...notRun(receiver.samples)] : [];
  const hostGaps = union(absent);
  const stalls = findStalls({
    pauses: receiver.pauses,
    lost: [...sender.lost, ...receiver.lost],
    hostGaps,
    queueDrops,
    timeouts: sender.timeouts,
  });
  const us = receiver.endUs - receiver.startUs;
  const { sleeps, loops, hypercalls } = sender.stats;
  return {
    build: options.build,
    machine: options.machine,
    txqueuelen: options.txqueuelen,
    seconds: us / 1e6,
    bitsPerSecond: (receiver.bytes * 8e6) / us,
    stalls,
    longestMs: stalls.reduce((most, { fromUs, toUs }) => Math.max(most, toUs - fromUs), 0) / 1000,
    lostWakeups: stalls.filter(({ lost }) => lost !== undefined).length,
    sleeps,
    loops,
    hypercalls,
    events,
    hypercallsPerEvent: hypercalls / Math.max(1, events),
    senderCpu: cpuShare(options.machine, sender),
    receiverCpu: cpuShare(options.machine, receiver),
    idleCpu: idle === undefined ? undefined : cpuShare(idle.machine, idle.report),
    idleCores: idle?.cores,
    queueDrops,
    queueHighWater,
    retransmits: sender.retransmits,
    timeouts: sender.timeouts,
    ringFull: sender.ringFull,
    hostAbsentS: hostGaps.reduce((sum, { fromUs, toUs }) => sum + toUs - fromUs, 0) / 1e6,
  };
}
