/** What the log says at one instant: the values there, and the rows around it. */
import { LIMITED_NAMES } from '@qanat/flowlog';
import { formatValue } from '../draw/format.ts';
import { type Description, describeEvent, describeMachine, describeSegment, describeWindow } from './describe.ts';
import type { Engine } from './engine.ts';
import { lowerBound, upperBound } from './grow-table.ts';
import { type PanelData, seriesKey } from './panel-data.ts';
import { PANEL_KINDS, type PanelSpec } from './panels.ts';
import type { FlowQuery } from './query-flow.ts';
import { tellsDelay } from './segment-decoder.ts';
import { SLEEP_STATES } from './source-digest.ts';
import type { Chunk, ChunkList } from './store.ts';
import { binUs } from './throughput.ts';

/** A value at the cursor: by the key of its legend entry. */
export type Values = Readonly<Record<string, string>>;

/** Chunks looked through for the last row of a kind. */
const CHUNKS_BACK = 3;

/** @param range what the panel shows: it decides the bins of rates. */
export async function valuesAt(
  engine: Engine,
  spec: PanelSpec,
  timeUs: number,
  range: { readonly t0: number; readonly t1: number; readonly columns: number },
): Promise<Values> {
  const values: Record<string, string> = {};
  const { unit } = PANEL_KINDS[spec.kind];
  for (const [place, index] of spec.flows.entries()) {
    const flow = engine.flows[index];
    if (flow === undefined) continue;
    if (spec.kind === 'sequence') {
      const found = await lastSegments(flow, spec.direction, timeUs);
      for (const [key, value] of Object.entries(found)) values[keyOf(spec, key, place)] = exactBytes(value);
      continue;
    }
    if (spec.kind === 'delay') {
      const found = await lastDelays(flow, timeUs);
      for (const [key, value] of Object.entries(found)) values[keyOf(spec, key, place)] = formatValue(unit, value);
      continue;
    }
    if (spec.kind === 'limited') {
      const state = flow.digest.limited.at(timeUs);
      if (state >= 0) values['state'] = LIMITED_NAMES[state] ?? '';
      continue;
    }
    if (spec.kind === 'sleep') {
      const source = engine.sourceOf(index);
      const state = source?.digest.sleep.at(timeUs) ?? -1;
      if (state >= 0) values['state'] = SLEEP_STATES[state] ?? '';
      continue;
    }
    const bin = binUs(range);
    const near =
      spec.kind === 'throughput'
        ? { t0: timeUs - bin, t1: timeUs + bin, columns: (2 * bin * range.columns) / (range.t1 - range.t0) }
        : { t0: timeUs, t1: timeUs, columns: 1000 };
    const data = await engine.panel({ ...spec, flows: [index] }, near);
    takeLines(data, timeUs, (key, value) => {
      values[keyOf(spec, key, place)] = formatValue(unit, value);
    });
  }
  return values;
}

/** Flows over each other have one value each: that of the series that is drawn. */
function keyOf(spec: PanelSpec, key: string, place: number): string {
  if (spec.flows.length <= 1) return key;
  const drawn = { sequence: 'ack', window: 'cwnd', rtt: 'srtt', throughput: 'goodput', delay: 'txDelay' } as const;
  const shown = spec.kind in drawn ? drawn[spec.kind as keyof typeof drawn] : key;
  return key === shown ? `flow${place}` : `${key}/${place}`;
}

function exactBytes(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ' ');
}

function takeLines(data: PanelData, timeUs: number, take: (key: string, value: number) => void): void {
  for (const layer of data.layers) {
    if (layer.type !== 'line') continue;
    const { line } = layer;
    const at = upperBound(line.t, timeUs, 0, line.n) - 1;
    if (at >= 0) take(seriesKey(layer), line.last[at]!);
  }
}

/** Positions at an instant: end of the last data, last acknowledgment, right edge of the window. */
async function lastSegments(flow: FlowQuery, direction: 0 | 1, timeUs: number): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  await eachBack(flow, timeUs, (decoded, row) => {
    if (decoded.direction[row] === direction) {
      if (!('data' in found) && decoded.end[row]! > decoded.start[row]!) found['data'] = decoded.end[row]!;
    } else {
      if (!('ack' in found) && !Number.isNaN(decoded.ack[row]!)) found['ack'] = decoded.ack[row]!;
      if (!('edge' in found) && !Number.isNaN(decoded.edge[row]!)) found['edge'] = decoded.edge[row]!;
    }
    return 'data' in found && 'ack' in found;
  });
  return found;
}

async function lastDelays(flow: FlowQuery, timeUs: number): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  await eachBack(flow, timeUs, (decoded, row, table) => {
    const key = decoded.direction[row] === 0 ? 'txDelay' : 'rxDelay';
    if (!(key in found) && tellsDelay(table.info[row]!)) found[key] = table.delayUs[row]!;
    return 'txDelay' in found && 'rxDelay' in found;
  });
  return found;
}

