import { mkdirSync, writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { benchIperf, iperfTable } from './iperf.ts';
import { addNetsim } from './netsim-command.ts';

const RESULTS = new URL('../results/', import.meta.url);

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('give a number above 0');
  return value;
}

function count(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('give a whole number above 0');
  return Number(text);
}

/** Keeps a result beside the others, named after what was measured and when. @returns its path. */
function save(result: { readonly bench: string; readonly date: string }): string {
  mkdirSync(RESULTS, { recursive: true });
  const file = new URL(`${result.bench}-${result.date.slice(0, 19).replaceAll(':', '')}.json`, RESULTS);
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  return file.pathname;
}

const command = new Command('bench').description('Measures Qanat, each time beside a yardstick on the same computer.');

command
  .command('iperf')
  .description('TCP between two domains (threads, MTU 1500) against node:net over loopback, in turn')
  .option('--runs <n>', 'pairs of runs', count, 5)
  .option('--seconds <n>', 'length of each run', positive, 5)
  .option('--json', 'print one JSON document')
  .option('--save', 'keep the result in bench/results')
  .argument('[iperf-options...]', 'further options for iperf, after --')
  .action(async (iperfArgs: string[], options: { runs: number; seconds: number; json?: boolean; save?: boolean }) => {
    const { runs, seconds, json = false } = options;
    const result = await benchIperf({ runs, seconds, iperfArgs }, (line) => process.stderr.write(`${line}\n`));
    process.stdout.write(json ? `${JSON.stringify(result, null, 2)}\n` : `${iperfTable(result).join('\n')}\n`);
    if (options.save) process.stderr.write(`kept in ${save(result)}\n`);
  });

addNetsim(command, count, save);

try {
  await command.parseAsync();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
