import type { Command } from 'commander';
import { count, positive } from './argument.ts';
import type { BenchCase } from './case.ts';
import { caseTable } from './case-table.ts';
import { type CaseResult, runCase } from './run-case.ts';

interface CasesOptions {
  readonly runs?: number;
  readonly seconds?: number;
  readonly quick?: boolean;
  readonly json?: boolean;
  readonly save?: boolean;
}

const RUNS = 5;
const SECONDS = 4;
const WARM_UP_SECONDS = 1.5;
const QUICK = { runs: 1, seconds: 1, warmUpSeconds: 0.7 } as const;

export interface CasesOutput {
  readonly line: (text: string) => void;
  readonly progress: (text: string) => void;
  readonly save: (result: CaseResult) => string;
}

/** The cases that a command line names. @throws Error naming one that does not exist, and all that do. */
export function findCases(all: readonly BenchCase[], names: readonly string[]): readonly BenchCase[] {
  if (names.length === 1 && names[0] === 'all') return all;
  return names.map((name) => {
    const found = all.find((bench) => bench.name === name);
    if (found === undefined) throw new Error(`no case '${name}': ${all.map((bench) => bench.name).join(', ')}, all`);
    return found;
  });
}

/** @returns the lines of a list of all cases. */
export function listCases(all: readonly BenchCase[]): string[] {
  return alignLeft(all.map(({ name, title, inQuickSet }) => [`  ${name}`, `${inQuickSet ? '*' : ' '} ${title}`]));
}

function alignLeft(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, title]) => `${name.padEnd(width)} ${title}`);
}

/** Makes the command itself run cases: named ones, or the quick set after a list when none is named. */
export function addCases(command: Command, all: readonly BenchCase[], output: CasesOutput): void {
  command
    .argument('[cases...]', 'cases to run, or all; without any they are listed, and those with * run with --quick')
    .option('--runs <n>', `rounds: each contender runs once in each (default: ${RUNS}, quick: ${QUICK.runs})`, count)
    .option('--seconds <n>', `length of a run (default: ${SECONDS}, quick: ${QUICK.seconds})`, positive)
    .option('--quick', 'short runs, less of everything')
    .option('--json', 'print JSON: an array with a document for each case')
    .option('--save', 'keep each result in bench/results')
    .action(async (names: string[], options: CasesOptions) => {
      const none = names.length === 0;
      const chosen = none ? all.filter(({ inQuickSet }) => inQuickSet) : findCases(all, names);
      const { json = false, quick = none } = options;
      if (none && !json)
        for (const line of ['Cases (* in the quick set, which follows):', ...listCases(all), '']) output.line(line);
      const results: CaseResult[] = [];
      for (const bench of chosen) {
        const seconds = options.seconds ?? (quick ? QUICK.seconds : (bench.seconds ?? SECONDS));
        const warmUpSeconds = quick ? QUICK.warmUpSeconds : (bench.warmUpSeconds ?? WARM_UP_SECONDS);
        const span = { seconds, warmUpSeconds, quick };
        const result = await runCase(
          bench,
          options.runs ?? (quick ? QUICK.runs : (bench.runs ?? RUNS)),
          span,
          output.progress,
        );
        results.push(result);
        if (!json) for (const line of [...caseTable(bench, result), '']) output.line(line);
        if (options.save) output.progress(`kept in ${output.save(result)}`);
      }
      if (json) output.line(JSON.stringify(results, null, 2));
    });
}
