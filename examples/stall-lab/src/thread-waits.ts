import { closeSync, openSync, readdirSync, readSync } from 'node:fs';

const TASKS = '/proc/self/task';
/** Threads come and go: so many looks later they are counted again. */
const LOOKS_PER_LISTING = 10;

interface Thread {
  readonly fd: number;
  /** Before it was there it waited for nothing. */
  readonly waitedUs: number[];
}

/** How long each thread of this process was ready and not run: Linux's `schedstat`, its second figure. */
export class ThreadWaits {
  readonly #threads = new Map<string, Thread>();
  readonly #ended: Thread[] = [];
  readonly #buffer = Buffer.alloc(96);
  #looks = 0;

  /** @returns undefined where the operating system does not tell. */
  static open(): ThreadWaits | undefined {
    const waits = new ThreadWaits();
    waits.#list();
    return waits.#threads.size > 0 ? waits : undefined;
  }

  look(): void {
    if (this.#looks % LOOKS_PER_LISTING === 0) this.#list();
    this.#looks++;
    for (const [id, { fd, waitedUs }] of this.#threads) {
      const us = this.#read(fd);
      if (us === undefined) this.#end(id);
      else waitedUs.push(us);
    }
    for (const { waitedUs } of this.#ended) waitedUs.push(waitedUs.at(-1) ?? 0);
  }

  /** @returns for each thread its waiting so far, in microseconds, at each look. */
  waitedUs(): number[][] {
    return [...this.#threads.values(), ...this.#ended].map(({ waitedUs }) => waitedUs);
  }

  close(): void {
    for (const { fd } of this.#threads.values()) closeSync(fd);
    this.#threads.clear();
  }

  #list(): void {
    let ids: string[];
    try {
      ids = readdirSync(TASKS);
    } catch {
      return;
    }
    for (const id of ids) {
      if (this.#threads.has(id)) continue;
      try {
        const fd = openSync(`${TASKS}/${id}/schedstat`, 'r');
        this.#threads.set(id, { fd, waitedUs: new Array<number>(this.#looks).fill(this.#read(fd) ?? 0) });
      } catch {
        // It has ended meanwhile, or this kernel keeps no such figures.
      }
    }
  }

  #end(id: string): void {
    const thread = this.#threads.get(id)!;
    closeSync(thread.fd);
    this.#threads.delete(id);
    this.#ended.push(thread);
  }

  /** @returns undefined when the thread is no more. */
  #read(fd: number): number | undefined {
    try {
      const bytes = readSync(fd, this.#buffer, 0, this.#buffer.length, 0);
      // Nanoseconds run, nanoseconds ready and not run, turns.
      const ns = Number(this.#buffer.toString('latin1', 0, bytes).split(' ')[1]);
      return ns >= 0 ? ns / 1000 : undefined;
    } catch {
      return undefined;
    }
  }
}
