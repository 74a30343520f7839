/** What stays in memory of the rows of a machine: extremes of every 128 rows, when it slept, what was dropped. */
import {
  MACHINE_DROP,
  MACHINE_QUEUE,
  MACHINE_RING_PUSH,
  MACHINE_RING_REAP,
  MACHINE_SLEEP,
  MACHINE_SLEEP_FAULT,
  MACHINE_WAKE,
  type MachineTable,
  PORT_VIRQ,
} from '@qanat/flowlog';
import { addMark, type MarkTable } from './flow-digest.ts';
import { GrowTable } from './grow-table.ts';
import { QueueDigest } from './queue-digest.ts';
import { BUCKET_ROWS } from './segment-buckets.ts';
import { StateTrack } from './state-track.ts';

/** What is followed over time: lowest and highest of each, in this order, after first and last time. */
export const MACHINE_VALUES = ['txRing', 'rxRing'] as const;
export type MachineValue = (typeof MACHINE_VALUES)[number];

/** States of a domain. */
export const SLEEP_STATES: readonly string[] = ['asleep', 'woken by an event', 'woken by time', 'awake'];
export const ASLEEP = 0;
export const AWAKE_EVENT = 1;
export const AWAKE_TIME = 2;
export const AWAKE = 3;

export class SourceDigest {
  readonly values = new GrowTable(2 + 2 * MACHINE_VALUES.length);
  /** Of the bridge. */
  readonly queues = new QueueDigest();
  readonly sleep = new StateTrack();
  /** Bridge drops and sleep faults. */
  readonly marks: MarkTable = { table: new GrowTable(4), left: 0 };
  drops = 0;
  faults = 0;
  untilUs = Number.NEGATIVE_INFINITY;
  /** What there is to draw. */
  readonly has = { ring: false, queue: false, sleep: false };
  /** Of the bucket that is being made: lowest and highest of each value. */
  readonly #ranges = new Float64Array(2 * MACHINE_VALUES.length);

  add(table: MachineTable): void {
    for (let from = 0; from < table.rows; from += BUCKET_ROWS) {
      this.#fold(table, from, Math.min(from + BUCKET_ROWS, table.rows));
    }
    if (table.rows > 0) this.untilUs = Math.max(this.untilUs, table.timeUs[table.rows - 1]!);
  }

  #fold(table: MachineTable, from: number, to: number): void {
    const { values, has } = this;
    const { kind: kinds, a: as, b: bs } = table;
    const ranges = this.#ranges;
    for (let index = 0; index < ranges.length; index += 2) {
      ranges[index] = Number.POSITIVE_INFINITY;
      ranges[index + 1] = Number.NEGATIVE_INFINITY;
    }
    for (let row = from; row < to; row++) {
      const index = machineValue(kinds[row]!, as[row]!);
      if (index < 0) {
        this.#note(table, row);
        continue;
      }
      const value = bs[row]!;
      if (value < ranges[2 * index]!) ranges[2 * index] = value;
      if (value > ranges[2 * index + 1]!) ranges[2 * index + 1] = value;
    }
    const bucket = values.add();
    values.column(0)[bucket] = table.timeUs[from]!;
    values.column(1)[bucket] = table.timeUs[to - 1]!;
    for (let index = 0; index < MACHINE_VALUES.length; index++) {
      if (ranges[2 * index]! > ranges[2 * index + 1]!) continue;
      values.column(2 + 2 * index)[bucket] = ranges[2 * index]!;
      values.column(3 + 2 * index)[bucket] = ranges[2 * index + 1]!;
      has.ring = true;
    }
  }

  /** Takes a row that is no value. */
  #note({ kind: kinds, timeUs: times, a, b }: MachineTable, row: number): void {
    const kind = kinds[row]!;
    const timeUs = times[row]!;
    if (kind === MACHINE_QUEUE) {
      this.has.queue = true;
      this.queues.add(a[row]!, this.values.rows, timeUs, b[row]!);
    } else if (kind === MACHINE_SLEEP) {
      this.has.sleep = true;
      if (this.sleep.changes === 0) this.sleep.set(timeUs - 1e-3, AWAKE);
      this.sleep.set(timeUs, ASLEEP);
    } else if (kind === MACHINE_WAKE) {
      this.has.sleep = true;
      const byTime = a[row]! < 0 || b[row] === PORT_VIRQ;
      this.sleep.set(timeUs, byTime ? AWAKE_TIME : AWAKE_EVENT);
    } else if (kind === MACHINE_DROP) {
      this.drops++;
      this.has.queue = true;
      addMark(this.marks, timeUs, kind, a[row]!, b[row]!);
    } else if (kind === MACHINE_SLEEP_FAULT) {
      this.faults++;
      addMark(this.marks, timeUs, kind, a[row]!, b[row]!);
    }
  }
}

/** @returns the index into MACHINE_VALUES that a row of this `kind` and `a` gives a value (`b`) for, or -1. */
export function machineValue(kind: number, a: number): number {
  return kind !== MACHINE_RING_PUSH && kind !== MACHINE_RING_REAP ? -1 : a === 0 ? 0 : 1;
}
