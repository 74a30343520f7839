import { seededRandom, Timer, type VirtualTime } from '@qanat/clock';
import { Impairment, type ImpairmentOptions } from '@qanat/link';
import type { Disturbance, Scenario, Way } from './scenario.ts';

/** The link's two directions, disturbed as the scenario says, at the times it says. */
export class Weather {
  readonly forth: Impairment;
  readonly back: Impairment;
  readonly #scenario: Scenario;
  readonly #time: VirtualTime;
  readonly #timer: Timer;

  constructor(scenario: Scenario, time: VirtualTime) {
    this.#scenario = scenario;
    this.#time = time;
    this.forth = new Impairment(scenario.forth, seededRandom(scenario.seed + 2 ** 33));
    this.back = new Impairment(scenario.back, seededRandom(scenario.seed + 2 ** 34));
    this.#timer = new Timer((nowUs) => this.#change(nowUs));
    this.#change(time.clock.now());
  }

  /** No more changes. */
  stop(): void {
    this.#time.timers.cancel(this.#timer);
  }

  #change(nowUs: number): void {
    const { forth, back, disturbances } = this.#scenario;
    this.forth.change(effective(forth, disturbances, 'forth', nowUs));
    this.back.change(effective(back, disturbances, 'back', nowUs));
    let nextUs = Number.POSITIVE_INFINITY;
    for (const { fromUs, untilUs } of disturbances) {
      if (fromUs > nowUs) nextUs = Math.min(nextUs, fromUs);
      else if (untilUs > nowUs) nextUs = Math.min(nextUs, untilUs);
    }
    this.#time.timers.arm(this.#timer, nextUs);
  }
}

function effective(
  base: ImpairmentOptions,
  disturbances: readonly Disturbance[],
  way: Way,
  nowUs: number,
): ImpairmentOptions {
  let now = base;
  for (const disturbance of disturbances) {
    if (disturbance.way !== way && disturbance.way !== 'both') continue;
    if (nowUs < disturbance.fromUs || nowUs >= disturbance.untilUs) continue;
    const delayUs = (now.delayUs ?? 0) + (disturbance.impair.delayUs ?? 0);
    now = { ...now, ...disturbance.impair, delayUs };
  }
  return now;
}
