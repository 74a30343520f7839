/** Draws one panel into a picture, in the worker. */
import { axisRange } from '../draw/axes.ts';
import { CanvasSurface } from '../draw/canvas-surface.ts';
import { panelTitle } from '../draw/figure.ts';
import { legendOf } from '../draw/legend.ts';
import { looseLines } from '../draw/outside.ts';
import { paintPanel } from '../draw/paint.ts';
import { THEMES, type ThemeName } from '../draw/theme.ts';
import type { Engine } from '../view/engine.ts';
import { isLoose, type PanelData, scaled, seriesKey, valueRange } from '../view/panel-data.ts';
import type { PanelRequest, Tile } from './protocol.ts';

/** Parts for which a tile tells its extremes. */
const PARTS = 192;
/** A picture is at most so many times as high as its plot: what is farther away is drawn when it comes into view. */
const MAX_STRETCH = 3;

export interface TileOptions {
  readonly t0: number;
  readonly t1: number;
  readonly margin: number;
  readonly scale: number;
  readonly theme: ThemeName;
  readonly hidden: ReadonlySet<string>;
  /** The axis of values is as high as every line. */
  readonly allLines: boolean;
  readonly flowNames: readonly string[];
}

export async function drawTile(engine: Engine, request: PanelRequest, options: TileOptions): Promise<Tile> {
  const { t0, t1, scale } = options;
  const { width, height } = request;
  const theme = THEMES[options.theme];
  // The margin is a whole number of pixels, so that the picture lies on the screen's own.
  const margin = Math.round(width * options.margin);
  const perPixel = (t1 - t0) / width;
  const [first, last] = engine.range;
  const before = pixelsTo(first, t0, perPixel, margin);
  const after = pixelsTo(t1, last, perPixel, margin);
  const from = t0 - before * perPixel;
  const to = t1 + after * perPixel;
  const columns = width + before + after;
  const shown = without(await engine.panel(request.spec, { t0: from, t1: to, columns }), options.hidden);
  const data = scaled(shown, options.allLines);
  const [low, high] = axisRange(data.unit, valueRange(data, t0, t1));
  const [lowest, highest] = extremes(data, from, to);
  const perValue = height / (high - low);
  const isPosition = data.unit === 'position';
  const over = (value: number): number => Math.ceil(Math.max(0, Math.min(height * MAX_STRETCH, value * perValue)));
  const all = valueRange(data, from, to) ?? [low, high];
  const above = over(all[1] - high);
  const below = isPosition ? over(low - all[0]) : 0;
  const v0 = low - below / perValue;
  const v1 = high + above / perValue;
  const tall = height + above + below;
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(columns * scale)), Math.max(1, Math.round(tall * scale)));
  const context = canvas.getContext('2d')!;
  const frame = { x: 0, y: 0, width: columns, height: tall, t0: from, t1: to, v0, v1 };
  paintPanel(new CanvasSurface(context, scale), data, frame, theme);
  const names = request.spec.flows.map((flow) => options.flowNames[flow] ?? '');
  return {
    key: request.key,
    kind: data.kind,
    unit: data.unit,
    title: panelTitle({ ...data, t0, t1 }, width),
    legend: legendOf(await legendData(engine, request, data, options.hidden, from, to, columns), theme, names),
    empty: data.empty,
    bitmap: canvas.transferToImageBitmap(),
    t0: from,
    t1: to,
    // Beyond the ends of the log is nothing that could be drawn.
    coversFrom: from <= first ? Number.NEGATIVE_INFINITY : from,
    coversTo: to >= last ? Number.POSITIVE_INFINITY : to,
    v0,
    v1,
    viewT0: t0,
    viewT1: t1,
    viewV0: low,
    viewV1: high,
    lowest,
    highest,
    loose: looseLines(data, theme).map(({ label, color, alone }) => {
      const [lowest, highest] = extremes(alone, from, to);
      return { label, color, lowest, highest };
    }),
    hasLoose: scaled(shown, false).layers.some(isLoose),
  };
}

/** How many pixels of margin there are between an edge of the view and the end of the log, `most` of them at most. */
function pixelsTo(from: number, to: number, perPixel: number, most: number): number {
  return Math.max(0, Math.min(most, Math.ceil((to - from) / perPixel) + 1));
}

/** Series that are switched off keep their place in the legend. */
async function legendData(
  engine: Engine,
  request: PanelRequest,
  data: PanelData,
  hidden: ReadonlySet<string>,
  t0: number,
  t1: number,
  columns: number,
): Promise<PanelData> {
  if (hidden.size === 0) return data;
  return engine.panel(request.spec, { t0, t1, columns });
}

function without(data: PanelData, hidden: ReadonlySet<string>): PanelData {
  if (hidden.size === 0) return data;
  const layers = data.layers.filter((layer) => !('series' in layer) || !hidden.has(`${data.kind}/${seriesKey(layer)}`));
  return { ...data, layers };
}

/** Lowest and highest value of each of PARTS parts of from..to. */
function extremes(data: PanelData, from: number, to: number): readonly [Float64Array, Float64Array] {
  const lowest = new Float64Array(PARTS).fill(Number.NaN);
  const highest = new Float64Array(PARTS).fill(Number.NaN);
  const scale = PARTS / (to - from);
  const widen = (part: number, low: number, high: number): void => {
    if (!(lowest[part]! <= low)) lowest[part] = low;
    if (!(highest[part]! >= high)) highest[part] = high;
  };
  for (const layer of data.layers) {
    if (layer.type === 'marks' || layer.type === 'shares' || isLoose(layer)) continue;
    const { n, t, lo, hi } = layer.type === 'line' ? layer.line : layer.bars;
    const holds = layer.type === 'line' && layer.style !== 'dots';
    let part = 0;
    for (let i = 0; i < n; i++) {
      const at = Math.floor((t[i]! - from) * scale);
      if (holds && i > 0) for (; part < Math.min(at, PARTS); part++) widen(part, lo[i - 1]!, hi[i - 1]!);
      if (at < 0 || at >= PARTS) continue;
      part = Math.max(part, at);
      widen(at, lo[i]!, hi[i]!);
    }
    if (holds && n > 0) for (; part < PARTS; part++) widen(part, lo[n - 1]!, hi[n - 1]!);
  }
  return [lowest, highest];
}
