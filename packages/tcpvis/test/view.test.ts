import {
  encodeTrace,
  flowDescriptor,
  flowTrace,
  SackTableBuilder,
  SegmentTableBuilder,
  segmentInfo,
  type Trace,
  writeTrace,
} from '@qanat/flowlog';
import { expect, test } from 'vitest';
import { niceMaximum, ticks } from '../src/draw/format.ts';
import { busiest } from '../src/page/busiest.ts';
import { TimeView } from '../src/page/time-view.ts';
import { plotSvg, pngOfSvg } from '../src/plot-file.ts';
import { bytesInMemory } from '../src/view/bytes.ts';
import { rowsAround } from '../src/view/cursor.ts';
import { Engine } from '../src/view/engine.ts';
import { FlowDigest } from '../src/view/flow-digest.ts';
import { LiveStore } from '../src/view/live-store.ts';
import { openTrace } from '../src/view/open-trace.ts';
import { valueRange } from '../src/view/panel-data.ts';
import { type PanelKind, PRESETS } from '../src/view/panels.ts';
import { LinePoints } from '../src/view/points.ts';
import { SEG_SACK_HI, SEG_SACK_LO, segmentColumn } from '../src/view/segment-buckets.ts';
import { SegmentDecoder } from '../src/view/segment-decoder.ts';
import { StateTrack } from '../src/view/state-track.ts';
import { storeOfTrace } from '../src/view/store.ts';
import { modelTrace } from './support/model-trace.ts';

const ACK = 0x10;
const trace = modelTrace({ segments: 8000 });

async function engineOf(from: Trace): Promise<Engine> {
  const engine = new Engine(storeOfTrace(from));
  await engine.scan();
  return engine;
}

test('positions go on over the wrap of sequence numbers, whatever the start', () => {
  const iss = 0x7fff_ff00;
  const table = new SegmentTableBuilder();
  let position = 1;
  for (let row = 0; row < 100; row++, position += 60_000_000) {
    table.push(row, row, (iss + position) | 0, 0, 60_000_000, 0, 0, 0, 0, segmentInfo(false, ACK, 0, false, 0));
  }
  const descriptor = { ...trace.flows[0]!, iss, irs: undefined };
  const decoded = new SegmentDecoder({ descriptor }).decode(table.finish());
  expect(decoded.end[99]).toBe(position);
  expect([...decoded.kind.subarray(0, 100)].every((kind) => kind === 0)).toBe(true);
});

test('a segment below what was sent is one that was sent again', () => {
  const table = new SegmentTableBuilder();
  for (const seq of [1, 1001, 1, 2001])
    table.push(0, 0, seq, 0, 1000, 0, 0, 0, 0, segmentInfo(false, ACK, 0, false, 0));
  const decoded = new SegmentDecoder({ descriptor: { ...trace.flows[0]!, iss: 0 } }).decode(table.finish());
  expect([...decoded.kind.subarray(0, 4)]).toEqual([0, 0, 15, 0]);
});

test('shares of states over columns sum to the time that is known', () => {
  const track = new StateTrack();
  track.set(0, 1);
  track.set(25, 2);
  track.set(30, 1);
  const shares = track.shares(0, 40, 4, 3, 40);
  expect([...shares].map((share) => Math.round(share * 100) / 100)).toEqual([0, 1, 0, 0, 1, 0, 0, 0.5, 0.5, 0, 1, 0]);
  expect([track.at(-1), track.at(26), track.at(99)]).toEqual([-1, 2, 1]);
});

test('thinned points keep the lowest and the highest of every column', () => {
  const points = new LinePoints({ t0: 0, t1: 10_000, columns: 50 });
  for (let i = 0; i < 10_000; i++) points.add(i, i % 97, i % 97);
  const line = points.line(true);
  expect(line.n).toBeLessThanOrEqual(102);
  expect(Math.min(...line.lo)).toBe(0);
  expect(Math.max(...line.hi)).toBe(96);
});

