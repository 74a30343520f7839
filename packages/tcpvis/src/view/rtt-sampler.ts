import { GrowTable } from './grow-table.ts';
import { type DecodedSegments, KIND_NEW } from './segment-decoder.ts';

/** Segments whose acknowledgment is awaited; older ones are forgotten. */
const AWAITED = 1 << 16;
/** Beyond this only every other sample is kept, then every fourth, ... */
const MAX_SAMPLES = 1 << 20;

/**
 * Round-trip times out of the segments themselves, at the sender: from a segment to the acknowledgment of its last byte.
 * A stretch in which something was sent again gives none (Karn).
 */
export class RttSampler {
  /** Time of the acknowledgment, and the sample, both in microseconds. */
  readonly samples = new GrowTable(2);
  readonly #end = new Float64Array(AWAITED);
  readonly #sentUs = new Float64Array(AWAITED);
  #first = 0;
  #next = 0;
  #againFrom = Number.POSITIVE_INFINITY;
  #againTo = 0;
  #acked = 0;
  #stride = 1;
  #seen = 0;

  /** Takes the next segments. */
  add(decoded: DecodedSegments): void {
    const { rows, timeUs: times, direction, start: starts, end: ends, kind, ack: acks } = decoded;
    const ringEnd = this.#end;
    const ringSentUs = this.#sentUs;
    const mask = AWAITED - 1;
    let first = this.#first;
    let next = this.#next;
    let acked = this.#acked;
    for (let row = 0; row < rows; row++) {
      if (direction[row] === 0) {
        const start = starts[row]!;
        const end = ends[row]!;
        if (end <= start) continue;
        if (kind[row] === KIND_NEW) {
          ringEnd[next & mask] = end;
          ringSentUs[next & mask] = times[row]!;
          next++;
          if (next - first > AWAITED) first = next - AWAITED;
        } else {
          this.#againFrom = Math.min(this.#againFrom, start);
          this.#againTo = Math.max(this.#againTo, end);
        }
        continue;
      }
      const ack = acks[row]!;
      if (!(ack > acked)) continue;
      acked = ack;
      let sentUs = Number.NaN;
      for (; first < next && ringEnd[first & mask]! <= ack; first++) {
        if (ringEnd[first & mask] === ack) sentUs = ringSentUs[first & mask]!;
      }
      const again = ack > this.#againFrom;
      if (ack >= this.#againTo) this.#againFrom = Number.POSITIVE_INFINITY;
      if (!again && !Number.isNaN(sentUs)) this.#keep(times[row]!, times[row]! - sentUs);
    }
    this.#first = first;
    this.#next = next;
    this.#acked = acked;
  }

  #keep(timeUs: number, rttUs: number): void {
    if (this.#seen++ % this.#stride !== 0) return;
    if (this.samples.rows >= MAX_SAMPLES) this.#thin();
    const row = this.samples.add();
    this.samples.column(0)[row] = timeUs;
    this.samples.column(1)[row] = rttUs;
  }

  #thin(): void {
    this.#stride *= 2;
    const half = this.samples.rows >>> 1;
    for (const column of [this.samples.column(0), this.samples.column(1)]) {
      for (let row = 0; row < half; row++) column[row] = column[2 * row]!;
    }
    this.samples.rows = half;
  }
}
