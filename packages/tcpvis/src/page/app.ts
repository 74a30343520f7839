/** The page: what is shown, and what every input does to it. */

import { formatInstant } from '../draw/format.ts';
import type { ThemeName } from '../draw/theme.ts';
import { PRESETS } from '../view/panels.ts';
import { busiest } from './busiest.ts';
import type { ColumnView } from './column-view.ts';
import { make } from './dom.ts';
import { EventsTable } from './events-table.ts';
import type { Action } from './keys.ts';
import { Help, Welcome } from './notices.ts';
import { Pictures } from './pictures.ts';
import type { FromWorker, LayoutMode, LogOrigin, Summary, ToWorker } from './protocol.ts';
import { initialTheme, remember, remembered, rememberedHidden } from './settings.ts';
import { StatusLine } from './status-line.ts';
import { TimeView } from './time-view.ts';
import { MODES, Toolbar } from './toolbar.ts';

const PAN_STEP = 0.12;
const ZOOM_STEP = 1.35;

export class App {
  readonly element: HTMLElement;
  readonly time = new TimeView();
  readonly #send: (message: ToWorker) => void;
  readonly #toolbar: Toolbar;
  readonly #pictures: Pictures;
  readonly #table = new EventsTable();
  readonly #main: HTMLElement;
  readonly #status = new StatusLine();
  readonly #progress = make('div', { class: 'progress', hidden: '' });
  readonly #welcome: Welcome;
  readonly #help = new Help();
  readonly #hidden = new Set<string>(rememberedHidden());
  #summary: Summary | undefined;
  #chosen: number[] = [];
  #preset = 'all';
  #mode: LayoutMode = 'one';
  #themeName: ThemeName = initialTheme();
  #allLines = remembered('lines') === 'all';
  #tableShown = (remembered('events') ?? 'off') === 'on';
  #follow = true;
  #cursorUs: number | undefined;
  #pinned = false;
  #cursorAsked = false;
  #cursorBusy = false;

  constructor(send: (message: ToWorker) => void, pick: () => void) {
    this.#send = send;
    this.#welcome = new Welcome(pick);
    this.#pictures = new Pictures(this.time, {
      send,
      state: () => ({
        theme: this.#themeName,
        hidden: this.#hidden,
        allLines: this.#allLines,
        originUs: this.#summary?.firstUs ?? 0,
        overview: this.#overviewOf(),
      }),
      toggled: (key) => this.#toggleSeries(key),
      linesToggled: () => this.act('lines', 'y'),
      chosen: (t0, t1) => this.#choose(t0, t1),
      painted: () => this.#placeCursor(),
    });
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
    this.#main = make('main', { class: 'main' }, this.#pictures.element, this.#table.element);
    this.element = make(
      'div',
      { class: 'app' },
      this.#toolbar.element,
      this.#progress,
      this.#pictures.overviewElement,
      this.#main,
      this.#status.element,
      this.#welcome.element,
      this.#help.element,
    );
    this.#setTheme(this.#themeName);
    this.#showTable();
    this.#setState('empty');
    const resized = (): void => this.#pictures.resize(this.element.getBoundingClientRect().width);
    new ResizeObserver(resized).observe(this.#pictures.element);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', (event) => {
      if (remembered('theme') === undefined) this.#setTheme(event.matches ? 'dark' : 'light');
    });
  }

  get columns(): readonly ColumnView[] {
    return this.#pictures.columns;
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
        this.#pictures.lay(message.columns);
        this.#showStatus();
        break;
      case 'tile':
        this.#pictures.take(message.tile);
        break;
      case 'drawn':
        this.#pictures.drawn(message.id, message.whole);
        break;
      case 'cursor':
        this.#cursorBusy = false;
        for (const panel of this.#pictures.panels) panel.setValues(message.values[panel.plan.key]);
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
    this.#pictures.element.classList.toggle('pinned', this.#pinned);
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
    for (const view of this.columns) view.showSelection(from, to);
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
      case 'lines':
        this.#allLines = !this.#allLines;
        remember('lines', this.#allLines ? 'all' : 'data');
        this.#pictures.redraw();
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
        this.#pictures.element.classList.remove('pinned');
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
    this.#pictures.limit(firstUs, lastUs);
  }

  /** The overview shows what the first of the chosen flows sends, or what it receives when it sends nothing. */
  #overviewOf(): { flow: number; direction: 0 | 1 } {
    const flow = this.#chosen[0] ?? 0;
    return { flow, direction: this.#summary?.flows[flow]?.sends === false ? 1 : 0 };
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

  #changedView(): void {
    this.#pictures.moved();
    this.#showStatus();
  }

  #cursorShare(): number | undefined {
    if (this.#cursorUs === undefined) return undefined;
    const share = (this.#cursorUs - this.time.t0) / this.time.span;
    return share >= 0 && share <= 1 ? share : undefined;
  }

  #setCursor(timeUs: number | undefined): void {
    this.#cursorUs = timeUs;
    document.documentElement.dataset['asked'] = String(timeUs);
    this.#placeCursor();
    if (timeUs === undefined) {
      for (const panel of this.#pictures.panels) panel.setValues(undefined);
      return;
    }
    if (this.#cursorBusy) this.#cursorAsked = true;
    else this.#askAtCursor();
  }

  #placeCursor(): void {
    const share = this.#cursorShare();
    const stamp = this.#cursorUs === undefined ? '' : this.#stamp(this.#cursorUs);
    for (const view of this.columns) view.showCursor(share, stamp);
  }

  #askAtCursor(): void {
    this.#cursorAsked = false;
    if (this.#cursorUs === undefined) return;
    this.#cursorBusy = true;
    const panels = this.#pictures.requests;
    const rowsOf = this.#tableShown ? this.#shownFlows() : [];
    const { t0, t1 } = this.time;
    this.#send({ type: 'cursor', id: 0, timeUs: this.#cursorUs, t0, t1, panels, rowsOf });
  }

  #shownFlows(): number[] {
    return [...new Set(this.#pictures.panels.flatMap(({ plan }) => plan.spec.flows))];
  }

  #goTo(timeUs: number): void {
    const { span } = this.time;
    if (timeUs < this.time.t0 + span * 0.05 || timeUs > this.time.t1 - span * 0.05) {
      this.#moved();
      this.time.show(timeUs - span / 2, timeUs + span / 2);
      this.#changedView();
    }
    this.#pinned = true;
    this.#pictures.element.classList.add('pinned');
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
    this.#pictures.redrawAll();
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
    this.#pictures.redrawAll();
  }

  #toggleSeries(key: string): void {
    if (!this.#hidden.delete(key)) this.#hidden.add(key);
    remember('hidden', JSON.stringify([...this.#hidden]));
    this.#pictures.redraw();
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
    if (this.#summary !== undefined) this.#status.show(this.#summary, this.time);
  }
}
