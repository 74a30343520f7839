import { NEVER } from './clock.ts';

/**
 * One deadline of somebody (a connection, a sleeping task). Its owner says when by `TimerQueue.arm`; the queue keeps
 * its place. A timer moved later is not touched in the heap until its old time comes (lazily re-armed).
 */
export class Timer {
  /** When it is due, in microseconds; NEVER while not armed. */
  deadlineUs = NEVER;
  /** @internal rank among equal deadlines: the number of the `arm` call; NEVER while not armed. */
  order = NEVER;
  /** @internal place in the heap, -1 while outside. */
  index = -1;
  readonly onDue: (this: Timer, nowUs: number) => void;

  /**
   * @param onDue called once per armed deadline, with the time that `fire` was given; it may arm and cancel anything.
   * Where there are many timers, one function serves a subclass whose fields say whose timer it is.
   */
  constructor(onDue: (this: Timer, nowUs: number) => void) {
    this.onDue = onDue;
  }

  get armed(): boolean {
    return this.deadlineUs !== NEVER;
  }
}

/**
 * A binary heap of timers. Equal deadlines fire in the order in which they were armed.
 *
 * A heap entry's key (time, order) is never after its timer's (deadlineUs, order): where they differ, the timer was
 * moved later since, and the entry sinks to its true place when it reaches the root.
 */
export class TimerQueue {
  /**
   * Called when the earliest deadline became earlier: a driver re-arms the host's timer. Not called within `fire`:
   * who fires asks `next` afterwards.
   */
  onEarlier: (() => void) | undefined;
  #timers: (Timer | undefined)[] = [];
  #keyUs = new Float64Array(16);
  #keyOrder = new Float64Array(16);
  #size = 0;
  #arms = 0;
  /** The time of the running `fire`; -Infinity outside. */
  #firingUs = -NEVER;
  /** The root's timer has been taken out to fire. Its key still stands there: nothing rises past it. */
  #rootVacant = false;

