import { InvalidArgumentError } from 'commander';

/** @returns a number above 0. @throws InvalidArgumentError. */
export function positive(text: string): number {
  const value = /^(\d+(\.\d*)?|\.\d+)$/.test(text) ? Number(text) : Number.NaN;
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('give a number above 0');
  return value;
}

/** @returns a whole number above 0. @throws InvalidArgumentError. */
export function count(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('give a whole number above 0');
  return Number(text);
}
