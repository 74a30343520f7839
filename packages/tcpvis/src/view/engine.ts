/** Answers what the pictures ask: a trace, its digest, and the queries over both. */
import {
  areTwoEnds,
  EVENT_SCHEMA,
  emptyTable,
  MACHINE_SCHEMA,
  SACK_SCHEMA,
  type Schema,
  SEGMENT_SCHEMA,
  type TableOf,
  WINDOW_SCHEMA,
} from '@qanat/flowlog';
import { FlowDigest } from './flow-digest.ts';
import type { Layer, PanelData } from './panel-data.ts';
import { PANEL_KINDS, type PanelSpec, type PresetPanel, type Side } from './panels.ts';
import type { Range } from './points.ts';
import { FlowQuery } from './query-flow.ts';
import { SourceQuery } from './query-source.ts';
import { SourceDigest } from './source-digest.ts';
import { type ChunkList, type ScanItem, type TraceStore, timeRange } from './store.ts';
import { throughput } from './throughput.ts';

/** Called while the rows are read. @param done share of the work, 0..1. */
export type Progress = (done: number) => void | Promise<void>;

const MAX_PROBLEMS = 100;

export class Engine {
  readonly store: TraceStore;
  readonly flows: FlowQuery[] = [];
  readonly sources: SourceQuery[] = [];
  #scanned = 0;

  constructor(store: TraceStore) {
    this.store = store;
    this.extend();
  }

  /** Start and end of the trace in microseconds. */
  get range(): readonly [number, number] {
    return timeRange(this.store);
  }

  get complete(): boolean {
    return this.store.growth === undefined && this.#scanned === this.store.scanOrder.length;
  }

  /** Takes notice of flows and sources that the store has got since. */
  extend(): void {
    const { flows, sources } = this.store;
    while (this.flows.length < flows.length) {
      const store = flows[this.flows.length]!;
      this.flows.push(new FlowQuery(store, new FlowDigest(store)));
    }
    while (this.sources.length < sources.length) {
      this.sources.push(new SourceQuery(sources[this.sources.length]!, new SourceDigest()));
    }
  }

