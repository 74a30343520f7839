/** Pictures of a log as files: SVG, and PNG made of it. */
import { fileURLToPath } from 'node:url';
import { layoutFigure, paintFigure } from './draw/figure.ts';
import { SvgSurface } from './draw/svg-surface.ts';
import { THEMES, type ThemeName } from './draw/theme.ts';
import type { Engine } from './view/engine.ts';
import { flowName } from './view/flow-name.ts';
import { PRESETS } from './view/panels.ts';

export interface PlotOptions {
  /** A name in PRESETS. */
  readonly preset: string;
  /** Index of the flow. */
  readonly flow: number;
  /** Microseconds of the trace's clock. */
  readonly t0: number;
  readonly t1: number;
  readonly width: number;
  readonly height: number | undefined;
  readonly theme: ThemeName;
  /** The instant that the axis calls 0. Default: where the trace begins. */
  readonly originUs?: number | undefined;
  /** The axes of values are as high as every line, not only as the data. */
  readonly allLines?: boolean;
}

/** @param engine scanned. @returns the SVG document, undefined when the preset has nothing to show of the flow. */
export async function plotSvg(engine: Engine, options: PlotOptions): Promise<string | undefined> {
  const { preset, flow, t0, t1, width, theme } = options;
  const { title, panels } = PRESETS[preset]!;
  const specs = panels.map((panel) => engine.panelOf(panel, flow)).filter((spec) => engine.has(spec));
  if (specs.length === 0) return undefined;
  const sources = engine.store.sources.map(({ descriptor }) => descriptor);
  const flowNames = engine.store.flows.map(({ descriptor }) => flowName(descriptor, sources));
  const { height } = layoutFigure(specs, options.height);
  const surface = new SvgSurface(width, height);
  const subtitle = flowNames[specs[0]!.flows[0]!] ?? '';
  await paintFigure(surface, engine, specs, {
    width,
    height,
    title,
    subtitle,
    theme: THEMES[theme],
    t0,
    t1,
    originUs: options.originUs ?? engine.range[0],
    flowNames,
    allLines: options.allLines === true,
  });
  return surface.finish(`${title}, ${subtitle}`);
}

const FONTS = [
  import.meta.resolve('@expo-google-fonts/inter/400Regular/Inter_400Regular.ttf'),
  import.meta.resolve('@expo-google-fonts/inter/600SemiBold/Inter_600SemiBold.ttf'),
];

/** What a picture takes in memory is four bytes a pixel, twice. */
const MAX_PNG_PIXELS = 64_000_000;

/**
 * Draws an SVG document with the fonts of this package: a bare machine has none.
 * @param scale pixels of a CSS pixel.
 * @throws RangeError, which says how many pixels, when they are too many.
 */
export async function pngOfSvg(svg: string, scale: number): Promise<Uint8Array> {
  // A native module: loaded where it is needed.
  const { Resvg } = await import('@resvg/resvg-js');
  const font = {
    fontFiles: FONTS.map((url) => fileURLToPath(url)),
    loadSystemFonts: false,
    defaultFontFamily: 'Inter',
  };
  const drawing = new Resvg(svg, { font, fitTo: { mode: 'zoom', value: scale } });
  const [width, height] = [Math.round(drawing.width * scale), Math.round(drawing.height * scale)];
  if (width * height > MAX_PNG_PIXELS) {
    throw new RangeError(`${width} × ${height} pixels, more than ${MAX_PNG_PIXELS / 1e6} million`);
  }
  return drawing.render().asPng();
}