  /**
   * Sets or moves a deadline; NEVER cancels. Arming in the past is legal: it fires at the next `fire`. Within `fire`
   * a deadline in the past counts as the time of that `fire`, so that it goes behind all who are due already.
   * @throws RangeError when the deadline is not a number. @throws Error when the timer is armed in another queue.
   */
  arm(timer: Timer, deadlineUs: number): void {
    if (deadlineUs === NEVER) {
      this.cancel(timer);
      return;
    }
    if (Number.isNaN(deadlineUs)) throw new RangeError('a deadline that is not a number');
    if (deadlineUs < this.#firingUs) deadlineUs = this.#firingUs;
    const order = this.#arms++;
    timer.deadlineUs = deadlineUs;
    timer.order = order;
    let index = timer.index;
    if (index < 0) {
      if (this.#rootVacant) {
        this.#rootVacant = false;
        this.#sink(0, timer, deadlineUs, order);
        return;
      }
      index = this.#size++;
      if (index === this.#keyUs.length) this.#grow();
    } else {
      if (this.#timers[index] !== timer) throw new Error('the timer is armed in another queue');
      if (deadlineUs >= this.#keyUs[index]!) return;
    }
    this.#rise(index, timer, deadlineUs, order);
    if (timer.index === 0 && this.#firingUs === -NEVER) this.onEarlier?.();
  }

  /** Forgets a deadline; a timer that is not armed stays as it is. @throws Error when it is armed in another queue. */
  cancel(timer: Timer): void {
    const index = timer.index;
    if (index < 0) return;
    if (this.#timers[index] !== timer) throw new Error('the timer is armed in another queue');
    timer.deadlineUs = NEVER;
    timer.order = NEVER;
    this.#remove(index, timer);
  }

  /** @returns the earliest deadline in microseconds (exact, not a stale key), or NEVER. */
  next(): number {
    return this.#settleRoot() ? this.#keyUs[0]! : NEVER;
  }

  /**
   * Fires what is due at `nowUs`, at most `limit` timers, each at most once: what the callbacks arm waits for the next
   * `fire`, even where it is due already. When a callback throws, the others stay armed.
   * @returns how many fired.
   */
  fire(nowUs: number, limit = NEVER): number {
    const outerUs = this.#firingUs;
    const firstNewOrder = this.#arms;
    let fired = 0;
    this.#firingUs = nowUs;
    try {
      // Entries armed meanwhile have keys of at least nowUs and higher orders: they come after all that were due.
      while (fired < limit && this.#settleRoot() && this.#keyUs[0]! <= nowUs && this.#keyOrder[0]! < firstNewOrder) {
        const timer = this.#timers[0]!;
        timer.deadlineUs = NEVER;
        timer.order = NEVER;
        timer.index = -1;
        // Who fires arms something as a rule, itself again or the next in line: that goes to the root and sinks.
        this.#rootVacant = true;
        fired++;
        timer.onDue(nowUs);
      }
    } finally {
      if (this.#rootVacant) this.#fillRoot();
      this.#firingUs = outerUs;
    }
    return fired;
  }

  /** Armed timers. */
  get size(): number {
    return this.#rootVacant ? this.#size - 1 : this.#size;
  }

  /** Sinks stale entries from the root until it shows the earliest deadline. @returns false when there is none. */
  #settleRoot(): boolean {
    if (this.#rootVacant) this.#fillRoot();
    if (this.#size === 0) return false;
    for (;;) {
      const timer = this.#timers[0]!;
      if (timer.order === this.#keyOrder[0]!) return true;
      this.#sink(0, timer, timer.deadlineUs, timer.order);
    }
  }

  /** The last entry takes the vacant place at the root. */
  #fillRoot(): void {
    this.#rootVacant = false;
    const last = --this.#size;
    const moved = this.#timers[last]!;
    this.#timers[last] = undefined;
    if (last > 0) this.#sink(0, moved, this.#keyUs[last]!, this.#keyOrder[last]!);
  }

  #remove(index: number, timer: Timer): void {
    timer.index = -1;
    const last = --this.#size;
    const moved = this.#timers[last]!;
    this.#timers[last] = undefined;
    if (index === last) return;
    const keyUs = this.#keyUs[last]!;
    const keyOrder = this.#keyOrder[last]!;
    const parent = (index - 1) >> 1;
    if (index > 0 && this.#isBefore(keyUs, keyOrder, parent)) this.#rise(index, moved, keyUs, keyOrder);
    else this.#sink(index, moved, keyUs, keyOrder);
  }

  #isBefore(keyUs: number, keyOrder: number, index: number): boolean {
    const otherUs = this.#keyUs[index]!;
    return keyUs < otherUs || (keyUs === otherUs && keyOrder < this.#keyOrder[index]!);
  }

  #place(index: number, timer: Timer, keyUs: number, keyOrder: number): void {
    this.#timers[index] = timer;
    this.#keyUs[index] = keyUs;
    this.#keyOrder[index] = keyOrder;
    timer.index = index;
  }

  #rise(index: number, timer: Timer, keyUs: number, keyOrder: number): void {
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#isBefore(keyUs, keyOrder, parent)) break;
      this.#place(index, this.#timers[parent]!, this.#keyUs[parent]!, this.#keyOrder[parent]!);
      index = parent;
    }
    this.#place(index, timer, keyUs, keyOrder);
  }

  #sink(index: number, timer: Timer, keyUs: number, keyOrder: number): void {
    const size = this.#size;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#isBefore(this.#keyUs[child + 1]!, this.#keyOrder[child + 1]!, child)) child++;
      if (this.#isBefore(keyUs, keyOrder, child)) break;
      this.#place(index, this.#timers[child]!, this.#keyUs[child]!, this.#keyOrder[child]!);
      index = child;
    }
    this.#place(index, timer, keyUs, keyOrder);
  }

  #grow(): void {
    const keyUs = new Float64Array(this.#keyUs.length * 2);
    keyUs.set(this.#keyUs);
    this.#keyUs = keyUs;
    const keyOrder = new Float64Array(keyUs.length);
    keyOrder.set(this.#keyOrder);
    this.#keyOrder = keyOrder;
  }
}
