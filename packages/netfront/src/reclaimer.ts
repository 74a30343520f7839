import { Timer } from '@qanat/clock';
import type { Kernel } from '@qanat/os';

/**
 * Grants that could not be taken back because the backend still uses the page. They are tried again by a timer, off
 * the data path, for as long as it takes; only then the page is free.
 */
export class Reclaimer {
  readonly #kernel: Kernel;
  readonly #retryUs: number;
  readonly #timer: Timer;
  /** Reference, address (0: the page stays with its owner) and pages, in turns. */
  #waiting: number[] = [];

  constructor(kernel: Kernel, retryMs: number) {
    this.#kernel = kernel;
    this.#retryUs = retryMs * 1000;
    this.#timer = new Timer((nowUs) => this.#retry(nowUs));
  }

  /** Grants that are still in use. */
  get size(): number {
    return this.#waiting.length / 3;
  }

  /** Takes a grant back as soon as the backend lets go of it, then frees `pages` pages at `addr` (0: none). */
  add(ref: number, addr: number, pages: number): void {
    this.#waiting.push(ref, addr, pages);
    if (!this.#timer.armed) this.#kernel.loop.timers.arm(this.#timer, this.#kernel.clock.now() + this.#retryUs);
  }

  #retry(nowUs: number): void {
    const still: number[] = [];
    for (let i = 0; i < this.#waiting.length; i += 3) {
      const [ref, addr, pages] = this.#waiting.slice(i, i + 3) as [number, number, number];
      if (!this.#kernel.grants.endAccess(ref)) still.push(ref, addr, pages);
      else if (addr !== 0) this.#kernel.pages.free(addr, pages);
    }
    this.#waiting = still;
    if (still.length > 0) this.#kernel.loop.timers.arm(this.#timer, nowUs + this.#retryUs);
  }
}
