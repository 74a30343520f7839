import type { LostWakeup, Pause } from './protocol.ts';
import { STALL_US } from './protocol.ts';

/**
 * What a stall is put down to: a sleep that the auditor objected to; packets that the bridge dropped, until the sender's
 * retransmission timer ran out; a receiver that kept an acknowledgment back until its timer ran out.
 */
export const STALL_KINDS = ['lost wake-up', 'loss', 'delayed ACK', 'unknown'] as const;
export type StallKind = (typeof STALL_KINDS)[number];

/** A pause of over 100 ms in what arrives, with what is known of it. */
export interface Stall extends Pause {
  readonly kind: StallKind;
  /** The sleep that the auditor objected to, where that is the cause. */
  readonly lost: LostWakeup | undefined;
  /** One sentence. */
  readonly cause: string;
  /** For how much of it the computer did not run a domain that was ready, in microseconds. */
  readonly hostUs: number;
}

/** What the stalls of a run are explained from. */
export interface StallEvidence {
  readonly pauses: readonly Pause[];
  readonly lost: readonly LostWakeup[];
  /** For how much of a pause the computer did not run us, in microseconds. */
  readonly absentUs: (pause: Pause) => number;
  readonly queueDrops: number;
  /** When the sender's retransmission timer ran out. */
  readonly retransmissionUs: readonly number[];
  /** When the receiver's timer for acknowledgments did. */
  readonly delayedAckUs: readonly number[];
  /** The end of the run, and the segments that were sent and not acknowledged then. */
  readonly endUs: number;
  readonly unacked: number;
}

/** @returns the length of what two stretches of time have in common. */
export function overlapUs(a: Pause, b: Pause): number {
  return Math.max(0, Math.min(a.toUs, b.toUs) - Math.max(a.fromUs, b.fromUs));
}

/** @returns the stretches of time that are in any of these, without overlaps. */
export function union(pauses: readonly Pause[]): Pause[] {
  const merged: Pause[] = [];
  for (const { fromUs, toUs } of [...pauses].sort((a, b) => a.fromUs - b.fromUs)) {
    const last = merged.at(-1);
    if (last !== undefined && fromUs <= last.toUs) {
      merged[merged.length - 1] = { fromUs: last.fromUs, toUs: Math.max(last.toUs, toUs) };
    } else {
      merged.push({ fromUs, toUs });
    }
  }
  return merged;
}

/**
 * Finds the stalls among the pauses. Time in which the computer did not run us does not count: what is left of a pause
 * must be over 100 ms.
 */
export function findStalls(evidence: StallEvidence): Stall[] {
  const stalls: Stall[] = [];
  for (const pause of evidence.pauses) {
    const { fromUs, toUs } = pause;
    if (toUs - fromUs <= STALL_US) continue;
    const hostUs = evidence.absentUs(pause);
    if (toUs - fromUs - hostUs > STALL_US) stalls.push({ fromUs, toUs, hostUs, ...causeOf(pause, evidence) });
  }
  return stalls;
}

function causeOf(pause: Pause, evidence: StallEvidence): Pick<Stall, 'kind' | 'lost' | 'cause'> {
  const { queueDrops, endUs, unacked } = evidence;
  const lost = longestSleep(pause, evidence.lost);
  if (lost !== undefined) {
    return { kind: 'lost wake-up', lost, cause: `lost wake-up: the ${lost.domain} slept with work left` };
  }
  const timeouts = during(pause, evidence.retransmissionUs);
  const dropped = `loss: the bridge dropped packets (${queueDrops} in this run)`;
  if (timeouts > 0) {
    const ranOut = `the sender's retransmission timer ran out${timeouts > 1 ? ` ${timeouts} times` : ''}`;
    if (queueDrops === 0) return { kind: 'unknown', lost, cause: `${ranOut}, and nothing was dropped` };
    return { kind: 'loss', lost, cause: `${dropped}, and nothing came until ${ranOut}` };
  }
  if (queueDrops > 0 && unacked > 0 && pause.toUs >= endUs) {
    const waits = `${unacked} segments wait for an answer`;
    return { kind: 'loss', lost, cause: `${dropped}, ${waits}, and the run ended before the sender's timer did` };
  }
  if (during(pause, evidence.delayedAckUs) > 0) {
    const cause = 'delayed ACK: the sender had its window out, and the receiver kept the acknowledgment back';
    return { kind: 'delayed ACK', lost, cause };
  }
  return { kind: 'unknown', lost, cause: 'not known: no sleep was wrong, no timer ran out' };
}