  /**
   * Reads all rows that were not read yet, once.
   * @param progress called every now and then; what it returns is awaited.
   */
  async scan(progress: Progress = () => {}): Promise<void> {
    const { store } = this;
    const { scanOrder } = store;
    let reported = 0;
    for (;;) {
      while (this.#scanned < scanOrder.length) {
        await this.#scanItem(scanOrder[this.#scanned]!);
        this.#scanned++;
        if (this.#scanned - reported < 16) continue;
        reported = this.#scanned;
        await progress(Math.min(store.growth?.share ?? 1, this.#scanned / scanOrder.length));
      }
      if (store.growth === undefined) break;
      await store.growth.more();
      this.extend();
    }
    await this.#scanStale();
    await progress(1);
  }

  /** What was read before enough was known of its flow is read again. */
  async #scanStale(): Promise<void> {
    for (const [index, { digest, store }] of this.flows.entries()) {
      if (!digest.isStale) continue;
      this.flows[index] = new FlowQuery(store, new FlowDigest(store));
      for (const item of this.store.scanOrder) {
        if (item.kind !== 'machine' && item.flow === index) await this.#scanItem(item);
      }
    }
  }

  async #scanItem(item: ScanItem): Promise<void> {
    if (item.kind === 'machine') {
      const { store, digest } = this.sources[item.source]!;
      digest.add(await this.#load(store.machine, item.chunk, MACHINE_SCHEMA));
      return;
    }
    const { store, digest } = this.flows[item.flow]!;
    if (item.kind === 'segments') digest.addSegments(await this.#load(store.segments, item.chunk, SEGMENT_SCHEMA));
    else if (item.kind === 'sacks') digest.addSacks(await this.#load(store.sacks, item.chunk, SACK_SCHEMA));
    else if (item.kind === 'windows') digest.addWindows(await this.#load(store.windows, item.chunk, WINDOW_SCHEMA));
    else digest.addEvents(await this.#load(store.events, item.chunk, EVENT_SCHEMA));
  }

  /** A chunk that is damaged counts as empty, and is told. */
  async #load<S extends Schema>(list: ChunkList<TableOf<S>>, chunk: number, schema: S): Promise<TableOf<S>> {
    try {
      const { [chunk]: head } = list.chunks;
      const table = head!.scan === undefined ? head!.load() : head!.scan();
      head!.scan = undefined;
      return table instanceof Promise ? await table : table;
    } catch (error) {
      const { problems } = this.store;
      if (problems.length < MAX_PROBLEMS) problems.push(error instanceof Error ? error.message : String(error));
      const nothing = emptyTable(schema);
      list.chunks[chunk]!.load = () => nothing;
      return nothing;
    }
  }

  /** @returns whether a flow's end sends most of the connection's data (0), or receives it (1). */
  mainDirection(flow: number): 0 | 1 {
    const { digest } = this.flows[flow]!;
    return digest.bytes(1) > digest.bytes(0) ? 1 : 0;
  }

  /** The flow with the most data, at the end that sends it. */
  busiest(): number {
    let best = 0;
    let most = -1;
    this.flows.forEach(({ digest, store }, index) => {
      const direction = this.mainDirection(index);
      const score = 2 * digest.bytes(direction) + (direction === 0 ? 1 : 0) + store.segments.rows / 2 ** 32;
      if (score > most) {
        most = score;
        best = index;
      }
    });
    return best;
  }

  /** @returns the other end of the same connection, -1 when the trace does not have it. */
  peerOf(flow: number): number {
    const { descriptor } = this.store.flows[flow]!;
    return this.store.flows.findIndex((other) => areTwoEnds(descriptor, other.descriptor));
  }

  /** The panel of a preset for a connection: at the end that the preset is about, as far as the trace has it. */
  panelOf({ kind, side }: PresetPanel, flow: number): PanelSpec {
    const wanted = side === 'sender' ? 0 : 1;
    if (this.mainDirection(flow) === wanted) return { kind, flows: [flow], direction: wanted };
    const peer = this.peerOf(flow);
    const isRecorded = peer >= 0 && this.flows[peer]!.store.segments.rows > 0;
    if (isRecorded) return { kind, flows: [peer], direction: wanted };
    // Only the other end was recorded: what it saw of the same data.
    return { kind, flows: [flow], direction: this.mainDirection(flow) };
  }

  /** The end of a connection on one side, or the flow itself when the trace does not have it. */
  sideOf(flow: number, side: Side): number {
    return this.panelOf({ kind: 'sequence', side }, flow).flows[0]!;
  }

  /** @returns what a panel shows between two times. */
  async panel(spec: PanelSpec, range: Range): Promise<PanelData> {
    const layers: Layer[] = [];
    const brief = spec.flows.length > 1;
    for (const [place, index] of spec.flows.entries()) {
      const flow = this.flows[index];
      if (flow !== undefined) layers.push(...(await this.#layers(spec, index, place, range, brief)));
    }
    const shown = layers.some((layer) => {
      if (layer.type === 'shares') return !layer.background;
      return layer.type !== 'marks' && (layer.type === 'line' ? layer.line : layer.bars).n > 0;
    });
    return {
      kind: spec.kind,
      unit: PANEL_KINDS[spec.kind].unit,
      direction: spec.direction,
      t0: range.t0,
      t1: range.t1,
      layers,
      empty: shown ? undefined : this.complete ? 'nothing recorded here' : 'reading…',
    };
  }

  /** @returns whether a panel could ever show something: a log may lack what it draws. */
  has(spec: PanelSpec): boolean {
    const flow = this.flows[spec.flows[0] ?? 0];
    if (flow === undefined) return false;
    const source = this.sourceOf(spec.flows[0] ?? 0);
    if (spec.kind === 'rings') return source?.digest.has.ring === true;
    if (spec.kind === 'sleep') return source?.digest.has.sleep === true;
    if (spec.kind === 'queue') return this.sources.some(({ digest }) => digest.has.queue);
    // A capture does not tell how long a segment was under way inside.
    if (spec.kind === 'delay') return source?.store.descriptor.kind !== 'capture';
    // Nothing of a log of 2013, nor of a capture of acknowledgments only.
    if (spec.kind === 'rtt' && this.complete) return flow.digest.tellsRoundTrips || flow.digest.rtt.samples.rows > 0;
    if (spec.kind === 'limited') return flow.digest.limited.changes > 1;
    return true;
  }

  async #layers(spec: PanelSpec, index: number, place: number, range: Range, brief: boolean): Promise<Layer[]> {
    const flow = this.flows[index]!;
    switch (spec.kind) {
      case 'sequence':
        return flow.sequence(range, spec.direction, place);
      case 'window':
        return flow.window(range, place, brief);
      case 'rtt':
        return flow.rtt(range, place, brief);
      case 'throughput':
        return throughput(flow, range, spec.direction, place, brief);
      case 'delay':
        return flow.delay(range, place);
      case 'limited':
        return flow.limited(range, place, this.range[1]);
      case 'rings': {
        const source = this.sourceOf(index);
        if (source === undefined || !source.digest.has.ring) return [];
        return source.rings(range, place);
      }
      case 'queue': {
        const layers: Layer[] = [];
        // The same for all flows.
        if (place > 0) return layers;
        for (const source of this.sources) {
          if (!source.digest.has.queue) continue;
          layers.push(...(await source.queues(range, place)), ...source.marks(range, place));
        }
        return layers;
      }
      case 'sleep':
        return this.sourceOf(index)?.sleep(range, place) ?? [];
    }
  }

  /** The machine that recorded a flow. */
  sourceOf(flow: number): SourceQuery | undefined {
    const id = this.store.flows[flow]?.descriptor.source;
    return this.sources.find(({ store }) => store.descriptor.id === id);
  }
}
