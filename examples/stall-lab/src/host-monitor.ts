import type { Clock } from 'qanat';
import type { Pause, Samples } from './protocol.ts';

const LOOK_EVERY_MS = 10;
/** The command's own thread has next to nothing to do: when it is this late, the computer was not ours. */
const LATE_US = 50_000;

/**
 * Notes when the computer did not run this process, or hardly: a pause then is nobody's fault in here. A busy computer is
 * the rule where others work on it too.
 */
export class HostMonitor {
  readonly gaps: Pause[] = [];
  readonly #timer: NodeJS.Timeout;
  #lastUs: number;

  constructor(clock: Clock) {
    this.#lastUs = clock.now();
    this.#timer = setInterval(() => {
      const nowUs = clock.now();
      if (nowUs - this.#lastUs > LATE_US) this.gaps.push({ fromUs: this.#lastUs, toUs: nowUs });
      this.#lastUs = nowUs;
    }, LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
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
