/** The whole trace in a strip, with the stretch in view; a drag there chooses another. */
import { paintTimeAxis } from '../draw/axes.ts';
import { CanvasSurface } from '../draw/canvas-surface.ts';
import { GUTTER, RIGHT } from '../draw/figure.ts';
import type { Theme } from '../draw/theme.ts';
import { make, sizeCanvas } from './dom.ts';
import type { Tile } from './protocol.ts';

export const OVERVIEW_HEIGHT = 34;
export const OVERVIEW_KEY = 'overview';

export class Overview {
  readonly element: HTMLElement;
  readonly #canvas = make('canvas', { class: 'overview-plot' });
  readonly #window = make('div', { class: 'overview-window' });
  #tile: Tile | undefined;
  width = 100;
  #first = 0;
  #last = 1;

  constructor(choose: (t0: number, t1: number) => void) {
    this.element = make(
      'div',
      { class: 'overview', title: 'drag: choose a stretch · click: go there' },
      this.#canvas,
      this.#window,
    );
    this.element.addEventListener('pointerdown', (event) => this.#drag(event, choose));
  }

  limit(first: number, last: number): void {
    this.#first = first;
    this.#last = Math.max(last, first + 1);
  }

  get range(): readonly [number, number] {
    return [this.#first, this.#last];
  }

  setTile(tile: Tile): void {
    this.#tile?.bitmap.close();
    this.#tile = tile;
  }

  paint(t0: number, t1: number, originUs: number, theme: Theme, scale: number): void {
    const wide = GUTTER + this.width + RIGHT;
    const context = sizeCanvas(this.#canvas, wide, OVERVIEW_HEIGHT + 20, scale);
    context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    const surface = new CanvasSurface(context, scale);
    surface.rect(GUTTER, 0, this.width, OVERVIEW_HEIGHT, theme.plot);
    const tile = this.#tile;
    if (tile !== undefined) {
      const perTime = tile.bitmap.width / (tile.t1 - tile.t0);
      const from = (this.#first - tile.t0) * perTime;
      const wanted = (this.#last - this.#first) * perTime;
      context.drawImage(tile.bitmap, from, 0, wanted, tile.bitmap.height, GUTTER, 0, this.width, OVERVIEW_HEIGHT);
    }
    const frame = {
      x: GUTTER,
      y: OVERVIEW_HEIGHT,
      width: this.width,
      height: 20,
      v0: 0,
      v1: 1,
      t0: this.#first,
      t1: this.#last,
    };
    paintTimeAxis(surface, frame, originUs, theme);
    const span = this.#last - this.#first;
    const left = Math.max(0, Math.min(1, (t0 - this.#first) / span)) * this.width;
    const right = Math.max(0, Math.min(1, (t1 - this.#first) / span)) * this.width;
    this.#window.style.left = `${GUTTER + left}px`;
    this.#window.style.width = `${Math.max(3, right - left)}px`;
  }

  #timeAt(clientX: number): number {
    const share = (clientX - this.element.getBoundingClientRect().left - GUTTER) / this.width;
    return this.#first + Math.max(0, Math.min(1, share)) * (this.#last - this.#first);
  }

  #drag(down: PointerEvent, choose: (t0: number, t1: number) => void): void {
    const from = this.#timeAt(down.clientX);
    this.element.setPointerCapture(down.pointerId);
    const move = (event: PointerEvent): void => {
      const to = this.#timeAt(event.clientX);
      if (Math.abs(event.clientX - down.clientX) > 3) choose(Math.min(from, to), Math.max(from, to));
    };
    const up = (event: PointerEvent): void => {
      if (Math.abs(event.clientX - down.clientX) <= 3) choose(from, from);
      this.element.removeEventListener('pointermove', move);
      this.element.removeEventListener('pointerup', up);
    };
    this.element.addEventListener('pointermove', move);
    this.element.addEventListener('pointerup', up);
  }
}
