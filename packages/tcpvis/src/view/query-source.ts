/** What the panels of a machine show between two times. */
import { RING_TX } from '@qanat/flowlog';
import { vifName } from './describe.ts';
import { bucketAt, MARK_KIND, MARK_US } from './flow-digest.ts';
import { lowerBound, upperBound } from './grow-table.ts';
import type { Layer } from './panel-data.ts';
import { LinePoints, type Range } from './points.ts';
import { RAW_ROWS } from './query-flow.ts';
import { queueKey, ringKey, SLEEP_STATES, type SourceDigest } from './source-digest.ts';
import type { SourceStore } from './store.ts';
import { TRACK_FIRST_US, TRACK_HI, TRACK_LO, type TrackDigest } from './track-digest.ts';

export class SourceQuery {
  readonly store: SourceStore;
  readonly digest: SourceDigest;

  constructor(store: SourceStore, digest: SourceDigest) {
    this.store = store;
    this.digest = digest;
  }

  /** How full the rings of the domain's devices are: a line for each. */
  async rings(range: Range, flow: number): Promise<Layer[]> {
    const { rings } = this.digest;
    const { keys } = rings;
    const { lines, exact } = await this.#tracks(range, rings, ringKey);
    const devices = new Set(keys.map((key) => key >>> 9));
    const isSingle = new Set(keys.map((key) => key >>> 1)).size === 1;
    return keys.map((key, place): Layer => {
      const series = (key & 1) === RING_TX ? 'txRing' : 'rxRing';
      const device = devices.size === 1 ? '' : `device ${key >>> 9} `;
      const name = `${series === 'txRing' ? 'TX in use' : 'RX not filled'}, ${device}queue ${(key >>> 1) & 0xff}`;
      const line = lines[place]!.line(exact);
      return { type: 'line', series, flow, style: 'step', line, ...(isSingle ? {} : { part: { name, place } }) };
    });
  }

  /** Packets that wait in the bridge: a line for each port. */
  async queues(range: Range, flow: number): Promise<Layer[]> {
    const { queues } = this.digest;
    const { lines, exact } = await this.#tracks(range, queues, queueKey);
    return queues.keys.map((vif, place): Layer => {
      const part = { name: vifName(vif), place };
      return { type: 'line', series: 'queue', flow, style: 'step', line: lines[place]!.line(exact), part };
    });
  }

  /** @param keyOf key of the track that a row belongs to. @returns the points of each track, in the order of the keys. */
  async #tracks(
    range: Range,
    digest: TrackDigest,
    keyOf: (kind: number, a: number, c: number) => number,
  ): Promise<{ readonly lines: readonly LinePoints[]; readonly exact: boolean }> {
    const { t0, t1 } = range;
    const { machine } = this.store;
    const { keys } = digest;
    const lines = new Map(keys.map((key) => [key, new LinePoints(range)]));
    const exact = machine.estimateRows(t0, t1) <= RAW_ROWS;
    if (exact) {
      // What each was when the view begins.
      const carried = new Map(keys.map((key) => [key, digest.of(key)!.before(t0)]));
      const first = machine.firstWithRowBefore(t0);
      const end = Math.min(machine.chunks.length, machine.countStartingUntil(t1) + 1);
      const tables = await Promise.all(machine.chunks.slice(first, end).map((chunk) => chunk.load()));
      for (const { rows, timeUs, kind, a, b, c } of tables) {
        const to = lowerBound(timeUs, t0, 0, rows);
        for (let row = 0; row < to; row++) {
          const key = keyOf(kind[row]!, a[row]!, c[row]!);
          if (carried.has(key)) carried.set(key, { t: timeUs[row]!, value: b[row]! });
        }
      }
      for (const [key, before] of carried) {
        if (before !== undefined) lines.get(key)!.add(before.t, before.value, before.value);
      }
      for (const { rows, timeUs, kind, a, b, c } of tables) {
        const to = upperBound(timeUs, t1, 0, rows);
        for (let row = lowerBound(timeUs, t0, 0, rows); row < to; row++) {
          lines.get(keyOf(kind[row]!, a[row]!, c[row]!))?.add(timeUs[row]!, b[row]!, b[row]!);
        }
      }
    } else {
      for (const [key, points] of lines) {
        const { table } = digest.of(key)!;
        const times = table.column(TRACK_FIRST_US);
        for (let row = Math.max(0, bucketAt(table, t0)); row < table.rows && times[row]! <= t1; row++) {
          points.add(times[row]!, table.column(TRACK_LO)[row]!, table.column(TRACK_HI)[row]!);
        }
      }
    }
    return { lines: [...lines.values()], exact };
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
