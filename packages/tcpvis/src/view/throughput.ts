/** Rates out of the sums that segments carry. */
import { bucketAt, type FlowDigest } from './flow-digest.ts';
import type { Layer } from './panel-data.ts';
import { LinePoints, type Range } from './points.ts';
import { type FlowQuery, RAW_ROWS } from './query-flow.ts';
import { SEG_CUM_ACK, SEG_CUM_BYTES, segmentColumn } from './segment-buckets.ts';
import type { Direction } from './segment-decoder.ts';

/** About so many pixels make one bin. */
const PIXELS_PER_BIN = 6;
const BITS = 8;

/** @returns the width of the bins in which rates are taken, in microseconds: 1, 2 or 5 times a power of ten. */
export function binUs({ t0, t1, columns }: Range): number {
  const least = Math.max(1, ((t1 - t0) * PIXELS_PER_BIN) / columns);
  const power = 10 ** Math.floor(Math.log10(least));
  for (const step of [1, 2, 5]) if (step * power >= least) return step * power;
  return 10 * power;
}

/** Payload sent in a direction, and payload acknowledged, in bits a second. */
export async function throughput(
  query: FlowQuery,
  range: Range,
  direction: Direction,
  flow: number,
  brief: boolean,
): Promise<Layer[]> {
  const bin = binUs(range);
  const from = Math.floor(range.t0 / bin) * bin;
  const bins = Math.min(20_000, Math.ceil((range.t1 - from) / bin) + 1);
  const wide: Range = { ...range, t0: from, t1: from + bins * bin };
  const sent = new Sums(from, bin, bins);
  const acked = new Sums(from, bin, bins);
  let until = query.digest.segmentsUntilUs;
  if (query.store.segments.estimateRows(wide.t0, wide.t1) <= RAW_ROWS) {
    await query.eachSegment(wide, (table, decoded, first, to) => {
      for (let row = first; row < to; row++) {
        if (decoded.direction[row] === direction) sent.add(table.timeUs[row]!, decoded.cumBytes[row]!, false);
        else acked.add(table.timeUs[row]!, decoded.cumAck[row]!, false);
      }
    });
  } else {
    addBuckets(query.digest, direction, wide, sent, acked);
  }
  until = Math.min(until, range.t1 + bin);
  const layers: Layer[] = [];
  const goodput = acked.rates(until, range);
  if (!brief && query.digest.tellsPayload) {
    const line = sent.rates(until, range).line(true);
    layers.push({ type: 'line', series: 'throughput', flow, style: 'step', line });
  }
  layers.push({
    type: 'line',
    series: 'goodput',
    flow,
    style: brief ? 'step' : 'area',
    line: goodput.line(true),
  });
  return layers;
}

function addBuckets(digest: FlowDigest, direction: Direction, range: Range, sent: Sums, acked: Sums): void {
  const { segments } = digest;
  const first = segments.column(0);
  const last = segments.column(1);
  const bytes = segments.column(segmentColumn(direction, SEG_CUM_BYTES));
  const acks = segments.column(segmentColumn(direction, SEG_CUM_ACK));
  for (let bucket = Math.max(0, bucketAt(segments, range.t0)); bucket < segments.rows; bucket++) {
    if (first[bucket]! > range.t1) break;
    sent.add(last[bucket]!, bytes[bucket]!, true);
    acked.add(last[bucket]!, acks[bucket]!, true);
  }
}

/** A sum that grows over time, cut into bins. */
class Sums {
  readonly #from: number;
  readonly #bin: number;
  /** What was added in each bin. */
  readonly #added: Float64Array;
  #lastUs = Number.NaN;
  #last = 0;

  constructor(from: number, bin: number, bins: number) {
    this.#from = from;
    this.#bin = bin;
    this.#added = new Float64Array(bins);
  }

  /** @param gradual whether the sum grew evenly since the last time; else at once, now. */
  add(timeUs: number, sum: number, gradual: boolean): void {
    const grown = sum - this.#last;
    const before = this.#lastUs;
    this.#last = sum;
    this.#lastUs = timeUs;
    if (Number.isNaN(before) || grown <= 0) return;
    const bins = this.#added.length;
    const at = Math.floor((timeUs - this.#from) / this.#bin);
    const start = gradual ? Math.floor((before - this.#from) / this.#bin) : at;
    if (at <= start || timeUs <= before) {
      if (at >= 0 && at < bins) this.#added[at]! += grown;
      return;
    }
    for (let bin = Math.max(0, start); bin <= Math.min(at, bins - 1); bin++) {
      const left = Math.max(before, this.#from + bin * this.#bin);
      const right = Math.min(timeUs, this.#from + (bin + 1) * this.#bin);
      this.#added[bin]! += (grown * (right - left)) / (timeUs - before);
    }
  }

  /** Bits a second of the bins that begin before `untilUs`. */
  rates(untilUs: number, range: Range): LinePoints {
    const points = new LinePoints(range);
    this.#added.forEach((bytes, bin) => {
      const t = this.#from + bin * this.#bin;
      if (t >= untilUs) return;
      const rate = (bytes * BITS * 1e6) / this.#bin;
      points.add(t, rate, rate);
    });
    return points;
  }
}
