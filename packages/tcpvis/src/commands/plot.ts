import { basename } from 'node:path';
import { type Command, Option } from 'commander';
import type { ThemeName } from '../draw/theme.ts';
import type { Output } from '../output.ts';
import { plotSvg, pngOfSvg } from '../plot-file.ts';
import { checkReadable, readBytes } from '../read-file.ts';
import { UsageError } from '../usage-error.ts';
import { bytesInMemory } from '../view/bytes.ts';
import { Engine } from '../view/engine.ts';
import { openTrace } from '../view/open-trace.ts';
import { PRESETS } from '../view/panels.ts';
import { refuseSameFile, writeOutput } from './files.ts';
import { decimalNumber, MAX_SECONDS, wholeNumber } from './numbers.ts';

/** Of a side of a picture. */
const MAX_PIXELS = 20_000;
const MIN_WIDTH = 320;
const MIN_HEIGHT = 100;

interface Options {
  readonly preset: string;
  readonly flow?: number;
  readonly fromS?: number;
  readonly toS?: number;
  readonly width: number;
  readonly height?: number;
  readonly scale: number;
  readonly dark?: boolean;
  readonly allLines?: boolean;
}

/** `plot IN OUT`: a picture. */
export function registerPlot(program: Command, output: Output): void {
  program
    .command('plot')
    .description('draw a log into an SVG or a PNG')
    .argument('<in>', 'a flow log or a capture')
    .argument('<out>', 'a name that ends in .svg or .png')
    .addOption(new Option('--preset <name>', 'what to draw').choices(Object.keys(PRESETS)).default('all'))
    .option(
      '--flow <n>',
      'id of the flow (default: the one with the most data)',
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
    )
    .option('--from-s <seconds>', 'from here on, in seconds from the start of the log', decimalNumber(0, MAX_SECONDS))
    .option('--to-s <seconds>', 'until here', decimalNumber(0, MAX_SECONDS))
    .option('--width <pixels>', 'width of the picture', wholeNumber(MIN_WIDTH, MAX_PIXELS), 1200)
    .option(
      '--height <pixels>',
      'height of the picture (default: what the panels need)',
      wholeNumber(MIN_HEIGHT, MAX_PIXELS),
    )
    .option('--scale <n>', 'pixels of a PNG per pixel of the SVG', decimalNumber(0.1, 20), 2)
    .option('--dark', 'on a dark ground')
    .option('--all-lines', 'axes as high as every line: RTO and windows may lie far above the data')
    .action(async (input: string, out: string, options: Options) => {
      const type = /\.(svg|png)$/i.exec(out)?.[1]?.toLowerCase();
      if (type === undefined) throw new UsageError(`'${out}': let the name of a picture end in .svg or .png`);
      refuseSameFile(input, out);
      const svg = await draw(input, options, output);
      writeOutput(out, type === 'svg' ? svg : await png(svg, options.scale, out));
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
  const [first, last] = engine.range;
  const flow = flowIndex(engine, options.flow, input);
  const { segments, windows, events } = store.flows[flow]!;
  if (segments.rows + windows.rows + events.rows === 0) {
    throw new UsageError(`${input} has no row of flow ${store.flows[flow]!.descriptor.id} to draw`);
  }
  // A log of one instant is drawn a microsecond long.
  const end = Math.max(last, first + 1);
  const t0 = first + (options.fromS ?? 0) * 1e6;
  const t1 = Math.min(end, first + (options.toS ?? MAX_SECONDS) * 1e6);
  if (!(t1 > t0)) throw new UsageError(`--from-s and --to-s leave nothing: the log is ${(last - first) / 1e6} s long`);
  const svg = await plotSvg(engine, {
    preset: options.preset,
    flow,
    t0,
    t1,
    width: options.width,
    height: options.height,
    theme: (options.dark === true ? 'dark' : 'light') satisfies ThemeName,
    allLines: options.allLines === true,
  });
  if (svg === undefined) throw new UsageError(`${input} has nothing that preset '${options.preset}' shows`);
  for (const problem of store.problems.slice(0, 5)) output.error(`qanat-flow: ${input}: ${problem}\n`);
  return svg;
}

async function png(svg: string, scale: number, path: string): Promise<Uint8Array> {
  try {
    return await pngOfSvg(svg, scale);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`${path} would have ${error.message}: choose a smaller --scale, --width or --height`);
  }
}

function flowIndex(engine: Engine, id: number | undefined, path: string): number {
  if (id === undefined) return engine.busiest();
  const index = engine.store.flows.findIndex(({ descriptor }) => descriptor.id === id);
  if (index >= 0) return index;
  const ids = engine.store.flows.map(({ descriptor }) => descriptor.id).slice(0, 20);
  throw new UsageError(`${path} has no flow ${id}: it has ${ids.join(', ')}`);
}
