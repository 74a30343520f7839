import type { Figures } from './figures.ts';
import type { LabRun } from './lab.ts';
import type { Samples } from './protocol.ts';
import type { StallKind } from './stalls.ts';
import { rate } from './table.ts';

const WIDTH = 1080;
const LEFT = 70;
const RIGHT = 12;
const FLOW_HEIGHT = 150;
const RING_HEIGHT = 40;
const BAND_HEIGHT = 12;
const GAP = 8;
const PANEL_HEIGHT = 22 + FLOW_HEIGHT + GAP + RING_HEIGHT + GAP + BAND_HEIGHT + 14;
const RING_SLOTS = 256;
/** Shorter sleeps are not drawn. */
const ASLEEP_US = 5000;
const MIB = 1 << 20;
/** Points of a curve that are closer are left out. */
const LEAST_STEP = 0.5;
/** How stalls of each cause are painted. */
export const STALL_CLASSES: Readonly<Record<StallKind, string>> = {
  'lost wake-up': 'lost',
  loss: 'loss',
  'delayed ACK': 'other',
  unknown: 'other',
};

/**
 * The flows of some runs above each other on one time axis: what arrived (sequence against time), stalls, how full the
 * sender's transmit ring was, and when the sender slept.
 * @returns an SVG element.
 */
export function flowChart(runs: readonly LabRun[]): string {
  const endS = Math.max(...runs.map(({ trial }) => (trial.receiver.endUs - trial.sender.startUs) / 1e6));
  const height = runs.length * PANEL_HEIGHT + 34;
  const panels = runs.map((run, index) => panel(run, index * PANEL_HEIGHT, endS));
  return (
    `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Flows of ${runs.length} builds on one time axis">` +
    `${panels.join('')}${timeAxis(endS, runs.length * PANEL_HEIGHT)}</svg>`
  );
}

function panel({ trial, figures }: LabRun, top: number, endS: number): string {
  const { sender, receiver } = trial;
  const x = (us: number): number => LEFT + ((us - sender.startUs) / 1e6 / endS) * (WIDTH - LEFT - RIGHT);
  const flowTop = top + 22;
  const ringTop = flowTop + FLOW_HEIGHT + GAP;
  const bandTop = ringTop + RING_HEIGHT + GAP;
  const most = Math.max(receiver.bytes, 1);
  const y = (bytes: number): number => flowTop + FLOW_HEIGHT * (1 - bytes / most);
  const parts = [
    text(LEFT, top + 15, `${figures.build}: ${rate(figures.bitsPerSecond)}, ${stallsOf(figures)}`, 'name'),
    box(LEFT, flowTop, WIDTH - LEFT - RIGHT, FLOW_HEIGHT, 'plot'),
    text(LEFT - 6, flowTop + 10, `${(most / MIB).toFixed(0)} MiB`, 'tick end'),
    text(LEFT - 6, flowTop + FLOW_HEIGHT, '0', 'tick end'),
    box(LEFT, ringTop, WIDTH - LEFT - RIGHT, RING_HEIGHT, 'plot'),
    text(LEFT - 6, ringTop + RING_HEIGHT / 2 + 4, 'TX ring', 'tick end'),
    text(LEFT - 6, bandTop + BAND_HEIGHT - 2, 'asleep', 'tick end'),
    box(LEFT, bandTop, WIDTH - LEFT - RIGHT, BAND_HEIGHT, 'plot'),
  ];
  for (const [i, { fromUs, toUs, kind, cause }] of figures.stalls.entries()) {
    const left = x(fromUs);
    const title = `<title>${escapeText(`stall ${i + 1}: ${((toUs - fromUs) / 1000).toFixed(0)} ms, ${cause}`)}</title>`;
    parts.push(
      `<g>${box(left, flowTop, Math.max(1, x(toUs) - left), FLOW_HEIGHT, STALL_CLASSES[kind])}${title}</g>`,
      text(left + 3, flowTop + 12, `${i + 1}`, `mark ${STALL_CLASSES[kind]}`),
    );
  }
  parts.push(line(receiver.samples, x, (i) => y(receiver.samples.bytes[i]!), 'bytes'));
  const level = (i: number): number => ringTop + RING_HEIGHT * (1 - sender.samples.txUsed[i]! / RING_SLOTS);
  parts.push(line(sender.samples, x, level, 'slots'));
  parts.push(...sleeps(sender.samples, x, bandTop));
  return parts.join('');
}

function stallsOf({ stalls }: Figures): string {
  if (stalls.length === 0) return 'no stall';
  return stalls.length === 1 ? '1 stall' : `${stalls.length} stalls`;
}

/** Steps through the samples, at most two points for each half column of the picture: its last one holds until the next. */
function line(samples: Samples, x: (us: number) => number, y: (i: number) => number, kind: string): string {
  const { timeUs } = samples;
  const last = timeUs.length - 1;
  let path = '';
  let lastX = Number.NEGATIVE_INFINITY;
  let lastY = '';
  for (let i = 0; i <= last; i++) {
    const at = x(timeUs[i]!);
    const isCrowded = at - lastX < LEAST_STEP && i < last && x(timeUs[i + 1]!) - lastX < LEAST_STEP;
    const level = y(i).toFixed(1);
    if (isCrowded || (level === lastY && i < last)) continue;
    // What was there before held until now.
    path += path === '' ? `M${at.toFixed(1)} ${level}` : `H${at.toFixed(1)}V${level}`;
    lastX = at;
    lastY = level;
  }
  return `<path class="${kind}" d="${path}"/>`;
}

function sleeps({ timeUs, blockedUs }: Samples, x: (us: number) => number, top: number): string[] {
  const boxes: string[] = [];
  for (let i = 0; i + 1 < timeUs.length; i++) {
    const from = timeUs[i]!;
    const to = timeUs[i + 1]!;
    // A domain that was not run did not sleep.
    const slept = blockedUs[i + 1]! - blockedUs[i]! > (to - from) / 2;
    if (slept && to - from > ASLEEP_US)
      boxes.push(box(x(from), top, Math.max(0.3, x(to) - x(from)), BAND_HEIGHT, 'asleep'));
  }
  return boxes;
}

function timeAxis(endS: number, top: number): string {
  const step = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60].find((candidate) => endS / candidate <= 12) ?? 120;
  const ticks: string[] = [];
  for (let at = 0; at <= endS * 1.0001; at += step) {
    const left = LEFT + (at / endS) * (WIDTH - LEFT - RIGHT);
    ticks.push(`<path class="grid" d="M${left.toFixed(1)} 0V${top}"/>`);
    ticks.push(text(left, top + 12, `${Number(at.toFixed(2))} s`, 'tick middle'));
  }
  return ticks.join('');
}

function box(left: number, top: number, width: number, height: number, kind: string): string {
  const size = `width="${width.toFixed(1)}" height="${height.toFixed(1)}"`;
  return `<rect class="${kind}" x="${left.toFixed(1)}" y="${top.toFixed(1)}" ${size}/>`;
}

function text(left: number, top: number, words: string, kind: string): string {
  return `<text class="${kind}" x="${left.toFixed(1)}" y="${top.toFixed(1)}">${escapeText(words)}</text>`;
}

/** @returns text that is safe inside of HTML and SVG. */
export function escapeText(words: string): string {
  return words.replace(/[&<>"]/g, (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[char]!);
}
