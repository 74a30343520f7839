import { basename } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ThemeName } from '../draw/theme.ts';
import type { Output } from '../output.ts';
import { plotSvg, pngOfSvg } from '../plot-file.ts';
import { checkReadable, readBytes } from '../read-file.ts';
import { UsageError } from '../usage-error.ts';
import { bytesInMemory } from '../view/bytes.ts';
import { Engine } from '../view/engine.ts';
import { openTrace } from '../view/open-trace.ts';
import { PRESETS } from '../view/panels.ts';
import { writeOutput } from './files.ts';

interface Options {
  readonly preset: string;
  readonly flow?: number;
  readonly fromS?: number;
  readonly toS?: number;
  readonly width: number;
  readonly height?: number;
  readonly scale: number;
  readonly dark?: boolean;
}

/** `plot IN OUT`: a picture. */
export function registerPlot(program: Command, output: Output): void {
  program
    .command('plot')
    .description('draw a log into an SVG or a PNG')
    .argument('<in>', 'a flow log or a capture')
    .argument('<out>', 'a name that ends in .svg or .png')
    .addOption(new Option('--preset <name>', 'what to draw').choices(Object.keys(PRESETS)).default('all'))
    .option('--flow <n>', 'id of the flow (default: the one with the most data)', whole)
    .option('--from-s <seconds>', 'from here on, in seconds from the start of the log', seconds)
    .option('--to-s <seconds>', 'until here', seconds)
    .option('--width <pixels>', 'width of the picture', whole, 1200)
    .option('--height <pixels>', 'height of the picture (default: what the panels need)', whole)
    .option('--scale <n>', 'pixels of a PNG per pixel of the SVG', seconds, 2)
    .option('--dark', 'on a dark ground')
    .action(async (input: string, out: string, options: Options) => {
      const type = /\.(svg|png)$/i.exec(out)?.[1]?.toLowerCase();
      if (type === undefined) throw new UsageError(`'${out}': let the name of a picture end in .svg or .png`);
      const svg = await draw(input, options, output);
      writeOutput(out, type === 'svg' ? svg : await pngOfSvg(svg, options.scale));
      output.out(`${out}\n`);
    });
}

async function draw(input: string, options: Options, output: Output): Promise<string> {
  const name = basename(input);
  const bytes = readBytes(input);
  await checkReadable(input, bytes.length, (offset, length) => bytes.subarray(offset, offset + length));
  const store = await openTrace(bytesInMemory(bytes), name).catch((error: Error) => {
    throw new UsageError(error.message);
  });
  const engine = new Engine(store);
  await engine.scan();
  if (store.flows.length === 0) throw new UsageError(`${input} holds no flow`);
  for (const problem of store.problems.slice(0, 5)) output.error(`qanat-flow: ${input}: ${problem}\n`);
  const [first, last] = engine.range;
  const t0 = options.fromS === undefined ? first : first + options.fromS * 1e6;
  const t1 = options.toS === undefined ? last : first + options.toS * 1e6;
  if (!(t1 > t0)) throw new UsageError(`--from-s and --to-s leave nothing: the log is ${(last - first) / 1e6} s long`);
  const svg = await plotSvg(engine, {
    preset: options.preset,
    flow: flowIndex(engine, options.flow, name),
    t0,
    t1,
    width: Math.max(320, options.width),
    height: options.height,
    theme: (options.dark === true ? 'dark' : 'light') satisfies ThemeName,
  });
  if (svg === undefined) throw new UsageError(`${name} has nothing that preset '${options.preset}' shows`);
  return svg;
}

function flowIndex(engine: Engine, id: number | undefined, name: string): number {
  if (id === undefined) return engine.busiest();
  const index = engine.store.flows.findIndex(({ descriptor }) => descriptor.id === id);
  if (index >= 0) return index;
  const ids = engine.store.flows.map(({ descriptor }) => descriptor.id).slice(0, 20);
  throw new UsageError(`${name} has no flow ${id}: it has ${ids.join(', ')}`);
}

function whole(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('give a whole number');
  return Number(text);
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && Number.isFinite(value))) throw new InvalidArgumentError('give a number that is not negative');
  return value;
}
