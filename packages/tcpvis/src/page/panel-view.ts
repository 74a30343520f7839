/** One panel: its head with the legend, and its plot. */
import { axisRange, paintGrid, paintValueAxis } from '../draw/axes.ts';
import { CanvasSurface } from '../draw/canvas-surface.ts';
import { GUTTER, RIGHT } from '../draw/figure.ts';
import type { LegendEntry } from '../draw/legend.ts';
import { outsideOf, paintOutside } from '../draw/outside.ts';
import type { Theme } from '../draw/theme.ts';
import type { Values } from '../view/cursor.ts';
import { PANEL_KINDS } from '../view/panels.ts';
import { make, sizeCanvas } from './dom.ts';
import type { PanelPlan, Tile } from './protocol.ts';

export interface PanelEvents {
  /** A series was switched on or off. @param key `kind/series`. */
  toggled(key: string): void;
  /** All lines are to be seen in full, or not any more. */
  linesToggled(): void;
}

export class PanelView {
  readonly plan: PanelPlan;
  readonly element: HTMLElement;
  readonly canvas = make('canvas', { class: 'plot' });
  readonly #title = make('span', { class: 'panel-title' });
  readonly #legend = make('div', { class: 'legend' });
  readonly #state = make('span', { class: 'state-value' });
  readonly #lines: HTMLButtonElement;
  readonly #events: PanelEvents;
  #tile: Tile | undefined;
  #values = new Map<string, HTMLElement>();
  #legendShown = '';
  #shown: Values | undefined;
  width = 0;
  height = 0;

  constructor(plan: PanelPlan, events: PanelEvents) {
    this.plan = plan;
    this.#events = events;
    this.#title.textContent = PANEL_KINDS[plan.spec.kind].title;
    const of = plan.of === undefined ? undefined : make('span', { class: 'state-value' }, plan.of);
    const title = 'the axis: as high as every line, or as the data (Y)';
    const press = (): void => events.linesToggled();
    this.#lines = make(
      'button',
      { type: 'button', class: 'all-lines', title, hidden: '', onclick: press },
      'all lines',
    );
    const head = make('div', { class: 'panel-head' }, this.#title, of, this.#state, this.#legend, this.#lines);
    this.element = make(
      'section',
      { class: 'panel', 'data-kind': plan.spec.kind, 'data-key': plan.key },
      head,
      this.canvas,
    );
  }

  /** Of the plot, in CSS pixels. */
  resize(width: number, height: number): void {
    this.width = width;
    this.height = height;
  }

  setTile(tile: Tile, hidden: ReadonlySet<string>, allLines: boolean): void {
    this.#tile?.bitmap.close();
    this.#tile = tile;
    this.#lines.hidden = !tile.hasLoose;
    this.#lines.setAttribute('aria-pressed', String(allLines));
    this.#title.textContent = tile.title;
    this.#showLegend(tile.legend, hidden);
  }

  /** @returns whether the picture covers a stretch of time at its scale, with room at both sides. */
  covers(t0: number, t1: number): boolean {
    const tile = this.#tile;
    if (tile === undefined) return false;
    const span = t1 - t0;
    const drawn = tile.viewT1 - tile.viewT0;
    if (Math.abs(span / drawn - 1) > 0.02) return false;
    const room = span * 0.15;
    return tile.coversFrom <= t0 - room && tile.coversTo >= t1 + room;
  }

  isExactFor(t0: number, t1: number): boolean {
    return this.#tile !== undefined && this.#tile.viewT0 === t0 && this.#tile.viewT1 === t1;
  }

