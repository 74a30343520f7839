import { FONT_FAMILY, type PointList, type Stroke, type Surface, type TextStyle } from './surface.ts';

/** Mean width of a character, in sizes of the font: what there is instead of measuring. */
const CHARACTER_WIDTH = 0.55;
const BOLD_WIDTH = 0.59;

/** Draws an SVG document, as text. */
export class SvgSurface implements Surface {
  readonly #width: number;
  readonly #height: number;
  readonly #parts: string[] = [];
  #clips = 0;

  constructor(width: number, height: number) {
    this.#width = width;
    this.#height = height;
  }

  /** @returns the document. @param title what screen readers say. */
  finish(title: string): string {
    const size = `width="${this.#width}" height="${this.#height}" viewBox="0 0 ${this.#width} ${this.#height}"`;
    const head = `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="${escapeText(FONT_FAMILY)}" role="img">`;
    return `${head}\n<title>${escapeText(title)}</title>\n${this.#parts.join('\n')}\n</svg>\n`;
  }

  clip(x: number, y: number, width: number, height: number): void {
    const id = `clip${this.#clips++}`;
    const rect = `<rect x="${short(x)}" y="${short(y)}" width="${short(width)}" height="${short(height)}"/>`;
    this.#parts.push(`<clipPath id="${id}">${rect}</clipPath><g clip-path="url(#${id})">`);
  }

  unclip(): void {
    this.#parts.push('</g>');
  }

  rect(x: number, y: number, width: number, height: number, fill: string, opacity = 1): void {
    const box = `x="${short(x)}" y="${short(y)}" width="${short(width)}" height="${short(height)}"`;
    this.#parts.push(`<rect ${box} fill="${fill}"${opacityOf('fill-opacity', opacity)}/>`);
  }

  polyline(points: PointList, { color, width, dash, opacity = 1 }: Stroke): void {
    if (points.length < 4) return;
    const dashes = dash === undefined ? '' : ` stroke-dasharray="${dash.join(' ')}"`;
    const stroke = `stroke="${color}" stroke-width="${width}"${dashes}${opacityOf('stroke-opacity', opacity)}`;
    this.#parts.push(`<path d="${pathOf(points)}" fill="none" ${stroke} stroke-linejoin="round"/>`);
  }

  area(points: PointList, base: number, fill: string, opacity: number): void {
    const { xy, length } = points;
    if (length < 4) return;
    const last = `L${short(xy[length - 2]!)} ${short(base)}`;
    const path = `M${short(xy[0]!)} ${short(base)}${pathOf(points).replace('M', 'L')}${last}Z`;
    this.#parts.push(`<path d="${path}" fill="${fill}"${opacityOf('fill-opacity', opacity)}/>`);
  }

  rects(list: PointList, fill: string, opacity = 1): void {
    const { xy, length } = list;
    if (length === 0) return;
    let path = '';
    for (let i = 0; i < length; i += 4) {
      const width = short(xy[i + 2]!);
      path += `M${short(xy[i]!)} ${short(xy[i + 1]!)}h${width}v${short(xy[i + 3]!)}h${short(-xy[i + 2]!)}z`;
    }
    this.#parts.push(`<path d="${path}" fill="${fill}"${opacityOf('fill-opacity', opacity)}/>`);
  }

  text(text: string, x: number, y: number, style: TextStyle): void {
    const anchor = { left: '', center: ' text-anchor="middle"', right: ' text-anchor="end"' }[style.align ?? 'left'];
    // Not every reader of SVG knows dominant-baseline.
    const down = { top: 0.8, middle: 0.36, bottom: -0.2 }[style.baseline ?? 'middle'] * style.size;
    const weight = style.bold === true ? ' font-weight="600"' : '';
    const at = `x="${short(x)}" y="${short(y + down)}" font-size="${style.size}" fill="${style.color}"`;
    this.#parts.push(`<text ${at}${anchor}${weight}>${escapeText(text)}</text>`);
  }

  textWidth(text: string, style: TextStyle): number {
    return text.length * style.size * (style.bold === true ? BOLD_WIDTH : CHARACTER_WIDTH);
  }
}

function pathOf({ xy, length }: PointList): string {
  let path = '';
  let up = true;
  for (let i = 0; i < length; i += 2) {
    if (Number.isNaN(xy[i]!)) {
      up = true;
      continue;
    }
    path += `${up ? 'M' : 'L'}${short(xy[i]!)} ${short(xy[i + 1]!)}`;
    up = false;
  }
  return path;
}

/** A tenth of a pixel is enough. */
function short(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function opacityOf(name: string, opacity: number): string {
  return opacity === 1 ? '' : ` ${name}="${opacity}"`;
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
