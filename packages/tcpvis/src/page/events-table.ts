/** The rows of the log around the cursor. */
import type { EventRow } from '../view/cursor.ts';
import { make } from './dom.ts';

export class EventsTable {
  readonly element: HTMLElement;
  readonly #body = make('tbody');
  readonly #at = make('span', { class: 'events-at' });
  readonly #scroll: HTMLElement;

  constructor() {
    const head = make(
      'div',
      { class: 'events-head' },
      make('span', { class: 'panel-title' }, 'Events at the cursor'),
      this.#at,
    );
    const columns = ['from cursor', 'of', 'what', ''].map((name) => make('th', {}, name));
    const table = make('table', {}, make('thead', {}, make('tr', {}, ...columns)), this.#body);
    this.#scroll = make('div', { class: 'events-scroll' }, table);
    this.element = make('aside', { class: 'events', 'aria-label': 'Events at the cursor' }, head, this.#scroll);
  }

  show(rows: readonly EventRow[], timeUs: number, stamp: string): void {
    this.#at.textContent = stamp;
    let nearest: HTMLElement | undefined;
    let past: HTMLElement | undefined;
    this.#body.replaceChildren(
      ...rows.map((row) => {
        const delta = row.timeUs - timeUs;
        const classes = [`of-${row.table}`, row.notable ? 'notable' : '', Math.abs(delta) < 0.5 ? 'now' : ''];
        const line = make(
          'tr',
          { class: classes.filter(Boolean).join(' '), 'data-time': String(row.timeUs) },
          make('td', { class: 'delta' }, deltaText(delta)),
          make('td', { class: 'of' }, row.of),
          make('td', { class: 'what' }, row.what),
          make('td', { class: 'detail', title: row.detail }, row.detail),
        );
        if (delta <= 0.5) past = line;
        else nearest ??= line;
        return line;
      }),
    );
    past?.classList.add('last-past');
    const middle = past ?? nearest;
    if (middle !== undefined) this.#scroll.scrollTop = middle.offsetTop - this.#scroll.clientHeight / 2;
  }
}

function deltaText(us: number): string {
  if (Math.abs(us) < 0.5) return '0';
  const sign = us < 0 ? '−' : '+';
  const size = Math.abs(us);
  if (size >= 1e6) return `${sign}${(size / 1e6).toFixed(3)} s`;
  return size >= 1000 ? `${sign}${(size / 1000).toFixed(3)} ms` : `${sign}${Math.round(size)} µs`;
}
