import type { Memory } from '@qanat/bytes';

const POLL_MS = 10;

/**
 * Calls `look` at once and whenever a word of shared memory has changed, on the event loop of this thread. Where the
 * host lacks Atomics.waitAsync it looks every few milliseconds.
 */
export class WordWatcher {
  readonly #memory: Memory;
  readonly #word: number;
  readonly #look: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /** @param word index into `memory.i32`. */
  constructor(memory: Memory, word: number, look: () => void) {
    this.#memory = memory;
    this.#word = word;
    this.#look = look;
    this.#watch();
  }

  /** Ends it; nothing is left waiting. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    Atomics.notify(this.#memory.i32, this.#word);
  }

  readonly #watch = (): void => {
    if (this.#closed) return;
    const { i32 } = this.#memory;
    const seen = Atomics.load(i32, this.#word);
    this.#look();
    if (this.#closed) return;
    if (typeof Atomics.waitAsync !== 'function') {
      this.#timer = setTimeout(this.#watch, POLL_MS);
      return;
    }
    const wait = Atomics.waitAsync(i32, this.#word, seen);
    if (wait.async) void wait.value.then(this.#watch);
    // Others on this event loop come first, however fast the word changes.
    else this.#timer = setTimeout(this.#watch, 0);
  };
}
