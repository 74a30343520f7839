import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import type { PshPolicy } from './packet/compare.ts';
import type { RunOptions } from './run/options.ts';
import { describeResult, type ScriptResult } from './run/result.ts';
import { runScript } from './run/run-script.ts';

interface CliOptions {
  readonly json?: boolean;
  readonly verbose?: boolean;
  readonly tolerance_usecs?: number;
  readonly define: ReadonlyMap<string, string>;
  readonly psh: PshPolicy;
  readonly seed: number;
}

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** Where the lines go. */
export interface Output {
  out(text: string): void;
  error(text: string): void;
}

/**
 * The command `packetdrill`.
 * @param argv as in process.argv. @returns the exit code: 0, 1 when a script failed, 2 for wrong usage.
 */
export function main(argv: readonly string[], output: Output): number {
  const program = new Command('packetdrill')
    .description('Runs packetdrill scripts against the stack, on virtual time.')
    .argument('<file|dir...>', 'scripts (*.pkt), and directories that are searched for them')
    .option('--json', 'print one JSON document instead of lines')
    .option('--verbose', 'print what snippets print, warnings, and the error of each time')
    .option('--tolerance_usecs <n>', 'least tolerance of times in microseconds (4000)', parseInteger)
    .option('-D, --define <name=value>', 'replace a word of the scripts', collectDefine, new Map<string, string>())
    .option(
      '--psh <policy>',
      'linux: PSH as written; lenient: not looked at on segments with data',
      parsePsh,
      'lenient',
    )
    .option('--seed <n>', 'of the randomness of the stack under test', parseInteger, 1)
    .exitOverride()
    .configureOutput({ writeOut: output.out, writeErr: output.error })
    .showHelpAfterError('(--help tells the options)');
  try {
    program.parse(argv);
  } catch (error) {
    return (error as { exitCode?: number }).exitCode === 0 ? 0 : EXIT_USAGE;
  }
  let files: string[];
  try {
    files = program.args.flatMap(scriptsIn);
  } catch (error) {
    output.error(`packetdrill: ${(error as Error).message}\n`);
    return EXIT_USAGE;
  }
  if (files.length === 0) {
    output.error(`packetdrill: no *.pkt script in ${program.args.join(', ')}\n`);
    return EXIT_USAGE;
  }
  return runAll(files, program.opts<CliOptions>(), output);
}

/** The scripts that a path names, in the order of their names. @throws Error when there is no such file. */
function scriptsIn(path: string): string[] {
  const status = statSync(path, { throwIfNoEntry: false });
  if (!status) throw new Error(`${path}: no such file or directory`);
  if (!status.isDirectory()) return [path];
  const entries = readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const child = join(path, entry.name);
    if (entry.isDirectory()) return scriptsIn(child);
    return entry.name.endsWith('.pkt') ? [child] : [];
  });
}

function runAll(files: readonly string[], options: CliOptions, output: Output): number {
  const runOptions: RunOptions = {
    psh: options.psh,
    defines: options.define,
    seed: options.seed,
    ...(options.tolerance_usecs === undefined ? {} : { toleranceUs: options.tolerance_usecs }),
  };
  const results: ScriptResult[] = [];
  for (const file of files) {
    const result = runScript(file, readFileSync(file, 'utf8'), runOptions);
    results.push(result);
    if (!options.json) output.out(`${lines(result, options.verbose === true).join('\n')}\n`);
  }
  const count = (status: ScriptResult['status']): number => results.filter((result) => result.status === status).length;
  const [passed, failed, skipped] = [count('ok'), count('FAIL'), count('skipped')];
  const strictFailures = results.filter((result) => result.status === 'ok' && result.pshDiffers.length > 0).length;
  if (options.json) {
    output.out(
      `${JSON.stringify({ passed, failed, skipped, psh: options.psh, strictPshFailures: strictFailures, results }, null, 2)}\n`,
    );
  } else {
    if (strictFailures > 0) output.out(`${strictFailures} of those passed would fail with --psh linux\n`);
    output.out(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  }
  return failed > 0 ? EXIT_FAILED : 0;
}

function lines(result: ScriptResult, verbose: boolean): string[] {
  const all = [describeResult(result).replace(/\n\s*/g, ' ')];
  if (!verbose) return all;
  for (const text of result.output) all.push(`  | ${text}`);
  for (const warning of result.warnings) all.push(`  warning: ${warning}`);
  for (const line of result.pshDiffers) all.push(`  line ${line}: PSH differs`);
  for (const { line, errorUs } of result.timings) all.push(`  line ${line}: ${errorUs >= 0 ? '+' : ''}${errorUs} us`);
  return all;
}

function parseInteger(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('expected a non-negative integer');
  return value;
}

function parsePsh(text: string): PshPolicy {
  if (text !== 'linux' && text !== 'lenient') throw new InvalidArgumentError('expected linux or lenient');
  return text;
}

function collectDefine(text: string, all: Map<string, string>): Map<string, string> {
  const match = /^([A-Za-z_][A-Za-z0-9_]*)=(.+)$/s.exec(text);
  if (!match) throw new InvalidArgumentError('expected NAME=VALUE');
  return all.set(match[1]!, match[2]!);
}
