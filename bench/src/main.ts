import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { count, positive } from './argument.ts';
import { CASES } from './cases/index.ts';
import { addCases } from './cases-command.ts';
import { addConvert } from './convert-command.ts';
import { benchIperf, iperfTable } from './iperf.ts';
import { addNetsim } from './netsim-command.ts';
import { addPage } from './page-command.ts';
import { addProfile } from './profile-command.ts';
import { insertReport, readKept, report } from './report.ts';
import { addStages } from './stages-command.ts';

const RESULTS = new URL('../results/', import.meta.url);
const PAGE = new URL('../../docs/PERFORMANCE.md', import.meta.url);

/** Keeps a result beside the others, named after what was measured and when. @returns its path. */
function save(result: { readonly bench: string; readonly date: string }): string {
  mkdirSync(RESULTS, { recursive: true });
  const file = new URL(`${result.bench}-${result.date.slice(0, 19).replaceAll(':', '')}.json`, RESULTS);
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  return file.pathname;
}

const line = (text: string): void => void process.stdout.write(`${text}\n`);
const progress = (text: string): void => void process.stderr.write(`${text}\n`);

const command = new Command('bench')
  .description('Measures Qanat, each time beside a yardstick on the same computer.')
  .enablePositionalOptions();

addCases(command, CASES, { line, progress, save });

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
    const result = await benchIperf({ runs, seconds, iperfArgs }, progress);
    if (json) line(JSON.stringify(result, null, 2));
    else for (const text of iperfTable(result)) line(text);
    if (options.save) progress(`kept in ${save(result)}`);
  });

addStages(command, { line, progress, save });
addConvert(command, { line, progress, save });
addProfile(command, { line, progress, save });
addNetsim(command, count, save);
addPage(command, count);

command
  .command('report')
  .description('makes one table of the newest kept results')
  .option('--write', 'put it into docs/PERFORMANCE.md')
  .action(({ write = false }: { write?: boolean }) => {
    const lines = report(CASES, readKept(RESULTS));
    if (write) writeFileSync(PAGE, insertReport(readFileSync(PAGE, 'utf8'), lines));
    else for (const text of lines) line(text);
  });

try {
  await command.parseAsync();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
