/** @returns the first index in `from`..`to` whose value is `wanted` or more, `to` when there is none. The column is sorted. */
export function firstColumnAtLeast(
  column: Uint32Array | Float64Array,
  wanted: number,
  from = 0,
  to = column.length,
): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (column[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
