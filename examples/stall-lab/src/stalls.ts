import type { LostWakeup, Pause } from './protocol.ts';
import { STALL_US } from './protocol.ts';

/** A pause of over 100 ms in what arrives, with what is known of it. */
export interface Stall extends Pause {
  /** The sleep that the auditor objected to, which is the cause. */
  readonly lost: LostWakeup | undefined;
  /** One sentence. */
  readonly cause: string;
}

/** What the stalls of a run are explained from. */
export interface StallEvidence {
  readonly pauses: readonly Pause[];
  readonly lost: readonly LostWakeup[];
  /** When the computer did not run us. */
  readonly hostGaps: readonly Pause[];
  readonly queueDrops: number;
  readonly timeouts: number;
}

const overlapUs = (a: Pause, b: Pause): number => Math.max(0, Math.min(a.toUs, b.toUs) - Math.max(a.fromUs, b.fromUs));

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
export function findStalls({ pauses, lost, hostGaps, queueDrops, timeouts }: StallEvidence): Stall[] {
  const stalls: Stall[] = [];
  for (const pause of pauses) {
    const { fromUs, toUs } = pause;
    const absentUs = union(hostGaps).reduce((sum, gap) => sum + overlapUs(gap, pause), 0);
    if (toUs - fromUs - absentUs <= STALL_US) continue;
    let cause = 'not known: no sleep was wrong, no timer ran out; a busy computer looks like this';
    let asleep: LostWakeup | undefined;
    let mostUs = 0;
    for (const wakeup of lost) {
      const us = overlapUs({ fromUs: wakeup.atUs, toUs: wakeup.wokeUs }, pause);
      if (us > mostUs) {
        mostUs = us;
        asleep = wakeup;
      }
    }
    // The sleep must fill the pause, or it is only a neighbour of the cause.
    if (asleep !== undefined && mostUs > (toUs - fromUs) / 2) {
      cause = `lost wake-up: the ${asleep.domain} slept with work left`;
    } else {
      asleep = undefined;
      if (timeouts > 0) {
        const lost = `the bridge dropped ${queueDrops} packets in this run`;
        cause = `loss: ${lost}, and the sender's retransmission timer ran out ${timeouts} times`;
      }
    }
    stalls.push({ fromUs, toUs, lost: asleep, cause });
  }
  return stalls;
}

/** @returns what the auditor saw, line by line: what is left, which port, which ring has what, who woke the domain. */
export function explain({ fromUs, toUs, lost, cause }: Stall, startUs: number): string[] {
  const at = (us: number): string => `${((us - startUs) / 1e6).toFixed(4)} s`;
  const lines = [`${at(fromUs)} to ${at(toUs)}, ${((toUs - fromUs) / 1000).toFixed(1)} ms: ${cause}`];
  if (lost === undefined) return lines;
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
  return lines;
}
