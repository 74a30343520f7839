/** What stays in memory of the rings of a machine and the queues of its bridge: of each its extremes in every 128 rows of the machine. */
import { GrowTable, lowerBound } from './grow-table.ts';

/** Those that get a line: a machine has a handful, a damaged log could name any number. */
const MAX_TRACKS = 64;

/** Columns of a track: first and last time of a bucket, lowest, highest and last value in it. */
export const TRACK_FIRST_US = 0;
const TRACK_LAST_US = 1;
export const TRACK_LO = 2;
export const TRACK_HI = 3;
const TRACK_VALUE = 4;

export class Track {
  readonly table = new GrowTable(5, 4);
  #bucket = -1;
  // Columns of the table, until it grows.
  #lastUs = this.table.column(TRACK_LAST_US);
  #lo = this.table.column(TRACK_LO);
  #hi = this.table.column(TRACK_HI);
  #value = this.table.column(TRACK_VALUE);

  /** @param bucket a new one begins where it is another than before. */
  add(bucket: number, timeUs: number, value: number): void {
    if (bucket !== this.#bucket) this.#begin(bucket, timeUs, value);
    const row = this.table.rows - 1;
    this.#lastUs[row] = timeUs;
    this.#value[row] = value;
    if (value < this.#lo[row]!) this.#lo[row] = value;
    if (value > this.#hi[row]!) this.#hi[row] = value;
  }

  #begin(bucket: number, timeUs: number, value: number): void {
    const { table } = this;
    this.#bucket = bucket;
    const row = table.add();
    this.#lastUs = table.column(TRACK_LAST_US);
    this.#lo = table.column(TRACK_LO);
    this.#hi = table.column(TRACK_HI);
    this.#value = table.column(TRACK_VALUE);
    table.column(TRACK_FIRST_US)[row] = timeUs;
    this.#lo[row] = value;
    this.#hi[row] = value;
  }

  /** @returns the value that the last bucket before an instant left behind, and since when; undefined when there is none. */
  before(timeUs: number): { readonly t: number; readonly value: number } | undefined {
    const last = this.table.column(TRACK_LAST_US);
    const row = lowerBound(last, timeUs, 0, this.table.rows) - 1;
    return row < 0 ? undefined : { t: last[row]!, value: this.table.column(TRACK_VALUE)[row]! };
  }
}

export class TrackDigest {
  readonly #tracks = new Map<number, Track>();

  /** @param key what tells it from the others. @param bucket the machine's that the row belongs to. */
  add(key: number, bucket: number, timeUs: number, value: number): void {
    let track = this.#tracks.get(key);
    if (track === undefined) {
      if (this.#tracks.size === MAX_TRACKS) return;
      track = new Track();
      this.#tracks.set(key, track);
    }
    track.add(bucket, timeUs, value);
  }

  /** Ascending. */
  get keys(): readonly number[] {
    return [...this.#tracks.keys()].sort((a, b) => a - b);
  }

  of(key: number): Track | undefined {
    return this.#tracks.get(key);
  }
}
