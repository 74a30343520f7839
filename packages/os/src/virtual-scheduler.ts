import { VirtualClock } from '@qanat/clock';
import { type CooperativeOptions, DeadlockError, TurnScheduler } from './turn-scheduler.ts';

/** Turns of domains at one instant after which a run is taken for a livelock. */
const MAX_TURNS_AT_ONE_TIME = 1_000_000;

/**
 * All domains in one thread, on a clock that stands while any of them runs and jumps to the next deadline when all are
 * blocked. The same domains with the same seed do the same things in the same order.
 */
export class VirtualScheduler extends TurnScheduler {
  readonly #clock: VirtualClock;
  #turnsAtOneTime = 0;

  /** @throws Error when the machine's clock is not a VirtualClock. */
  constructor(options: CooperativeOptions) {
    super(options);
    const { clock } = options.hypervisor;
    if (!(clock instanceof VirtualClock)) throw new Error('a machine on virtual time needs a VirtualClock');
    this.#clock = clock;
  }

  protected override turnDue(): boolean {
    if (++this.#turnsAtOneTime > MAX_TURNS_AT_ONE_TIME) {
      throw new DeadlockError(`virtual time stands still at ${this.#clock.now()} us: domains keep each other busy`);
    }
    return this.turnWanted;
  }

  /** @throws DeadlockError when no timer is armed: nothing can ever happen again. */
  protected override idle(nextNs: number): void {
    if (nextNs === Number.POSITIVE_INFINITY) {
      throw new DeadlockError(`every domain waits for an event, and none can come: ${this.describe()}`);
    }
    const nextUs = Math.ceil(nextNs / 1000);
    if (nextUs > this.#clock.now()) this.#clock.advanceTo(nextUs);
    this.#turnsAtOneTime = 0;
  }
}
