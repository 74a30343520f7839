import { Command, CommanderError } from 'commander';
import { BUILD_NAMES, type BuildName } from './builds.ts';
import { MACHINE_KINDS, type MachineKind } from './trial.ts';
import { UsageError } from './usage-error.ts';

/** What the command line asks for, checked. */
export interface LabOptions {
  readonly seconds: number;
  readonly idleSeconds: number;
  readonly machines: readonly MachineKind[];
  readonly builds: readonly BuildName[];
  readonly txqueuelens: readonly number[];
  /** How often each is run, with one seed after the other. */
  readonly runs: number;
  readonly seed: number;
  readonly html: string | undefined;
  /** Folder for the flow logs. */
  readonly flowLogs: string | undefined;
  readonly json: boolean;
}

/** What `--help` asks for instead of a run. */
export interface Information {
  readonly text: string;
}

const MAX_SECONDS = 600;
const MAX_RUNS = 100;

interface RawOptions {
  readonly time: string;
  readonly idle: string;
  readonly machine: string;
  readonly builds: string;
  readonly txqueuelen: string;
  readonly runs: string;
  readonly seed: string;
  readonly html: string | false;
  readonly flowLogs?: string;
  readonly json?: boolean;
}

/** @throws UsageError with one line that says what is wrong and how to mend it. */
export function parseOptions(args: readonly string[]): LabOptions | Information {
  let text = '';
  const command = new Command('stall-lab')
    .description(
      'The network stall of 2013, run beside its workaround and beside what ships; and what the auditor saw.',
    )
    .helpOption('-h, --help', 'show this text and end')
    .allowExcessArguments(true)
    .option('-t, --time <seconds>', 'traffic of each run', '10')
    .option('--idle <seconds>', 'how long an idle guest is watched, 0 not at all', '2')
    .option('--machine <kind>', 'threads, virtual or both', 'both')
    .option('--builds <names>', `which guests, of ${BUILD_NAMES.join(',')}`, BUILD_NAMES.join(','))
    .option('--txqueuelen <packets>', 'queue of each port of the bridge: 1000, 32 or both', 'both')
    .option('--runs <n>', 'how often each is run, with one seed after the other', '1')
    .option('--seed <n>', 'seed of all chance; on virtual time the same seed gives the same run', '1')
    .option('--html <file>', 'where the report goes', 'stall-lab.html')
    .option('--no-html', 'write no report')
    .option('--flow-logs <folder>', 'write a .qflow file of each run, for qanat-flow')
    .option('--json', 'print one JSON document instead of the table');
  command.exitOverride();
  command.configureOutput({ writeOut: (chunk) => (text += chunk), writeErr: () => {} });
  try {
    command.parse(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { text };
    const message = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
    throw new UsageError(`${message}: see --help for the options`);
  }
  const [extra] = command.args;
  if (extra !== undefined) throw new UsageError(`argument '${extra}' is not understood: see --help for the options`);
  return check(command.opts<RawOptions>());
}

function check(raw: RawOptions): LabOptions {
  if (raw.html === '') throw new UsageError('--html needs the name of a file, as in stall-lab.html');
  return {
    seconds: number('--time', raw.time, 0.1, MAX_SECONDS, 'seconds'),
    idleSeconds: number('--idle', raw.idle, 0, 60, 'seconds'),
    machines: oneOrBoth('--machine', raw.machine, MACHINE_KINDS),
    builds: builds(raw.builds),
    txqueuelens: oneOrBoth('--txqueuelen', raw.txqueuelen, ['1000', '32'] as const).map(Number),
    runs: number('--runs', raw.runs, 1, MAX_RUNS, 'as a whole number', true),
    seed: number('--seed', raw.seed, 0, 0xffff_ffff, 'as a whole number', true),
    html: raw.html === false ? undefined : raw.html,
    flowLogs: raw.flowLogs,
    json: raw.json ?? false,
  };
}

function number(name: string, text: string, least: number, most: number, what: string, whole = false): number {
  const value = (whole ? /^\d+$/ : /^(\d+(\.\d*)?|\.\d+)$/).test(text.trim()) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(`${name} '${text}': give ${least} to ${most} ${what}`);
}

function oneOrBoth<T extends string>(name: string, text: string, words: readonly [T, T]): readonly T[] {
  if (text === 'both') return words;
  const word = words.find((candidate) => candidate === text);
  if (word === undefined) throw new UsageError(`${name} '${text}' is unknown: give ${words.join(', ')} or both`);
  return [word];
}

function builds(text: string): readonly BuildName[] {
  const names = text.split(',').map((name) => name.trim());
  for (const name of names) {
    if (!BUILD_NAMES.some((known) => known === name)) {
      throw new UsageError(`--builds '${name}' is unknown: give some of ${BUILD_NAMES.join(', ')}`);
    }
  }
  return BUILD_NAMES.filter((name) => names.includes(name));
}
