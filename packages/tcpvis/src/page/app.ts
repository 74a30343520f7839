/** The page: what is shown, and what every input does to it. */

import { GUTTER, RIGHT } from '../draw/figure.ts';
import { formatDuration, formatInstant, formatNumber } from '../draw/format.ts';
import { THEMES, type ThemeName } from '../draw/theme.ts';
import { PRESETS } from '../view/panels.ts';
import { ColumnView } from './column-view.ts';
import { make } from './dom.ts';
import { EventsTable } from './events-table.ts';
import type { Action } from './keys.ts';
import { Help, Welcome } from './notices.ts';
import { OVERVIEW_HEIGHT, OVERVIEW_KEY, Overview } from './overview.ts';
import type { FromWorker, LayoutMode, LogOrigin, PanelRequest, Summary, ToWorker } from './protocol.ts';
import { TimeView } from './time-view.ts';
import { MODES, Toolbar } from './toolbar.ts';

/** When nothing moved for so long, the picture is drawn for exactly what is in view. */
const SETTLED_MS = 90;
/** Beyond each side of the view so much of it is drawn in advance. */
const MARGIN = 0.5;
const PAN_STEP = 0.12;
const ZOOM_STEP = 1.35;

export class App {
  readonly element: HTMLElement;
  readonly time = new TimeView();
  readonly #send: (message: ToWorker) => void;
  readonly #toolbar: Toolbar;
  readonly #overview: Overview;
  readonly #table = new EventsTable();
  readonly #columns = make('div', { class: 'columns' });
  readonly #main: HTMLElement;
  readonly #status = make('footer', { class: 'status' });
  readonly #progress = make('div', { class: 'progress', hidden: '' });
  readonly #welcome: Welcome;
  readonly #help = new Help();
  readonly #hidden = new Set<string>(JSON.parse(remembered('hidden') ?? '[]') as string[]);
  #views: ColumnView[] = [];
  #summary: Summary | undefined;
  #chosen: number[] = [];
  #preset = 'all';
  #mode: LayoutMode = 'one';
  #themeName: ThemeName = initialTheme();
  #tableShown = (remembered('events') ?? 'off') === 'on';
  #follow = true;
  #viewId = 0;
  #drawing = false;
  #drawingOverview = false;
  #frame = 0;
  #settle = 0;
  #dirty = false;
  #cursorUs: number | undefined;
  #pinned = false;
  #cursorAsked = false;
  #cursorBusy = false;
  #overviewStale = true;

