/** What the panels of a flow show between two times: out of rows where few are in view, else out of the digest. */
import { CA_NAMES, LIMITED_NAMES, type SegmentTable, sackBlocks } from '@qanat/flowlog';
import {
  bucketAt,
  type FlowDigest,
  leastTold,
  MARK_KIND,
  MARK_US,
  WINDOW_VALUES,
  type WindowValue,
} from './flow-digest.ts';
import { lowerBound, upperBound } from './grow-table.ts';
import type { Layer, SeriesId } from './panel-data.ts';
import { BarPoints, LinePoints, type Range } from './points.ts';
import {
  SEG_ACK_HI,
  SEG_ACK_LO,
  SEG_AGAIN_HI,
  SEG_AGAIN_KIND,
  SEG_AGAIN_LO,
  SEG_DATA_HI,
  SEG_DATA_LO,
  SEG_DELAY_HI,
  SEG_DELAY_LO,
  SEG_EDGE_HI,
  SEG_EDGE_LO,
  SEG_SACK_HI,
  SEG_SACK_LO,
  segmentColumn,
} from './segment-buckets.ts';
import { type DecodedSegments, type Direction, SegmentDecoder, tellsDelay } from './segment-decoder.ts';
import type { FlowStore } from './store.ts';

/** Up to so many rows in view are looked at one by one. */
export const RAW_ROWS = 150_000;

/** A value of this or more stands for "no limit". */
const UNLIMITED = 2 ** 30;

type Visit = (table: SegmentTable, decoded: DecodedSegments, from: number, to: number, firstNumber: number) => void;

export class FlowQuery {
  readonly store: FlowStore;
  readonly digest: FlowDigest;

  constructor(store: FlowStore, digest: FlowDigest) {
    this.store = store;
    this.digest = digest;
  }

