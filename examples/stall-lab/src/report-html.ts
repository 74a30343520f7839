import { escapeText, flowChart } from './chart.ts';
import { pictureName } from './close-up.ts';
import type { LabRun } from './lab.ts';
import { runName } from './run-name.ts';
import { explain } from './stalls.ts';
import { summary } from './summary.ts';
import { COLUMNS } from './table.ts';
import { MACHINE_KINDS } from './trial.ts';

/** Stalls of a run that are told in full. */
const MAX_EXPLAINED = 50;

const STYLE = `
:root { color-scheme: light dark; --ink: #1c1e21; --soft: #6b7280; --paper: #fff; --plot: #f5f6f8; --line: #d8dbe0;
  --bytes: #1f6feb; --slots: #8250df; --lost: #e5484d; --loss: #d97706; --other: #6b7280; --asleep: #9aa3af; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --soft: #9aa3af; --paper: #14161a; --plot: #1d2026;
  --line: #343941; --bytes: #6ea8fe; --slots: #c297ff; --lost: #ff6369; --loss: #f5a623; --other: #9aa3af;
  --asleep: #5c6470; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto; max-width: 1100px;
  padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 12px; display: block; overflow-x: auto; }
th, td { text-align: right; padding: .25rem .5rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
svg { width: 100%; height: auto; font: 11px system-ui, sans-serif; }
.key { padding: 0 .35em; border-radius: 3px; color: #fff; }
.key.lost { background: var(--lost); } .key.loss { background: var(--loss); } .key.other { background: var(--other); }
svg text { fill: var(--soft); } svg .name { fill: var(--ink); font-size: 13px; font-weight: 600; }
svg .end { text-anchor: end; } svg .middle { text-anchor: middle; } svg .mark { font-weight: 600; }
svg .plot { fill: var(--plot); } svg .grid { stroke: var(--line); stroke-width: .5; fill: none; }
svg .bytes { stroke: var(--bytes); fill: none; stroke-width: 1.5; } svg .slots { stroke: var(--slots); fill: none; }
svg .lost { fill: var(--lost); } svg .loss { fill: var(--loss); } svg .other { fill: var(--other); }
svg rect.lost, svg rect.loss, svg rect.other { opacity: .18; } svg .asleep { fill: var(--asleep); }
div.dark { display: none; }
@media (prefers-color-scheme: dark) { div.light { display: none; } div.dark { display: block; } }
details { margin: .4rem 0; } summary { cursor: pointer; }
pre { font-size: 12px; line-height: 1.45; white-space: pre-wrap; background: var(--plot); padding: .6rem .8rem; margin: .3rem 0; }
`;

/**
 * @param pictures close-ups of stalls (SVG documents), by `pictureName`.
 * @returns one page that needs nothing else: tables, the flows above each other, and what the auditor saw at each stall.
 */
export function htmlReport(runs: readonly LabRun[], pictures: ReadonlyMap<string, string>): string {
  const sections = MACHINE_KINDS.map((machine) => section(machine, runs, pictures)).join('');
  return (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">' +
    `<title>stall-lab</title><style>${STYLE}</style><h1>The stall of 2013</h1>` +
    '<p>Three builds of a guest send TCP as fast as they can to a guest of the same build. <b>2013</b>: who waits for room ' +
    'in the transmit ring is woken by the next event, not by whoever makes the room. <b>2013-masked</b>: the workaround of ' +
    'the time, event channels masked, so that the guest never sleeps. <b>qanat</b>: the driver and main loop that ship.</p>' +
    '<p>A stall: nothing arrives for over 100 ms in which the computer ran the domains. Its cause: ' +
    '<span class="key lost">lost wake-up</span> the sender went to sleep with work left, and the auditor saw it; ' +
    '<span class="key loss">loss</span> the bridge dropped packets, and the sender waited for its retransmission timer; ' +
    '<span class="key other">other</span>. Curves: bytes that arrived, by time; below, slots of the sender’s transmit ' +
    'ring that are occupied (0 to 256), and when the sender slept (over 5 ms).</p>' +
    `${sections}</html>\n`
  );
}

function section(machine: string, all: readonly LabRun[], pictures: ReadonlyMap<string, string>): string {
  const runs = all.filter(({ figures }) => figures.machine === machine);
  if (runs.length === 0) return '';
  const head = COLUMNS.map((column) => `<th>${escapeText(column.head)}</th>`).join('');
  const rows = runs.map(
    ({ figures }) => `<tr>${COLUMNS.map(({ cell }) => `<td>${escapeText(cell(figures))}</td>`).join('')}</tr>`,
  );
  const drawn = runs.filter(({ figures }) => figures.run === 0);
  const lengths = [...new Set(drawn.map(({ figures }) => figures.txqueuelen))];
  const charts = lengths.map((txqueuelen) => {
    const group = drawn.filter(({ figures }) => figures.txqueuelen === txqueuelen);
    return `<h3>txqueuelen ${txqueuelen}</h3>${flowChart(group)}${group.map((run) => stallList(run, pictures)).join('')}`;
  });
  const title = machine === 'threads' ? 'In threads' : 'On virtual time';
  const repeated = summary(runs.map(({ figures }) => figures));
  const again =
    repeated.length > 0 ? `<pre>${escapeText(repeated.join('\n'))}</pre><p>The first run of each is drawn.</p>` : '';
  return `<h2>${title}</h2><table><tr>${head}</tr>${rows.join('')}</table>${again}${charts.join('')}`;
}

function stallList({ trial, figures }: LabRun, pictures: ReadonlyMap<string, string>): string {
  return figures.stalls
    .slice(0, MAX_EXPLAINED)
    .map((stall, index) => {
      const [first, ...rest] = explain(stall, trial.sender.startUs);
      const summary = `<summary>${escapeText(`${figures.build}, stall ${index + 1}: ${first}`)}</summary>`;
      const hasPicture = pictures.has(pictureName(runName(figures), index, 'light'));
      const open = hasPicture || index === 0 ? ' open' : '';
      const words = rest.length > 0 ? `<pre>${escapeText(rest.join('\n'))}</pre>` : '';
      const themes = ['light', 'dark'] as const;
      const close = themes.map((theme) => {
        const svg = pictures.get(pictureName(runName(figures), index, theme));
        return svg === undefined ? '' : `<div class="${theme}">${inline(svg)}</div>`;
      });
      return `<details${open}>${summary}${words}${close.join('')}</details>`;
    })
    .join('');
}

/** An SVG document inside of HTML has no XML declaration. */
function inline(svg: string): string {
  return svg.replace(/^<\?xml[^>]*\?>\s*/, '');
}
