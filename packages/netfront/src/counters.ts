import type { RxCounters } from './rx-queue.ts';
import type { TxCounters } from './tx-queue.ts';

/** What a queue of a vif counts, over all its connections; or all queues of it. */
export interface NetfrontCounters {
  readonly tx: TxCounters;
  readonly rx: RxCounters;
  /** Passes over the rings. */
  polls: number;
}

/** Bytes pass 2^31: a counter that first held a fraction stays a double, and need not change its kind on the way. */
const FRACTION = 0.5;

export function newCounters(): NetfrontCounters {
  const tx: TxCounters = {
    packets: 0,
    bytes: FRACTION,
    slots: 0,
    errors: 0,
    referring: 0,
    dropped: 0,
    gsoPackets: 0,
    blankChecksums: 0,
    ringFull: 0,
    notifications: 0,
  };
  const rx: RxCounters = {
    packets: 0,
    bytes: FRACTION,
    slots: 0,
    errors: 0,
    dropped: 0,
    gsoPackets: 0,
    blankChecksums: 0,
    groJoined: 0,
    notifications: 0,
  };
  tx.bytes = 0;
  rx.bytes = 0;
  return { tx, rx, polls: 0 };
}

/** @returns what several queues have counted together. */
export function sumCounters(parts: readonly NetfrontCounters[]): NetfrontCounters {
  const sum = newCounters();
  for (const { tx, rx, polls } of parts) {
    sum.polls += polls;
    for (const key of Object.keys(sum.tx) as (keyof TxCounters)[]) sum.tx[key] += tx[key];
    for (const key of Object.keys(sum.rx) as (keyof RxCounters)[]) sum.rx[key] += rx[key];
  }
  return sum;
}
