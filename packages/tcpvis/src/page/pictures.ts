/** Keeps the pictures on the screen: moves those at hand, and asks the worker for others where they do not do. */
import { GUTTER, RIGHT } from '../draw/figure.ts';
import { THEMES, type ThemeName } from '../draw/theme.ts';
import { ColumnView } from './column-view.ts';
import { make } from './dom.ts';
import { OVERVIEW_HEIGHT, OVERVIEW_KEY, Overview } from './overview.ts';
import type { ColumnPlan, PanelRequest, Tile, ToWorker } from './protocol.ts';
import type { TimeView } from './time-view.ts';

/** When nothing moved for so long, the picture is drawn for exactly what is in view. */
const SETTLED_MS = 90;
/** Beyond each side of the view so much of it is drawn in advance. */
const MARGIN = 0.5;

/** What the pictures show beside the stretch of time. */
export interface PictureState {
  readonly theme: ThemeName;
  /** Series that are switched off, as `kind/series`. */
  readonly hidden: ReadonlySet<string>;
  /** The axes of values are as high as every line, not only as the data. */
  readonly allLines: boolean;
  /** The instant that is called 0. */
  readonly originUs: number;
  /** The flow in the overview, and whose data of it. */
  readonly overview: { readonly flow: number; readonly direction: 0 | 1 };
}

export interface PictureEvents {
  readonly send: (message: ToWorker) => void;
  readonly state: () => PictureState;
  /** A series was pressed in a legend. */
  readonly toggled: (key: string) => void;
  /** All lines are to be seen in full, or not any more. */
  readonly linesToggled: () => void;
  /** A stretch was chosen in the overview. */
  readonly chosen: (t0: number, t1: number) => void;
  /** Everything was painted: what lies over it can be placed. */
  readonly painted: () => void;
}

export class Pictures {
  readonly element = make('div', { class: 'columns' });
  readonly #overview: Overview;
  readonly #time: TimeView;
  readonly #events: PictureEvents;
  columns: readonly ColumnView[] = [];
  #viewId = 0;
  #drawing: 'no' | 'panels' | 'overview' = 'no';
  #frame = 0;
  #settle = 0;
  /** All pictures are to be drawn again, wherever they are. */
  #stale = false;
  #overviewStale = true;
  #wholeWidth = 100;

  constructor(time: TimeView, events: PictureEvents) {
    this.#time = time;
    this.#events = events;
    this.#overview = new Overview((t0, t1) => events.chosen(t0, t1));
  }

  get overviewElement(): HTMLElement {
    return this.#overview.element;
  }

  get panels(): ColumnView['panels'] {
    return this.columns.flatMap(({ panels }) => panels);
  }

  /** The plots as the worker is asked for them. */
  get requests(): PanelRequest[] {
    return this.panels.map(({ plan, width, height }) => ({ key: plan.key, spec: plan.spec, width, height }));
  }

  /** Where the log begins and ends. */
  limit(firstUs: number, lastUs: number): void {
    const margin = (lastUs - firstUs) * 0.01;
    this.#overview.limit(firstUs - margin, lastUs + margin);
    this.#overviewStale = true;
  }

  /** Takes the panels that are to be shown. */
  lay(columns: readonly ColumnPlan[]): void {
    const wanted = JSON.stringify(columns);
    if (wanted !== this.element.dataset['plan']) {
      this.element.dataset['plan'] = wanted;
      this.columns = columns.map((plan) => new ColumnView(plan, this.#events));
      this.element.replaceChildren(...this.columns.map(({ element }) => element));
      this.resize(this.#wholeWidth);
    }
    this.redraw();
  }

  /** @param wholeWidth of the page. */
  resize(wholeWidth: number): void {
    this.#wholeWidth = wholeWidth;
    const box = this.element.getBoundingClientRect();
    if (this.columns.length === 0 || box.width < 10) return;
    const width = Math.floor(box.width / this.columns.length);
    for (const view of this.columns) view.resize(width, Math.floor(box.height));
    this.#overview.width = Math.max(100, Math.floor(wholeWidth) - GUTTER - RIGHT);
    this.redrawAll();
  }

  /** The flow of the overview, or its colours, are others. */
  redrawAll(): void {
    this.#overviewStale = true;
    this.redraw();
  }

  /** What the panels show is another, at the same time. */
  redraw(): void {
    this.#stale = true;
    this.moved(true);
  }

  /** Another stretch of time is in view. @param now whether it will not move on at once. */
  moved(now = false): void {
    document.documentElement.dataset['settled'] = 'no';
    this.#requestFrame();
    clearTimeout(this.#settle);
    this.#ask(false);
    this.#settle = window.setTimeout(
      () => {
        this.#settle = 0;
        this.#ask(true);
      },
      now ? 0 : SETTLED_MS,
    );
  }

  /** Takes a picture. */
  take(tile: Tile): void {
    const { hidden, allLines } = this.#events.state();
    if (tile.key === OVERVIEW_KEY) this.#overview.setTile(tile);
    else this.panels.find(({ plan }) => plan.key === tile.key)?.setTile(tile, hidden, allLines);
    this.#requestFrame();
  }

  /** The worker has drawn all that it was asked for. @param whole whether of the whole log. */
  drawn(id: number, whole: boolean): void {
    const { dataset } = document.documentElement;
    dataset['drawn'] = String(id);
    if (whole && this.#drawing === 'panels') dataset['whole'] = 'yes';
    this.#drawing = 'no';
    this.#ask(this.#settle === 0);
  }

  /** Asks the worker for new pictures where those at hand do not do. @param settled nothing moves any more. */
  #ask(settled: boolean): void {
    if (this.#drawing !== 'no' || this.columns.length === 0) return;
    const { t0, t1 } = this.#time;
    const { overview } = this.#events.state();
    if (this.#overviewStale) {
      const [first, last] = this.#overview.range;
      const spec = { kind: 'throughput', flows: [overview.flow], direction: overview.direction } as const;
      this.#overviewStale = false;
      this.#drawing = 'overview';
      this.#post([{ key: OVERVIEW_KEY, spec, width: this.#overview.width, height: OVERVIEW_HEIGHT }], first, last, 0);
      return;
    }
    const wanted = this.panels.filter((panel) => {
      if (this.#stale) return true;
      return settled ? !panel.isExactFor(t0, t1) : !panel.covers(t0, t1);
    });
    if (wanted.length === 0) {
      if (settled) document.documentElement.dataset['settled'] = 'yes';
      return;
    }
    this.#stale = false;
    this.#drawing = 'panels';
    const keys = new Set(wanted.map(({ plan }) => plan.key));
    this.#post(
      this.requests.filter(({ key }) => keys.has(key)),
      t0,
      t1,
      MARGIN,
    );
  }

  #post(panels: readonly PanelRequest[], t0: number, t1: number, margin: number): void {
    const { theme, hidden, allLines } = this.#events.state();
    const scale = window.devicePixelRatio || 1;
    const id = ++this.#viewId;
    this.#events.send({ type: 'view', id, t0, t1, panels, scale, theme, hidden: [...hidden], allLines, margin });
  }

  #requestFrame(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      const { theme, originUs } = this.#events.state();
      const scale = window.devicePixelRatio || 1;
      const { t0, t1 } = this.#time;
      for (const view of this.columns) view.paint(t0, t1, originUs, THEMES[theme], scale);
      this.#overview.paint(t0, t1, originUs, THEMES[theme], scale);
      this.#events.painted();
    });
  }
}
