/** What the panels of a machine show between two times. */
import { MACHINE_QUEUE } from '@qanat/flowlog';
import { vifName } from './describe.ts';
import { bucketAt, MARK_KIND, MARK_US } from './flow-digest.ts';
import { lowerBound, upperBound } from './grow-table.ts';
import type { Layer, SeriesId } from './panel-data.ts';
import { LinePoints, type Range } from './points.ts';
import { RAW_ROWS } from './query-flow.ts';
import { QUEUE_FIRST_US, QUEUE_HI, QUEUE_LO } from './queue-digest.ts';
import { MACHINE_VALUES, type MachineValue, machineValue, SLEEP_STATES, type SourceDigest } from './source-digest.ts';
import type { SourceStore } from './store.ts';

export class SourceQuery {
  readonly store: SourceStore;
  readonly digest: SourceDigest;

  constructor(store: SourceStore, digest: SourceDigest) {
    this.store = store;
    this.digest = digest;
  }

  /** One of the values over time. */
  async line(range: Range, value: MachineValue, series: SeriesId, flow: number): Promise<Layer> {
    const { t0, t1 } = range;
    const { machine } = this.store;
    const index = MACHINE_VALUES.indexOf(value);
    const points = new LinePoints(range);
    const raw = machine.estimateRows(t0, t1) <= RAW_ROWS;
    if (raw) {
      const first = machine.firstWithRowBefore(t0);
      const end = Math.min(machine.chunks.length, machine.countStartingUntil(t1) + 1);
      const tables = await Promise.all(machine.chunks.slice(first, end).map((chunk) => chunk.load()));
      for (const table of tables) {
        let carried = -1;
        for (let row = 0; row < table.rows; row++) {
          if (machineValue(table.kind[row]!, table.a[row]!) !== index) continue;
          const t = table.timeUs[row]!;
          if (t < t0) {
            carried = row;
            continue;
          }
          if (carried >= 0) points.add(table.timeUs[carried]!, table.b[carried]!, table.b[carried]!);
          carried = -1;
          points.add(t, table.b[row]!, table.b[row]!);
          if (t > t1) break;
        }
      }
    } else {
      const { values } = this.digest;
      const times = values.column(0);
      for (let bucket = Math.max(0, bucketAt(values, t0)); bucket < values.rows && times[bucket]! <= t1; bucket++) {
        points.add(times[bucket]!, values.column(2 + 2 * index)[bucket]!, values.column(3 + 2 * index)[bucket]!);
      }
    }
    return { type: 'line', series, flow, style: 'step', line: points.line(raw) };
  }

  /** Packets that wait in the bridge: a line for each port. */
  async queues(range: Range, flow: number): Promise<Layer[]> {
    const { t0, t1 } = range;
    const { machine } = this.store;
    const { queues } = this.digest;
    const { vifs } = queues;
    const lines = new Map(vifs.map((vif) => [vif, new LinePoints(range)]));
    const raw = machine.estimateRows(t0, t1) <= RAW_ROWS;
    if (raw) {
      // What each was when the view begins.
      const carried = new Map(vifs.map((vif) => [vif, queues.of(vif)!.before(t0)]));
      const first = machine.firstWithRowBefore(t0);
      const end = Math.min(machine.chunks.length, machine.countStartingUntil(t1) + 1);
      const tables = await Promise.all(machine.chunks.slice(first, end).map((chunk) => chunk.load()));
      for (const { rows, timeUs, kind, a, b } of tables) {
        const to = lowerBound(timeUs, t0, 0, rows);
        for (let row = 0; row < to; row++) {
          const vif = a[row]!;
          if (kind[row] === MACHINE_QUEUE && carried.has(vif)) carried.set(vif, { t: timeUs[row]!, value: b[row]! });
        }
      }
      for (const [vif, before] of carried) {
        if (before !== undefined) lines.get(vif)!.add(before.t, before.value, before.value);
      }
      for (const { rows, timeUs, kind, a, b } of tables) {
        const to = upperBound(timeUs, t1, 0, rows);
        for (let row = lowerBound(timeUs, t0, 0, rows); row < to; row++) {
          if (kind[row] === MACHINE_QUEUE) lines.get(a[row]!)?.add(timeUs[row]!, b[row]!, b[row]!);
        }
      }
    } else {
      for (const [vif, points] of lines) {
        const { table } = queues.of(vif)!;
        const times = table.column(QUEUE_FIRST_US);
        for (let row = Math.max(0, bucketAt(table, t0)); row < table.rows && times[row]! <= t1; row++) {
          points.add(times[row]!, table.column(QUEUE_LO)[row]!, table.column(QUEUE_HI)[row]!);
        }
      }
    }
    return vifs.map((vif, place) => {
      const part = { name: vifName(vif), place };
      return { type: 'line', series: 'queue', flow, style: 'step', line: lines.get(vif)!.line(raw), part };
    });
  }

  sleep({ t0, t1, columns }: Range, flow: number): Layer[] {
    const states = SLEEP_STATES.length;
    if (this.digest.sleep.changes === 0) return [];
    const shares = this.digest.sleep.shares(t0, t1, columns, states, this.digest.untilUs);
    return [
      { type: 'shares', palette: 'sleep', flow, states, columns, shares, background: false },
      ...this.marks({ t0, t1, columns }, flow),
    ];
  }

  /** Drops of the bridge and sleeps that were wrong. */
  marks({ t0, t1 }: Range, flow: number): Layer[] {
    const { table } = this.digest.marks;
    const times = table.column(MARK_US);
    const from = lowerBound(times, t0, 0, table.rows);
    const to = upperBound(times, t1, from, table.rows);
    if (to <= from) return [];
    // Kinds of machine events follow those of flows.
    const kind = Uint8Array.from(table.column(MARK_KIND).subarray(from, to), (value) => value + MACHINE_MARK);
    return [{ type: 'marks', flow, t: times.slice(from, to), kind }];
  }
}

/** Added to the kind of a mark that comes from a machine. */
export const MACHINE_MARK = 64;
