import { readdirSync, readFileSync } from 'node:fs';
import type { BenchCase, Metric } from './case.ts';
import { byGroup } from './cpu-profile.ts';
import { type ProfileResult, perSegment } from './profile-command.ts';
import { type CaseResult, SCHEMA } from './run-case.ts';
import { type StagesResult, stagesRows } from './stages-command.ts';

/** Documents of bench/results that a report is made of: of each name the newest that is not a quick one. */
export interface Kept {
  readonly cases: ReadonlyMap<string, CaseResult>;
  readonly stages: StagesResult | undefined;
  /** By the arguments of iperf. */
  readonly profiles: ReadonlyMap<string, ProfileResult>;
}

/** @param directory bench/results, or one that does not exist: then nothing is kept. */
export function readKept(directory: URL): Kept {
  let files: string[] = [];
  try {
    files = readdirSync(directory).filter((file) => file.endsWith('.json'));
  } catch {
    // No result was kept yet.
  }
  return newest(files.map((file): unknown => JSON.parse(readFileSync(new URL(file, directory), 'utf8'))));
}

/** @param documents in any order; those of other kinds are passed over. */
export function newest(documents: readonly unknown[]): Kept {
  const cases = new Map<string, CaseResult>();
  const profiles = new Map<string, ProfileResult>();
  let stages: StagesResult | undefined;
  for (const document of documents) {
    const { schema } = document as { readonly schema?: unknown };
    if (schema === SCHEMA) {
      const result = document as CaseResult;
      const known = cases.get(result.bench);
      if (!result.quick && (known === undefined || known.date < result.date)) cases.set(result.bench, result);
    } else if (schema === 'qanat-bench-stages/1') {
      const result = document as StagesResult;
      if (stages === undefined || stages.date < result.date) stages = result;
    } else if (schema === 'qanat-bench-profile/1') {
      const result = document as ProfileResult;
      const name = result.iperfArgs.join(' ');
      const known = profiles.get(name);
      if (known === undefined || known.date < result.date) profiles.set(name, result);
    }
  }
  return { cases, stages, profiles };
}

/** @returns the report as Markdown: what was asked and how it stands, each case with its contenders, the stages. */
export function report(all: readonly BenchCase[], { cases, stages, profiles }: Kept): string[] {
  const machine = [...cases.values()][0]?.machine ?? stages?.machine;
  if (machine === undefined) return ['No results are kept: `pnpm bench all --save`, then `pnpm bench stages --save`.'];
  const { cpu, cores, memoryGiB, platform, node } = machine;
  const shown = all.flatMap((bench): [BenchCase, CaseResult][] => {
    const result = cases.get(bench.name);
    return result === undefined ? [] : [[bench, result]];
  });
  const missing = all.filter(({ name }) => !cases.has(name)).map(({ name }) => `\`${name}\``);
  return [
    `Measured on ${cpu}, ${cores} cores, ${memoryGiB} GiB, ${platform}, Node ${node}. Medians; in brackets the range.`,
    ...(missing.length > 0 ? ['', `Not kept: ${missing.join(', ')}.`] : []),
    '',
    '### What was asked, and how it stands',
    '',
    '| case | what | asked | measured | |',
    '|---|---|---|---|---|',
    ...shown.flatMap(([bench, result]) => goalRows(bench, result)),
    '',
    '### All cases',
    '',
    '| case | contender | figure | others | rounds |',
    '|---|---|---|---|---|',
    ...shown.flatMap(([bench, result]) => contenderRows(bench, result)),
    ...(stages === undefined ? [] : ['', '### Stages, in nanoseconds', '', ...stagesMarkdown(stages)]),
    ...[...profiles.keys()].sort().flatMap((name) => ['', ...profileMarkdown(profiles.get(name)!)]),
  ];
}

function goalRows({ metrics }: BenchCase, { bench, goals }: CaseResult): string[] {
  return goals.map(({ metric, of, to, limit, value, met }) => {
    const known = metrics.find(({ key }) => key === metric);
    const scale = to === null && known !== undefined ? known : undefined;
    const [sign = '', bound = ''] = limit.split(' ');
    const asked = scale === undefined ? limit : `${sign} ${Number(bound) / scale.per} ${scale.unit}`.trim();
    const measured = value === null ? 'not measured' : scale === undefined ? value.toFixed(2) : figure(scale, value);
    const what = `${known?.title ?? metric}: ${of}${to === null ? '' : ` / ${to}`}`;
    const verdict = met === null ? 'open' : met ? 'met' : '**missed**';
    return `| \`${bench}\` | ${what} | ${asked} | ${measured} | ${verdict} |`;
  });
}

function contenderRows({ metrics }: BenchCase, { bench, contenders, runs }: CaseResult): string[] {
  const [first, ...others] = metrics as [Metric, ...Metric[]];
  return contenders.map(({ name, skipped, summary }) => {
    if (skipped !== null) return `| \`${bench}\` | ${name} | left out: ${skipped} | | |`;
    const main = summary[first.key];
    const range = main === undefined ? '-' : `${bare(first, main.least)}-${bare(first, main.most)}`;
    const cells = others.flatMap((metric) => {
      const value = summary[metric.key]?.median;
      return value === undefined ? [] : [`${metric.title} ${figure(metric, value)}`];
    });
    const value = main === undefined ? '-' : `${figure(first, main.median)} (${range})`;
    return `| \`${bench}\` | ${name} | ${first.title} ${value} | ${cells.join(', ')} | ${runs} |`;
  });
}

function stagesMarkdown(result: StagesResult): string[] {
  const rows = stagesRows(result).map((row) => `| ${row.map((cell) => cell.trim()).join(' | ')} |`);
  return ['| | 1460 bytes | 64 KB |', '|---|---:|---:|', ...rows];
}

/** Functions of each thread in the report. */
const TOP = 7;

function profileMarkdown(result: ProfileResult): string[] {
  const { bytes, ns } = perSegment(result);
  const title = `\`pnpm bench profile${result.iperfArgs.length > 0 ? ` -- ${result.iperfArgs.join(' ')}` : ''}\``;
  const rate = (result.bitsPerSecond / 1e9).toFixed(1);
  const share = (us: number, whole: number): string => `${((ns * us) / whole).toFixed(0)}`;
  return [
    `### Self time of the machine's threads: ${title}`,
    '',
    `${rate} Gbit/s under the profiler: each thread has ${ns.toFixed(0)} ns for ${bytes} bytes, and spends them so:`,
    '',
    '| thread | packages, ns | functions, ns |',
    '|---|---|---|',
    ...result.threads.map((thread) => {
      const groups = byGroup(thread).slice(0, TOP);
      const functions = thread.functions.slice(0, TOP);
      const packages = groups.map(({ group, us }) => `${group} ${share(us, thread.us)}`).join(', ');
      const names = functions.map(({ name, group, us }) => `${group}/${name} ${share(us, thread.us)}`).join(', ');
      return `| ${thread.thread} | ${packages} | ${names} |`;
    }),
  ];
}

function bare({ per, digits }: Metric, value: number): string {
  return (value / per).toFixed(digits);
}

function figure(metric: Metric, value: number): string {
  return `${bare(metric, value)} ${metric.unit}`.trim();
}

const [BEGIN, END] = ['<!-- bench report: begin -->', '<!-- bench report: end -->'];

/** Puts a report between the marks of a page. @throws Error when the page has no marks. */
export function insertReport(page: string, lines: readonly string[]): string {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`the page has no lines ${BEGIN} and ${END}`);
  return `${page.slice(0, from + BEGIN.length)}\n${lines.join('\n')}\n${page.slice(to)}`;
}