  /** Shows the values at the cursor; they stay when the legend becomes another. */
  setValues(values: Values | undefined): void {
    this.#shown = values;
    for (const [key, element] of this.#values) element.textContent = values?.[key] ?? '';
    this.#state.textContent = values?.['state'] ?? '';
  }

  /** Draws the axis and what of the picture is in view. */
  paint(t0: number, t1: number, originUs: number, theme: Theme, scale: number): void {
    const wide = GUTTER + this.width + RIGHT;
    const context = sizeCanvas(this.canvas, wide, this.height + 2, scale);
    const surface = new CanvasSurface(context, scale);
    context.clearRect(0, 0, wide, this.height + 2);
    const tile = this.#tile;
    const unit = PANEL_KINDS[this.plan.spec.kind].unit;
    const [v0, v1] = this.#valueRange(t0, t1);
    const frame = { x: GUTTER, y: 1, width: this.width, height: this.height, t0, t1, v0, v1 };
    // Without a picture there is nothing that numbers could stand for.
    if (tile === undefined || tile.empty !== undefined) paintGrid(surface, frame, 'share', originUs, theme);
    if (tile === undefined) return;
    if (tile.empty !== undefined) {
      const at = { size: 12, color: theme.faint, align: 'center' } as const;
      surface.text(tile.empty, GUTTER + this.width / 2, 1 + this.height / 2, at);
      return;
    }
    paintGrid(surface, frame, unit, originUs, theme);
    paintValueAxis(surface, frame, unit, theme);
    const { bitmap } = tile;
    const perTime = bitmap.width / (tile.t1 - tile.t0);
    const perValue = bitmap.height / (tile.v1 - tile.v0);
    surface.clip(frame.x, frame.y, frame.width, frame.height);
    context.drawImage(
      bitmap,
      snap((t0 - tile.t0) * perTime),
      snap((tile.v1 - v1) * perValue),
      snap((t1 - t0) * perTime),
      snap((v1 - v0) * perValue),
      frame.x,
      frame.y,
      frame.width,
      frame.height,
    );
    surface.unclip();
    const outside = tile.loose.flatMap((line) => outsideOf(line, rangeIn(tile, line, t0, t1), v0, v1));
    paintOutside(surface, outside, frame, theme);
    this.element.dataset['highest'] = String(v1);
    this.element.dataset['outside'] = outside.map(({ label, above }) => `${above ? '↑' : '↓'} ${label}`).join(', ');
  }

  #valueRange(t0: number, t1: number): readonly [number, number] {
    const tile = this.#tile;
    if (tile === undefined) return [0, 1];
    if (tile.viewT0 === t0 && tile.viewT1 === t1) return [tile.viewV0, tile.viewV1];
    const range = rangeIn(tile, tile, t0, t1);
    return range === undefined ? [tile.viewV0, tile.viewV1] : axisRange(tile.unit, range);
  }

  #showLegend(entries: readonly LegendEntry[], hidden: ReadonlySet<string>): void {
    const { kind } = this.plan.spec;
    const shown = JSON.stringify([entries, entries.map(({ key }) => hidden.has(`${kind}/${key}`))]);
    if (shown === this.#legendShown) return;
    this.#legendShown = shown;
    this.#values.clear();
    this.#legend.replaceChildren(
      ...entries.map((entry) => {
        const value = make('span', { class: 'value', 'data-series': entry.key });
        this.#values.set(entry.key, value);
        const key = make('i', { class: entry.line ? 'key line' : 'key', style: `background:${entry.color}` });
        if (!entry.series) return make('span', { class: 'entry' }, key, entry.label, value);
        const name = `${kind}/${entry.key}`;
        const off = hidden.has(name);
        const press = (): void => this.#events.toggled(name);
        const attributes = { type: 'button', class: off ? 'entry off' : 'entry', 'aria-pressed': String(!off) };
        return make('button', { ...attributes, onclick: press }, key, entry.label, value);
      }),
    );
    this.setValues(this.#shown);
  }
}

/** Lowest and highest value in t0..t1, by the parts of a tile. */
function rangeIn(
  tile: Tile,
  { lowest, highest }: Pick<Tile, 'lowest' | 'highest'>,
  t0: number,
  t1: number,
): readonly [number, number] | undefined {
  const parts = lowest.length;
  const scale = parts / (tile.t1 - tile.t0);
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  const from = Math.max(0, Math.floor((t0 - tile.t0) * scale));
  const to = Math.min(parts - 1, Math.floor((t1 - tile.t0) * scale));
  for (let part = from; part <= to; part++) {
    if (lowest[part]! < low) low = lowest[part]!;
    if (highest[part]! > high) high = highest[part]!;
  }
  return low <= high ? [low, high] : undefined;
}

/** Numbers that are whole but for rounding: a picture that lies on the pixels stays sharp. */
function snap(value: number): number {
  const whole = Math.round(value);
  return Math.abs(value - whole) < 0.02 ? whole : value;
}
