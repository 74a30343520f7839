import {
  busiestFlow,
  type FlowTrace,
  type Format,
  flowsToShow,
  flowsToWrite,
  formatByFileName,
  type Trace,
  type WriteOptions,
} from '@qanat/flowlog';
import type { Command } from 'commander';
import type { Output } from '../output.ts';
import { cannotBeWritten, OutputFile } from '../output-file.ts';
import { formatBytes, Progress } from '../progress.ts';
import { formatNamed, formatNames, readTraceFile } from '../read-file.ts';
import { UsageError } from '../usage-error.ts';
import { isDirectory, refuseSameFile } from './files.ts';
import { decimalNumber, flowIds, MAX_SECONDS } from './numbers.ts';

/** Formats that can keep what is of no flow: rows of the machine. */
const MACHINE_FORMATS: readonly string[] = ['qflow', 'jsonl'];
/** Formats that show nothing but window updates: a capture has none. */
const WINDOW_FORMATS: readonly string[] = ['csv', 'ss'];

interface ConvertOptions {
  readonly from?: string;
  readonly to?: string;
  readonly flow?: readonly number[];
  readonly interval?: number;
}

/** `convert IN OUT`: one format into another. */
export function registerConvert(program: Command, output: Output): void {
  program
    .command('convert')
    .description('turn a flow log or a capture into another format')
    .argument('<in>', `the file to read: ${formatNames('read')}`)
    .argument('<out>', `the file to write: ${formatNames('write')}`)
    .option('--from <format>', 'format of <in> (default: what its content, then its name says)')
    .option('--to <format>', 'format of <out> (default: what its name says)')
    .option('--flow <id,...>', 'write only these flows (info lists them)', flowIds)
    .option('--interval <seconds>', 'ss: least time between two snapshots of a flow', decimalNumber(0, MAX_SECONDS))
    .action((input: string, out: string, options: ConvertOptions) => convert(input, out, options, output));
}

function convert(input: string, out: string, options: ConvertOptions, output: Output): void {
  const format = options.to === undefined ? formatByFileName(out) : formatNamed(options.to);
  if (isDirectory(out)) throw new UsageError(`${out} is a directory: give the name of a file`);
  if (format === undefined)
    throw new UsageError(`${out}: its name says no format: use --to or ${formatNames('write')}`);
  const { name, title, write } = format;
  if (write === undefined) throw new UsageError(`${name} (${title}) is only read: write ${formatNames('write')}`);
  refuseSameFile(input, out);
  const { trace } = readTraceFile(input, options.from);
  const unknown = options.flow?.find((id) => !trace.flows.some((flow) => flow.id === id));
  if (unknown !== undefined) throw new UsageError(`${input} has no flow ${unknown}: ${flowList(trace)}`);
  const writing: WriteOptions = {
    ...(options.flow === undefined ? {} : { flows: options.flow }),
    ...(options.interval === undefined ? {} : { intervalUs: options.interval * 1e6 }),
  };
  const lack = lackOf(format, trace, writing);
  if (lack !== undefined)
    throw new UsageError(`${input} ${lack}${trace.problems.length > 0 ? `: ${trace.problems[0]}` : ''}`);
  const file = OutputFile.open(out);
  const progress = new Progress(output, out);
  try {
    for (const problem of trace.problems) output.error(`qanat-flow: ${input}: ${problem}\n`);
    tellLeftOut(format, trace, writing, output);
    write(
      trace,
      (piece) => {
        file.write(piece);
        progress.show(formatBytes(file.bytes));
      },
      writing,
    );
    file.commit();
  } catch (error) {
    throw error instanceof Error && 'code' in error ? cannotBeWritten(out, error) : error;
  } finally {
    progress.end();
    file.discard();
  }
}

/** @returns why there is nothing to write, undefined when there is something. */
function lackOf({ name, title }: Format, trace: Trace, options: WriteOptions): string | undefined {
  // Packets of a capture stay packets.
  if (MACHINE_FORMATS.includes(name) || (name === 'pcapng' && trace.frames !== undefined)) return undefined;
  const flows = flowsToWrite(trace, options);
  if (flows.length === 0) return `holds no flow to write as ${title}`;
  if (WINDOW_FORMATS.includes(name) && flows.every(({ windows }) => windows.rows === 0))
    return `has no window update, of which ${name} has a line each`;
  const isEmpty = flows.every(({ segments, windows }) => segments.rows === 0 && windows.rows === 0);
  return isEmpty ? `has no row of a flow to write as ${title}` : undefined;
}

/** Says which flows a format does not take, when nobody chose. */
function tellLeftOut(format: Format, trace: Trace, options: WriteOptions, output: Output): void {
  const flows = flowsToWrite(trace, options);
  if (format.singleFlow && flows.length > 1) {
    const { id } = busiestFlow(flows) as FlowTrace;
    output.error(`qanat-flow: ${format.name} holds one flow: flow ${id} of ${flows.length}; --flow chooses another\n`);
  }
  if (format.name !== 'pcapng' || options.flows !== undefined || trace.frames !== undefined) return;
  const shown = flowsToShow(flows);
  const left = flows.filter((flow) => !shown.includes(flow)).map((flow) => flow.id);
  if (left.length === 0) return;
  const ends = left.length === 1 ? 'is the other end of a connection' : 'are the other ends of connections';
  output.error(`qanat-flow: flow ${left.join(', ')} ${ends} and left out; --flow chooses\n`);
}

function flowList(trace: Trace): string {
  if (trace.flows.length === 0) return 'it has none';
  const ids = trace.flows.slice(0, 20).map((flow) => flow.id);
  return `it has ${ids.join(', ')}${trace.flows.length > ids.length ? ', ...' : ''}`;
}