test('what is drawn from extremes agrees with what is drawn from rows', async () => {
  const engine = await engineOf(trace);
  const [first, last] = engine.range;
  const flow = engine.flows[0]!;
  for (const kind of ['sequence', 'window', 'delay', 'rings', 'queue'] as const satisfies PanelKind[]) {
    const spec = { kind, flows: [0], direction: 0 } as const;
    const range = { t0: first, t1: last, columns: 800 };
    const near = valueRange(await engine.panel(spec, range), first, last)!;
    const lists = [flow.store.segments, flow.store.windows, engine.sources[0]!.store.machine];
    const estimates = lists.map((list) => list.estimateRows);
    for (const list of lists) list.estimateRows = () => Number.POSITIVE_INFINITY;
    const far = valueRange(await engine.panel(spec, range), first, last)!;
    lists.forEach((list, index) => {
      list.estimateRows = estimates[index]!;
    });
    expect([kind, ...far]).toEqual([kind, ...near]);
  }
});

test('throughput over the log sums to the bytes of the log', async () => {
  const engine = await engineOf(trace);
  const [first, last] = engine.range;
  const data = await engine.panel(
    { kind: 'throughput', flows: [0], direction: 0 },
    { t0: first, t1: last, columns: 900 },
  );
  const layer = data.layers.find((each) => each.type === 'line' && each.series === 'throughput');
  if (layer?.type !== 'line') throw new Error('no line');
  const bin = layer.line.t[1]! - layer.line.t[0]!;
  const sum = layer.line.last.reduce((total, rate) => total + (rate * bin) / 8e6, 0);
  const { segments } = trace.flows[0]!;
  let sent = 0;
  for (let row = 0; row < segments.rows; row++) if ((segments.info[row]! & 1) === 0) sent += segments.bytes[row]!;
  expect(Math.abs(sum / sent - 1)).toBeLessThan(0.001);
});

test('a file that is read by its heads gives the same pictures as one in memory', async () => {
  const inMemory = await engineOf(trace);
  const fromFile = new Engine(await openTrace(bytesInMemory(encodeTrace(trace, 512)), 'x.qflow'));
  await fromFile.scan();
  const [first, last] = inMemory.range;
  expect(fromFile.range).toEqual([first, last]);
  const middle = { t0: first + (last - first) * 0.4, t1: first + (last - first) * 0.5, columns: 700 };
  for (const { kind } of PRESETS['all']!.panels) {
    const spec = { kind, flows: [0], direction: 0 } as const;
    const want = valueRange(await inMemory.panel(spec, middle), middle.t0, middle.t1);
    expect([kind, valueRange(await fromFile.panel(spec, middle), middle.t0, middle.t1)]).toEqual([kind, want]);
  }
});

test('a stream that comes in pieces of any size is the file in the end', async () => {
  const pieces: Uint8Array[] = [];
  writeTrace(modelTrace({ segments: 300 }), (piece) => pieces.push(piece.slice()), 128);
  const whole = Buffer.concat(pieces);
  for (const size of [1, 7, 4096, whole.length]) {
    const live = new LiveStore();
    for (let at = 0; at < whole.length; at += size) await live.add(whole.subarray(at, at + size));
    const engine = new Engine(live.store);
    await engine.scan();
    const { segments, sacks, windows, events } = live.store.flows[0]!;
    const direct = await openTrace(bytesInMemory(whole), 'x');
    const want = direct.flows[0]!;
    expect([segments.rows, sacks.rows, windows.rows, events.rows]).toEqual([
      ...[want.segments.rows, want.sacks.rows, want.windows.rows, want.events.rows],
    ]);
    expect(live.store.flows[0]!.descriptor).toEqual(want.descriptor);
    expect(live.store.problems).toEqual([]);
  }
});

test('the rows around an instant stand in order, as many as wanted on each side', async () => {
  const engine = await engineOf(trace);
  const at = trace.flows[0]!.segments.timeUs[5000]!;
  const rows = await rowsAround(engine, [0], at, 25);
  expect(rows).toHaveLength(50);
  expect(rows[24]!.timeUs).toBeLessThan(at);
  expect(rows[25]!.timeUs).toBe(at);
  expect(rows.map(({ timeUs }) => timeUs)).toEqual(rows.map(({ timeUs }) => timeUs).sort((a, b) => a - b));
});

