/** Draws what a panel holds. The same code draws in the page, in its worker, and into SVG. */
import { EVENT_CONGESTION, EVENT_TIMER_FIRED, EVENT_UNDO } from '@qanat/flowlog';
import type { Layer, PanelData } from '../view/panel-data.ts';
import type { Bars, Line } from '../view/points.ts';
import { MACHINE_MARK } from '../view/query-source.ts';
import { lineColor } from './legend.ts';
import { PointBuffer, type Surface } from './surface.ts';
import type { Theme } from './theme.ts';

/** Where on the surface the plot lies, and which stretch of time and values it shows. */
export interface Frame {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly t0: number;
  readonly t1: number;
  readonly v0: number;
  readonly v1: number;
}

/** Bars are at least this high, so that a small segment in a long picture is seen. */
const MIN_BAR = 1.5;
const MIN_AGAIN_BAR = 3;
/** No one sees farther outside, and canvas and SVG keep their precision. */
const FAR = 4000;

const points = new PointBuffer();

/** @param hidden series that are switched off. */
export function paintPanel(
  surface: Surface,
  data: PanelData,
  frame: Frame,
  theme: Theme,
  hidden?: ReadonlySet<string>,
): void {
  const overlaid = data.layers.some((layer) => layer.flow > 0);
  surface.clip(frame.x, frame.y, frame.width, frame.height);
  for (const layer of data.layers) {
    const series = layer.type === 'line' || layer.type === 'bars' ? layer.series : layer.type;
    if (hidden?.has(series) === true) continue;
    paintLayer(surface, layer, frame, theme, overlaid);
  }
  surface.unclip();
}

function paintLayer(surface: Surface, layer: Layer, frame: Frame, theme: Theme, overlaid: boolean): void {
  switch (layer.type) {
    case 'shares':
      if (layer.background) paintBackground(surface, layer, frame, theme);
      else paintBand(surface, layer, frame, layer.palette === 'limited' ? theme.limited : theme.sleep);
      break;
    case 'line': {
      const color = overlaid ? theme.flows[layer.flow % theme.flows.length]! : lineColor(layer, theme);
      if (layer.style === 'dots') paintDots(surface, layer.line, frame, color);
      else
        paintLine(
          surface,
          layer.line,
          frame,
          color,
          layer.style === 'area',
          dashOf(layer.series),
          widthOf(layer.series),
        );
      break;
    }
    case 'bars': {
      const color = overlaid ? theme.flows[layer.flow % theme.flows.length]! : theme.series[layer.series];
      paintBars(surface, layer.bars, frame, color, theme, layer.series === 'sack');
      break;
    }
    case 'marks':
      paintMarks(surface, layer, frame, theme);
  }
}

function dashOf(series: string): readonly number[] | undefined {
  return series === 'ssthresh' ? [5, 3] : series === 'rto' ? [2, 2] : undefined;
}

function widthOf(series: string): number {
  return series === 'ack' || series === 'edge' || series === 'cwnd' || series === 'srtt' ? 1.4 : 1.1;
}

const xOf = (frame: Frame, t: number): number => frame.x + ((t - frame.t0) / (frame.t1 - frame.t0)) * frame.width;

const yOf = (frame: Frame, value: number): number => {
  const y = frame.y + frame.height - ((value - frame.v0) / (frame.v1 - frame.v0)) * frame.height;
  return Math.max(-FAR, Math.min(FAR, y));
};

function paintLine(
  surface: Surface,
  line: Line,
  frame: Frame,
  color: string,
  filled: boolean,
  dash: readonly number[] | undefined,
  width: number,
): void {
  const { n, t, hi, last } = line;
  if (n === 0) return;
  if (!line.exact) paintEnvelope(surface, line, frame, color);
  points.clear();
  let before = Number.NaN;
  for (let i = 0; i < n; i++) {
    const x = Math.max(-FAR, Math.min(xOf(frame, t[i]!), frame.x + frame.width + 2));
    if (!Number.isNaN(before)) points.add(x, before);
    // Where a pixel stands for many rows, the line is their highest, and the shade under it says how low they went.
    before = yOf(frame, line.exact ? last[i]! : hi[i]!);
    points.add(x, before);
  }
  // The last value holds until the picture ends, or the next is known.
  if (line.exact)
    points.add(Math.max(points.xy[points.length - 2]!, Math.min(frame.x + frame.width, xOf(frame, t[n - 1]!))), before);
  if (filled) surface.area(points, frame.y + frame.height, color, 0.16);
  surface.polyline(points, { color, width, ...(dash === undefined ? {} : { dash }) });
}

/** From the lowest to the highest value of every column. */
function paintEnvelope(surface: Surface, { n, t, lo, hi }: Line, frame: Frame, color: string): void {
  points.clear();
  for (let i = 0; i < n; i++) {
    const top = yOf(frame, hi[i]!);
    const height = yOf(frame, lo[i]!) - top;
    if (height < 0.5) continue;
    const x = xOf(frame, t[i]!);
    const next = i + 1 < n ? xOf(frame, t[i + 1]!) : x + 1;
    points.add(x, top);
    points.add(Math.max(0.6, Math.min(next - x, 3)), height);
  }
  surface.rects(points, color, 0.3);
}

