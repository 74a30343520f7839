/** What the colours of a panel stand for. */
import { CA_NAMES, LIMITED_NAMES, reasonName } from '@qanat/flowlog';
import { type LinePart, type PanelData, type SeriesId, seriesKey } from '../view/panel-data.ts';
import { KIND_OUT_OF_ORDER } from '../view/segment-decoder.ts';
import { SLEEP_STATES } from '../view/source-digest.ts';
import type { Surface, TextStyle } from './surface.ts';
import type { Theme } from './theme.ts';

export interface LegendEntry {
  /** Stays the same: what a switch is remembered by. */
  readonly key: string;
  readonly label: string;
  readonly color: string;
  /** A switch, or only an explanation. */
  readonly series: boolean;
  readonly line: boolean;
}

const LABELS: Readonly<Record<SeriesId, string>> = {
  data: 'data',
  ack: 'acknowledged',
  edge: 'window edge',
  sack: 'SACK',
  pipe: 'in flight',
  cwnd: 'cwnd',
  ssthresh: 'ssthresh',
  rwnd: 'receive window',
  ownWindow: 'own window',
  rtt: 'samples',
  srtt: 'smoothed',
  rto: 'RTO',
  minRtt: 'minimum',
  throughput: 'throughput',
  goodput: 'goodput',
  txDelay: 'TX',
  rxDelay: 'RX',
  txRing: 'TX ring: requests in use',
  rxRing: 'RX ring: pages not filled',
  queue: 'packets',
};

const LINES: ReadonlySet<SeriesId> = new Set<SeriesId>([
  ...(['ack', 'edge', 'pipe', 'cwnd', 'ssthresh', 'rwnd', 'ownWindow', 'srtt', 'rto', 'minRtt'] as const),
  ...(['throughput', 'goodput', 'txRing', 'rxRing', 'queue'] as const),
]);

/** @returns the entries, in the order in which they are read; only of what is there. @param flows names of the flows. */
export function legendOf(data: PanelData, theme: Theme, flows: readonly string[]): LegendEntry[] {
  const entries: LegendEntry[] = [];
  const overlaid = flows.length > 1;
  if (overlaid && data.kind !== 'queue' && !data.layers.every((layer) => layer.type === 'shares')) {
    return shortNames(flows).map((label, index) => ({
      key: `flow${index}`,
      label,
      color: theme.flows[index % theme.flows.length]!,
      series: false,
      line: true,
    }));
  }
  const seen = new Set<string>();
  const put = (key: string, label: string, color: string, series: boolean, line: boolean): void => {
    if (seen.has(key)) return;
    seen.add(key);
    entries.push({ key, label, color, series, line });
  };
  for (const layer of data.layers) {
    if (layer.type === 'shares') {
      if (layer.background) continue;
      const isLimit = layer.palette === 'limited';
      const names = isLimit ? LIMITED_NAMES : SLEEP_STATES;
      const colors = isLimit ? theme.limited : theme.sleep;
      statesIn(layer.shares, layer.states).forEach((state) => {
        put(`${layer.palette}${state}`, names[state]!, colors[state]!, false, false);
      });
    } else if (layer.type === 'line' && layer.line.n > 0) {
      put(seriesKey(layer), lineLabel(layer), lineColor(layer, theme), true, LINES.has(layer.series));
    } else if (layer.type === 'bars' && layer.bars.n > 0) {
      put(layer.series, LABELS[layer.series], theme.series[layer.series], true, false);
      const kinds = new Set(layer.bars.kind);
      kinds.delete(0);
      for (const kind of [...kinds].sort((a, b) => a - b)) {
        const label = kind === KIND_OUT_OF_ORDER ? 'out of order or again' : `again: ${reasonName(kind)}`;
        put(`again${kind}`, label, theme.again[kind] ?? theme.again[15]!, false, false);
      }
    }
  }
  for (const layer of data.layers) {
    if (layer.type !== 'shares' || !layer.background) continue;
    statesIn(layer.shares, layer.states).forEach((state) => {
      if (state > 0) put(`ca${state}`, CA_NAMES[state]!, theme.congestion[state]!, false, false);
    });
  }
  return entries;
}

export function lineLabel(layer: { readonly series: SeriesId; readonly part?: LinePart }): string {
  return layer.part?.name ?? LABELS[layer.series];
}

/** Those of a series that has several are told apart by the colours that flows have where they lie over each other. */
export function lineColor(layer: { readonly series: SeriesId; readonly part?: LinePart }, theme: Theme): string {
  const { part } = layer;
  return part === undefined ? theme.series[layer.series] : theme.flows[part.place % theme.flows.length]!;
}

/** @returns names without what all of them begin and end with, cut where words begin and end. */
function shortNames(names: readonly string[]): readonly string[] {
  const words = names.map((name) => name.match(/[^\s:]+|[\s:]+/g) ?? []);
  const same = (at: (list: readonly string[]) => string | undefined): boolean =>
    words.every((list) => at(list) !== undefined && at(list) === at(words[0]!));
  let first = 0;
  while (same((list) => list[first])) first++;
  let last = 0;
  while (same((list) => list[list.length - 1 - last])) last++;
  const left = words.map((list) =>
    list
      .slice(first, list.length - last)
      .join('')
      .trim(),
  );
  // A port alone is known by its colon.
  const isPort = words[0]?.[first - 1] === ':';
  return left.every((name) => name !== '') ? left.map((name) => (isPort ? `:${name}` : name)) : names;
}

function statesIn(shares: Float32Array, states: number): number[] {
  const present = new Set<number>();
  for (let at = 0; at < shares.length; at++) if (shares[at]! > 0) present.add(at % states);
  return [...present].sort((a, b) => a - b);
}

/** Draws entries from right to left, so that they end at `right`; those without room are left out. */
export function paintLegend(
  surface: Surface,
  entries: readonly LegendEntry[],
  left: number,
  right: number,
  y: number,
  theme: Theme,
): void {
  const style: TextStyle = { size: 11, color: theme.faint };
  const widths = entries.map(({ label }) => surface.textWidth(label, style) + 28);
  let count = entries.length;
  const total = (): number => widths.slice(0, count).reduce((sum, width) => sum + width, 0);
  while (count > 0 && total() > right - left) count--;
  let x = right - total();
  entries.slice(0, count).forEach(({ label, color, line }, index) => {
    if (line) surface.rect(x, y - 1, 12, 2, color);
    else surface.rect(x + 1, y - 4, 8, 8, color);
    surface.text(label, x + 16, y, style);
    x += widths[index]!;
  });
}
