/** A picture of a trace that is in memory, for programs that record flows themselves. */
import type { Trace } from '@qanat/flowlog';
import type { ThemeName } from './draw/theme.ts';
import { plotSvg } from './plot-file.ts';
import { Engine } from './view/engine.ts';
import { PRESETS } from './view/panels.ts';
import { storeOfTrace } from './view/store.ts';

export type { ThemeName } from './draw/theme.ts';

export interface TraceSvgOptions {
  /** What to draw, a name in PRESET_NAMES. Default `all`. */
  readonly preset?: string;
  /** Id of the flow. Default: the one with the most data. */
  readonly flow?: number;
  /** Times of the trace's clock in microseconds. Default: all of it. */
  readonly fromUs?: number;
  readonly toUs?: number;
  /** The instant that the axis calls 0. Default: where the trace begins. */
  readonly originUs?: number;
  /** Pixels. Default 1200, and what the panels need. */
  readonly width?: number;
  readonly height?: number;
  readonly theme?: ThemeName;
  /** The axes of values are as high as every line, not only as the data. Default false. */
  readonly allLines?: boolean;
}

export const PRESET_NAMES: readonly string[] = Object.keys(PRESETS);

/**
 * Draws one connection of a trace.
 * @returns the SVG document; undefined when the preset has nothing to show of the flow, or the trace has no such flow.
 * @throws RangeError for a preset that does not exist.
 */
export async function traceSvg(trace: Trace, options: TraceSvgOptions = {}): Promise<string | undefined> {
  const { preset = 'all', width = 1200, height, theme = 'light', allLines = false } = options;
  if (!PRESET_NAMES.includes(preset))
    throw new RangeError(`there is no preset '${preset}': ${PRESET_NAMES.join(', ')}`);
  const engine = new Engine(storeOfTrace(trace));
  await engine.scan();
  const wanted = options.flow;
  const flow = wanted === undefined ? engine.busiest() : trace.flows.findIndex(({ id }) => id === wanted);
  if (flow < 0 || trace.flows.length === 0) return undefined;
  const [first, last] = engine.range;
  const { fromUs: t0 = first, toUs: t1 = last } = options;
  return plotSvg(engine, { preset, flow, t0, t1, width, height, theme, originUs: options.originUs, allLines });
}
