/** What the panels of a machine show between two times. */
import { bucketAt, MARK_KIND, MARK_US } from './flow-digest.ts';
import { lowerBound, upperBound } from './grow-table.ts';
import type { Layer, SeriesId } from './panel-data.ts';
import { LinePoints, type Range } from './points.ts';
import { RAW_ROWS } from './query-flow.ts';
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
