import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';

const SCRIPT = fileURLToPath(new URL('../../packages/tcpvis/scripts/bench-page.mjs', import.meta.url));

interface PageOptions {
  readonly rows: number;
  readonly keep?: string;
  readonly json?: boolean;
}

/** Adds `bench page`. @param count parses a whole number above 0. */
export function addPage(command: Command, count: (text: string) => number): void {
  command
    .command('page')
    .description(
      'tcpvis in headless Chromium: how fast a large log opens, picked and served, and frames/s while panned',
    )
    .option('--rows <n>', 'rows of the log', count, 10_000_000)
    .option('--keep <file>', 'a log to keep, or one that is there already')
    .option('--json', 'print one JSON document')
    .action(async ({ rows, keep, json = false }: PageOptions) => {
      const args = [
        '--rows',
        String(rows),
        ...(keep === undefined ? [] : ['--keep', keep]),
        ...(json ? ['--json'] : []),
      ];
      const child = spawn(process.execPath, [SCRIPT, ...args], { stdio: 'inherit' });
      const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
      if (code !== 0) throw new Error('the page could not be measured');
    });
}
