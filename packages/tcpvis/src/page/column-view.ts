/** Panels above each other, and the axis of time under them. */
import { paintTimeAxis } from '../draw/axes.ts';
import { CanvasSurface } from '../draw/canvas-surface.ts';
import { GUTTER, RIGHT } from '../draw/figure.ts';
import type { Theme } from '../draw/theme.ts';
import { PANEL_KINDS } from '../view/panels.ts';
import { make, sizeCanvas } from './dom.ts';
import { type PanelEvents, PanelView } from './panel-view.ts';
import type { ColumnPlan } from './protocol.ts';

const HEAD_HEIGHT = 22;
const PANEL_GAP = 6;
const TITLE_HEIGHT = 24;
export const AXIS_HEIGHT = 24;
const BAND_HEIGHT = 20;
const LEAST_UNIT = 38;
const LEAST_WIDTH = 160;

export class ColumnView {
  readonly element: HTMLElement;
  readonly panels: readonly PanelView[];
  readonly #axis = make('canvas', { class: 'axis' });
  readonly #cursor = make('div', { class: 'cursor', hidden: '' });
  readonly #stamp = make('div', { class: 'stamp', hidden: '' });
  readonly #selection = make('div', { class: 'selection', hidden: '' });
  readonly #hasTitle: boolean;
  #width = 0;

  constructor(plan: ColumnPlan, events: PanelEvents) {
    this.#hasTitle = plan.title !== '';
    this.panels = plan.panels.map((panel) => new PanelView(panel, events));
    const title = this.#hasTitle ? make('h2', { class: 'column-title', title: plan.title }, plan.title) : undefined;
    const lines = [this.#selection, this.#cursor, this.#stamp];
    const stack = make('div', { class: 'stack' }, ...this.panels.map(({ element }) => element), this.#axis, ...lines);
    this.element = make('div', { class: 'column' }, title, stack);
  }

  /** Gives the panels their sizes: bands are thin, the rest is shared by weight. */
  resize(width: number, height: number): void {
    this.#width = Math.max(LEAST_WIDTH, width - GUTTER - RIGHT);
    this.element.style.width = `${GUTTER + this.#width + RIGHT}px`;
    const bands = this.panels.filter(({ plan }) => PANEL_KINDS[plan.spec.kind].band).length;
    const weights = this.panels.reduce((sum, { plan }) => sum + weightOf(plan.spec.kind), 0);
    const heads = this.panels.length * (HEAD_HEIGHT + PANEL_GAP);
    const fixed = heads + bands * BAND_HEIGHT + AXIS_HEIGHT + (this.#hasTitle ? TITLE_HEIGHT : 0) + 4;
    const unit = Math.max(LEAST_UNIT, (height - fixed) / Math.max(1, weights));
    for (const panel of this.panels) {
      const { kind } = panel.plan.spec;
      panel.resize(this.#width, PANEL_KINDS[kind].band ? BAND_HEIGHT : Math.floor(unit * weightOf(kind)));
    }
  }

  paint(t0: number, t1: number, originUs: number, theme: Theme, scale: number): void {
    for (const panel of this.panels) panel.paint(t0, t1, originUs, theme, scale);
    const wide = GUTTER + this.#width + RIGHT;
    const context = sizeCanvas(this.#axis, wide, AXIS_HEIGHT, scale);
    context.clearRect(0, 0, this.#axis.width, this.#axis.height);
    const frame = { x: GUTTER, y: 0, width: this.#width, height: AXIS_HEIGHT, t0, t1, v0: 0, v1: 1 };
    paintTimeAxis(new CanvasSurface(context, scale), frame, originUs, theme);
  }

  /** @param at where the cursor stands, as a share of the plot's width; undefined hides it. */
  showCursor(at: number | undefined, stamp: string): void {
    const shown = at !== undefined && at >= 0 && at <= 1;
    this.#cursor.hidden = !shown;
    this.#stamp.hidden = !shown;
    if (!shown) return;
    const x = GUTTER + at * this.#width;
    this.#cursor.style.transform = `translateX(${x}px)`;
    this.#stamp.textContent = stamp;
    const half = stamp.length * 3.4 + 8;
    const inside = Math.max(half, Math.min(GUTTER + this.#width + RIGHT - half, x));
    this.#stamp.style.transform = `translateX(${inside}px) translateX(-50%)`;
  }

  /** @param from, to shares of the plot's width; undefined hides it. */
  showSelection(from: number | undefined, to = 0): void {
    this.#selection.hidden = from === undefined;
    if (from === undefined) return;
    this.#selection.style.left = `${GUTTER + Math.min(from, to) * this.#width}px`;
    this.#selection.style.width = `${Math.abs(to - from) * this.#width}px`;
  }

  /** @returns where a position in the window lies over the plots, as a share of their width; undefined outside. */
  shareAt(clientX: number, clientY: number): number | undefined {
    const box = this.element.getBoundingClientRect();
    if (clientY < box.top || clientY > box.bottom) return undefined;
    const share = (clientX - box.left - GUTTER) / this.#width;
    return share >= -0.02 && share <= 1.02 ? Math.max(0, Math.min(1, share)) : undefined;
  }

  get plotWidth(): number {
    return this.#width;
  }
}

function weightOf(kind: keyof typeof PANEL_KINDS): number {
  return PANEL_KINDS[kind].band ? 0 : PANEL_KINDS[kind].weight;
}
