import type { BenchCase, Metric } from './case.ts';
import type { CaseResult, GoalResult } from './run-case.ts';
import { alignColumns } from './statistics.ts';

/** @returns the lines of a table for people: medians, the range of the first figure, ratios, and what was asked. */
export function caseTable({ metrics }: BenchCase, result: CaseResult): string[] {
  const [first, ...others] = metrics as [Metric, ...Metric[]];
  const header = ['', heading(first), 'range', 'spread', ...others.map(heading)];
  const rows = result.contenders
    .filter(({ skipped }) => skipped === null)
    .map(({ name, summary }) => {
      const main = summary[first.key];
      const range = main === undefined ? '' : `${show(first, main.least)}..${show(first, main.most)}`;
      const spread = main === undefined ? '' : `${(main.spread * 100).toFixed(0)} %`;
      return [
        name,
        show(first, main?.median),
        range,
        spread,
        ...others.map((metric) => show(metric, summary[metric.key]?.median)),
      ];
    });
  const { machine, runs, seconds, warmUpSeconds } = result;
  const span = seconds > 0 ? ` of ${seconds} s after ${warmUpSeconds} s of warm-up` : '';
  return [
    `${result.bench}: ${result.title}`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.platform}, Node ${machine.node}`,
    `${runs} round${runs === 1 ? '' : 's'} of runs${span}, in turn; medians`,
    '',
    ...alignColumns([header, ...rows]),
    ...result.contenders.flatMap(({ name, skipped }) => (skipped === null ? [] : [`${name}: left out: ${skipped}`])),
    '',
    ...result.ratios.map(({ metric, of, to, ratio }) => {
      const range = `${ratio.least.toFixed(2)}..${ratio.most.toFixed(2)}`;
      return `${titleOf(metrics, metric)}: ${of} / ${to} = ${ratio.median.toFixed(2)} (${range})`;
    }),
    ...result.goals.map((goal) => goalLine(metrics, goal)),
  ];
}

function goalLine(metrics: readonly Metric[], { metric, of, to, limit, value, met }: GoalResult): string {
  const known = metrics.find(({ key }) => key === metric);
  const figure =
    value === null ? 'not measured' : to === null && known !== undefined ? show(known, value) : value.toFixed(2);
  const verdict = met === null ? 'open' : met ? 'met' : 'missed';
  const shownLimit = to === null && known !== undefined ? scaled(limit, known) : limit;
  const whom = to === null ? of : `${of} / ${to}`;
  return `asked: ${titleOf(metrics, metric)} of ${whom} ${shownLimit}: ${figure}, ${verdict}`;
}

/** A limit such as `>= 2000000000` in the metric's unit. */
function scaled(limit: string, { per, unit }: Metric): string {
  const [sign = '', text = ''] = limit.split(' ');
  return `${sign} ${Number(text) / per} ${unit}`.trim();
}

function titleOf(metrics: readonly Metric[], key: string): string {
  return metrics.find((metric) => metric.key === key)?.title ?? key;
}

function heading({ title, unit }: Metric): string {
  return unit === '' ? title : `${title} [${unit}]`;
}

function show({ per, digits }: Metric, value: number | undefined): string {
  return value === undefined || Number.isNaN(value) ? '-' : (value / per).toFixed(digits);
}
