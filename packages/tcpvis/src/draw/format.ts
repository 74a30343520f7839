/** Numbers for people, and where the ticks of an axis stand. */
import type { Unit } from '../view/panels.ts';

/** @returns positions of ticks in from..to: 1, 2 or 5 times a power of ten apart, at most `most` of them. */
export function ticks(from: number, to: number, most: number): number[] {
  const step = tickStep(from, to, most);
  const list: number[] = [];
  if (!(step > 0)) return list;
  for (let at = Math.ceil(from / step - 1e-9); at * step <= to + step * 1e-9; at++) list.push(at * step);
  return list;
}

export function tickStep(from: number, to: number, most: number): number {
  const least = (to - from) / Math.max(1, most);
  if (!(least > 0)) return 0;
  const power = 10 ** Math.floor(Math.log10(least));
  for (const factor of [1, 2, 5]) if (factor * power >= least * (1 - 1e-9)) return factor * power;
  return 10 * power;
}

/** Ticks of an axis of bytes are round in the unit that is written beside them. */
export function valueTicks(unit: Unit, from: number, to: number, most: number): number[] {
  if (unit !== 'bytes' && unit !== 'position') return ticks(from, to, most);
  const scale = byteScale(Math.max(Math.abs(from), Math.abs(to)));
  return ticks(from / scale, to / scale, most).map((value) => value * scale);
}

/** @returns the largest value that an axis from 0 shows: a round one, not far above `value`. */
export function niceMaximum(unit: Unit, value: number): number {
  const scale = unit === 'bytes' ? byteScale(value) : 1;
  const padded = (value * 1.06) / scale;
  const step = tickStep(0, padded, 8);
  return step > 0 ? Math.ceil(padded / step) * step * scale : 1;
}

const KIB = 1024;

function byteScale(value: number): number {
  if (value >= KIB ** 3) return KIB ** 3;
  if (value >= KIB ** 2) return KIB ** 2;
  return value >= KIB ? KIB : 1;
}

const BYTE_UNITS: readonly (readonly [number, string])[] = [
  [KIB ** 3, 'GiB'],
  [KIB ** 2, 'MiB'],
  [KIB, 'KiB'],
];

/** @returns a value of a unit, for a legend or an axis: 1.25 MiB, 12.4 ms, 2.05 Gbit/s. */
export function formatValue(unit: Unit, value: number): string {
  if (!Number.isFinite(value)) return '–';
  switch (unit) {
    case 'position':
    case 'bytes':
      return formatBytes(value);
    case 'us':
      return formatDuration(value);
    case 'bits/s':
      return formatRate(value);
    case 'share':
      return `${Math.round(value * 100)} %`;
    default:
      return formatNumber(value);
  }
}

export function formatBytes(value: number): string {
  for (const [scale, name] of BYTE_UNITS) if (Math.abs(value) >= scale) return `${digits(value / scale)} ${name}`;
  return `${formatNumber(value)} B`;
}

/** @returns a tick of an axis that ends at `largest`: bytes in the unit of the largest, so that they can be compared. */
export function formatTick(unit: Unit, value: number, largest: number): string {
  if (unit !== 'bytes' && unit !== 'position') return formatValue(unit, value);
  const found = BYTE_UNITS.find(([scale]) => largest >= scale);
  return found === undefined || value === 0 ? formatBytes(value) : `${digits(value / found[0])} ${found[1]}`;
}

/** @param us microseconds. */
export function formatDuration(us: number): string {
  const size = Math.abs(us);
  if (size >= 1e6) return `${digits(us / 1e6)} s`;
  if (size >= 1e3) return `${digits(us / 1e3)} ms`;
  return `${digits(us)} µs`;
}

export function formatRate(bits: number): string {
  const size = Math.abs(bits);
  if (size >= 1e9) return `${digits(bits / 1e9)} Gbit/s`;
  if (size >= 1e6) return `${digits(bits / 1e6)} Mbit/s`;
  if (size >= 1e3) return `${digits(bits / 1e3)} kbit/s`;
  return `${digits(bits)} bit/s`;
}

/** Thin spaces between groups of three. */
export function formatNumber(value: number): string {
  return String(Math.round(value * 100) / 100).replace(/\B(?=(\d{3})+(?!\d))/g, ' ');
}

function digits(value: number): string {
  const size = Math.abs(value);
  const places = size >= 100 || Number.isInteger(value) ? (size >= 100 ? 0 : 0) : size >= 10 ? 1 : 2;
  return value
    .toFixed(places)
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '');
}

/** @returns a tick of the time axis. @param step microseconds between two ticks. */
export function formatTimeTick(us: number, step: number): string {
  if (step >= 1e6) return `${Math.round(us / 1e6)} s`;
  const places = Math.max(0, Math.min(6, Math.ceil(-Math.log10(step / 1e6) - 1e-9)));
  return `${(us / 1e6).toFixed(places)} s`;
}

/** @returns an instant to the microsecond, in seconds. */
export function formatInstant(us: number): string {
  return `${(us / 1e6).toFixed(6)} s`;
}
