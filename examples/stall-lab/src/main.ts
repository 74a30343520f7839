#!/usr/bin/env node
import { writeFileSync } from 'node:fs';
import type { LabRun } from './lab.ts';
import { parseOptions } from './options.ts';
import { UsageError } from './usage-error.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  if ('text' in options) {
    process.stdout.write(options.text);
    return;
  }
  // Before the runs, which take a minute.
  if (options.html !== undefined) write(options.html, '');
  // The machine is loaded only now: who asks for help need not wait for it.
  const [{ runLab }, { textReport }, { htmlReport }, { jsonReport }] = await Promise.all([
    import('./lab.ts'),
    import('./report-text.ts'),
    import('./report-html.ts'),
    import('./report-json.ts'),
  ]);
  const runs: LabRun[] = await runLab(options, (line) => process.stderr.write(`${line}\n`));
  if (options.json) process.stdout.write(`${JSON.stringify(jsonReport(runs), null, 2)}\n`);
  else process.stdout.write(`${textReport(runs).join('\n')}\n`);
  if (options.html !== undefined) {
    write(options.html, htmlReport(runs));
    process.stderr.write(`report: ${options.html}\n`);
  }
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new UsageError(`--html ${path} cannot be written (${(error as NodeJS.ErrnoException).code})`);
  }
}

process.stdout.on('error', () => process.exit(EXIT_FAILED));

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(`stall-lab: ${error.message}\n`);
    process.exitCode = EXIT_USAGE;
  } else {
    process.stderr.write(`stall-lab: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = EXIT_FAILED;
  }
}
