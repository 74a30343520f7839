import type { Command } from 'commander';
import { count } from './argument.ts';
import { runNode } from './child.ts';
import { describeMachine, type MachineDescription } from './machine-description.ts';
import type { Stage, StageGroup } from './stages/stage.ts';
import { alignColumns, median } from './statistics.ts';

const CHILD = new URL('./stages/main.js', import.meta.url);

export interface StagesResult {
  readonly schema: 'qanat-bench-stages/1';
  readonly bench: 'stages';
  readonly date: string;
  readonly machine: MachineDescription;
  readonly runs: number;
  readonly groups: readonly StageGroup[];
}

interface StagesOptions {
  readonly runs: number;
  readonly json?: boolean;
  readonly save?: boolean;
}

export interface StagesOutput {
  readonly line: (text: string) => void;
  readonly progress: (text: string) => void;
  readonly save: (result: StagesResult) => string;
}

/** The medians of several runs, stage by stage. */
export function mergeStages(runs: readonly (readonly StageGroup[])[]): StageGroup[] {
  const [first = []] = runs;
  return first.map(({ title, stages }, group) => ({
    title,
    stages: stages.map(({ stage, largeNs }, index): Stage => {
      const same = runs.map((run) => run[group]?.stages[index]).filter((other) => other?.stage === stage);
      const large = same.map((other) => other?.largeNs).filter((ns) => typeof ns === 'number');
      return {
        stage,
        smallNs: median(same.map((other) => other?.smallNs).filter((ns) => ns !== undefined)),
        largeNs: largeNs === null ? null : median(large),
      };
    }),
  }));
}

/** @returns the cells of a table: the step, and its nanoseconds for both sizes; a group's title is a row of its own. */
export function stagesRows({ groups }: StagesResult): string[][] {
  return groups.flatMap(({ title, stages }) => [
    [`${title}:`, '', ''],
    ...stages.map(({ stage, smallNs, largeNs }) => [
      `  ${stage}`,
      smallNs.toFixed(smallNs < 100 ? 1 : 0),
      largeNs === null ? '' : largeNs.toFixed(0),
    ]),
  ]);
}

/** @returns the lines of a table for people. */
export function stagesTable(result: StagesResult): string[] {
  const { machine, runs } = result;
  return [
    `stages: nanoseconds a segment, or a step where size does not matter; medians of ${runs} run${runs === 1 ? '' : 's'}`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.platform}, Node ${machine.node}`,
    '',
    ...alignColumns([['', '1460 bytes', '64 KB'], ...stagesRows(result)]),
  ];
}

/** Adds `bench stages`. */
export function addStages(command: Command, output: StagesOutput): void {
  command
    .command('stages')
    .description('where the time goes: what each step of a segment costs by itself, in ns')
    .option('--runs <n>', 'processes, one after the other', count, 3)
    .option('--json', 'print one JSON document')
    .option('--save', 'keep the result in bench/results')
    .action(async ({ runs, json = false, save = false }: StagesOptions) => {
      const taken: StageGroup[][] = [];
      for (let run = 1; run <= runs; run++) {
        taken.push(JSON.parse(await runNode(CHILD, [], [])) as StageGroup[]);
        output.progress(`stages ${run}/${runs}`);
      }
      const result: StagesResult = {
        schema: 'qanat-bench-stages/1',
        bench: 'stages',
        date: new Date().toISOString(),
        machine: describeMachine(),
        runs,
        groups: mergeStages(taken),
      };
      if (json) output.line(JSON.stringify(result, null, 2));
      else for (const text of stagesTable(result)) output.line(text);
      if (save) output.progress(`kept in ${output.save(result)}`);
    });
}
