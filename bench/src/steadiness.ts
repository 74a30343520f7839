import type { Figures } from './case.ts';
import { longestGap, type Progress, variation } from './statistics.ts';
import type { StolenTime } from './stolen-time.ts';

/** How often a run's progress is sampled. */
export const SPAN_SECONDS = 0.1;
/** A second is calm when the machine's host takes less of it, and of the moments beside it, than this. */
const CALM_STOLEN_SHARE = 0.01;

export interface SampledRun {
  /** Spans of 100 ms, the warm-up's too. */
  readonly spans: readonly Progress[];
  readonly stolen: StolenTime;
  /** When the process had ended (milliseconds of `Date.now`): the last span ended a moment before. */
  readonly endMs: number;
}

/**
 * How steadily a run went: the longest time without progress, and how much its whole seconds after the warm-up vary,
 * all of them and those in which the machine's host took next to nothing from it.
 */
export function steadiness({ spans, stolen, endMs }: SampledRun, warmUpSeconds: number): Figures {
  const seconds = wholeSeconds(spans, warmUpSeconds);
  const startMs = endMs - 1000 * spans.reduce((sum, span) => sum + span.seconds, 0);
  const stolenFrom = ({ from, to }: WholeSecond): number =>
    stolen.share(startMs + (from - SPAN_SECONDS * 2) * 1000, startMs + (to + SPAN_SECONDS * 2) * 1000);
  const calm = seconds.filter((second) => stolenFrom(second) < CALM_STOLEN_SHARE);
  return {
    longestGapMs: longestGap(spans, SPAN_SECONDS) * 1000,
    variationPercent: variation(seconds.map(({ rate }) => rate)) * 100,
    calmVariationPercent: variation(calm.map(({ rate }) => rate)) * 100,
    calmPercent: (calm.length / seconds.length) * 100,
    stolenPercent: stolen.share(startMs + warmUpSeconds * 1000, endMs) * 100,
  };
}

interface WholeSecond {
  /** Seconds from the start of the run. */
  readonly from: number;
  readonly to: number;
  /** Bytes per second. */
  readonly rate: number;
}

/** The whole seconds after the warm-up. */
function wholeSeconds(spans: readonly Progress[], warmUpSeconds: number): WholeSecond[] {
  const whole: WholeSecond[] = [];
  let [age, seconds, bytes] = [0, 0, 0];
  for (const span of spans) {
    age += span.seconds;
    if (age - span.seconds < warmUpSeconds) continue;
    seconds += span.seconds;
    bytes += span.bytes;
    if (seconds < 1 - SPAN_SECONDS / 2) continue;
    whole.push({ from: age - seconds, to: age, rate: bytes / seconds });
    [seconds, bytes] = [0, 0];
  }
  return whole;
}