type VisitBack = (
  decoded: Parameters<Parameters<FlowQuery['eachSegment']>[1]>[1],
  row: number,
  table: Parameters<Parameters<FlowQuery['eachSegment']>[1]>[0],
) => boolean;

/** Visits segments from an instant back, until `visit` has enough. */
async function eachBack(flow: FlowQuery, timeUs: number, visit: VisitBack): Promise<void> {
  const { segments } = flow.store;
  let end = segments.countStartingUntil(timeUs);
  for (let tries = 0; tries < CHUNKS_BACK && end > 0; tries++, end--) {
    let enough = false;
    await flow.decodeChunk(end - 1, (table, decoded) => {
      for (let row = upperBound(table.timeUs, timeUs, 0, table.rows) - 1; row >= 0 && !enough; row--) {
        enough = visit(decoded, row, table);
      }
    });
    if (enough) return;
  }
}

/** A row of the table of events. */
export interface EventRow extends Description {
  readonly timeUs: number;
  readonly order: number;
  /** Name of the source or the flow it belongs to. */
  readonly of: string;
  readonly table: 'segment' | 'window' | 'event' | 'machine';
}

/**
 * @param flows whose rows, and those of their machines.
 * @returns up to `count` rows before and up to `count` rows from the instant on, in order.
 */
export async function rowsAround(
  engine: Engine,
  flows: readonly number[],
  timeUs: number,
  count: number,
): Promise<EventRow[]> {
  const rows: EventRow[] = [];
  const sources = new Set<number>();
  const many = flows.length > 1;
  for (const index of flows) {
    const flow = engine.flows[index];
    if (flow === undefined) continue;
    const { descriptor } = flow.store;
    sources.add(descriptor.source);
    const source = engine.sourceOf(index);
    const of = source?.store.descriptor.name ?? '';
    const name = many ? `${of} :${descriptor.localPort}` : of;
    const strings = source?.store.strings ?? [];
    await near(flow.store.segments, timeUs, count, async (_, chunkIndex, from, to) => {
      await flow.decodeChunk(chunkIndex, (table, decoded) => {
        for (let row = from; row < to; row++) {
          const told = describeSegment(table, decoded, row);
          rows.push({ timeUs: table.timeUs[row]!, order: table.order[row]!, of: name, table: 'segment', ...told });
        }
      });
    });
    await near(flow.store.windows, timeUs, count, (table, _, from, to) => {
      for (let row = from; row < to; row++) {
        const told = describeWindow(table, row);
        rows.push({ timeUs: table.timeUs[row]!, order: table.order[row]!, of: name, table: 'window', ...told });
      }
    });
    await near(flow.store.events, timeUs, count, (table, _, from, to) => {
      for (let row = from; row < to; row++) {
        const told = describeEvent(table, row, strings);
        rows.push({ timeUs: table.timeUs[row]!, order: table.order[row]!, of: name, table: 'event', ...told });
      }
    });
  }
  for (const { store } of engine.sources) {
    const isDom0 = store.descriptor.kind === 'dom0';
    if (!sources.has(store.descriptor.id) && !isDom0) continue;
    await near(store.machine, timeUs, count, (table, _, from, to) => {
      for (let row = from; row < to; row++) {
        const told = describeMachine(table, row, store.strings);
        const at = { timeUs: table.timeUs[row]!, order: table.order[row]! };
        rows.push({ ...at, of: store.descriptor.name, table: 'machine', ...told });
      }
    });
  }
  rows.sort((a, b) => a.timeUs - b.timeUs || (a.order - b.order) | 0);
  const split = lowerBound(
    rows.map((row) => row.timeUs),
    timeUs,
    0,
    rows.length,
  );
  return rows.slice(Math.max(0, split - count), split + count);
}

/** Visits up to `count` rows before and from an instant, by chunks. */
async function near<T extends { readonly rows: number; readonly timeUs: Float64Array }>(
  list: ChunkList<T>,
  timeUs: number,
  count: number,
  visit: (table: T, chunk: number, from: number, to: number) => void | Promise<void>,
): Promise<void> {
  const { chunks } = list;
  const middle = Math.min(chunks.length - 1, list.firstEndingFrom(timeUs));
  if (middle < 0) return;
  const loadAt = async (index: number): Promise<T> => await (chunks[index] as Chunk<T>).load();
  const table = await loadAt(middle);
  const split = lowerBound(table.timeUs, timeUs, 0, table.rows);
  if (split < count && middle > 0) {
    const before = await loadAt(middle - 1);
    await visit(before, middle - 1, Math.max(0, before.rows - (count - split)), before.rows);
  }
  await visit(table, middle, Math.max(0, split - count), Math.min(table.rows, split + count));
  if (table.rows - split < count && middle + 1 < chunks.length) {
    const after = await loadAt(middle + 1);
    await visit(after, middle + 1, 0, Math.min(after.rows, count - (table.rows - split)));
  }
}
