/** What stays in memory of the segments of a flow: a bucket of every 128 rows, as a row of doubles. */

export const BUCKET_ROWS = 128;

/** Columns of a segment bucket; those of a direction begin at `segmentColumn(direction, 0)`. */
export const SEG_FIRST_US = 0;
export const SEG_LAST_US = 1;
const SEG_COMMON = 2;
export const SEG_DATA_LO = 0;
export const SEG_DATA_HI = 1;
export const SEG_AGAIN_LO = 2;
export const SEG_AGAIN_HI = 3;
/** The kind of the last of them. */
export const SEG_AGAIN_KIND = 4;
export const SEG_ACK_LO = 5;
export const SEG_ACK_HI = 6;
export const SEG_EDGE_LO = 7;
export const SEG_EDGE_HI = 8;
export const SEG_SACK_LO = 9;
export const SEG_SACK_HI = 10;
/** Of segments of this direction. */
export const SEG_DELAY_LO = 11;
export const SEG_DELAY_HI = 12;
/** At the end of the bucket. */
export const SEG_CUM_BYTES = 13;
export const SEG_CUM_ACK = 14;
/** How many segments with SACK blocks for data of this direction. */
export const SEG_SACKS = 15;
const SEG_PER_DIRECTION = 16;
/** All of them. */
export const SEG_COLUMNS = SEG_COMMON + 2 * SEG_PER_DIRECTION;

export function segmentColumn(direction: number, column: number): number {
  return SEG_COMMON + direction * SEG_PER_DIRECTION + column;
}
