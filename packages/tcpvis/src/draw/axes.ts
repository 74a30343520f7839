/** Grids and the numbers beside them. */
import type { Unit } from '../view/panels.ts';
import { formatTick, formatTimeTick, niceMaximum, tickStep, ticks, valueTicks } from './format.ts';
import type { Frame } from './paint.ts';
import type { Surface } from './surface.ts';
import type { Theme } from './theme.ts';

const LABEL_SIZE = 11;
const PIXELS_PER_TIME_TICK = 110;
const PIXELS_PER_VALUE_TICK = 34;

/** What an axis of values shows of the values lowest..highest. Positions fill the height, all else stands on 0. */
export function axisRange(unit: Unit, range: readonly [number, number] | undefined): readonly [number, number] {
  if (unit === 'share') return [0, 1];
  if (range === undefined) return [0, 1];
  const [lowest, highest] = range;
  if (unit !== 'position') return [0, niceMaximum(unit, Math.max(highest, unit === 'us' ? 1 : 0)) || 1];
  const margin = Math.max((highest - lowest) * 0.06, 40);
  return [lowest - margin, highest + margin];
}

export function timeTicks(frame: Frame): { readonly at: number[]; readonly step: number } {
  const most = frame.width / PIXELS_PER_TIME_TICK;
  return { at: ticks(frame.t0, frame.t1, most), step: tickStep(frame.t0, frame.t1, most) };
}

/** The ground of a plot and its grid. @param originUs the instant that is called 0. */
export function paintGrid(surface: Surface, frame: Frame, unit: Unit, originUs: number, theme: Theme): void {
  surface.rect(frame.x, frame.y, frame.width, frame.height, theme.plot);
  for (const t of timeTicks(shift(frame, originUs)).at) {
    const x = frame.x + ((t + originUs - frame.t0) / (frame.t1 - frame.t0)) * frame.width;
    surface.rect(Math.round(x), frame.y, 1, frame.height, theme.grid);
  }
  if (unit === 'share') return;
  for (const { y } of valueLabels(frame, unit)) surface.rect(frame.x, Math.round(y), frame.width, 1, theme.grid);
}

/** The numbers to the left of a plot. */
export function paintValueAxis(surface: Surface, frame: Frame, unit: Unit, theme: Theme): void {
  if (unit === 'share') return;
  for (const { y, text } of valueLabels(frame, unit)) {
    const clear = Math.max(frame.y + 5, Math.min(frame.y + frame.height - 4, y));
    surface.text(text, frame.x - 8, clear, { size: LABEL_SIZE, color: theme.faint, align: 'right' });
  }
}

/** The numbers under the last plot. @param originUs the instant that is called 0. */
export function paintTimeAxis(surface: Surface, frame: Frame, originUs: number, theme: Theme): void {
  const shifted = shift(frame, originUs);
  const { at, step } = timeTicks(shifted);
  for (const t of at) {
    const x = frame.x + ((t - shifted.t0) / (shifted.t1 - shifted.t0)) * frame.width;
    if (x < frame.x + 4 || x > frame.x + frame.width - 14) continue;
    surface.rect(Math.round(x), frame.y, 1, 5, theme.axis);
    surface.text(formatTimeTick(t, step), x, frame.y + 14, { size: LABEL_SIZE, color: theme.faint, align: 'center' });
  }
}

function valueLabels(frame: Frame, unit: Unit): { readonly y: number; readonly text: string }[] {
  const most = Math.max(2, Math.floor(frame.height / PIXELS_PER_VALUE_TICK));
  return valueTicks(unit, frame.v0, frame.v1, most)
    .filter((value) => value >= 0)
    .map((value) => ({
      y: frame.y + frame.height - ((value - frame.v0) / (frame.v1 - frame.v0)) * frame.height,
      text: formatTick(unit, value, Math.max(Math.abs(frame.v0), Math.abs(frame.v1))),
    }));
}

function shift(frame: Frame, originUs: number): Frame {
  return { ...frame, t0: frame.t0 - originUs, t1: frame.t1 - originUs };
}
