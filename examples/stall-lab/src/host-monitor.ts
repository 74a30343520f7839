import { cpus } from 'node:os';
import type { Clock } from 'qanat';
import type { Pause, Samples } from './protocol.ts';
import { ThreadWaits } from './thread-waits.ts';

const LOOK_EVERY_MS = 10;
/** The command's own thread has next to nothing to do: when it is this late, the computer was not ours. */
const LATE_US = 50_000;

/** What the computer did to a run: plain data. Without threads there is nothing to tell. */
export interface HostTimes {
  /** When the computer did not run this process at all. */
  readonly gaps: readonly Pause[];
  /** When the threads were looked at; ascending. */
  readonly timeUs: readonly number[];
  /** For each thread how long it has been ready and not run, in microseconds, by then. Empty where it cannot be known. */
  readonly waitedUs: readonly (readonly number[])[];
  /** What other programs took of all the computer's CPUs, 0..1. */
  readonly othersCpu: number;
}

export const NO_HOST: HostTimes = { gaps: [], timeUs: [], waitedUs: [], othersCpu: 0 };

/**
 * Notes when the computer did not run this process, or a thread of it: a pause then is nobody's fault in here. A busy
 * computer is the rule where others work on it too.
 */
export class HostMonitor {
  readonly #gaps: Pause[] = [];
  readonly #timeUs: number[] = [];
  readonly #waits = ThreadWaits.open();
  readonly #clock: Clock;
  readonly #timer: NodeJS.Timeout;
  readonly #startUs: number;
  readonly #busyUs = busyUs();
  readonly #own = process.cpuUsage();
  #lastUs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startUs = clock.now();
    this.#lastUs = this.#startUs;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  #look(): void {
    const nowUs = this.#clock.now();
    if (nowUs - this.#lastUs > LATE_US) this.#gaps.push({ fromUs: this.#lastUs, toUs: nowUs });
    this.#lastUs = nowUs;
    if (this.#waits === undefined) return;
    this.#timeUs.push(nowUs);
    this.#waits.look();
  }

  /** @returns what was seen so far. */
  times(): HostTimes {
    const { user, system } = process.cpuUsage(this.#own);
    const allUs = (this.#clock.now() - this.#startUs) * cpus().length;
    const othersUs = busyUs() - this.#busyUs - user - system;
    return {
      gaps: this.#gaps,
      timeUs: this.#timeUs,
      waitedUs: this.#waits?.waitedUs() ?? [],
      othersCpu: allUs > 0 ? Math.min(1, Math.max(0, othersUs / allUs)) : 0,
    };
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#waits?.close();
  }
}

/** What all CPUs of the computer have worked since it started, in microseconds. */
function busyUs(): number {
  return cpus().reduce((sum, { times }) => sum + (times.user + times.nice + times.sys + times.irq) * 1000, 0);
}

/** A guest whose loop makes no pass for so much longer than it slept was not run. */
const NOT_RUN_US = 20_000;

/** @returns when a guest was ready and the computer did not run it: its own loop tells. */
export function notRun({ timeUs, blockedUs }: Samples): Pause[] {
  const gaps: Pause[] = [];
  for (let i = 1; i < timeUs.length; i++) {
    const toUs = timeUs[i]!;
    const awakeUs = toUs - timeUs[i - 1]! - (blockedUs[i]! - blockedUs[i - 1]!);
    if (awakeUs > NOT_RUN_US) gaps.push({ fromUs: toUs - awakeUs, toUs });
  }
  return gaps;
}

/** @returns for how long of a pause some one thread was ready and not run: the largest of the threads, in microseconds. */
export function threadWaitUs({ timeUs, waitedUs }: HostTimes, { fromUs, toUs }: Pause): number {
  let mostUs = 0;
  for (const waited of waitedUs) {
    mostUs = Math.max(mostUs, valueAt(timeUs, waited, toUs) - valueAt(timeUs, waited, fromUs));
  }
  return Math.min(mostUs, toUs - fromUs);
}

/** A value between two looks, by a straight line. */
function valueAt(timeUs: readonly number[], values: readonly number[], atUs: number): number {
  const after = timeUs.findIndex((us) => us >= atUs);
  if (after <= 0) return (after === 0 ? values[0] : values.at(-1)) ?? 0;
  const fromUs = timeUs[after - 1]!;
  const from = values[after - 1]!;
  return from + ((values[after]! - from) * (atUs - fromUs)) / (timeUs[after]! - fromUs);
}
