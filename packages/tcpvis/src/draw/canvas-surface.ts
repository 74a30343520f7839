import { FONT_FAMILY, type PointList, type Stroke, type Surface, type TextStyle } from './surface.ts';

type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/** Draws on a canvas, in a page or in a worker. */
export class CanvasSurface implements Surface {
  readonly #context: Context;

  /** @param scale device pixels of a CSS pixel. */
  constructor(context: Context, scale: number) {
    this.#context = context;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.lineJoin = 'round';
  }

  clip(x: number, y: number, width: number, height: number): void {
    this.#context.save();
    this.#context.beginPath();
    this.#context.rect(x, y, width, height);
    this.#context.clip();
  }

  unclip(): void {
    this.#context.restore();
  }

  rect(x: number, y: number, width: number, height: number, fill: string, opacity = 1): void {
    const context = this.#context;
    context.globalAlpha = opacity;
    context.fillStyle = fill;
    context.fillRect(x, y, width, height);
    context.globalAlpha = 1;
  }

  polyline(points: PointList, { color, width, dash, opacity = 1 }: Stroke): void {
    const context = this.#context;
    context.globalAlpha = opacity;
    context.strokeStyle = color;
    context.lineWidth = width;
    context.setLineDash(dash === undefined ? [] : [...dash]);
    context.beginPath();
    const { xy, length } = points;
    let up = true;
    for (let i = 0; i < length; i += 2) {
      const x = xy[i]!;
      if (Number.isNaN(x)) up = true;
      else if (up) {
        context.moveTo(x, xy[i + 1]!);
        up = false;
      } else context.lineTo(x, xy[i + 1]!);
    }
    context.stroke();
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  area(points: PointList, base: number, fill: string, opacity: number): void {
    const { xy, length } = points;
    if (length < 4) return;
    const context = this.#context;
    context.globalAlpha = opacity;
    context.fillStyle = fill;
    context.beginPath();
    context.moveTo(xy[0]!, base);
    for (let i = 0; i < length; i += 2) context.lineTo(xy[i]!, xy[i + 1]!);
    context.lineTo(xy[length - 2]!, base);
    context.fill();
    context.globalAlpha = 1;
  }

  rects(list: PointList, fill: string, opacity = 1): void {
    const context = this.#context;
    context.globalAlpha = opacity;
    context.fillStyle = fill;
    const { xy, length } = list;
    for (let i = 0; i < length; i += 4) context.fillRect(xy[i]!, xy[i + 1]!, xy[i + 2]!, xy[i + 3]!);
    context.globalAlpha = 1;
  }

  text(text: string, x: number, y: number, style: TextStyle): void {
    const context = this.#context;
    context.font = font(style);
    context.fillStyle = style.color;
    context.textAlign = style.align ?? 'left';
    context.textBaseline = style.baseline ?? 'middle';
    context.fillText(text, x, y);
  }

  textWidth(text: string, style: TextStyle): number {
    this.#context.font = font(style);
    return this.#context.measureText(text).width;
  }
}

function font(style: TextStyle): string {
  return `${style.bold === true ? '600 ' : ''}${style.size}px ${FONT_FAMILY}`;
}
