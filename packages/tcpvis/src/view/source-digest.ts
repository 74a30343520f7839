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
import { addMark, BUCKET_ROWS, type MarkTable } from './flow-digest.ts';
import { GrowTable } from './grow-table.ts';
import { StateTrack } from './state-track.ts';

/** What is followed over time: lowest and highest of each, in this order, after first and last time. */
export const MACHINE_VALUES = ['txRing', 'rxRing', 'queue'] as const;
export type MachineValue = (typeof MACHINE_VALUES)[number];

/** States of a domain. */
export const SLEEP_STATES: readonly string[] = ['asleep', 'woken by an event', 'woken by time', 'awake'];
export const ASLEEP = 0;
export const AWAKE_EVENT = 1;
export const AWAKE_TIME = 2;
export const AWAKE = 3;

export class SourceDigest {
  readonly values = new GrowTable(2 + 2 * MACHINE_VALUES.length);
  readonly sleep = new StateTrack();
  /** Bridge drops and sleep faults. */
  readonly marks: MarkTable = { table: new GrowTable(4), left: 0 };
  drops = 0;
  faults = 0;
  untilUs = Number.NEGATIVE_INFINITY;
  /** What there is to draw. */
  readonly has = { ring: false, queue: false, sleep: false };

  add(table: MachineTable): void {
    for (let from = 0; from < table.rows; from += BUCKET_ROWS) {
      this.#fold(table, from, Math.min(from + BUCKET_ROWS, table.rows));
    }
    if (table.rows > 0) this.untilUs = Math.max(this.untilUs, table.timeUs[table.rows - 1]!);
  }

  #fold(table: MachineTable, from: number, to: number): void {
    const { values, has } = this;
    const bucket = values.add();
    values.column(0)[bucket] = table.timeUs[from]!;
    values.column(1)[bucket] = table.timeUs[to - 1]!;
    for (let row = from; row < to; row++) {
      const index = machineValue(table, row);
      if (index >= 0) {
        const value = table.b[row]!;
        const lowest = values.column(2 + 2 * index);
        const highest = values.column(3 + 2 * index);
        if (!(lowest[bucket]! <= value)) lowest[bucket] = value;
        if (!(highest[bucket]! >= value)) highest[bucket] = value;
        if (index === 2) has.queue = true;
        else has.ring = true;
        continue;
      }
      const kind = table.kind[row]!;
      const timeUs = table.timeUs[row]!;
      if (kind === MACHINE_SLEEP) {
        has.sleep = true;
        if (this.sleep.changes === 0) this.sleep.set(timeUs - 1e-3, AWAKE);
        this.sleep.set(timeUs, ASLEEP);
      } else if (kind === MACHINE_WAKE) {
        has.sleep = true;
        const byTime = table.a[row]! < 0 || table.b[row] === PORT_VIRQ;
        this.sleep.set(timeUs, byTime ? AWAKE_TIME : AWAKE_EVENT);
      } else if (kind === MACHINE_DROP) {
        this.drops++;
        has.queue = true;
        addMark(this.marks, timeUs, kind, table.a[row]!, table.b[row]!);
      } else if (kind === MACHINE_SLEEP_FAULT) {
        this.faults++;
        addMark(this.marks, timeUs, kind, table.a[row]!, table.b[row]!);
      }
    }
  }
}

/** @returns the index into MACHINE_VALUES that a row gives a value (`b`) for, or -1. */
export function machineValue(table: MachineTable, row: number): number {
  const kind = table.kind[row]!;
  if (kind === MACHINE_RING_PUSH || kind === MACHINE_RING_REAP) return table.a[row] === 0 ? 0 : 1;
  return kind === MACHINE_QUEUE ? 2 : -1;
}
