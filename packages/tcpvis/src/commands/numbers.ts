/** Numbers that options take, as parsers for commander. */
import { InvalidArgumentError } from 'commander';

/** No log is longer, in seconds: some thirty years. */
export const MAX_SECONDS = 1_000_000_000;

/** @returns a parser of whole numbers in `least`..`most`, written in decimal digits. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`give a whole number in ${least}..${most}`);
  };
}

/** @returns a parser of numbers in `least`..`most`, written in decimal digits with or without a point. */
export function decimalNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`give a number in ${least}..${most}`);
  };
}

/** @throws InvalidArgumentError when it is no list of numbers of flows. */
export function flowIds(text: string): number[] {
  const ids = text.split(',').map((part) => (/^\d+$/.test(part.trim()) ? Number(part) : Number.NaN));
  if (ids.every(Number.isSafeInteger)) return ids;
  throw new InvalidArgumentError('give numbers of flows, as 3 or 1,4');
}
