/** What stays in memory of the rows of a machine: extremes of every 128 rows, when it slept, what was dropped. */
import {
  MACHINE_DROP,
  MACHINE_QUEUE,
  MACHINE_RING_PUSH,
  MACHINE_RING_REAP,
  MACHINE_RX_REAP,
  MACHINE_SLEEP,
  MACHINE_SLEEP_FAULT,
  MACHINE_WAKE,
  type MachineTable,
  PORT_VIRQ,
  RING_RX,
  RING_TX,
} from '@qanat/flowlog';
import { addMark, type MarkTable } from './flow-digest.ts';
import { GrowTable } from './grow-table.ts';
import { BUCKET_ROWS } from './segment-buckets.ts';
import { StateTrack } from './state-track.ts';
import { TrackDigest } from './track-digest.ts';

/** States of a domain. */
export const SLEEP_STATES: readonly string[] = ['asleep', 'woken by an event', 'woken by time', 'awake'];
export const ASLEEP = 0;
export const AWAKE_EVENT = 1;
export const AWAKE_TIME = 2;
export const AWAKE = 3;

export class SourceDigest {
  /** Of a domain's own devices. */
  readonly rings = new TrackDigest();
  /** Of the bridge. */
  readonly queues = new TrackDigest();
  readonly sleep = new StateTrack();
  /** Bridge drops and sleep faults. */
  readonly marks: MarkTable = { table: new GrowTable(4), left: 0 };
  drops = 0;
  faults = 0;
  untilUs = Number.NEGATIVE_INFINITY;
  /** What there is to draw. */
  readonly has = { ring: false, queue: false, sleep: false };
  #bucket = 0;

  add(table: MachineTable): void {
    const { rows, kind: kinds, timeUs: times, a: as, b: bs, c: cs } = table;
    for (let row = 0; row < rows; row++) {
      // The rows of a bucket are of one table.
      if (row % BUCKET_ROWS === 0) this.#bucket++;
      const ring = ringKey(kinds[row]!, as[row]!, cs[row]!);
      if (ring < 0) this.#note(table, row);
      else this.rings.add(ring, this.#bucket, times[row]!, bs[row]!);
    }
    this.has.ring = this.rings.keys.length > 0;
    if (rows > 0) this.untilUs = Math.max(this.untilUs, times[rows - 1]!);
  }

  /** Takes a row that is not of a ring. */
  #note({ kind: kinds, timeUs: times, a, b }: MachineTable, row: number): void {
    const kind = kinds[row]!;
    const timeUs = times[row]!;
    if (kind === MACHINE_QUEUE) {
      this.has.queue = true;
      this.queues.add(queueKey(kind, a[row]!), this.#bucket, timeUs, b[row]!);
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

/**
 * What `b` of a row is of: a ring of a domain's own device, of which TX rows have the requests in use, RX rows the pages that are posted and
 * not filled yet. The answers of a backend, whose `c` has a domain, and the slots that RX reaps had once are no occupancy.
 * @returns the key of its track, or -1.
 */
export function ringKey(kind: number, a: number, c: number): number {
  if (c >>> 16 !== 0) return -1;
  if (kind === MACHINE_RING_PUSH) return 2 * c + (a === RING_TX ? RING_TX : RING_RX);
  if (kind === MACHINE_RING_REAP) return a === RING_TX ? 2 * c + RING_TX : -1;
  return kind === MACHINE_RX_REAP ? 2 * c + RING_RX : -1;
}

/** @returns the key of the track that `b` of a row belongs to: the vif that packets wait for; or -1. */
export function queueKey(kind: number, a: number): number {
  return kind === MACHINE_QUEUE ? a : -1;
}
