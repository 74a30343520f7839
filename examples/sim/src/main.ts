import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { generate } from './generate.ts';
import { runSeeds } from './run-seeds.ts';
import type { Scenario } from './scenario.ts';
import { shrink } from './shrink.ts';
import { type Failure, type Outcome, simulate } from './simulate.ts';
import type { Tally } from './tally.ts';
import { simulateCaptured, simulateTraced } from './trace.ts';

interface Options {
  readonly seeds: number;
  readonly from: number;
  readonly seed?: number;
  readonly scenario?: Scenario;
  readonly first?: boolean;
  readonly jobs: number;
  readonly shrink: boolean;
  readonly trace?: boolean;
  readonly pcap?: string;
  readonly print?: boolean;
  readonly json?: boolean;
}

/** Failing seeds that are made small and shown; the others are only named. */
const SHOWN_FAILURES = 5;

function whole(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('give a whole number');
  return Number(text);
}

function atLeastOne(text: string): number {
  const value = whole(text);
  if (value < 1) throw new InvalidArgumentError('give a whole number above 0');
  return value;
}

function scenarioJson(text: string): Scenario {
  try {
    const scenario = JSON.parse(text) as Scenario;
    if (!Array.isArray(scenario.flows) || !Array.isArray(scenario.disturbances)) throw new Error('no scenario');
    return scenario;
  } catch (error) {
    throw new InvalidArgumentError(`not a scenario: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const command = new Command('sim')
  .description('Two hosts on an impaired link, on virtual time: runs seeds, checks invariants, shrinks what fails.')
  .option('--seeds <n>', 'how many seeds', atLeastOne, 1000)
  .option('--from <seed>', 'the first of them', whole, 1)
  .option('--seed <seed>', 'run only this one', whole)
  .option('--scenario <json>', 'run this scenario', scenarioJson)
  .option('--first', 'stop at the first failure')
  .option('--jobs <n>', 'threads', atLeastOne, 1)
  .option('--no-shrink', 'leave failing scenarios as they are')
  .option('--trace', 'print every segment (one scenario)')
  .option('--pcap <file>', 'capture what the hosts send and get (one scenario)')
  .option('--print', 'print the scenario as JSON (one scenario)')
  .option('--json', 'print one JSON document');

async function main(options: Options): Promise<void> {
  if (options.scenario !== undefined) await one(options.scenario, options);
  else if (options.seed !== undefined) await one(generate(options.seed), options);
  else await many(options);
}

/** Runs a single scenario, and shows it as closely as wanted. */
async function one(scenario: Scenario, options: Options): Promise<void> {
  if (options.print) say(JSON.stringify(scenario));
  let outcome: Outcome;
  if (options.trace) outcome = simulateTraced(scenario, say);
  else if (options.pcap !== undefined) outcome = await simulateCaptured(scenario, options.pcap);
  else outcome = simulate(scenario);
  const { failure } = outcome;
  if (options.json) say(JSON.stringify({ scenario, ...outcome }, null, 2));
  else if (failure === undefined) say(`ok: ${summary(outcome)}`);
  if (failure === undefined) return;
  process.exitCode = 1;
  if (options.json) return;
  say(describe(`seed ${scenario.seed}`, failure));
  if (options.shrink && options.scenario === undefined) showShrunk(scenario, failure);
}

/** Runs a series of seeds. */
async function many(options: Options): Promise<void> {
  const { seeds, from, jobs, json = false } = options;
  const startMs = performance.now();
  let shownMs = startMs;
  const { tally, failures } = await runSeeds({
    first: from,
    count: seeds,
    jobs: Math.min(jobs, availableParallelism()),
    untilFailure: options.first ?? false,
    onFailure: ({ seed, failure }) => note(describe(`seed ${seed}`, failure)),
    onProgress: (sum, failed) => {
      if (performance.now() - shownMs < 5000) return;
      shownMs = performance.now();
      note(`${sum.runs} of ${seeds} seeds, ${failed} failed`);
    },
  });
  const seconds = (performance.now() - startMs) / 1000;
  if (failures.length > 0) process.exitCode = 1;
  if (json) {
    say(JSON.stringify({ from, seeds, seconds, tally, failures }, null, 2));
    return;
  }
  for (const { seed, failure } of failures.slice(0, SHOWN_FAILURES)) {
    say(describe(`seed ${seed}`, failure));
    say(`  pnpm sim --seed ${seed}`);
    if (options.shrink) showShrunk(generate(seed), failure);
  }
  say(total(tally, seconds));
  say(failures.length === 0 ? `${tally.runs} seeds passed` : `${failures.length} of ${tally.runs} seeds failed`);
}

function showShrunk(scenario: Scenario, failure: Failure): void {
  const small = shrink(scenario, failure);
  say(`  made small in ${small.runs} runs: ${small.failure.message}`);
  say(`  pnpm sim --scenario '${JSON.stringify(small.scenario)}'`);
}

function describe(what: string, failure: Failure): string {
  return `${what}: ${failure.invariant} at ${(failure.atUs / 1e6).toFixed(3)} s: ${failure.message}`;
}

function summary(outcome: Outcome): string {
  const errors = Object.entries(outcome.errors).map(([code, count]) => `${count} ${code}`);
  const told = errors.length === 0 ? 'no errors' : errors.join(', ');
  const seconds = (outcome.virtualUs / 1e6).toFixed(1);
  return `${outcome.bytes} bytes in ${outcome.frames} frames, ${outcome.complete} of ${outcome.ends} ends complete, ${told}, ${seconds} s of virtual time`;
}

function total(tally: Tally, seconds: number): string {
  const errors = Object.entries(tally.errors).map(([code, count]) => `${count} ${code}`);
  const days = (tally.virtualUs / 86_400e6).toFixed(1);
  return [
    `${(tally.bytes / 1e6).toFixed(1)} MB in ${tally.frames} frames, ${tally.complete} of ${tally.ends} ends complete`,
    `errors told: ${errors.length === 0 ? 'none' : errors.join(', ')}`,
    `most frames for their use: ${(100 * tally.frameRatio).toFixed(0)} % of the bound (seed ${tally.frameRatioSeed})`,
    `${days} days of virtual time in ${seconds.toFixed(1)} s`,
  ].join('\n');
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

// Whoever reads may stop reading.
process.stdout.on('error', () => process.exit());

try {
  await main(command.parse().opts<Options>());
} catch (error) {
  note(`sim: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}
