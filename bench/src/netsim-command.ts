import type { CongestionName } from '@qanat/tcp';
import { type Command, InvalidArgumentError } from 'commander';
import { ALL_CONGESTIONS, benchNetsim, netsimTable } from './netsim.ts';

interface NetsimCommandOptions {
  readonly quick?: boolean;
  readonly congestion: readonly CongestionName[];
  readonly seed: number;
  readonly json?: boolean;
  readonly save?: boolean;
}

function congestions(text: string): CongestionName[] {
  return text.split(',').map((name) => {
    const found = ALL_CONGESTIONS.find((known) => known === name);
    if (found === undefined) throw new InvalidArgumentError(`choose from ${ALL_CONGESTIONS.join(', ')}`);
    return found;
  });
}

/** Adds `bench netsim`. @param count parses a whole number above 0. @param save keeps a result, and says where. */
export function addNetsim(
  command: Command,
  count: (text: string) => number,
  save: (result: { readonly bench: string; readonly date: string }) => string,
): void {
  command
    .command('netsim')
    .description('TCP goodput on virtual time against loss, delay and buffer, and several flows, beside smoltcp')
    .option('--quick', 'fewer cells: seconds')
    .option('--congestion <names>', 'congestion controls', congestions, [...ALL_CONGESTIONS])
    .option('--seed <n>', 'of the losses', count, 1)
    .option('--json', 'print one JSON document')
    .option('--save', 'keep the result in bench/results')
    .action((options: NetsimCommandOptions) => {
      const { quick = false, congestion, seed, json = false } = options;
      const onProgress = (line: string): void => void process.stderr.write(`${line}\n`);
      const result = benchNetsim({ quick, congestions: congestion, seed, onProgress });
      process.stdout.write(json ? `${JSON.stringify(result, null, 2)}\n` : `${netsimTable(result).join('\n')}\n`);
      if (options.save) process.stderr.write(`kept in ${save(result)}\n`);
    });
}
