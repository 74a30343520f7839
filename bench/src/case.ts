/** What one run measured: plain numbers by name, units in the names. */
export type Figures = Readonly<Record<string, number>>;

/** How long the runs of a case are, and how many there are. */
export interface RunSpan {
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Less of everything: some seconds for a whole case. */
  readonly quick: boolean;
}

/** Somebody who is measured: Qanat in one of its ways, or a yardstick. */
export interface Contender {
  readonly name: string;
  /** @returns why it cannot play here (what is not installed), or undefined. */
  readonly missing?: () => string | undefined;
  /** One run. @throws Error when it fails. */
  readonly run: (span: RunSpan) => Promise<Figures>;
}

/** One figure of a case, as the table shows it. */
export interface Metric {
  readonly key: string;
  readonly title: string;
  /** What is shown is the figure divided by this. */
  readonly per: number;
  readonly unit: string;
  readonly digits: number;
}

/** Something that is asked of the medians. */
export interface Goal {
  readonly metric: string;
  readonly of: string;
  /** Then the limit is of the ratio to this contender, taken pair by pair. */
  readonly to?: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface BenchCase {
  readonly name: string;
  readonly title: string;
  readonly metrics: readonly Metric[];
  readonly contenders: readonly Contender[];
  /** Ratios that the table shows, by pairs of runs: [metric, of, to]. */
  readonly ratios: readonly (readonly [string, string, string])[];
  readonly goals: readonly Goal[];
  /** Rounds and seconds of a run, where the usual ones do not fit. */
  readonly runs?: number;
  readonly seconds?: number;
  /** Seconds at the start of each run that do not count: a domain is an isolate of its own, and compiles for itself. */
  readonly warmUpSeconds?: number;
  /** Whether `pnpm bench` without a name runs it, shortened. */
  readonly inQuickSet: boolean;
}

export const GIGABITS = { per: 1e9, unit: 'Gbit/s', digits: 2 } as const;
export const MICROSECONDS = { per: 1, unit: 'us', digits: 2 } as const;
export const PLAIN = { per: 1, unit: '', digits: 0 } as const;
