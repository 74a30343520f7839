import type { Listener } from '@qanat/stack';

/** What waits to be accepted. */
export interface Acceptable {
  /** Nobody will accept it: it is reset. */
  abort(): void;
  refresh(): void;
}

/** A listener with the connections that wait for accept(). */
export class AcceptQueue<T extends Acceptable> {
  readonly #listener: Listener;
  readonly #waiting: T[] = [];

  constructor(listener: Listener) {
    this.#listener = listener;
  }

  get port(): number {
    return this.#listener.port;
  }

  get length(): number {
    return this.#waiting.length;
  }

  push(child: T): void {
    this.#waiting.push(child);
    this.#listener.waiting = this.#waiting.length;
  }

  shift(): T | undefined {
    const child = this.#waiting.shift();
    this.#listener.waiting = this.#waiting.length;
    return child;
  }

  /** Stops listening; what was not accepted is reset. */
  close(): void {
    this.#listener.close();
    for (const child of this.#waiting) child.abort();
  }

  refresh(): void {
    for (const child of this.#waiting) child.refresh();
  }
}
