import { NEVER } from './clock.ts';

/**
 * One deadline of somebody (a connection, a sleeping task). Its owner says when by `TimerQueue.arm`; the queue keeps
 * its place. A timer moved later is not touched in the heap until its old time comes (lazily re-armed).
 */
export class Timer {
  /** When it is due, in microseconds; NEVER while not armed. */
  deadlineUs = NEVER;
  /** @internal heap key: never later than `deadlineUs` while queued. */
  keyUs = NEVER;
  /** @internal place in the heap, -1 while outside. */
  index = -1;
  readonly onDue: (nowUs: number) => void;

  constructor(onDue: (nowUs: number) => void) {
    this.onDue = onDue;
  }

  get armed(): boolean {
    return this.deadlineUs !== NEVER;
  }
}

/** A binary heap of timers. Equal deadlines fire in the order in which they entered the heap. */
export class TimerQueue {
  /** Called when the earliest deadline became earlier: a driver re-arms the host's timer. */
  onEarlier: (() => void) | undefined;

  /** Sets or moves a deadline. Arming in the past is legal: it fires at the next `fire`. */
  arm(timer: Timer, deadlineUs: number): void {
    void timer;
    void deadlineUs;
  }

  cancel(timer: Timer): void {
    void timer;
  }

  /** @returns the earliest deadline in microseconds (exact, not a stale key), or NEVER. */
  next(): number {
    return NEVER;
  }

  /** Fires what is due at `nowUs`, at most `limit` timers. @returns how many fired. */
  fire(nowUs: number, limit?: number): number {
    void nowUs;
    void limit;
    return 0;
  }

  /** Armed timers. */
  get size(): number {
    return 0;
  }
}
