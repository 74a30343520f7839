/** Tells of lines that are shown and lie above or below their panel: a mark at its edge, with their name. */
import { isLoose, type PanelData, valueRange } from '../view/panel-data.ts';
import { lineColor, lineLabel } from './legend.ts';
import type { Frame } from './paint.ts';
import { PointBuffer, type Surface, type TextStyle } from './surface.ts';
import type { Theme } from './theme.ts';

/** A line that does not widen the axis. */
export interface LooseLine {
  readonly label: string;
  readonly color: string;
}

export interface OutsideLine extends LooseLine {
  /** Above the panel, else below. */
  readonly above: boolean;
}

const MARK = 7;
const HEIGHT = 14;
const points = new PointBuffer();

/** @returns the lines of a panel that may lie outside, with what draws each alone. Flows over each other have one name. */
export function looseLines(data: PanelData, theme: Theme): (LooseLine & { readonly alone: PanelData })[] {
  const overlaid = data.layers.some((layer) => layer.flow > 0);
  return data.layers.flatMap((layer) => {
    if (layer.type !== 'line' || !isLoose(layer) || layer.line.n === 0) return [];
    const color = overlaid ? theme.flows[layer.flow % theme.flows.length]! : lineColor(layer, theme);
    const label = layer.flow === 0 ? lineLabel(layer) : '';
    return [{ label, color, alone: { ...data, layers: [{ ...layer, loose: false }] } }];
  });
}

/** @param range lowest and highest value of a line where it is in view. @returns where it leaves the panel, if it does. */
export function outsideOf(
  { label, color }: LooseLine,
  range: readonly [number, number] | undefined,
  v0: number,
  v1: number,
): OutsideLine[] {
  const found: OutsideLine[] = [];
  if (range !== undefined && range[1] > v1) found.push({ label, color, above: true });
  if (range !== undefined && range[0] < v0) found.push({ label, color, above: false });
  return found;
}

/** As `outsideOf`, of all lines of a panel. */
export function outsideLines(data: PanelData, { t0, t1, v0, v1 }: Frame, theme: Theme): OutsideLine[] {
  return looseLines(data, theme).flatMap((line) => outsideOf(line, valueRange(line.alone, t0, t1), v0, v1));
}

/** Draws the marks from right to left along the edge that the lines lie behind. */
export function paintOutside(surface: Surface, lines: readonly OutsideLine[], frame: Frame, theme: Theme): void {
  for (const above of [true, false]) {
    let right = frame.x + frame.width - 4;
    const middle = above ? frame.y + HEIGHT / 2 + 1 : frame.y + frame.height - HEIGHT / 2 - 1;
    for (const line of lines) {
      if (line.above !== above) continue;
      const style: TextStyle = { size: 10, color: line.color };
      const text = line.label === '' ? 0 : surface.textWidth(line.label, style) + 4;
      const left = right - text - MARK;
      if (left < frame.x) break;
      surface.rect(left - 3, middle - HEIGHT / 2, right - left + 6, HEIGHT, theme.plot, 0.85);
      const base = middle + (above ? 3 : -3);
      points.clear();
      points.add(left, base);
      points.add(left + MARK / 2, middle + (above ? -3 : 3));
      points.add(left + MARK, base);
      surface.area(points, base, line.color, 1);
      if (line.label !== '') surface.text(line.label, left + MARK + 4, middle, style);
      right = left - 8;
    }
  }
}
