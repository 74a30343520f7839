/** Numbers with suffixes and numbers for people, as iperf3 reads and writes them. */

const SUFFIXES = 'KMGT';

/**
 * Reads a number of bytes: `128K` is 131072 (powers of 1024, either case).
 * @returns an integer, or NaN when it is no such number.
 */
export function parseBytes(text: string): number {
  return Math.floor(scaled(text, 1024));
}

/**
 * Reads a bit rate: `100M` is 100 000 000 bits per second (powers of 1000, either case).
 * @returns NaN when it is no such number.
 */
export function parseRate(text: string): number {
  return scaled(text, 1000);
}

function scaled(text: string, base: number): number {
  const match = /^(\d+(?:\.\d+)?|\.\d+)([KMGT]?)$/i.exec(text.trim());
  if (!match) return Number.NaN;
  const power = match[2] === '' ? 0 : SUFFIXES.indexOf(match[2]!.toUpperCase()) + 1;
  return Number(match[1]) * base ** power;
}

const TIME_UNITS_US: Readonly<Record<string, number>> = { us: 1, ms: 1000, s: 1_000_000 };

/**
 * Reads a length of time: `10ms`, `250us`, `1s`; a bare number is milliseconds.
 * @returns microseconds, or NaN when it is no length of time.
 */
export function parseDelayUs(text: string): number {
  const match = /^(\d+(?:\.\d+)?|\.\d+)(us|ms|s)?$/i.exec(text.trim());
  if (!match) return Number.NaN;
  return Math.round(Number(match[1]) * TIME_UNITS_US[match[2]?.toLowerCase() ?? 'ms']!);
}

/**
 * Reads a share in percent: `0.1` and `0.1%` are the same.
 * @returns the share as a fraction, or NaN when it is no number.
 */
export function parsePercent(text: string): number {
  const match = /^(\d+(?:\.\d+)?|\.\d+)%?$/.exec(text.trim());
  return match ? Number(match[1]) / 100 : Number.NaN;
}

const BYTE_LABELS = ['Bytes', 'KBytes', 'MBytes', 'GBytes', 'TBytes'];
const BIT_LABELS = ['bits', 'Kbits', 'Mbits', 'Gbits', 'Tbits'];

/** @returns e.g. `1.25 MBytes` (powers of 1024, four places). */
export function formatBytes(bytes: number): string {
  return adaptive(bytes, 1024, BYTE_LABELS);
}

/** @returns e.g. `4.29 Gbits/sec` (powers of 1000, four places). */
export function formatRate(bitsPerSecond: number): string {
  return `${adaptive(bitsPerSecond, 1000, BIT_LABELS)}/sec`;
}

function adaptive(value: number, base: number, labels: readonly string[]): string {
  let power = 0;
  while (value >= base && power < labels.length - 1) {
    value /= base;
    power++;
  }
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${value.toFixed(digits).padStart(4)} ${labels[power]}`;
}

/** @returns e.g. `980 us`, `12.3 ms`, `1.50 s`. */
export function formatUs(us: number): string {
  if (us < 1000) return `${Math.round(us)} us`;
  if (us < 1_000_000) return `${(us / 1000).toFixed(us < 100_000 ? 2 : 1)} ms`;
  return `${(us / 1_000_000).toFixed(2)} s`;
}
