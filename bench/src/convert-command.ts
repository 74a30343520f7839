import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { count } from './argument.ts';
import { runNode } from './child.ts';
import { onCleanup } from './cleanup.ts';
import { DIRECTIONS, type Direction } from './convert/directions.ts';
import type { Measured } from './convert/main.ts';
import { describeMachine, type MachineDescription } from './machine-description.ts';
import { alignColumns, median } from './statistics.ts';

const CHILD = new URL('./convert/main.js', import.meta.url);
const MILLION = 1e6;

export interface ConvertedDirection extends Direction, Measured {}

export interface ConvertResult {
  readonly schema: 'qanat-bench-convert/1';
  readonly bench: 'convert';
  readonly date: string;
  readonly machine: MachineDescription;
  readonly directions: readonly ConvertedDirection[];
}

interface ConvertOptions {
  readonly rows: number;
  readonly rounds: number;
  readonly json?: boolean;
  readonly save?: boolean;
}

export interface ConvertOutput {
  readonly line: (text: string) => void;
  readonly progress: (text: string) => void;
  readonly save: (result: ConvertResult) => string;
}

/** @returns the lines of a table for people: rows per second of the whole conversion, and of its two halves. */
export function convertTable({ machine, directions }: ConvertResult): string[] {
  const [first] = directions;
  const rounds = first?.readSeconds.length ?? 0;
  return [
    `convert: million rows a second, in memory; medians of ${rounds} round${rounds === 1 ? '' : 's'} in a process of its own; cold: its first`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.platform}, Node ${machine.node}`,
    '',
    ...alignColumns([
      ['', 'convert', 'cold', 'read', 'write', 'rows', 'MB in', 'MB out'],
      ...directions.map(({ from, to, rows, readSeconds, writeSeconds, inBytes, outBytes }) => {
        const wholes = readSeconds.map((seconds, round) => seconds + writeSeconds[round]!);
        const rate = (seconds: number): string => (rows / seconds / MILLION).toFixed(2);
        const rates = [rate(median(wholes)), rate(wholes[0]!), rate(median(readSeconds)), rate(median(writeSeconds))];
        const sizes = [inBytes, outBytes].map((bytes) => (bytes / MILLION).toFixed(0));
        return [`${from} -> ${to}`, ...rates, String(rows), ...sizes];
      }),
    ]),
  ];
}

/** Adds `bench convert`. */
export function addConvert(command: Command, output: ConvertOutput): void {
  command
    .command('convert')
    .description('how many rows a second `qanat-flow convert` turns from each format into another')
    .argument('[formats...]', 'only directions from or to these formats')
    .option('--rows <n>', 'rows of the log', count, 1_000_000)
    .option('--rounds <n>', 'conversions of each direction, in one process', count, 5)
    .option('--json', 'print one JSON document')
    .option('--save', 'keep the result in bench/results')
    .action(async (formats: string[], { rows, rounds, json = false, save = false }: ConvertOptions) => {
      const chosen = DIRECTIONS.filter(({ from, to }) => {
        return formats.length === 0 || formats.includes(from) || formats.includes(to);
      });
      if (chosen.length === 0) throw new Error(`no direction from or to ${formats.join(', ')}`);
      const folder = mkdtempSync(join(tmpdir(), 'qanat-convert-'));
      const forget = onCleanup(() => rmSync(folder, { recursive: true, force: true }));
      try {
        output.progress('making the log');
        await runNode(CHILD, [], ['make', String(rows), folder]);
        const directions: ConvertedDirection[] = [];
        for (const { from, to } of chosen) {
          const text = await runNode(CHILD, [], ['measure', from, to, folder, String(rounds)]);
          directions.push({ from, to, ...(JSON.parse(text) as Measured) });
          output.progress(`${from} -> ${to}`);
        }
        const result: ConvertResult = {
          schema: 'qanat-bench-convert/1',
          bench: 'convert',
          date: new Date().toISOString(),
          machine: describeMachine(),
          directions,
        };
        if (json) output.line(JSON.stringify(result, null, 2));
        else for (const text of convertTable(result)) output.line(text);
        if (save) output.progress(`kept in ${output.save(result)}`);
      } finally {
        forget();
      }
    });
}