  constructor(send: (message: ToWorker) => void, pick: () => void) {
    this.#send = send;
    this.#welcome = new Welcome(pick);
    this.#overview = new Overview((t0, t1) => this.#choose(t0, t1));
    this.#toolbar = new Toolbar({
      flows: (flows) => this.#setFlows(flows),
      preset: (name) => this.#setPreset(name),
      mode: (mode) => this.#setMode(mode),
      theme: () => this.act('theme', 't'),
      events: () => this.act('events', 'e'),
      help: () => this.act('help', '?'),
      open: pick,
      follow: () => this.act('follow', 'l'),
    });
    this.#main = make('main', { class: 'main' }, this.#columns, this.#table.element);
    this.element = make(
      'div',
      { class: 'app' },
      this.#toolbar.element,
      this.#progress,
      this.#overview.element,
      this.#main,
      this.#status,
      this.#welcome.element,
      this.#help.element,
    );
    this.#setTheme(this.#themeName);
    this.#showTable();
    this.#setState('empty');
    new ResizeObserver(() => this.#resize()).observe(this.#columns);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', (event) => {
      if (remembered('theme') === undefined) this.#setTheme(event.matches ? 'dark' : 'light');
    });
  }

  get columns(): readonly ColumnView[] {
    return this.#views;
  }

  open(origin: LogOrigin): void {
    this.#summary = undefined;
    delete document.documentElement.dataset['whole'];
    this.#setState('loading');
    this.#welcome.loading(origin.name);
    this.#send({ type: 'open', origin });
  }

  receive(message: FromWorker): void {
    switch (message.type) {
      case 'opened':
        this.#opened(message.summary);
        break;
      case 'changed':
        this.#changed(message.summary);
        break;
      case 'progress':
        this.#progress.hidden = message.done >= 1;
        this.#progress.style.setProperty('--done', String(message.done));
        this.#progress.title = `${message.what} ${Math.round(message.done * 100)} %`;
        break;
      case 'failed':
        this.#progress.hidden = true;
        this.#setState('failed');
        this.#welcome.failed(message.sentence);
        break;
      case 'layout':
        this.#lay(message.columns);
        break;
      case 'tile':
        if (message.tile.key === OVERVIEW_KEY) this.#overview.setTile(message.tile);
        else
          this.#panels()
            .find(({ plan }) => plan.key === message.tile.key)
            ?.setTile(message.tile, this.#hidden);
        this.#requestFrame();
        break;
      case 'drawn':
        this.#drawing = false;
        document.documentElement.dataset['drawn'] = String(message.id);
        if (message.whole && !this.#drawingOverview) document.documentElement.dataset['whole'] = 'yes';
        this.#askForView();
        break;
      case 'cursor':
        this.#cursorBusy = false;
        for (const panel of this.#panels()) panel.setValues(message.values[panel.plan.key]);
        if (this.#tableShown) this.#table.show(message.rows, message.timeUs, this.#stamp(message.timeUs));
        document.documentElement.dataset['cursor'] = String(message.timeUs);
        if (this.#cursorAsked) this.#askAtCursor();
        break;
      case 'stepped':
        if (message.timeUs !== undefined) this.#goTo(message.timeUs);
        break;
    }
  }

  /** Moves the cursor over the plots. @param share of a plot's width; undefined when the pointer left. */
  point(share: number | undefined): void {
    if (this.#pinned) return;
    this.#setCursor(share === undefined ? undefined : this.time.t0 + share * this.time.span);
  }

  /** A click holds the cursor, another lets it go. */
  pin(share: number): void {
    this.#pinned = !this.#pinned;
    this.#columns.classList.toggle('pinned', this.#pinned);
    this.#setCursor(this.time.t0 + share * this.time.span);
  }

  /** @param share of a plot's width that keeps its place. */
  zoom(factor: number, share: number): void {
    this.#moved();
    this.time.zoom(factor, this.time.t0 + share * this.time.span);
    this.#changedView();
  }

  /** @param share of the view. */
  pan(share: number): void {
    this.#moved();
    this.time.pan(share * this.time.span);
    this.#changedView();
  }

  show(t0: number, t1: number): void {
    this.#moved();
    this.time.show(t0, t1);
    this.#changedView();
  }

  select(from: number | undefined, to = 0): void {
    for (const view of this.#views) view.showSelection(from, to);
  }

  /** @param key which key asked for it. */
  act(action: Action, key: string, shift = false): void {
    const at = this.#cursorShare() ?? 0.5;
    const flows = this.#chosen;
    switch (action) {
      case 'left':
        this.pan(shift ? -0.9 : -PAN_STEP);
        break;
      case 'right':
        this.pan(shift ? 0.9 : PAN_STEP);
        break;
      case 'zoomIn':
        this.zoom(1 / ZOOM_STEP, at);
        break;
      case 'zoomOut':
        this.zoom(ZOOM_STEP, at);
        break;
      case 'fit':
        this.#moved();
        this.time.fit();
        this.#changedView();
        break;
      case 'start':
        this.pan(-1e12);
        break;
      case 'end':
        this.pan(1e12);
        break;
      case 'nextMark':
      case 'previousMark':
      case 'nextRow':
      case 'previousRow': {
        const forward = action.startsWith('next');
        const timeUs = this.#cursorUs ?? (forward ? this.time.t0 : this.time.t1);
        this.#send({ type: 'step', id: 0, timeUs, forward, marks: action.endsWith('Mark'), flows });
        break;
      }
      case 'preset': {
        const name = Object.keys(PRESETS)[Number(key) - 1];
        if (name !== undefined) this.#setPreset(name);
        break;
      }
      case 'mode': {
        const next = MODES[(MODES.findIndex(({ mode }) => mode === this.#mode) + 1) % MODES.length]!;
        this.#setMode(next.mode);
        break;
      }
      case 'flow':
        if (this.#summary !== undefined) this.#setFlows([((flows[0] ?? 0) + 1) % this.#summary.flows.length]);
        break;
      case 'events':
        this.#tableShown = !this.#tableShown;
        remember('events', this.#tableShown ? 'on' : 'off');
        this.#showTable();
        break;
      case 'theme': {
        const name = this.#themeName === 'dark' ? 'light' : 'dark';
        remember('theme', name);
        this.#setTheme(name);
        break;
      }
      case 'follow':
        this.#follow = !this.#follow;
        if (this.#follow && this.#summary !== undefined) this.#changed(this.#summary);
        break;
      case 'help':
        this.#help.toggle();
        break;
      case 'close':
        this.#help.hide();
        this.#toolbar.closeList();
        this.#pinned = false;
        this.#columns.classList.remove('pinned');
        this.#setCursor(undefined);
        break;
      case 'open':
        break;
    }
  }

  #opened(summary: Summary): void {
    this.#summary = summary;
    this.#follow = true;
    this.#pinned = false;
    this.#cursorUs = undefined;
    this.#chosen = [busiest(summary)];
    this.#limit(summary);
    this.time.fit();
    this.#welcome.hide();
    this.#setState(summary.complete && !summary.live ? 'ready' : 'reading');
    this.#relayout();
  }

  #changed(summary: Summary): void {
    const before = this.#summary;
    this.#summary = summary;
    const wasWhole = this.time.isWhole;
    const { span } = this.time;
    this.#limit(summary);
    if (this.#follow && summary.live) {
      if (wasWhole) this.time.fit();
      else this.time.show(summary.lastUs - span * 0.95, summary.lastUs + span * 0.05);
    } else if (wasWhole && before?.live === true) this.time.fit();
    if (!this.#chosenByHand()) this.#chosen = [busiest(summary)];
    this.#setState(summary.complete && !summary.live ? 'ready' : 'reading');
    this.#relayout();
  }

  /** As long as the rows are read, the flow with most of them may be another. */
  #chosenByHand(): boolean {
    return this.#chosen.length !== 1 || this.#handChosen;
  }
  #handChosen = false;

  #limit({ firstUs, lastUs }: Summary): void {
    this.time.limit(firstUs, lastUs);
    const margin = (lastUs - firstUs) * 0.01;
    this.#overview.limit(firstUs - margin, lastUs + margin);
    this.#overviewStale = true;
  }

  #relayout(): void {
    this.#send({ type: 'layout', preset: this.#preset, flows: this.#chosen, mode: this.#mode });
    this.#showToolbar();
    this.#showStatus();
  }

  #showToolbar(): void {
    if (this.#summary === undefined) return;
    this.#toolbar.show(this.#summary, this.#chosen, this.#preset, this.#mode, this.#follow);
  }

  #lay(columns: Extract<FromWorker, { type: 'layout' }>['columns']): void {
    const wanted = JSON.stringify(columns);
    if (wanted !== this.#columns.dataset['plan']) {
      this.#columns.dataset['plan'] = wanted;
      this.#views = columns.map((plan) => new ColumnView(plan, { toggled: (key) => this.#toggleSeries(key) }));
      this.#columns.replaceChildren(...this.#views.map(({ element }) => element));
      this.#resize();
    }
    this.#dirty = true;
    this.#changedView(true);
  }

  #resize(): void {
    const box = this.#columns.getBoundingClientRect();
    if (this.#views.length === 0 || box.width < 10) return;
    const width = Math.floor(box.width / this.#views.length);
    for (const view of this.#views) view.resize(width, Math.floor(box.height));
    this.#overview.width = Math.max(100, Math.floor(this.element.getBoundingClientRect().width) - GUTTER - RIGHT);
    this.#overviewStale = true;
    this.#dirty = true;
    this.#changedView(true);
  }

  #panels(): ColumnView['panels'] {
    return this.#views.flatMap(({ panels }) => panels);
  }

  #changedView(now = false): void {
    this.#requestFrame();
    this.#showStatus();
    clearTimeout(this.#settle);
    this.#askForView();
    this.#settle = window.setTimeout(() => this.#askForView(true), now ? 0 : SETTLED_MS);
  }

  /** Asks the worker for new pictures where those at hand do not do. @param settled nothing moves any more. */
  #askForView(settled = false): void {
    if (this.#drawing || this.#views.length === 0) return;
    const { t0, t1 } = this.time;
    const panels = this.#panels();
    const wanted = panels.filter((panel) => {
      if (this.#dirty) return true;
      return settled ? !panel.isExactFor(t0, t1) : !panel.covers(t0, t1);
    });
    if (this.#overviewStale) {
      this.#askForOverview();
      return;
    }
    if (wanted.length === 0) return;
    if (settled) this.#dirty = false;
    this.#drawing = true;
    this.#drawingOverview = false;
    this.#post(
      wanted.map(({ plan, width, height }) => ({ key: plan.key, spec: plan.spec, width, height })),
      t0,
      t1,
      MARGIN,
    );
    this.#dirty = false;
  }

  #askForOverview(): void {
    const [first, last] = this.#overview.range;
    const flow = this.#chosen[0] ?? 0;
    const direction = this.#summary?.flows[flow]?.sends === false ? 1 : 0;
    const spec = { kind: 'throughput', flows: [flow], direction } as const;
    this.#overviewStale = false;
    this.#drawing = true;
    this.#drawingOverview = true;
    this.#post([{ key: OVERVIEW_KEY, spec, width: this.#overview.width, height: OVERVIEW_HEIGHT }], first, last, 0);
  }

  #post(panels: readonly PanelRequest[], t0: number, t1: number, margin: number): void {
    const hidden = [...this.#hidden];
    const scale = window.devicePixelRatio || 1;
    this.#send({ type: 'view', id: ++this.#viewId, t0, t1, panels, scale, theme: this.#themeName, hidden, margin });
  }

  #requestFrame(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
    });
  }

  #paint(): void {
    const theme = THEMES[this.#themeName];
    const scale = window.devicePixelRatio || 1;
    const { t0, t1 } = this.time;
    const origin = this.#summary?.firstUs ?? 0;
    for (const view of this.#views) view.paint(t0, t1, origin, theme, scale);
    this.#overview.paint(t0, t1, origin, theme, scale);
    this.#placeCursor();
  }

  #cursorShare(): number | undefined {
    if (this.#cursorUs === undefined) return undefined;
    const share = (this.#cursorUs - this.time.t0) / this.time.span;
    return share >= 0 && share <= 1 ? share : undefined;
  }

  #setCursor(timeUs: number | undefined): void {
    this.#cursorUs = timeUs;
    this.#placeCursor();
    if (timeUs === undefined) {
      for (const panel of this.#panels()) panel.setValues(undefined);
      return;
    }
    if (this.#cursorBusy) this.#cursorAsked = true;
    else this.#askAtCursor();
  }

  #placeCursor(): void {
    const share = this.#cursorShare();
    const stamp = this.#cursorUs === undefined ? '' : this.#stamp(this.#cursorUs);
    for (const view of this.#views) view.showCursor(share, stamp);
  }

  #askAtCursor(): void {
    this.#cursorAsked = false;
    if (this.#cursorUs === undefined) return;
    this.#cursorBusy = true;
    const panels = this.#panels().map(({ plan, width, height }) => ({ key: plan.key, spec: plan.spec, width, height }));
    const rowsOf = this.#tableShown ? this.#shownFlows() : [];
    const { t0, t1 } = this.time;
    this.#send({ type: 'cursor', id: 0, timeUs: this.#cursorUs, t0, t1, panels, rowsOf });
  }

  #shownFlows(): number[] {
    return [...new Set(this.#panels().flatMap(({ plan }) => plan.spec.flows))];
  }

  #goTo(timeUs: number): void {
    const { span } = this.time;
    if (timeUs < this.time.t0 + span * 0.05 || timeUs > this.time.t1 - span * 0.05) {
      this.#moved();
      this.time.show(timeUs - span / 2, timeUs + span / 2);
      this.#changedView();
    }
    this.#pinned = true;
    this.#columns.classList.add('pinned');
    this.#setCursor(timeUs);
  }

  /** A stretch of the overview; an instant keeps the width of the view. */
  #choose(t0: number, t1: number): void {
    const half = this.time.span / 2;
    if (t0 === t1) this.show(t0 - half, t0 + half);
    else this.show(t0, t1);
  }

  /** Who looks at another time does not follow the run. */
  #moved(): void {
    if (this.#summary?.live !== true || !this.#follow) return;
    this.#follow = false;
    this.#showToolbar();
  }

  #setFlows(flows: readonly number[]): void {
    this.#chosen = [...flows];
    this.#handChosen = true;
    this.#overviewStale = true;
    if (flows.length > 1 && this.#mode === 'one') this.#mode = 'over';
    if (flows.length === 1 && (this.#mode === 'over' || this.#mode === 'each')) this.#mode = 'one';
    this.#relayout();
  }

  #setPreset(name: string): void {
    this.#preset = name;
    this.#relayout();
  }

  #setMode(mode: LayoutMode): void {
    this.#mode = mode;
    // Over or under each other: without a choice, all of them.
    const { flows = [] } = this.#summary ?? {};
    if ((mode === 'each' || mode === 'over') && this.#chosen.length < 2) {
      const senders = flows.map((_, index) => index).filter((index) => flows[index]!.sends);
      this.#chosen = (senders.length > 1 ? senders : flows.map((_, index) => index)).slice(0, 6);
      this.#handChosen = true;
    }
    if (mode === 'one') this.#chosen = this.#chosen.slice(0, 1);
    this.#relayout();
  }

  #setTheme(name: ThemeName): void {
    this.#themeName = name;
    document.documentElement.dataset['theme'] = name;
    this.#overviewStale = true;
    this.#dirty = true;
    this.#changedView(true);
  }

  #toggleSeries(key: string): void {
    if (!this.#hidden.delete(key)) this.#hidden.add(key);
    remember('hidden', JSON.stringify([...this.#hidden]));
    this.#dirty = true;
    this.#changedView(true);
  }

  #showTable(): void {
    this.#table.element.hidden = !this.#tableShown;
    if (this.#tableShown && this.#cursorUs === undefined) this.#setCursor((this.time.t0 + this.time.t1) / 2);
    else if (this.#tableShown) this.#askAtCursor();
  }

  #setState(state: 'empty' | 'loading' | 'reading' | 'ready' | 'failed'): void {
    document.documentElement.dataset['state'] = state;
  }

  #stamp(timeUs: number): string {
    return formatInstant(timeUs - (this.#summary?.firstUs ?? 0));
  }

  #showStatus(): void {
    const summary = this.#summary;
    if (summary === undefined) return;
    const { t0, t1 } = this.time;
    const span = `${this.#stamp(Math.max(t0, summary.firstUs))} – ${this.#stamp(Math.min(t1, summary.lastUs))}`;
    const rows = `${formatNumber(summary.rows)} rows in ${summary.flows.length} ${summary.flows.length === 1 ? 'flow' : 'flows'}`;
    const { problems } = summary;
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
    const trouble =
      problems.length === 0
        ? undefined
        : make(
            'span',
            { class: 'problem', title: problems.join('\n') },
            `⚠ ${problems[0]}${more}. What was whole is shown.`,
          );
    this.#status.replaceChildren(
      make('span', { class: 'range' }, `${span}  (${formatDuration(t1 - t0)})`),
      make('span', {}, rows),
      ...(trouble === undefined ? [] : [trouble]),
      make('span', { class: 'space' }),
      make(
        'span',
        { class: 'hint' },
        'wheel: zoom · drag: pan · Shift + drag: zoom to · click: hold the cursor · ?: keys',
      ),
    );
  }
}

/** The flow with the most data at the end that sends it. */
function busiest({ flows }: Summary): number {
  let best = 0;
  flows.forEach((flow, index) => {
    const other = flows[best]!;
    if (flow.bytes + (flow.sends ? 1 : 0) > other.bytes + (other.sends ? 1 : 0)) best = index;
    else if (flow.bytes === 0 && other.bytes === 0 && flow.rows > other.rows) best = index;
  });
  return best;
}

function initialTheme(): ThemeName {
  const name = remembered('theme');
  if (name === 'light' || name === 'dark') return name;
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}

/** A page from a file may have no storage. */
function remembered(key: string): string | undefined {
  try {
    return localStorage.getItem(`qanat.${key}`) ?? undefined;
  } catch {
    return undefined;
  }
}

function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`qanat.${key}`, value);
  } catch {
    // Then it is not remembered.
  }
}
