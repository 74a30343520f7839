#!/usr/bin/env node
import { closeSync, existsSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabRun } from './lab.ts';
import { type LabOptions, parseOptions } from './options.ts';
import { runName } from './run-name.ts';
import { UsageError } from './usage-error.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  if ('text' in options) {
    process.stdout.write(options.text);
    return;
  }
  // Before the runs, which take minutes.
  const { html, flowLogs } = options;
  const isNew = html !== undefined && !existsSync(html);
  if (html !== undefined) tryToWrite('--html', html);
  if (flowLogs !== undefined) makeFolder(flowLogs);
  const forget = (): void => {
    if (isNew) rmSync(html, { force: true });
  };
  try {
    await experiment(options, forget);
  } catch (error) {
    forget();
    throw error;
  }
}

/** @param forget called when there is nothing to report. */
async function experiment(options: LabOptions, forget: () => void): Promise<void> {
  // The machine is loaded only now: who asks for help need not wait for it.
  const [{ runLab }, { closeUps, qflowOf }, { textReport }, { htmlReport }, { jsonReport }] = await Promise.all([
    import('./lab.ts'),
    import('./close-up.ts'),
    import('./report-text.ts'),
    import('./report-html.ts'),
    import('./report-json.ts'),
  ]);
  const { html, flowLogs } = options;
  const pictures = new Map<string, string>();
  const runs: LabRun[] = [];
  const progress = (line: string): void => void process.stderr.write(`${line}\n`);
  const report = (): void => {
    if (html !== undefined) {
      write('--html', html, htmlReport(runs, pictures));
      progress(`report: ${html}`);
    }
    if (options.json) process.stdout.write(`${JSON.stringify(jsonReport(runs), null, 2)}\n`);
    else process.stdout.write(`\n${textReport(runs).join('\n')}\n`);
  };
  process.once('SIGINT', () => {
    // A second one finds nobody who listens, and ends the process.
    progress(`interrupted: ${runs.length} runs have ended`);
    if (runs.length > 0) report();
    else forget();
    process.exit(EXIT_INTERRUPTED);
  });
  await runLab(options, runs, {
    progress,
    done: async (run) => {
      if (html !== undefined) for (const [name, svg] of await closeUps(run)) pictures.set(name, svg);
      const log = flowLogs === undefined ? undefined : qflowOf(run.trial);
      if (log !== undefined) write('--flow-logs', join(flowLogs!, `${runName(run.figures)}.qflow`), log);
    },
  });
  report();
}

function makeFolder(path: string): void {
  refuse(`--flow-logs ${path} cannot be made`, () => mkdirSync(path, { recursive: true }));
}

/** What stands there stays until there is something better. */
function tryToWrite(option: string, path: string): void {
  refuse(`${option} ${path} cannot be written`, () => closeSync(openSync(path, 'a')));
}

function write(option: string, path: string, content: string | Uint8Array): void {
  refuse(`${option} ${path} cannot be written`, () => writeFileSync(path, content));
}

/** @throws UsageError where the file system does not do it. */
function refuse(what: string, doIt: () => void): void {
  try {
    doIt();
  } catch (error) {
    throw new UsageError(`${what} (${(error as NodeJS.ErrnoException).code})`);
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
