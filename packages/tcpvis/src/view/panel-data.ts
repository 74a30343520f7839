import type { PanelKind, Unit } from './panels.ts';
import type { Bars, Line } from './points.ts';

/** What a line or a set of bars stands for: the key of its colour and its name in the legend. */
export type SeriesId =
  | 'data'
  | 'ack'
  | 'edge'
  | 'sack'
  | 'pipe'
  | 'cwnd'
  | 'ssthresh'
  | 'rwnd'
  | 'ownWindow'
  | 'rtt'
  | 'srtt'
  | 'rto'
  | 'minRtt'
  | 'throughput'
  | 'goodput'
  | 'txDelay'
  | 'rxDelay'
  | 'txRing'
  | 'rxRing'
  | 'queue';

/** One of several lines of a series: its name, and its place among them, which gives its colour. */
export interface LinePart {
  readonly name: string;
  readonly place: number;
}

export type Layer =
  | {
      readonly type: 'line';
      readonly series: SeriesId;
      /** Which of the panel's flows. */
      readonly flow: number;
      readonly style: 'step' | 'dots' | 'area';
      readonly line: Line;
      /** Its values do not widen the vertical axis: they are cut where the others end (see `scaled`). */
      readonly loose?: boolean;
      /** Which one, where a series has several lines. */
      readonly part?: LinePart;
    }
  | { readonly type: 'bars'; readonly series: SeriesId; readonly flow: number; readonly bars: Bars }
  | { readonly type: 'marks'; readonly flow: number; readonly t: Float64Array; readonly kind: Uint8Array }
  | {
      readonly type: 'shares';
      readonly palette: 'limited' | 'sleep' | 'congestion';
      readonly flow: number;
      readonly states: number;
      readonly columns: number;
      readonly shares: Float32Array;
      /** Behind the other layers, over the whole height, instead of a band. */
      readonly background: boolean;
    };

/** @returns what a series, or a line of it, is known by in the legend and among the values at the cursor. */
export function seriesKey(layer: { readonly series: SeriesId; readonly part?: LinePart }): string {
  return layer.part === undefined ? layer.series : `${layer.series}:${layer.part.name}`;
}

/** Everything that a panel shows between t0 and t1. */
export interface PanelData {
  readonly kind: PanelKind;
  readonly unit: Unit;
  readonly direction: 0 | 1;
  readonly t0: number;
  readonly t1: number;
  readonly layers: readonly Layer[];
  /** Why it is empty, in a few words. */
  readonly empty: string | undefined;
}

/**
 * @param all whether all lines are to be seen in full.
 * @returns the panel with the lines that widen its axis then: also those that are loose, where all are wanted, or where nothing
 * else is shown.
 */
export function scaled(data: PanelData, all: boolean): PanelData {
  if (!all && data.layers.some((layer) => hasPoints(layer) && !isLoose(layer))) return data;
  return { ...data, layers: data.layers.map((layer) => (isLoose(layer) ? { ...layer, loose: false } : layer)) };
}

export function isLoose(layer: Layer): boolean {
  return layer.type === 'line' && layer.loose === true;
}

function hasPoints(layer: Layer): boolean {
  if (layer.type === 'line') return layer.line.n > 0;
  return layer.type === 'bars' && layer.bars.n > 0;
}

/** Lowest and highest value of the layers over the time from..to; undefined when there is none. */
export function valueRange(data: PanelData, from: number, to: number): readonly [number, number] | undefined {
  let lowest = Number.POSITIVE_INFINITY;
  let highest = Number.NEGATIVE_INFINITY;
  for (const layer of data.layers) {
    if (layer.type === 'marks' || layer.type === 'shares') continue;
    if (isLoose(layer)) continue;
    const { n, t, lo, hi } = layer.type === 'line' ? layer.line : layer.bars;
    // A line goes on with what it was before `from`.
    let carriedLo = Number.NaN;
    let carriedHi = Number.NaN;
    for (let i = 0; i < n; i++) {
      if (t[i]! < from) {
        carriedLo = lo[i]!;
        carriedHi = hi[i]!;
        continue;
      }
      if (t[i]! > to) break;
      if (lo[i]! < lowest) lowest = lo[i]!;
      if (hi[i]! > highest) highest = hi[i]!;
    }
    if (layer.type === 'line' && layer.style !== 'dots') {
      if (carriedLo < lowest) lowest = carriedLo;
      if (carriedHi > highest) highest = carriedHi;
    }
  }
  return lowest <= highest ? [lowest, highest] : undefined;
}
