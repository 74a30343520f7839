/** The worker's half of the page: opens a log, and answers what the page asks about it. */
import { type EventRow, rowsAround, type Values, valuesAt } from '../view/cursor.ts';
import { Engine } from '../view/engine.ts';
import { MARK_US } from '../view/flow-digest.ts';
import { flowName } from '../view/flow-name.ts';
import { lowerBound, upperBound } from '../view/grow-table.ts';
import { LiveStore } from '../view/live-store.ts';
import { openTrace } from '../view/open-trace.ts';
import { type PanelSpec, PRESETS } from '../view/panels.ts';
import type { TraceStore } from '../view/store.ts';
import { originBytes } from './origin.ts';
import type { ColumnPlan, FromWorker, LayoutMode, LogOrigin, PanelPlan, Summary, ToWorker } from './protocol.ts';
import { drawTile } from './tile.ts';

const ROWS_SHOWN = 40;
/** So long rows are read before the first picture: one without them tells nothing. */
const FIRST_MS = 120;
/** The picture grows while the rows are read: again after this, then after twice as long, and so on. */
const REFRESH_MS = 2000;
const LIVE_REFRESH_MS = 200;
/** Painting the page takes from the time that reading needs. */
const PROGRESS_MS = 150;
/** Flows in columns or under each other. */
const MAX_COLUMNS = 4;
const MAX_EACH = 6;

type View = Extract<ToWorker, { type: 'view' }>;
type Cursor = Extract<ToWorker, { type: 'cursor' }>;

export class Session {
  readonly #post: (message: FromWorker, transfer?: Transferable[]) => void;
  #engine: Engine | undefined;
  #name = '';
  #live = false;
  #opening = 0;
  /** Only the newest question counts. */
  #view: View | undefined;
  #cursor: Cursor | undefined;
  #busy = false;

  constructor(post: (message: FromWorker, transfer?: Transferable[]) => void) {
    this.#post = post;
  }

  receive(message: ToWorker): void {
    if (message.type === 'open') {
      void this.#open(message.origin);
    } else if (message.type === 'layout') {
      const columns = this.#plan(message.preset, message.flows, message.mode);
      this.#post({ type: 'layout', columns });
    } else if (message.type === 'step') {
      void this.#step(message);
    } else {
      if (message.type === 'view') this.#view = message;
      else this.#cursor = message;
      void this.#work();
    }
  }

  async #open(origin: LogOrigin): Promise<void> {
    const opening = ++this.#opening;
    this.#engine = undefined;
    this.#name = origin.name;
    this.#live = origin.kind === 'live';
    this.#post({ type: 'progress', done: 0, what: `opening ${origin.name}` });
    try {
      if (origin.kind === 'live') await this.#openLive(origin.url, opening);
      else {
        const store = await openTrace(await originBytes(origin), origin.name);
        if (opening === this.#opening) await this.#adopt(store, opening);
        store.growth?.stop();
      }
    } catch (error) {
      if (opening !== this.#opening) return;
      this.#post({ type: 'failed', sentence: error instanceof Error ? error.message : String(error) });
    }
  }

  async #adopt(store: TraceStore, opening: number): Promise<void> {
    const isEmpty = (): boolean => store.flows.length === 0 && store.sources.every(({ machine }) => machine.rows === 0);
    const engine = new Engine(store);
    let shown = performance.now();
    let pause = FIRST_MS;
    let told = 0;
    const began = performance.now();
    await engine.scan(async (done) => {
      if (opening !== this.#opening) throw new Error('another log was opened');
      if (done === 1 || performance.now() - told > PROGRESS_MS) {
        told = performance.now();
        this.#post({ type: 'progress', done, what: 'reading' });
      }
      // A picture just before the last one would only delay that.
      const leftMs = ((performance.now() - began) * (1 - done)) / done;
      const isDue = performance.now() - shown > pause && (this.#engine === undefined || leftMs > REFRESH_MS);
      if (isDue && done < 1 && !isEmpty()) {
        shown = performance.now();
        pause = this.#engine === undefined ? REFRESH_MS : 2 * pause;
        this.#show(engine);
      }
      await aTurn();
    });
    if (!isEmpty()) {
      this.#show(engine);
      return;
    }
    const why = store.problems.length > 0 ? `: ${store.problems.slice(0, 3).join('; ')}` : '';
    this.#post({ type: 'failed', sentence: `${this.#name} holds no flow that can be shown${why}.` });
  }

  #show(engine: Engine): void {
    const first = this.#engine === undefined;
    this.#engine = engine;
    this.#post({ type: first ? 'opened' : 'changed', summary: this.#summary(engine) });
  }

  /** Chunks come as long as the run goes on. */
  async #openLive(url: string, opening: number): Promise<void> {
    const answer = await fetch(url);
    if (!answer.ok || answer.body === null)
      throw new Error(`the run cannot be followed: the server says ${answer.status}`);
    const live = new LiveStore();
    const reader = answer.body.getReader();
    let fresh = false;
    let showing: Promise<void> = Promise.resolve();
    const show = (): void => {
      if (!fresh || opening !== this.#opening) return;
      fresh = false;
      showing = showing.then(() => this.#showLive(live));
    };
    const timer = setInterval(show, LIVE_REFRESH_MS);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (opening !== this.#opening) {
          await reader.cancel();
          return;
        }
        if (value !== undefined) await live.add(value);
        this.#engine?.extend();
        fresh = true;
        if (done) break;
      }
    } finally {
      clearInterval(timer);
    }
    await showing;
    this.#live = false;
    await this.#showLive(live);
    if (this.#engine === undefined) throw new Error('the run ended before it had recorded anything');
  }

  async #showLive(live: LiveStore): Promise<void> {
    if (live.store.flows.length === 0) return;
    const engine = this.#engine ?? new Engine(live.store);
    engine.extend();
    await engine.scan();
    this.#show(engine);
  }

