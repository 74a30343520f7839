/** What stands where no picture is: the welcome, a failure, the list of keys. */
import { make } from './dom.ts';
import { KEYS } from './keys.ts';

export class Welcome {
  readonly element: HTMLElement;
  readonly #title = make('h1', {}, 'Look into a flow');
  readonly #text = make('p', { class: 'welcome-text' });
  readonly #button: HTMLButtonElement;

  constructor(pick: () => void) {
    this.#button = make('button', { type: 'button', class: 'primary', onclick: pick }, 'Choose a file');
    const formats =
      'Flow logs (.qflow, .jsonl), captures (.pcapng, .pcap), and logs of 2013 (.log). Nothing leaves this computer.';
    const card = make(
      'div',
      { class: 'card' },
      this.#title,
      this.#text,
      this.#button,
      make('p', { class: 'faint' }, formats),
    );
    this.element = make('div', { class: 'welcome', role: 'status' }, card);
    this.#text.textContent = 'Drop a log or a capture here, or choose one.';
  }

  loading(name: string): void {
    this.element.hidden = false;
    this.element.classList.remove('failed');
    this.#title.textContent = `Opening ${name}`;
    this.#text.textContent = '';
    this.#button.hidden = true;
  }

  failed(sentence: string): void {
    this.element.hidden = false;
    this.element.classList.add('failed');
    this.#title.textContent = 'This cannot be shown';
    this.#text.textContent = sentence;
    this.#button.hidden = false;
  }

  hide(): void {
    this.element.hidden = true;
  }
}

export class Help {
  readonly element: HTMLElement;

  constructor() {
    const rows = KEYS.map(({ label, text }) =>
      make('tr', {}, make('td', {}, ...label.split(' ').map((key) => make('kbd', {}, key))), make('td', {}, text)),
    );
    const mouse = [
      ['wheel', 'zoom at the cursor (with Shift, or sideways: pan)'],
      ['drag', 'pan; with Shift: zoom to the stretch'],
      ['click', 'hold the cursor, let it go'],
      ['double click', 'everything'],
    ].map(([what, text]) => make('tr', {}, make('td', {}, make('kbd', {}, what!)), make('td', {}, text!)));
    const close = (): void => this.hide();
    const card = make('div', { class: 'card' }, make('h1', {}, 'Keys'), make('table', {}, ...rows, ...mouse));
    this.element = make(
      'div',
      { class: 'help', hidden: '', role: 'dialog', 'aria-label': 'keys', onclick: close },
      card,
    );
  }

  toggle(): void {
    this.element.hidden = !this.element.hidden;
  }

  hide(): void {
    this.element.hidden = true;
  }
}
