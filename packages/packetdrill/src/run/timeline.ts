import type { EventTime } from '../ast.ts';

/** When an event may happen, in microseconds since the start of the script. */
export interface Schedule {
  /** Undefined for `*`. */
  readonly fromUs: number | undefined;
  readonly toUs: number;
  /** Either end may be missed by this much. */
  readonly toleranceUs: number;
}

/** `*` waits as long as this for a packet, and a packet may be late by the other before nobody waits any longer. */
const ANY_TIME_US = 60_000_000;
const LATE_US = 2_000_000;

/** What relative times count from, and how precisely times must be met. */
export class Timeline {
  readonly #toleranceUs: number;
  readonly #tolerancePart: number;
  /** When the previous event was due. */
  #previousUs = 0;
  #previousInbound = false;

  constructor(toleranceUs: number, tolerancePart: number) {
    this.#toleranceUs = toleranceUs;
    this.#tolerancePart = tolerancePart;
  }

  /**
   * The schedule of the next event.
   * @param nowUs time after the previous event. Between two inbound packets the previous one's due time is the base.
   */
  next(time: EventTime, nowUs: number, inbound: boolean): Schedule {
    const base = inbound && this.#previousInbound ? this.#previousUs : nowUs;
    this.#previousInbound = inbound;
    if (time.kind === 'any') return { fromUs: undefined, toUs: nowUs + ANY_TIME_US, toleranceUs: 0 };
    const offset = time.relative ? base : 0;
    const fromUs = offset + time.us;
    const toUs = offset + (time.kind === 'range' ? time.endUs : time.us);
    const toleranceUs = Math.max(this.#toleranceUs, (fromUs - this.#previousUs) * this.#tolerancePart);
    this.#previousUs = fromUs;
    return { fromUs, toUs, toleranceUs };
  }

  /** What a duration may be off by. */
  durationTolerance(durationUs: number): number {
    return Math.max(this.#toleranceUs, durationUs * this.#tolerancePart);
  }

  get toleranceUs(): number {
    return this.#toleranceUs;
  }

  /** Until when an outbound packet is waited for. */
  giveUpUs(schedule: Schedule): number {
    return schedule.fromUs === undefined ? schedule.toUs : schedule.toUs + LATE_US;
  }
}

/** How far a time lies outside a schedule, signed; 0 inside, tolerance not counted. */
export function errorUs(schedule: Schedule, us: number): number {
  if (schedule.fromUs === undefined) return 0;
  if (us < schedule.fromUs) return us - schedule.fromUs;
  return us > schedule.toUs ? us - schedule.toUs : 0;
}

export function seconds(us: number): string {
  return (us / 1e6).toFixed(6);
}
