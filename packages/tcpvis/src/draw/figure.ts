/** A whole picture: panels above each other on one axis of time. */
import type { Engine } from '../view/engine.ts';
import { type PanelData, scaled, valueRange } from '../view/panel-data.ts';
import { PANEL_KINDS, type PanelSpec } from '../view/panels.ts';
import { binUs } from '../view/throughput.ts';
import { axisRange, paintGrid, paintTimeAxis, paintValueAxis } from './axes.ts';
import { formatDuration } from './format.ts';
import { legendOf, paintLegend } from './legend.ts';
import { outsideLines, paintOutside } from './outside.ts';
import { type Frame, paintPanel } from './paint.ts';
import type { Surface } from './surface.ts';
import type { Theme } from './theme.ts';

export const GUTTER = 76;
export const RIGHT = 18;
export const PANEL_HEAD = 26;
const PANEL_GAP = 6;
const TITLE_HEIGHT = 44;
const AXIS_HEIGHT = 30;
/** Height of a panel of weight 1. */
const UNIT_HEIGHT = 110;
const BAND_HEIGHT = 26;

export interface FigureOptions {
  readonly width: number;
  /** Whole height, at least what the panels take when they are as low as they may be; without it each gets what it needs. */
  readonly height?: number;
  readonly title: string;
  readonly subtitle: string;
  readonly theme: Theme;
  readonly t0: number;
  readonly t1: number;
  /** The instant that is called 0. */
  readonly originUs: number;
  /** Names of the flows, by the engine's numbers. */
  readonly flowNames: readonly string[];
  /** The axes of values are as high as every line, not only as the data. */
  readonly allLines: boolean;
}

/** @returns the heights of the plots of a figure's panels, and the figure's height. */
export function layoutFigure(
  panels: readonly PanelSpec[],
  height: number | undefined,
): { readonly plots: number[]; readonly height: number } {
  const fixed = TITLE_HEIGHT + AXIS_HEIGHT + panels.length * (PANEL_HEAD + PANEL_GAP);
  const bands = panels.filter(({ kind }) => PANEL_KINDS[kind].band).length * BAND_HEIGHT;
  const weights = panels.reduce((sum, { kind }) => sum + (PANEL_KINDS[kind].band ? 0 : PANEL_KINDS[kind].weight), 0);
  const unit = height === undefined || weights === 0 ? UNIT_HEIGHT : Math.max(30, (height - fixed - bands) / weights);
  const plots = panels.map(({ kind }) =>
    PANEL_KINDS[kind].band ? BAND_HEIGHT : Math.round(unit * PANEL_KINDS[kind].weight),
  );
  const needed = fixed + plots.reduce((sum, plot) => sum + plot, 0);
  // Each plot is rounded to whole pixels.
  return { plots, height: height === undefined || height < needed - panels.length ? needed : height };
}

/** Draws the panels of a trace. The surface is `options.width` wide and as high as `layoutFigure` says. */
export async function paintFigure(
  surface: Surface,
  engine: Engine,
  panels: readonly PanelSpec[],
  options: FigureOptions,
): Promise<void> {
  const { width, theme, t0, t1, originUs } = options;
  const { plots, height } = layoutFigure(panels, options.height);
  surface.rect(0, 0, width, height, theme.page);
  surface.text(options.title, 16, 22, { size: 15, color: theme.text, bold: true });
  const titleWidth = surface.textWidth(options.title, { size: 15, color: theme.text, bold: true });
  surface.text(options.subtitle, 16 + titleWidth + 16, 23, { size: 12, color: theme.faint });
  let y = TITLE_HEIGHT;
  const plotWidth = width - GUTTER - RIGHT;
  let frame: Frame = { x: GUTTER, y, width: plotWidth, height: 0, t0, t1, v0: 0, v1: 1 };
  for (const [index, spec] of panels.entries()) {
    const data = scaled(await engine.panel(spec, { t0, t1, columns: plotWidth }), options.allLines);
    const [v0, v1] = axisRange(data.unit, valueRange(data, t0, t1));
    frame = { ...frame, y: y + PANEL_HEAD, height: plots[index]!, v0, v1 };
    const title = panelTitle(data, frame.width);
    surface.text(title, GUTTER, y + 14, { size: 12, color: theme.text, bold: true });
    const names = spec.flows.map((flow) => options.flowNames[flow] ?? '');
    const left = GUTTER + surface.textWidth(title, { size: 12, color: theme.text, bold: true }) + 24;
    paintLegend(surface, legendOf(data, theme, names), left, width - RIGHT, y + 14, theme);
    paintGrid(surface, frame, data.unit, originUs, theme);
    paintValueAxis(surface, frame, data.unit, theme);
    paintPanel(surface, data, frame, theme);
    paintOutside(surface, outsideLines(data, frame, theme), frame, theme);
    if (data.empty !== undefined) {
      const at = frame.y + frame.height / 2;
      surface.text(data.empty, frame.x + frame.width / 2, at, { size: 12, color: theme.faint, align: 'center' });
    }
    y += PANEL_HEAD + plots[index]! + PANEL_GAP;
  }
  paintTimeAxis(surface, { ...frame, y: y - PANEL_GAP }, originUs, theme);
}

/** @param columns width of the plot in pixels. */
export function panelTitle(data: PanelData, columns: number): string {
  const { title } = PANEL_KINDS[data.kind];
  if (data.kind === 'sequence' && data.direction === 1) return `${title}, received`;
  if (data.kind === 'throughput')
    return `${title}, per ${formatDuration(binUs({ t0: data.t0, t1: data.t1, columns }))}`;
  return title;
}