/** @returns the sleep that fills a pause, if one does: else it is only a neighbour of the cause. */
function longestSleep(pause: Pause, lost: readonly LostWakeup[]): LostWakeup | undefined {
  const asleepUs = ({ atUs, wokeUs }: LostWakeup): number => overlapUs({ fromUs: atUs, toUs: wokeUs }, pause);
  return lost.find((wakeup) => asleepUs(wakeup) > (pause.toUs - pause.fromUs) / 2);
}

/** A timer is noted at the end of a pass, when what it had sent may have arrived; it took a second, or a tenth, to run out. */
const NOTED_LATE_US = 20_000;

/** @returns how many of these times belong to a pause. */
function during({ fromUs, toUs }: Pause, timesUs: readonly number[]): number {
  return timesUs.filter((us) => us > fromUs && us <= toUs + NOTED_LATE_US).length;
}

/** What the computer took is told from here on, in microseconds. */
const TOLD_US = 1000;

/** @returns what the auditor saw, line by line: what is left, which port, which ring has what, who woke the domain. */
export function explain({ fromUs, toUs, lost, cause, hostUs }: Stall, startUs: number): string[] {
  const at = (us: number): string => `${((us - startUs) / 1e6).toFixed(4)} s`;
  const lines = [`${at(fromUs)} to ${at(toUs)}, ${((toUs - fromUs) / 1000).toFixed(1)} ms: ${cause}`];
  const host = `computer: for ${(hostUs / 1000).toFixed(1)} ms of it a thread of the machine was ready and was not run`;
  const rest = hostUs >= TOLD_US ? [host] : [];
  if (lost === undefined) return [...lines, ...rest];
  const { state, faults, events, wokeBy } = lost;
  const until = wokeBy === 0 ? 'a timer woke it' : `an event on port ${wokeBy} woke it`;
  lines.push(`the ${lost.domain} went to sleep at ${at(lost.atUs)}; at ${at(lost.wokeUs)} ${until}`);
  for (const fault of faults) lines.push(`auditor: ${fault}`);
  const bit = (is: boolean): string => (is ? 'set' : 'clear');
  lines.push(`port ${state.port}: pending ${bit(state.pending)}, mask ${bit(state.masked)} (${events})`);
  for (const name of ['tx', 'rx'] as const) {
    const { reqProd, reqEvent, rspProd, rspEvent, rspCons, free, outstanding, unread } = state[name];
    const left = name === 'tx' ? `${free} slots free, ${outstanding} under way` : `${outstanding} pages posted`;
    lines.push(
      `${name} ring: req_prod ${reqProd}, req_event ${reqEvent}, rsp_prod ${rspProd}, rsp_event ${rspEvent}, ` +
        `rsp_cons ${rspCons}: ${left}, ${unread} answers unread`,
    );
  }
  const { holder } = state;
  if (holder !== undefined) {
    const what = { event: 'an event', slot: 'a slot', answer: "the backend's answer" }[holder.waitsFor];
    lines.push(
      `waiting: a writer of ${holder.slots} slot${holder.slots > 1 ? 's' : ''}, for ${what}, since ${at(holder.sinceUs)}; ` +
        `${state.queued} packets behind it for the lock of the ring`,
    );
  }
  return [...lines, ...rest];
}