  #summary(engine: Engine): Summary {
    const { store } = engine;
    const sources = store.sources.map(({ descriptor }) => descriptor);
    const [firstUs, lastUs] = engine.range;
    let rows = store.sources.reduce((sum, { machine }) => sum + machine.rows, 0);
    const flows = store.flows.map(({ descriptor, segments, windows, events, sacks }, index) => {
      const direction = engine.mainDirection(index);
      const count = segments.rows + windows.rows + events.rows + sacks.rows;
      rows += count;
      return {
        name: flowName(descriptor, sources),
        source: sources.find(({ id }) => id === descriptor.source)?.name ?? '',
        peer: engine.peerOf(index),
        bytes: engine.flows[index]!.digest.bytes(direction),
        sends: direction === 0,
        rows: count,
      };
    });
    return {
      name: this.#name,
      flows,
      problems: [...store.problems],
      firstUs,
      lastUs,
      rows,
      unixEpochUs: store.clock.unixEpochUs,
      complete: engine.complete,
      live: this.#live,
    };
  }

  /** Which panels a preset has for the chosen flows, by columns. */
  #plan(preset: string, flows: readonly number[], mode: LayoutMode): ColumnPlan[] {
    const engine = this.#engine;
    const chosen = PRESETS[preset] ?? PRESETS['all']!;
    const [main] = flows;
    if (engine === undefined || main === undefined) return [];
    const names = this.#summary(engine).flows.map(({ name }) => name);
    const keyed = (specs: readonly PanelSpec[], column: string): PanelPlan[] =>
      specs.filter((spec) => engine.has(spec)).map((spec, index) => ({ key: `${column}.${index}.${spec.kind}`, spec }));
    if (mode === 'ends') {
      const ends =
        flows.length > 1
          ? flows.slice(0, MAX_COLUMNS)
          : [engine.sideOf(main, 'sender'), engine.sideOf(main, 'receiver')];
      return [...new Set(ends)].map((flow, column) => {
        const direction = engine.mainDirection(flow);
        // What one of them has stands in all, so that the same picture is at the same height.
        const kinds = chosen.panels.filter(({ kind }) =>
          ends.some((end) => engine.has({ kind, flows: [end], direction })),
        );
        const specs = uniqueSpecs(kinds.map(({ kind }) => ({ kind, flows: [flow], direction })));
        return {
          title: `${direction === 0 ? 'Sender' : 'Receiver'} ${names[flow] ?? ''}`,
          panels: specs.map((spec, index) => ({ key: `c${column}.${index}.${spec.kind}`, spec })),
        };
      });
    }
    if (mode === 'over' && flows.length > 1) {
      const specs = chosen.panels
        .filter(({ kind }) => kind !== 'limited' && kind !== 'sleep' && kind !== 'rings' && kind !== 'queue')
        .map(({ kind }) => ({ kind, flows, direction: engine.mainDirection(main) }));
      return [{ title: '', panels: keyed(uniqueSpecs(specs), 'o') }];
    }
    if (mode === 'each' && flows.length > 1) {
      const kinds = chosen.panels.slice(0, 2);
      const specs = flows
        .slice(0, MAX_EACH)
        .flatMap((flow) => kinds.map(({ kind }) => ({ kind, flows: [flow], direction: engine.mainDirection(flow) })));
      const panels = keyed(specs, 'e').map((plan) => ({ ...plan, of: names[plan.spec.flows[0]!] ?? '' }));
      return [{ title: '', panels }];
    }
    return [
      {
        title: '',
        panels: keyed(
          chosen.panels.map((panel) => engine.panelOf(panel, main)),
          'p',
        ),
      },
    ];
  }

  /** Draws and answers until nothing is asked any more. */
  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#view !== undefined || this.#cursor !== undefined) {
        const cursor = this.#cursor;
        this.#cursor = undefined;
        if (cursor !== undefined) await this.#answerCursor(cursor);
        const view = this.#view;
        this.#view = undefined;
        if (view !== undefined) await this.#draw(view);
      }
    } finally {
      this.#busy = false;
    }
  }

  async #draw(view: View): Promise<void> {
    const engine = this.#engine;
    if (engine === undefined) return;
    const { t0, t1, margin, scale, theme, allLines } = view;
    const sources = engine.store.sources.map(({ descriptor }) => descriptor);
    const flowNames = engine.store.flows.map(({ descriptor }) => flowName(descriptor, sources));
    const whole = engine.complete;
    const options = { t0, t1, margin, scale, theme, hidden: new Set(view.hidden), allLines, flowNames };
    for (const panel of view.panels) {
      try {
        const tile = await drawTile(engine, panel, options);
        this.#post({ type: 'tile', id: view.id, tile }, [tile.bitmap]);
      } catch (error) {
        this.#report(engine, error);
      }
      // A newer view makes the rest of this one useless.
      if (this.#view !== undefined) await aTurn();
    }
    this.#post({ type: 'drawn', id: view.id, whole });
  }

  async #answerCursor(cursor: Cursor): Promise<void> {
    const engine = this.#engine;
    if (engine === undefined) return;
    const values: Record<string, Values> = {};
    let rows: EventRow[] = [];
    try {
      for (const { key, spec, width } of cursor.panels) {
        values[key] = await valuesAt(engine, spec, cursor.timeUs, { t0: cursor.t0, t1: cursor.t1, columns: width });
      }
      if (cursor.rowsOf.length > 0) rows = await rowsAround(engine, cursor.rowsOf, cursor.timeUs, ROWS_SHOWN);
    } catch (error) {
      this.#report(engine, error);
    }
    this.#post({ type: 'cursor', id: cursor.id, timeUs: cursor.timeUs, values, rows });
  }

  /** Finds the next row, or the next mark. */
  async #step({ id, timeUs, forward, marks, flows }: Extract<ToWorker, { type: 'step' }>): Promise<void> {
    const engine = this.#engine;
    let found: number | undefined;
    if (engine !== undefined && marks) {
      for (const flow of flows) {
        const { table } = engine.flows[flow]?.digest.marks ?? {};
        if (table === undefined) continue;
        const times = table.column(MARK_US);
        const at = forward ? upperBound(times, timeUs, 0, table.rows) : lowerBound(times, timeUs, 0, table.rows) - 1;
        if (at < 0 || at >= table.rows) continue;
        const t = times[at]!;
        if (found === undefined || (forward ? t < found : t > found)) found = t;
      }
    } else if (engine !== undefined) {
      const rows = await rowsAround(engine, flows, timeUs, ROWS_SHOWN);
      found = forward
        ? rows.find((row) => row.timeUs > timeUs)?.timeUs
        : rows.findLast((row) => row.timeUs < timeUs)?.timeUs;
    }
    this.#post({ type: 'stepped', id, timeUs: found });
  }

  #report(engine: Engine, error: unknown): void {
    const sentence = error instanceof Error ? error.message : String(error);
    if (!engine.store.problems.includes(sentence) && engine.store.problems.length < 100)
      engine.store.problems.push(sentence);
    this.#post({ type: 'changed', summary: this.#summary(engine) });
  }
}

/** Panels that come twice when sender and receiver are the same flow. */
function uniqueSpecs(specs: readonly PanelSpec[]): PanelSpec[] {
  const seen = new Set<string>();
  return specs.filter((spec) => {
    const key = JSON.stringify(spec);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** Lets the messages in that wait. */
function aTurn(): Promise<void> {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve();
    };
    channel.port2.postMessage(0);
  });
}