  /** The time-sequence picture of the data of one direction. @param flow its place among the panel's flows. */
  async sequence(range: Range, direction: Direction, flow: number): Promise<Layer[]> {
    const data = new BarPoints(range);
    const acks = new LinePoints(range);
    const edges = new LinePoints(range);
    const sacks = new BarPoints(range);
    const raw = this.#isRaw(range);
    if (raw) {
      const sackRows: number[] = [];
      const sackTimes: number[] = [];
      const decoder = await this.eachSegment(range, (table, decoded, from, to, firstNumber) => {
        for (let row = from; row < to; row++) {
          const t = table.timeUs[row]!;
          if (decoded.direction[row] === direction) {
            if (decoded.end[row]! > decoded.start[row]! || table.info[row]! >>> 8 === 0) {
              data.add(t, decoded.start[row]!, decoded.end[row]!, decoded.kind[row]!);
            }
          } else {
            acks.add(t, decoded.ack[row]!, decoded.ack[row]!);
            edges.add(t, decoded.edge[row]!, decoded.edge[row]!);
            if (sackBlocks(table.info[row]!) === 0) continue;
            sackRows.push(firstNumber + row);
            sackTimes.push(t);
          }
        }
      });
      await this.#addSacks(decoder, direction, sackRows, sackTimes, sacks);
    } else {
      this.#eachBucket(range, (bucket, t) => {
        const value = (column: number): number => this.#segmentValue(direction, column, bucket);
        data.add(t, value(SEG_DATA_LO), value(SEG_DATA_HI));
        data.add(t, value(SEG_AGAIN_LO), value(SEG_AGAIN_HI), value(SEG_AGAIN_KIND));
        acks.add(t, value(SEG_ACK_LO), value(SEG_ACK_HI));
        edges.add(t, value(SEG_EDGE_LO), value(SEG_EDGE_HI));
        sacks.add(t, value(SEG_SACK_LO), value(SEG_SACK_HI));
      });
    }
    return [
      ...this.#congestionShade(range, flow, direction),
      { type: 'line', series: 'edge', flow, style: 'step', line: edges.line(raw), loose: true },
      { type: 'bars', series: 'sack', flow, bars: sacks.bars(raw) },
      { type: 'bars', series: 'data', flow, bars: data.bars(raw) },
      { type: 'line', series: 'ack', flow, style: 'step', line: acks.line(raw) },
      ...this.#marks(range, flow, direction),
    ];
  }

  /** Bytes in flight and the windows that hold them. */
  async window(range: Range, flow: number, brief: boolean): Promise<Layer[]> {
    if (this.store.windows.rows === 0) return this.#windowOfSegments(range, flow);
    const layers: Layer[] = [...this.#congestionShade(range, flow, 0)];
    if (!brief) {
      layers.push(await this.#windowLine(range, 'pipe', 'pipe', flow, 'area'));
      layers.push(await this.#windowLine(range, 'sndWnd', 'rwnd', flow, 'step', true));
      layers.push(await this.#windowLine(range, 'ssthresh', 'ssthresh', flow, 'step', true));
    }
    layers.push(await this.#windowLine(range, 'cwnd', 'cwnd', flow, 'step'));
    layers.push(...this.#marks(range, flow, 0));
    return layers;
  }

  async rtt(range: Range, flow: number, brief: boolean): Promise<Layer[]> {
    const layers: Layer[] = [];
    if (!brief) {
      const { samples } = this.digest.rtt;
      const points = new LinePoints(range);
      const times = samples.column(0);
      const end = upperBound(times, range.t1, 0, samples.rows);
      for (let row = lowerBound(times, range.t0, 0, samples.rows); row < end; row++) {
        const rtt = samples.column(1)[row]!;
        points.add(times[row]!, rtt, rtt);
      }
      const line = points.line(true);
      layers.push({ type: 'line', series: 'rtt', flow, style: 'dots', line });
    }
    if (this.store.windows.rows === 0) return layers;
    if (!brief) {
      layers.push(await this.#windowLine(range, 'rtoUs', 'rto', flow, 'step', true));
      layers.push(await this.#windowLine(range, 'minRttUs', 'minRtt', flow, 'step'));
    }
    layers.push(await this.#windowLine(range, 'srttUs', 'srtt', flow, 'step'));
    return layers;
  }

  /** Time in the lower layers of what was sent, and of what was received. */
  async delay(range: Range, flow: number): Promise<Layer[]> {
    const sent = new LinePoints(range);
    const received = new LinePoints(range);
    const raw = this.#isRaw(range);
    if (raw) {
      await this.eachSegment(range, (table, decoded, from, to) => {
        for (let row = from; row < to; row++) {
          if (!tellsDelay(table.info[row]!)) continue;
          const delay = table.delayUs[row]!;
          (decoded.direction[row] === 0 ? sent : received).add(table.timeUs[row]!, delay, delay);
        }
      });
    } else {
      this.#eachBucket(range, (bucket, t) => {
        for (const direction of [0, 1] as const) {
          const lowest = this.#segmentValue(direction, SEG_DELAY_LO, bucket);
          (direction === 0 ? sent : received).add(t, lowest, this.#segmentValue(direction, SEG_DELAY_HI, bucket));
        }
      });
    }
    return [
      { type: 'line', series: 'rxDelay', flow, style: 'dots', line: received.line(raw) },
      { type: 'line', series: 'txDelay', flow, style: 'dots', line: sent.line(raw) },
    ];
  }

  limited(range: Range, flow: number, endUs: number): Layer[] {
    if (this.digest.limited.changes === 0) return [];
    const states = LIMITED_NAMES.length;
    const shares = this.digest.limited.shares(range.t0, range.t1, range.columns, states, endUs);
    return [{ type: 'shares', palette: 'limited', flow, states, columns: range.columns, shares, background: false }];
  }

  /** Visits the rows in a stretch of time, and one more at each side, decoded. @returns the decoder as it is after them. */
  async eachSegment(range: Range, visit: Visit): Promise<SegmentDecoder> {
    const { segments } = this.store;
    const decoder = new SegmentDecoder(this.store);
    const known = this.digest.snapshots.length;
    const first = segments.firstWithRowBefore(range.t0);
    const end = Math.min(known, segments.countStartingUntil(range.t1) + 1);
    const tables = await Promise.all(segments.chunks.slice(first, end).map((chunk) => chunk.load()));
    tables.forEach((table, index) => {
      decoder.restore(this.digest.snapshots[first + index]!);
      const decoded = decoder.decode(table);
      const from = Math.max(0, lowerBound(table.timeUs, range.t0, 0, table.rows) - 1);
      const to = Math.min(table.rows, upperBound(table.timeUs, range.t1, 0, table.rows) + 1);
      visit(table, decoded, from, to, segments.chunks[first + index]!.firstNumber);
    });
    return decoder;
  }

  /** Visits a chunk of segments, decoded; none when it was not scanned yet. */
  async decodeChunk(index: number, visit: (table: SegmentTable, decoded: DecodedSegments) => void): Promise<void> {
    const snapshot = this.digest.snapshots[index];
    if (snapshot === undefined) return;
    const table = await this.store.segments.chunks[index]!.load();
    const decoder = new SegmentDecoder(this.store);
    decoder.restore(snapshot);
    visit(table, decoder.decode(table));
  }

  #isRaw(range: Range): boolean {
    return this.store.segments.estimateRows(range.t0, range.t1) <= RAW_ROWS;
  }

  #segmentValue(direction: number, column: number, bucket: number): number {
    return this.digest.segments.column(segmentColumn(direction, column))[bucket]!;
  }

  #eachBucket({ t0, t1 }: Range, visit: (bucket: number, t: number) => void): void {
    const { segments } = this.digest;
    const times = segments.column(0);
    for (let bucket = Math.max(0, bucketAt(segments, t0)); bucket < segments.rows && times[bucket]! <= t1; bucket++) {
      visit(bucket, times[bucket]!);
    }
  }

  async #addSacks(
    decoder: SegmentDecoder,
    direction: Direction,
    rows: readonly number[],
    times: readonly number[],
    into: BarPoints,
  ): Promise<void> {
    if (rows.length === 0) return;
    const first = rows[0]!;
    const last = rows.at(-1)!;
    let at = 0;
    for (const chunk of this.store.sacks.chunks) {
      const bounds = chunk.bounds?.('segment');
      if (bounds !== undefined && (bounds[1] < first || bounds[0] > last)) continue;
      const table = await chunk.load();
      const end = upperBound(table.segment, last, 0, table.rows);
      for (let row = lowerBound(table.segment, first, 0, table.rows); row < end; row++) {
        const segment = table.segment[row]!;
        while (at < rows.length && rows[at]! < segment) at++;
        if (rows[at] !== segment) continue;
        into.add(
          times[at]!,
          decoder.position(direction, table.left[row]!),
          decoder.position(direction, table.right[row]!),
        );
      }
    }
  }

  async #windowLine(
    range: Range,
    name: WindowValue,
    series: SeriesId,
    flow: number,
    style: 'step' | 'area',
    loose = false,
  ): Promise<Layer> {
    const { t0, t1 } = range;
    const { windows } = this.store;
    const points = new LinePoints(range);
    const raw = windows.estimateRows(t0, t1) <= RAW_ROWS;
    const least = leastTold(name);
    const add = (t: number, lo: number, hi: number): void => {
      if (lo >= UNLIMITED || hi < least) return;
      points.add(t, lo < least ? hi : lo, Math.min(hi, hi >= UNLIMITED ? lo : hi));
    };
    const first = windows.firstWithRowBefore(t0);
    const end = Math.min(windows.chunks.length, windows.countStartingUntil(t1) + 1);
    if (raw) {
      const tables = await Promise.all(windows.chunks.slice(first, end).map((chunk) => chunk.load()));
      for (const table of tables) {
        const values = table[name];
        const to = Math.min(table.rows, upperBound(table.timeUs, t1, 0, table.rows) + 1);
        for (let row = Math.max(0, lowerBound(table.timeUs, t0, 0, table.rows) - 1); row < to; row++) {
          add(table.timeUs[row]!, values[row]!, values[row]!);
        }
      }
    } else {
      const index = WINDOW_VALUES.indexOf(name);
      const digest = this.digest.windows;
      const times = digest.column(0);
      for (let bucket = Math.max(0, bucketAt(digest, t0)); bucket < digest.rows && times[bucket]! <= t1; bucket++) {
        add(times[bucket]!, digest.column(2 + 2 * index)[bucket]!, digest.column(3 + 2 * index)[bucket]!);
      }
      // What was not scanned yet: from the heads of the chunks.
      for (let at = Math.max(first, this.digest.windowChunkBuckets.length); at < end; at++) {
        const chunk = windows.chunks[at]!;
        const bounds = chunk.bounds?.(name);
        if (bounds !== undefined) add(chunk.firstUs, bounds[0], bounds[1]);
      }
    }
    const line = points.line(raw);
    return { type: 'line', series, flow, style, line, ...(loose ? { loose } : {}) };
  }

  /** A capture tells no windows of the sender, but what was sent and not yet acknowledged, and what the peer allowed. */
  async #windowOfSegments(range: Range, flow: number): Promise<Layer[]> {
    const pipe = new LinePoints(range);
    const rwnd = new LinePoints(range);
    const raw = this.#isRaw(range);
    if (raw) {
      let sent = 0;
      let acked = 0;
      await this.eachSegment(range, (table, decoded, from, to) => {
        for (let row = 0; row < to; row++) {
          if (decoded.direction[row] === 0) sent = Math.max(sent, decoded.end[row]!);
          else acked = decoded.cumAck[row]!;
          if (row < from) continue;
          pipe.add(table.timeUs[row]!, Math.max(0, sent - acked), Math.max(0, sent - acked));
          if (decoded.direction[row] === 0) continue;
          const window = decoded.edge[row]! - decoded.ack[row]!;
          rwnd.add(table.timeUs[row]!, window, window);
        }
      });
    } else {
      this.#eachBucket(range, (bucket, t) => {
        const value = (column: number): number => this.#segmentValue(0, column, bucket);
        pipe.add(
          t,
          Math.max(0, value(SEG_DATA_LO) - value(SEG_ACK_HI)),
          Math.max(0, value(SEG_DATA_HI) - value(SEG_ACK_LO)),
        );
        rwnd.add(t, value(SEG_EDGE_LO) - value(SEG_ACK_LO), value(SEG_EDGE_HI) - value(SEG_ACK_HI));
      });
    }
    return [
      { type: 'line', series: 'pipe', flow, style: 'area', line: pipe.line(raw) },
      { type: 'line', series: 'rwnd', flow, style: 'step', line: rwnd.line(raw), loose: true },
    ];
  }

  /** Recovery and loss, as a shade behind the picture of what this end sends. */
  #congestionShade({ t0, t1, columns }: Range, flow: number, direction: Direction): Layer[] {
    if (flow > 0 || direction === 1 || this.digest.congestion.changes <= 1) return [];
    const states = CA_NAMES.length;
    const shares = this.digest.congestion.shares(t0, t1, columns, states, this.digest.windowsUntilUs);
    return [{ type: 'shares', palette: 'congestion', flow, states, columns, shares, background: true }];
  }

  #marks({ t0, t1 }: Range, flow: number, direction: Direction): Layer[] {
    const { table } = this.digest.marks;
    if (direction === 1 || table.rows === 0) return [];
    const times = table.column(MARK_US);
    const from = lowerBound(times, t0, 0, table.rows);
    const to = upperBound(times, t1, from, table.rows);
    if (to <= from) return [];
    return [
      {
        type: 'marks',
        flow,
        t: times.slice(from, to),
        kind: Uint8Array.from(table.column(MARK_KIND).subarray(from, to)),
      },
    ];
  }
}
