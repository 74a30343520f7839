import type { Launcher } from './launcher.ts';

interface Waiter {
  readonly done: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Lets the machine move for whoever waits for something in it. However many wait, one call at a time goes to the
 * launcher; after each step the toolstack looks at its rings, and those who have what they waited for go on.
 */
export class Progress {
  readonly #launcher: Pick<Launcher<never>, 'runUntil'>;
  readonly #word: number;
  readonly #pump: () => void;
  readonly #waiters = new Set<Waiter>();
  #driving = false;

  /** @param word index into `memory.i32` of what changes when xenstored answers. @param pump looks at the rings. */
  constructor(launcher: Pick<Launcher<never>, 'runUntil'>, word: number, pump: () => void) {
    this.#launcher = launcher;
    this.#word = word;
    this.#pump = pump;
  }

  /** Resolves when `done()`; rejects when the launcher says that nothing can move any more. */
  until(done: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.add({ done, resolve, reject });
      if (!this.#driving) void this.#drive();
    });
  }

  async #drive(): Promise<void> {
    this.#driving = true;
    try {
      while (this.#waiters.size > 0) await this.#launcher.runUntil(() => this.#look(), this.#word);
    } catch (error) {
      const waiters = [...this.#waiters];
      this.#waiters.clear();
      for (const { reject } of waiters) reject(error);
    } finally {
      this.#driving = false;
    }
  }

  /** @returns whether somebody can go on. */
  #look(): boolean {
    this.#pump();
    let some = this.#waiters.size === 0;
    for (const waiter of [...this.#waiters]) {
      if (!waiter.done()) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
      some = true;
    }
    return some;
  }
}
