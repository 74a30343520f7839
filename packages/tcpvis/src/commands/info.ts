import { readFileSync } from 'node:fs';
import { parseText2013 } from '@qanat/flowlog';
import type { Command } from 'commander';
import type { Output } from '../output.ts';
import { UsageError } from '../usage-error.ts';

/** `info IN`: what a file holds. */
export function registerInfo(program: Command, output: Output): void {
  program
    .command('info')
    .description('say what a file holds: flows, rows, time, problems')
    .argument('<in>', 'a flow log or a capture')
    .action((path: string) => {
      const { log, skippedLines } = parseText2013(readInput(path).toString());
      output.out(`${path}: ${log.count} records, ${skippedLines} lines skipped\n`);
    });
}

function readInput(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
