/** What the page and its worker tell each other. */
import type { LegendEntry } from '../draw/legend.ts';
import type { LooseLine } from '../draw/outside.ts';
import type { ThemeName } from '../draw/theme.ts';
import type { EventRow, Values } from '../view/cursor.ts';
import type { PanelKind, PanelSpec, Unit } from '../view/panels.ts';

/** Where a log comes from. */
export type LogOrigin =
  | { readonly kind: 'blob'; readonly blob: Blob; readonly name: string }
  | { readonly kind: 'url'; readonly url: string; readonly name: string }
  /** Base64 of the gzipped file, as it stands in a self-contained page. */
  | { readonly kind: 'embedded'; readonly base64: string; readonly name: string }
  /** A stream of chunks that goes on while the log is recorded. */
  | { readonly kind: 'live'; readonly url: string; readonly name: string };

/** How several flows are shown. */
export type LayoutMode = 'one' | 'ends' | 'each' | 'over';

/** A panel as it is asked for. */
export interface PanelRequest {
  readonly key: string;
  readonly spec: PanelSpec;
  /** Of the plot, in CSS pixels. */
  readonly width: number;
  readonly height: number;
}

export type ToWorker =
  | { readonly type: 'open'; readonly origin: LogOrigin }
  | { readonly type: 'layout'; readonly preset: string; readonly flows: readonly number[]; readonly mode: LayoutMode }
  | {
      readonly type: 'view';
      readonly id: number;
      readonly t0: number;
      readonly t1: number;
      readonly panels: readonly PanelRequest[];
      readonly scale: number;
      readonly theme: ThemeName;
      readonly hidden: readonly string[];
      /** The axes of values are as high as every line, not only as the data. */
      readonly allLines: boolean;
      /** Share of the stretch that is drawn beyond each side of it. */
      readonly margin: number;
    }
  | {
      readonly type: 'cursor';
      readonly id: number;
      readonly timeUs: number;
      readonly t0: number;
      readonly t1: number;
      readonly panels: readonly PanelRequest[];
      /** Flows whose rows are listed; none when the table is closed. */
      readonly rowsOf: readonly number[];
    }
  | {
      readonly type: 'step';
      readonly id: number;
      readonly timeUs: number;
      readonly forward: boolean;
      readonly marks: boolean;
      readonly flows: readonly number[];
    };

export interface FlowSummary {
  readonly name: string;
  readonly source: string;
  /** The other end's index, -1 when it is not in the log. */
  readonly peer: number;
  readonly bytes: number;
  readonly sends: boolean;
  readonly rows: number;
}

export interface Summary {
  readonly name: string;
  readonly flows: readonly FlowSummary[];
  readonly problems: readonly string[];
  readonly firstUs: number;
  readonly lastUs: number;
  readonly rows: number;
  readonly unixEpochUs: number | undefined;
  /** Whether all rows were looked at. */
  readonly complete: boolean;
  readonly live: boolean;
}

/** A panel of the layout. */
export interface PanelPlan {
  readonly key: string;
  readonly spec: PanelSpec;
  /** Whose it is, where panels of several flows stand above each other. */
  readonly of?: string;
}

export interface ColumnPlan {
  readonly title: string;
  readonly panels: readonly PanelPlan[];
}

/** A line of a tile that its axis of values does not reach, perhaps: its extremes as in `Tile`. */
export interface TileLine extends LooseLine {
  readonly lowest: Float64Array;
  readonly highest: Float64Array;
}

/** A drawn panel: the picture, and which stretch of time and values it covers. */
export interface Tile {
  readonly key: string;
  readonly kind: PanelKind;
  readonly unit: Unit;
  readonly title: string;
  readonly legend: readonly LegendEntry[];
  readonly empty: string | undefined;
  readonly bitmap: ImageBitmap;
  readonly t0: number;
  readonly t1: number;
  /** Where nothing is missing: t0 and t1, or infinite where the log begins and ends. */
  readonly coversFrom: number;
  readonly coversTo: number;
  readonly v0: number;
  readonly v1: number;
  /** The view that it was drawn for, and what its axis of values shows then. */
  readonly viewT0: number;
  readonly viewT1: number;
  readonly viewV0: number;
  readonly viewV1: number;
  /** Lowest and highest value in equal parts of t0..t1; NaN where there is none. */
  readonly lowest: Float64Array;
  readonly highest: Float64Array;
  /** Lines that do not widen the axis. */
  readonly loose: readonly TileLine[];
  /** Whether there are lines that can be left out of the axis, or taken in. */
  readonly hasLoose: boolean;
}

export type FromWorker =
  | { readonly type: 'opened'; readonly summary: Summary }
  | { readonly type: 'progress'; readonly done: number; readonly what: string }
  /** More is known than before: draw again. */
  | { readonly type: 'changed'; readonly summary: Summary }
  | { readonly type: 'failed'; readonly sentence: string }
  | { readonly type: 'layout'; readonly columns: readonly ColumnPlan[] }
  | { readonly type: 'tile'; readonly id: number; readonly tile: Tile }
  /** `whole`: all rows of the log were read when it was drawn. */
  | { readonly type: 'drawn'; readonly id: number; readonly whole: boolean }
  | {
      readonly type: 'cursor';
      readonly id: number;
      readonly timeUs: number;
      readonly values: Readonly<Record<string, Values>>;
      readonly rows: readonly EventRow[];
    }
  | { readonly type: 'stepped'; readonly id: number; readonly timeUs: number | undefined };