function paintDots(surface: Surface, line: Line, frame: Frame, color: string): void {
  const { n, t, lo, hi } = line;
  if (!line.exact) paintEnvelope(surface, line, frame, color);
  points.clear();
  const size = n > 2000 ? 1.4 : 2.2;
  for (let i = 0; i < n; i++) {
    const x = xOf(frame, t[i]!) - size / 2;
    const top = yOf(frame, hi[i]!);
    const bottom = yOf(frame, lo[i]!);
    points.add(x, top - size / 2);
    points.add(size, size);
    if (bottom - top < size) continue;
    points.add(x, bottom - size / 2);
    points.add(size, size);
  }
  surface.rects(points, color, 0.85);
}

/** A segment is an I-beam where there is room: a bar with feet. */
function paintBars(surface: Surface, bars: Bars, frame: Frame, color: string, theme: Theme, behind: boolean): void {
  const perBar = frame.width / Math.max(1, bars.n);
  const feet = bars.exact && perBar > 7;
  const width = feet ? 1.6 : bars.exact && perBar > 2 ? 2 : 1.4;
  // New data first: what was sent again lies on top.
  for (const again of [false, true]) {
    const byColor = new Map<string, number[]>();
    for (let i = 0; i < bars.n; i++) {
      const kind = bars.kind[i]!;
      if ((kind !== 0) !== again) continue;
      const fill = again ? (theme.again[kind] ?? theme.again[15]!) : color;
      const list = byColor.get(fill);
      if (list === undefined) byColor.set(fill, [i]);
      else list.push(i);
    }
    for (const [fill, rows] of byColor) {
      points.clear();
      const least = again ? MIN_AGAIN_BAR : MIN_BAR;
      const wide = behind ? width + 0.6 : again ? width + 0.8 : width;
      for (const i of rows) {
        const x = xOf(frame, bars.t[i]!);
        const top = yOf(frame, bars.hi[i]!);
        const bottom = yOf(frame, bars.lo[i]!);
        const height = Math.max(least, bottom - top);
        points.add(x - wide / 2, Math.min(top, bottom - height));
        points.add(wide, height);
        if (!feet || height < 4) continue;
        points.add(x - 2.5, top);
        points.add(5, 1);
        points.add(x - 2.5, bottom - 1);
        points.add(5, 1);
      }
      surface.rects(points, fill);
    }
  }
}

type Shares = Extract<Layer, { type: 'shares' }>;

/** Each column shows the states' shares above each other: the state of most of the time fills most of the height. */
function paintBand(surface: Surface, layer: Shares, frame: Frame, colors: readonly string[]): void {
  const { states, columns, shares } = layer;
  const width = frame.width / columns;
  for (let state = 0; state < states; state++) {
    points.clear();
    let runStart = -1;
    let runTop = 0;
    let runHeight = 0;
    const flush = (end: number): void => {
      if (runStart < 0) return;
      points.add(frame.x + runStart * width, runTop);
      points.add((end - runStart) * width + 0.3, runHeight);
      runStart = -1;
    };
    for (let column = 0; column < columns; column++) {
      const at = column * states;
      const share = shares[at + state]!;
      let below = 0;
      for (let other = 0; other < state; other++) below += shares[at + other]!;
      const height = share * frame.height;
      const top = frame.y + frame.height * Math.max(0, 1 - below - share);
      if (runStart >= 0 && Math.abs(top - runTop) < 0.25 && Math.abs(height - runHeight) < 0.25) continue;
      flush(column);
      if (height < 0.2) continue;
      runStart = column;
      runTop = top;
      runHeight = height;
    }
    flush(columns);
    surface.rects(points, colors[state] ?? colors[0]!);
  }
}

function paintBackground(surface: Surface, layer: Shares, frame: Frame, theme: Theme): void {
  const { states, columns, shares } = layer;
  const width = frame.width / columns;
  for (let state = 1; state < states; state++) {
    points.clear();
    let runStart = -1;
    for (let column = 0; column <= columns; column++) {
      const on = column < columns && shares[column * states + state]! > 0.02;
      if (on && runStart < 0) runStart = column;
      if (on || runStart < 0) continue;
      points.add(frame.x + runStart * width, frame.y);
      points.add((column - runStart) * width, frame.height);
      runStart = -1;
    }
    surface.rects(points, theme.congestion[state] ?? '#888', theme.name === 'dark' ? 0.22 : 0.16);
  }
}

/** Above this many marks in a picture only the places where they are dense are told. */
const MAX_MARKS = 400;

function paintMarks(surface: Surface, layer: Extract<Layer, { type: 'marks' }>, frame: Frame, theme: Theme): void {
  const stride = Math.max(1, Math.ceil(layer.t.length / MAX_MARKS));
  for (let i = 0; i < layer.t.length; i += stride) {
    const color = markColor(layer.kind[i]!, theme);
    const x = xOf(frame, layer.t[i]!);
    surface.rect(x - 0.5, frame.y, 1, frame.height, color, 0.4);
    surface.rect(x - 2, frame.y, 4, 5, color, 0.9);
  }
}

function markColor(kind: number, theme: Theme): string {
  if (kind >= MACHINE_MARK) return theme.markDrop;
  if (kind === EVENT_CONGESTION) return theme.markCongestion;
  if (kind === EVENT_TIMER_FIRED) return theme.markTimeout;
  return kind === EVENT_UNDO ? theme.markUndo : theme.faint;
}
