import { type Random, seededRandom, VirtualClock } from '@qanat/clock';
import { type CooperativeOptions, DeadlockError, TurnScheduler } from './turn-scheduler.ts';

export interface VirtualOptions extends CooperativeOptions {
  /**
   * What a pass of a domain's loop costs in virtual time, in nanoseconds. With both costs 0, the default, the clock stands
   * while anybody runs: a transfer that no link slows down takes no time and never reaches a deadline. 500 and 250 are
   * near to a real machine.
   */
  readonly passNs?: number | undefined;
  /** What a hypercall costs, in nanoseconds. Default 0. */
  readonly hypercallNs?: number | undefined;
  /**
   * Who of those that can run has the next turn: `domid`, the default, one after the other; `random`, anybody, as the seed
   * has it. A domain may then be left waiting while the others finish what they have, as on a machine with more virtual
   * CPUs than real ones: races come out that the even order hides.
   */
  readonly turns?: 'domid' | 'random' | undefined;
}

/** Rounds of turns at one instant after which a run is taken for a livelock. */
const MAX_ROUNDS_AT_ONE_TIME = 100_000;

/**
 * All domains in one thread, as on one CPU, on a clock that stands (or goes by what they do, see the options) while any
 * of them runs, and jumps to the next deadline when all are blocked. The same domains with the same seed do the same things in the same order at the same time.
 */
export class VirtualScheduler extends TurnScheduler {
  readonly #clock: VirtualClock;
  readonly #passNs: number;
  readonly #hypercallNs: number;
  /** What was charged and does not make a microsecond yet. */
  #owedNs = 0;
  #roundsAtOneTime = 0;
  readonly #lots: Random | undefined;

  /** @throws Error when the machine's clock is not a VirtualClock. */
  constructor(options: VirtualOptions) {
    super(options);
    const { clock } = options.hypervisor;
    if (!(clock instanceof VirtualClock)) throw new Error('a machine on virtual time needs a VirtualClock');
    this.#clock = clock;
    this.#passNs = options.passNs ?? 0;
    this.#hypercallNs = options.hypercallNs ?? 0;
    if (options.turns === 'random') {
      this.#lots = seededRandom(options.seed ?? 1);
      this.turnsPerRound = 1;
    }
  }

  protected override order<T>(domains: readonly T[]): T[] {
    const order = [...domains];
    const lots = this.#lots;
    if (lots === undefined) return order;
    for (let left = order.length; left > 1; left--) {
      const i = lots.u32() % left;
      const last = left - 1;
      [order[i], order[last]] = [order[last]!, order[i]!];
    }
    return order;
  }

  protected override charge(passes: number, hypercalls: number): void {
    const owedNs = this.#owedNs + passes * this.#passNs + hypercalls * this.#hypercallNs;
    const wholeUs = Math.floor(owedNs / 1000);
    this.#owedNs = owedNs - wholeUs * 1000;
    if (wholeUs > 0) this.#advanceTo(this.#clock.now() + wholeUs);
  }

  protected override turnDue(): boolean {
    if (++this.#roundsAtOneTime > MAX_ROUNDS_AT_ONE_TIME) {
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
    if (nextUs > this.#clock.now()) this.#advanceTo(nextUs);
  }

  #advanceTo(us: number): void {
    this.#clock.advanceTo(us);
    this.#roundsAtOneTime = 0;
  }
}
