import { NEVER, VirtualClock } from './clock.ts';
import { TimerQueue } from './timer-queue.ts';

const MAX_TURNS_AT_ONE_TIME = 1_000_000;

/** A clock that jumps from deadline to deadline, and the queue of them: the engine of simulations and tests. */
export class VirtualTime {
  readonly clock: VirtualClock;
  readonly timers = new TimerQueue();
  readonly #maxTurnsAtOneTime: number;
  #turnsAtOneTime = 0;
  #lastTurnUs = -1;

  /**
   * @param startUs where the clock begins, in microseconds.
   * @param maxTurnsAtOneTime steps without time passing after which a run is taken for a livelock. Default a million.
   */
  constructor(startUs = 0, maxTurnsAtOneTime = MAX_TURNS_AT_ONE_TIME) {
    this.clock = new VirtualClock(startUs);
    this.#maxTurnsAtOneTime = maxTurnsAtOneTime;
  }

  /**
   * Jumps to the next deadline and fires what is due then (what that arms for the same time is the next step's).
   * @returns false when no timer is armed.
   * @throws Error when too many steps pass without time passing: timers that re-arm each other for now.
   */
  step(): boolean {
    const nextUs = this.timers.next();
    if (nextUs === NEVER) return false;
    if (nextUs > this.clock.now()) this.clock.advanceTo(nextUs);
    if (this.clock.now() !== this.#lastTurnUs) {
      this.#lastTurnUs = this.clock.now();
      this.#turnsAtOneTime = 0;
    } else if (++this.#turnsAtOneTime > this.#maxTurnsAtOneTime) {
      throw new Error(`virtual time stands still at ${this.clock.now()} us: timers keep re-arming for the same time`);
    }
    this.timers.fire(this.clock.now());
    return true;
  }

  /**
   * Steps until no timer is armed; with `untilUs`, until no deadline is at or before it, and then moves the clock there.
   * @param untilUs absolute, in microseconds of `clock`.
   */
  run(untilUs = NEVER): void {
    while (this.timers.next() <= untilUs && this.step()) {
      // Each step fires its timers.
    }
    if (untilUs !== NEVER && untilUs > this.clock.now()) this.clock.advanceTo(untilUs);
  }
}
