#!/usr/bin/env node
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabRun } from './lab.ts';
import { parseOptions } from './options.ts';
import { runName } from './run-name.ts';
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
  const { html, flowLogs } = options;
  if (html !== undefined) write('--html', html, '');
  if (flowLogs !== undefined) makeFolder(flowLogs);
  // The machine is loaded only now: who asks for help need not wait for it.
  const [{ runLab }, { closeUps, qflowOf }, { textReport }, { htmlReport }, { jsonReport }] = await Promise.all([
    import('./lab.ts'),
    import('./close-up.ts'),
    import('./report-text.ts'),
    import('./report-html.ts'),
    import('./report-json.ts'),
  ]);
  const pictures = new Map<string, string>();
  const progress = (line: string): void => void process.stderr.write(`${line}\n`);
  const runs = await runLab(options, progress, async (run: LabRun) => {
    if (html !== undefined) for (const [name, svg] of await closeUps(run)) pictures.set(name, svg);
    const log = flowLogs === undefined ? undefined : qflowOf(run.trial);
    if (log !== undefined) write('--flow-logs', join(flowLogs!, `${runName(run.figures)}.qflow`), log);
  });
  if (options.json) process.stdout.write(`${JSON.stringify(jsonReport(runs), null, 2)}\n`);
  else process.stdout.write(`${textReport(runs).join('\n')}\n`);
  if (html !== undefined) {
    write('--html', html, htmlReport(runs, pictures));
    progress(`report: ${html}`);
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw new UsageError(`--flow-logs ${path} cannot be made (${(error as NodeJS.ErrnoException).code})`);
  }
}

function write(option: string, path: string, content: string | Uint8Array): void {
  try {
    writeFileSync(path, content);
  } catch (error) {
    throw new UsageError(`${option} ${path} cannot be written (${(error as NodeJS.ErrnoException).code})`);
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
