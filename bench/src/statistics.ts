/** @returns the middle value, the mean of the two middle ones of an even number, or NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >>> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export interface Summary {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  /** (most - least) / median. */
  readonly spread: number;
}

export function summarize(values: readonly number[]): Summary {
  const middle = median(values);
  const least = Math.min(...values);
  const most = Math.max(...values);
  return { median: middle, least, most, spread: (most - least) / middle };
}

/** @returns Jain's index of fairness: 1 when all are equal, 1/n when one has all. */
export function jainIndex(rates: Iterable<number>): number {
  let [count, sum, squares] = [0, 0, 0];
  for (const rate of rates) {
    count++;
    sum += rate;
    squares += rate * rate;
  }
  return (sum * sum) / (count * squares);
}

/** Bytes that arrived in one span of time. */
export interface Progress {
  readonly seconds: number;
  readonly bytes: number;
}

/**
 * How long nothing arrived, at most.
 * @param granularity length of a regular span in seconds. A span that was sampled late by a whole one or more counts
 * as a gap too: whoever should have sampled it did not run.
 * @returns seconds; 0 when every span brought something.
 */
export function longestGap(spans: readonly Progress[], granularity: number): number {
  let longest = 0;
  let current = 0;
  for (const span of spans) {
    current = span.bytes === 0 ? current + span.seconds : 0;
    const late = span.seconds - granularity;
    longest = Math.max(longest, current, late >= granularity ? late : 0);
  }
  return longest;
}

/** @returns the columns side by side: the first to the left, the others to the right. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  '),
  );
}

/** @param sorted ascending, not empty. @param share 0..1. @returns the value that so much of them does not exceed. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  const index = Math.ceil(share * sorted.length) - 1;
  return sorted[Math.max(0, Math.min(sorted.length - 1, index))] ?? Number.NaN;
}

/** @returns bytes per second over the spans that begin after a warm-up; over all when there are none. */
export function rateAfter(spans: readonly Progress[], warmUpSeconds: number): number {
  let [age, seconds, bytes, allSeconds, allBytes] = [0, 0, 0, 0, 0];
  for (const span of spans) {
    if (age >= warmUpSeconds - 1e-6) {
      seconds += span.seconds;
      bytes += span.bytes;
    }
    age += span.seconds;
    allSeconds += span.seconds;
    allBytes += span.bytes;
  }
  return seconds > 0 ? bytes / seconds : allBytes / allSeconds;
}

/** @returns the coefficient of variation: standard deviation over mean; NaN of fewer than two values. */
export function variation(values: readonly number[]): number {
  if (values.length < 2) return Number.NaN;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return Math.sqrt(square) / mean;
}
