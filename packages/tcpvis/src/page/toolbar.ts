/** The bar at the top: which flow, which preset, how many of them, and the buttons. */
import { formatBytes, formatNumber } from '../draw/format.ts';
import { PRESETS } from '../view/panels.ts';
import { make } from './dom.ts';
import type { LayoutMode, Summary } from './protocol.ts';

export const MODES: readonly { readonly mode: LayoutMode; readonly label: string; readonly title: string }[] = [
  { mode: 'one', label: 'One', title: 'one connection' },
  { mode: 'ends', label: 'Both ends', title: 'sender and receiver side by side; or the chosen flows' },
  { mode: 'each', label: 'Each', title: 'the chosen flows above each other' },
  { mode: 'over', label: 'Over', title: 'the chosen flows over each other' },
];

/** Fewer flows are found without help. */
const FILTER_FROM = 12;

export interface ToolbarEvents {
  flows(flows: readonly number[]): void;
  preset(name: string): void;
  mode(mode: LayoutMode): void;
  theme(): void;
  events(): void;
  help(): void;
  open(): void;
  follow(): void;
}

export class Toolbar {
  readonly element: HTMLElement;
  readonly #file = make('span', { class: 'file' });
  readonly #flowButton: HTMLButtonElement;
  readonly #flowRows = make('div');
  readonly #filter = make('input', {
    type: 'search',
    class: 'flow-filter',
    placeholder: 'address or port',
    'aria-label': 'find flows',
    oninput: () => this.#filterRows(),
  });
  readonly #flowList = make('div', { class: 'flow-list', hidden: '' }, this.#filter, this.#flowRows);
  readonly #preset: HTMLSelectElement;
  readonly #modes: readonly HTMLButtonElement[];
  readonly #follow: HTMLButtonElement;
  readonly #events: ToolbarEvents;
  #summary: Summary | undefined;
  #chosen: readonly number[] = [];
  #listed = '';

  constructor(events: ToolbarEvents) {
    this.#events = events;
    const button = (text: string, title: string, onclick: () => void): HTMLButtonElement =>
      make('button', { type: 'button', title, onclick }, text);
    this.#flowButton = make('button', {
      type: 'button',
      class: 'flow-button',
      title: 'choose flows (C)',
      onclick: () => this.#toggleList(),
    });
    const options = Object.entries(PRESETS).map(([name, { title }], index) =>
      make('option', { value: name }, `${index + 1}  ${title}`),
    );
    const changed = (): void => events.preset(this.#preset.value);
    this.#preset = make(
      'select',
      { class: 'preset', title: 'preset (1 – 8)', 'aria-label': 'preset', onchange: changed },
      ...options,
    );
    this.#modes = MODES.map(({ mode, label, title }) => button(label, `${title} (M)`, () => events.mode(mode)));
    this.#follow = button('Live', 'follow the run (L)', () => events.follow());
    this.#follow.classList.add('live');
    this.#follow.hidden = true;
    const flows = make('div', { class: 'flows' }, this.#flowButton, this.#flowList);
    this.element = make(
      'header',
      { class: 'toolbar' },
      make('span', { class: 'brand' }, 'Qanat'),
      this.#file,
      flows,
      this.#preset,
      make('div', { class: 'modes', role: 'group', 'aria-label': 'layout' }, ...this.#modes),
      make('span', { class: 'space' }),
      this.#follow,
      button('Open', 'open a log or a capture (O)', () => events.open()),
      button('Events', 'table of events (E)', () => events.events()),
      button('◐', 'light or dark (T)', () => events.theme()),
      button('?', 'keys (?)', () => events.help()),
    );
    document.addEventListener('pointerdown', (event) => {
      if (!flows.contains(event.target as Node)) this.#flowList.hidden = true;
    });
  }

  show(summary: Summary, chosen: readonly number[], preset: string, mode: LayoutMode, following: boolean): void {
    this.#summary = summary;
    this.#chosen = chosen;
    this.#file.textContent = summary.name;
    this.#file.title = `${summary.name}: ${formatNumber(summary.rows)} rows`;
    this.#preset.value = preset;
    const first = summary.flows[chosen[0] ?? 0];
    const more = chosen.length > 1 ? ` + ${chosen.length - 1}` : '';
    this.#flowButton.textContent = first === undefined ? 'no flow' : `${first.name}${more} ▾`;
    this.#modes.forEach((button, index) => {
      button.setAttribute('aria-pressed', String(MODES[index]!.mode === mode));
    });
    this.#follow.hidden = !summary.live;
    this.#follow.setAttribute('aria-pressed', String(following));
    this.#list();
  }

  closeList(): void {
    this.#flowList.hidden = true;
  }

  #toggleList(): void {
    this.#flowList.hidden = !this.#flowList.hidden;
  }

  #list(): void {
    const summary = this.#summary;
    if (summary === undefined) return;
    const state = JSON.stringify([summary.flows, this.#chosen]);
    if (state === this.#listed) return;
    this.#listed = state;
    this.#filter.hidden = summary.flows.length < FILTER_FROM;
    this.#flowRows.replaceChildren(
      ...summary.flows.map((flow, index) => {
        const box = make('input', { type: 'checkbox', onchange: () => this.#toggle(index) });
        box.checked = this.#chosen.includes(index);
        const alone = make(
          'button',
          { type: 'button', class: 'flow-name', onclick: () => this.#choose([index]) },
          flow.name,
        );
        const what = `${flow.sends ? 'sends' : 'receives'} ${formatBytes(flow.bytes)} · ${formatNumber(flow.rows)} rows`;
        return make('div', { class: 'flow' }, box, alone, make('span', { class: 'faint' }, what));
      }),
    );
    this.#filterRows();
  }

  /** Shows the flows whose names have every word that is looked for. */
  #filterRows(): void {
    const words = this.#filter.value.toLowerCase().split(/\s+/);
    for (const row of Array.from(this.#flowRows.children)) {
      const name = row.textContent?.toLowerCase() ?? '';
      (row as HTMLElement).hidden = !words.every((word) => name.includes(word));
    }
  }

  #toggle(index: number): void {
    const on = this.#chosen.includes(index);
    const next = on ? this.#chosen.filter((flow) => flow !== index) : [...this.#chosen, index];
    this.#events.flows(next.length > 0 ? next : [index]);
  }

  #choose(flows: readonly number[]): void {
    this.#flowList.hidden = true;
    this.#events.flows(flows);
  }
}
