import type { Output } from './output.ts';

/** Shorter work shows nothing. */
const FIRST_MS = 500;
const EVERY_MS = 100;

/** One line on a terminal that says how far long work is; nothing elsewhere. */
export class Progress {
  readonly #output: Output;
  readonly #what: string;
  #nextMs = performance.now() + FIRST_MS;
  #shown = false;

  constructor(output: Output, what: string) {
    this.#output = output;
    this.#what = what;
  }

  /** @param state behind the name of the work. */
  show(state: string): void {
    if (!this.#output.progress) return;
    const nowMs = performance.now();
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + EVERY_MS;
    this.#shown = true;
    this.#output.error(`\r\x1b[K${this.#what}: ${state}`);
  }

  /** Takes the line away. */
  end(): void {
    if (this.#shown) this.#output.error('\r\x1b[K');
  }
}

/** @returns 1234567 as `1.2 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  const units = ['kB', 'MB', 'GB'];
  let value = bytes / 1000;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${value.toFixed(value < 10 ? 2 : 1)} ${units[unit]}`;
}
