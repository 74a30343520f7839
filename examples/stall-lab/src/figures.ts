import type { BuildName } from './builds.ts';
import { notRun, threadWaitUs } from './host-monitor.ts';
import { type Pause, STALL_US } from './protocol.ts';
import { findStalls, overlapUs, STALL_KINDS, type Stall, type StallKind, union } from './stalls.ts';
import { cpuShare, type IdleTrial, type MachineKind, type Trial } from './trial.ts';

/** What the table says of one run. */
export interface Figures {
  readonly build: BuildName;
  readonly machine: MachineKind;
  readonly txqueuelen: number;
  readonly seed: number;
  /** Which of the runs that differ by the seed alone; the first is 0. */
  readonly run: number;
  readonly seconds: number;
  readonly bitsPerSecond: number;
  readonly stalls: readonly Stall[];
  readonly longestMs: number;
  /** Pauses of over 100 ms that are no stalls, because the computer did not run the domains. */
  readonly excused: number;
  /** How many of the stalls have which cause. */
  readonly stallsBy: Readonly<Record<StallKind, number>>;
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
  /** Seconds in which the computer did not run us at all. */
  readonly hostAbsentS: number;
  /** What other programs took of all the computer's CPUs, 0..1. */
  readonly othersCpu: number;
}

export function figuresOf(trial: Trial, idle: IdleTrial | undefined): Figures {
  const { options, sender, receiver, queueDrops, queueHighWater, events, host } = trial;
  const isReal = options.machine === 'threads';
  const gaps = isReal ? union([...host.gaps, ...notRun(sender.samples), ...notRun(receiver.samples)]) : [];
  const absentUs = (pause: Pause): number =>
    Math.max(
      threadWaitUs(host, pause),
      gaps.reduce((sum, gap) => sum + overlapUs(gap, pause), 0),
    );
  // What the receiver saw after the sender's time was over is the end, not a pause.
  const pauses = receiver.pauses.map(({ fromUs, toUs }) => ({ fromUs, toUs: Math.min(toUs, sender.endUs) }));
  const stalls = findStalls({
    pauses,
    lost: [...sender.lost, ...receiver.lost],
    absentUs,
    queueDrops,
    retransmissionUs: sender.timersRan.retransmissionUs,
    delayedAckUs: receiver.timersRan.delayedAckUs,
    endUs: sender.endUs,
    unacked: sender.unacked,
  });
  const us = receiver.endUs - receiver.startUs;
  const { sleeps, loops, hypercalls } = sender.stats;
  return {
    build: options.build,
    machine: options.machine,
    txqueuelen: options.txqueuelen,
    seed: options.seed,
    run: options.run ?? 0,
    seconds: us / 1e6,
    bitsPerSecond: (receiver.bytes * 8e6) / us,
    stalls,
    excused: pauses.filter(({ fromUs, toUs }) => toUs - fromUs > STALL_US).length - stalls.length,
    longestMs: stalls.reduce((most, { fromUs, toUs }) => Math.max(most, toUs - fromUs), 0) / 1000,
    stallsBy: countByKind(stalls),
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
    hostAbsentS: gaps.reduce((sum, { fromUs, toUs }) => sum + toUs - fromUs, 0) / 1e6,
    othersCpu: host.othersCpu,
  };
}

function countByKind(stalls: readonly Stall[]): Record<StallKind, number> {
  const count = (kind: StallKind): number => stalls.filter((stall) => stall.kind === kind).length;
  return Object.fromEntries(STALL_KINDS.map((kind) => [kind, count(kind)])) as Record<StallKind, number>;
}
