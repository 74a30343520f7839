/** What pictures are drawn on: a canvas or an SVG. Units are CSS pixels, y grows downwards. */

export type Align = 'left' | 'center' | 'right';
export type Baseline = 'top' | 'middle' | 'bottom';

export interface TextStyle {
  readonly size: number;
  readonly color: string;
  readonly align?: Align;
  readonly baseline?: Baseline;
  readonly bold?: boolean;
}

export interface Stroke {
  readonly color: string;
  readonly width: number;
  /** Lengths of dashes and gaps. */
  readonly dash?: readonly number[];
  readonly opacity?: number;
}

/** Points of a polyline, x and y in turn; a NaN x lifts the pen. */
export interface PointList {
  readonly xy: Float64Array;
  /** Numbers in use: twice the points. */
  readonly length: number;
}

export interface Surface {
  /** Everything until `unclip` shows only inside the rectangle. */
  clip(x: number, y: number, width: number, height: number): void;
  unclip(): void;
  rect(x: number, y: number, width: number, height: number, fill: string, opacity?: number): void;
  polyline(points: PointList, stroke: Stroke): void;
  /** Fills between the points and the line y = `base`. */
  area(points: PointList, base: number, fill: string, opacity: number): void;
  /** Many rectangles of one colour: x, y, width, height in turn. */
  rects(list: PointList, fill: string, opacity?: number): void;
  text(text: string, x: number, y: number, style: TextStyle): void;
  /** @returns the width of a text in pixels, measured or estimated. */
  textWidth(text: string, style: TextStyle): number;
}

/** Collects points; memory doubles when it is full. */
export class PointBuffer implements PointList {
  xy = new Float64Array(2048);
  length = 0;

  clear(): this {
    this.length = 0;
    return this;
  }

  add(x: number, y: number): void {
    if (this.length + 2 > this.xy.length) this.#grow();
    this.xy[this.length++] = x;
    this.xy[this.length++] = y;
  }

  #grow(): void {
    const larger = new Float64Array(2 * this.xy.length);
    larger.set(this.xy);
    this.xy = larger;
  }
}

export const FONT_FAMILY = "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
