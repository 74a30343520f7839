import type { BenchCase, Figures, Goal, RunSpan } from './case.ts';
import { describeMachine, type MachineDescription } from './machine-description.ts';
import { type Summary, summarize } from './statistics.ts';

/** Raised when the layout of a result changes. */
export const SCHEMA = 'qanat-bench/1';

export interface ContenderResult {
  readonly name: string;
  /** Why it did not play, or null. */
  readonly skipped: string | null;
  readonly runs: readonly Figures[];
  readonly summary: Readonly<Record<string, Summary>>;
}

export interface RatioResult {
  readonly metric: string;
  readonly of: string;
  readonly to: string;
  /** Of the ratios of the pairs. */
  readonly ratio: Summary;
}

export interface GoalResult {
  readonly metric: string;
  readonly of: string;
  readonly to: string | null;
  readonly limit: string;
  /** Null when somebody was skipped. */
  readonly value: number | null;
  readonly met: boolean | null;
}

/** The document that `--json` prints and `--save` keeps. */
export interface CaseResult {
  readonly schema: typeof SCHEMA;
  readonly bench: string;
  readonly title: string;
  readonly date: string;
  readonly machine: MachineDescription;
  readonly runs: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly quick: boolean;
  readonly contenders: readonly ContenderResult[];
  readonly ratios: readonly RatioResult[];
  readonly goals: readonly GoalResult[];
}

/**
 * Runs all contenders of a case in turn, so that all see the same moods of the computer.
 * @param runs rounds. @param progress gets a line after each run.
 * @throws Error when a contender fails that is not missing.
 */
export async function runCase(
  bench: BenchCase,
  runs: number,
  span: RunSpan,
  progress: (line: string) => void,
): Promise<CaseResult> {
  const skipped = new Map<string, string>();
  for (const { name, missing } of bench.contenders) {
    const reason = missing?.();
    if (reason === undefined) continue;
    skipped.set(name, reason);
    progress(`${bench.name}: ${name} is left out: ${reason}`);
  }
  const taken = new Map<string, Figures[]>(bench.contenders.map(({ name }) => [name, []]));
  const playing = bench.contenders.filter(({ name }) => !skipped.has(name));
  for (let round = 0; round < runs; round++) {
    // Who begins changes, as one run may leave the computer warm for the next.
    for (let i = 0; i < playing.length; i++) {
      const contender = playing[(i + round) % playing.length]!;
      const figures = await contender.run(span);
      taken.get(contender.name)!.push(figures);
      progress(`${bench.name} ${round + 1}/${runs}: ${contender.name}: ${headline(bench, figures)}`);
    }
  }
  const ratios = bench.ratios.flatMap(([metric, of, to]): RatioResult[] => {
    const pairs = ratiosOf(taken, metric, of, to);
    return pairs.length === 0 ? [] : [{ metric, of, to, ratio: summarize(pairs) }];
  });
  return {
    schema: SCHEMA,
    bench: bench.name,
    title: bench.title,
    date: new Date().toISOString(),
    machine: describeMachine(),
    runs,
    seconds: span.seconds,
    warmUpSeconds: span.warmUpSeconds,
    quick: span.quick,
    contenders: bench.contenders.map(({ name }) => contenderResult(name, skipped.get(name) ?? null, taken.get(name)!)),
    ratios,
    goals: bench.goals.map((goal) => judge(goal, taken)),
  };
}

function contenderResult(name: string, skipped: string | null, runs: readonly Figures[]): ContenderResult {
  const summary: Record<string, Summary> = {};
  for (const key of Object.keys(runs[0] ?? {})) {
    const values = valuesOf(runs, key);
    if (values.length > 0) summary[key] = summarize(values);
  }
  return { name, skipped, runs, summary };
}

/** What could be measured: a run may be too short for a figure. */
function valuesOf(runs: readonly Figures[], key: string): number[] {
  return runs.map((figures) => figures[key] ?? Number.NaN).filter(Number.isFinite);
}

/** Ratios of the runs that were made in the same round. */
function ratiosOf(taken: ReadonlyMap<string, readonly Figures[]>, metric: string, of: string, to: string): number[] {
  const [above = [], below = []] = [taken.get(of), taken.get(to)];
  const ratios: number[] = [];
  for (let i = 0; i < Math.min(above.length, below.length); i++) {
    const [x, y] = [above[i]![metric], below[i]![metric]];
    if (x !== undefined && y !== undefined && y !== 0) ratios.push(x / y);
  }
  return ratios;
}

function judge(goal: Goal, taken: ReadonlyMap<string, readonly Figures[]>): GoalResult {
  const { metric, of, to, atLeast, atMost } = goal;
  const values = to === undefined ? valuesOf(taken.get(of) ?? [], metric) : ratiosOf(taken, metric, of, to);
  const value = values.length === 0 ? null : summarize(values).median;
  const met = value === null ? null : value >= (atLeast ?? -Infinity) && value <= (atMost ?? Infinity);
  const limit = atLeast !== undefined ? `>= ${atLeast}` : `<= ${atMost}`;
  return { metric, of, to: to ?? null, limit: to === undefined ? limit : `${limit} x`, value, met };
}

function headline({ metrics }: BenchCase, figures: Figures): string {
  const first = metrics[0]!;
  return `${((figures[first.key] ?? Number.NaN) / first.per).toFixed(first.digits)} ${first.unit}`.trim();
}