test('every preset draws an SVG without a hole in it, and a PNG of it', async () => {
  const engine = await engineOf(trace);
  const [t0, t1] = engine.range;
  for (const preset of Object.keys(PRESETS)) {
    const svg = await plotSvg(engine, { preset, flow: 0, t0, t1, width: 600, height: undefined, theme: 'dark' });
    expect(svg, preset).toContain('client 192.168.8.102:49152 → 192.168.8.101:5001');
    expect(svg, preset).not.toMatch(/NaN|Infinity|undefined/);
  }
  const svg = await plotSvg(engine, {
    preset: 'tx-delay',
    flow: 0,
    t0,
    t1,
    width: 400,
    height: undefined,
    theme: 'light',
  });
  const png = await pngOfSvg(svg!, 1);
  expect([...png.subarray(0, 4)]).toEqual([0x89, 0x50, 0x4e, 0x47]);
});

test('a view stays with its trace', () => {
  const view = new TimeView();
  view.limit(1000, 2000);
  view.fit();
  expect(view.isWhole).toBe(true);
  view.zoom(0.1, 1500);
  expect(view.span).toBeCloseTo(102, 0);
  view.pan(1e9);
  expect(view.t1).toBeLessThan(2020);
  view.zoom(1e-9, 1990);
  expect(view.span).toBe(2);
  view.zoom(1e9, 1990);
  expect(view.isWhole).toBe(true);
});

test('ticks are round and inside; an axis ends above its largest value', () => {
  expect(ticks(0.3, 10.2, 5)).toEqual([2, 4, 6, 8, 10]);
  expect(ticks(5, 5, 5)).toEqual([]);
  for (const value of [1, 999, 1024, 5e6]) expect(niceMaximum('bytes', value)).toBeGreaterThan(value);
});

test('SACK blocks of both directions in one bucket are each put into their own stream', () => {
  const [iss, irs] = [1000, 0x6000_0000];
  const segments = new SegmentTableBuilder();
  const sacks = new SackTableBuilder();
  const at = (received: boolean, seq: number, ack: number, bytes: number, blocks: number): void => {
    segments.push(segments.rows, 0, seq, ack, bytes, 1000, 0, 0, 0, segmentInfo(received, 0x10, 0, false, blocks));
  };
  at(false, iss + 1, irs + 1, 100, 0);
  at(true, irs + 1, iss + 1, 100, 1);
  sacks.push(1, iss + 51, iss + 101);
  at(false, iss + 101, irs + 1, 0, 1);
  sacks.push(2, irs + 61, irs + 101);
  const descriptor = flowDescriptor({ id: 1, source: 1, iss, irs });
  const flow = flowTrace(descriptor, { segments: segments.finish(), sacks: sacks.finish() });
  const [store] = storeOfTrace({
    sources: [],
    flows: [flow],
    clock: { unixEpochUs: undefined, resolutionUs: 1 },
    problems: [],
  }).flows;
  const digest = new FlowDigest(store!);
  digest.addSegments(flow.segments);
  digest.addSacks(flow.sacks);
  const range = (direction: number): number[] =>
    [SEG_SACK_LO, SEG_SACK_HI].map((column) => digest.segments.column(segmentColumn(direction, column))[0]!);
  expect(range(0)).toEqual([51, 101]);
  expect(range(1)).toEqual([61, 101]);
});

test("a page begins with the sender of the most data, also while the receiver's rows are ahead", () => {
  const end = (bytes: number, sends: boolean, peer: number, rows = 10) => ({
    name: '',
    source: '',
    peer,
    bytes,
    sends,
    rows,
  });
  expect(busiest({ flows: [end(900, false, 1), end(800, true, 0), end(100, true, -1)] })).toBe(1);
  expect(busiest({ flows: [end(800, true, 1), end(800, false, 0)] })).toBe(0);
  expect(busiest({ flows: [end(100, true, -1), end(900, false, -1)] })).toBe(1);
  expect(busiest({ flows: [end(100, true, 1), end(900, true, 0)] })).toBe(1);
  expect(busiest({ flows: [end(0, true, -1, 3), end(0, true, -1, 5)] })).toBe(1);
  expect(busiest({ flows: [] })).toBe(0);
});
