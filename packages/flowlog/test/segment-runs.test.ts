import type { ExpectedSegment, TimedState } from '@qanat/tcp';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CHUNK_SEGMENTS,
  EVENT_READ,
  FlowRecorder,
  type FlowTrace,
  indexTrace,
  isReceived,
  type RowSink,
  readChunk,
  readTrace,
  SEGMENT_SCHEMA,
  TraceWriter,
} from '../src/index.ts';
import { CHUNK_HEADER_CRC, CHUNK_RUNS, CHUNK_SEGMENT_COUNT, chunkHeaderCrc, SCHEMAS } from '../src/qflow-layout.ts';
import { MAX_RUN } from '../src/segment-runs.ts';
import * as slots from '../src/slots.ts';
import { NO_OPTIONS, WINDOW } from './observed.ts';

/** A connection on a clock that moves 1 us for each thing that takes work. */
class State {
  nowUs = 1000;
  readonly window: TimedState & { rcvNxt: number };

  constructor() {
    const stamps = (count: number): number => {
      this.nowUs += count;
      return this.nowUs;
    };
    this.window = { ...WINDOW, rcvNxt: 0, stamps, stampMark: () => this.nowUs };
  }
}

const options = { hasTimestamps: true, tsVal: 7, tsEcr: 8 };

function expected(seq: number, overrides: Partial<ExpectedSegment> = {}): ExpectedSegment {
  return { seq, ack: 5, flags: 0x10, bytes: 1448, window: 512, arrivedUs: 900, options, ...overrides };
}

function started(options: ConstructorParameters<typeof FlowRecorder>[0] = {}): FlowRecorder {
  const recorder = new FlowRecorder({ id: 1, ...options });
  recorder.startLogging();
  return recorder;
}

/** Segments as `[seq, timeUs, delayUs]`. */
function placed({ segments }: FlowTrace): number[][] {
  return Array.from({ length: segments.rows }, (_, row) => [
    segments.seq[row]!,
    segments.timeUs[row]!,
    segments.delayUs[row]!,
  ]);
}

describe('segments that come as they were expected', () => {
  it('are rows with times of their own, and share one window row, before what comes next', () => {
    const recorder = started();
    const state = new State();
    for (let i = 0; i < 100; i++) {
      recorder.segmentExpected(expected(i * 1448), state.window);
      state.window.rcvNxt += 1448;
    }
    recorder.happened(state.nowUs, EVENT_READ, 144_800, 0);
    const trace = recorder.trace();
    expect(placed(trace)).toEqual(Array.from({ length: 100 }, (_, i) => [i * 1448, 1001 + i, 101 + i]));
    expect([...trace.segments.order]).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect([trace.windows.rows, trace.windows.rcvNxt[0], trace.windows.timeUs[0]]).toEqual([1, 144_800, 1100]);
    // Between: the state and the congestion state, which the recorder has not seen before.
    expect([trace.windows.order[0], trace.events.order[2], trace.events.timeUs[2]]).toEqual([102, 103, 1100]);
  });

  it('with other flags, stamps, lengths or times of arrival are told apart', () => {
    const variants: Partial<ExpectedSegment>[] = [
      {},
      { flags: 0x18 },
      { bytes: 100 },
      { arrivedUs: 950 },
      { options: { ...options, tsVal: 9 } },
      { options: { ...options, tsEcr: 9 } },
    ];
    const recorder = started();
    const state = new State();
    let seq = 0;
    const sent = Array.from({ length: 60 }, (_, i) => variants[(i >> 1) % variants.length]!).map((variant) => {
      const segment = expected(seq, variant);
      seq += segment.bytes;
      recorder.segmentExpected(segment, state.window);
      return segment;
    });
    const { segments } = recorder.trace();
    sent.forEach((segment, row) => {
      expect([segments.seq[row], segments.bytes[row], segments.tsVal[row], segments.tsEcr[row]]).toEqual([
        segment.seq,
        segment.bytes,
        segment.options.tsVal,
        segment.options.tsEcr,
      ]);
      expect((segments.info[row]! >>> 8) & 0xff).toBe(segment.flags);
      expect(segments.delayUs[row]).toBe(segments.timeUs[row]! - segment.arrivedUs);
    });
  });

  it('a pause among them is not spread over those that follow', () => {
    const recorder = started();
    const state = new State();
    for (let i = 0; i < 40; i++) {
      if (i === 10) state.nowUs += 5000;
      recorder.segmentExpected(expected(i * 1448), state.window);
    }
    const times = placed(recorder.trace()).map(([, us]) => us!);
    expect(times[0]).toBe(1001);
    expect(times[16]).toBe(6017);
    expect(times.slice(17)).toEqual(Array.from({ length: 23 }, (_, i) => 6018 + i));
  });
});

describe('bursts of data', () => {
  it('are rows with times of their own, however long they are', () => {
    const recorder = started();
    const state = new State();
    recorder.dataSent(-1448 * 3, 5, 0x10, 1448, 512, true, 7, 8, 150, state.window);
    recorder.dataSent(1448 * 147, 5, 0x10, 1448, 512, true, 7, 8, 1, state.window);
    const trace = recorder.trace();
    expect(placed(trace)).toEqual(Array.from({ length: 151 }, (_, i) => [(i - 3) * 1448, 1001 + i, 1]));
    expect(trace.segments.info.every((info) => !isReceived(info))).toBe(true);
  });
});

type Step = { readonly what: 'sent' | 'expected' | 'single' | 'event' | 'settle'; readonly count: number };

const steps = fc.array(
  fc.record({
    what: fc.constantFrom<Step['what'][]>('sent', 'expected', 'expected', 'single', 'event', 'settle') as fc.Arbitrary<
      Step['what']
    >,
    count: fc.integer({ min: 1, max: 90 }),
  }),
  { maxLength: 60 },
);

/** @returns the sequence numbers that were recorded. */
function play(recorder: FlowRecorder, list: readonly Step[]): number[] {
  const state = new State();
  const seqs: number[] = [];
  let [tx, rx] = [0x7fff_f000, 100];
  for (const { what, count } of list) {
    if (what === 'sent') {
      recorder.dataSent(tx, 5, 0x10, 1000, 512, true, 7, 8, count, state.window);
      for (let i = 0; i < count; i++) seqs.push((tx + i * 1000) | 0);
      tx = (tx + count * 1000) | 0;
    } else if (what === 'expected') {
      for (let i = 0; i < count; i++) {
        recorder.segmentExpected(expected(rx), state.window);
        seqs.push(rx);
        rx = (rx + 1448) | 0;
      }
    } else if (what === 'single') {
      recorder.segmentReceived(count, 5, 0x10, 0, 512, state.nowUs, state.window.stamps(1), NO_OPTIONS);
      seqs.push(count);
    } else if (what === 'event') recorder.happened(state.nowUs, EVENT_READ, count, 0);
    else recorder.windowUpdated(state.window.stamps(1), WINDOW);
  }
  return seqs;
}

describe('runs', () => {
  it('give back what was recorded, in order, whatever it was', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const recorder = started();
        const seqs = play(recorder, list);
        const trace = recorder.trace();
        expect([...trace.segments.seq]).toEqual(seqs);
        const rows = [trace.segments, trace.windows, trace.events].flatMap(({ order, timeUs }) =>
          [...order].map((number, i) => [number, timeUs[i]!] as const),
        );
        rows.sort(([a], [b]) => a - b);
        expect(rows.map(([number]) => number)).toEqual(rows.map((_, i) => i));
        expect(rows.every(([, us], i) => i === 0 || us >= rows[i - 1]![1])).toBe(true);
        expect(recorder.snapshot().count).toBe(seqs.length + trace.windows.rows);
      }),
    );
  });

  it('in a small ring: the youngest remain, the others are counted', () => {
    fc.assert(
      fc.property(steps, fc.constantFrom(1, 2, 8), (list, records) => {
        const recorder = started({ records });
        const seqs = play(recorder, list);
        const { segments, overwritten, firstSegment } = recorder.trace();
        expect([...segments.seq]).toEqual(seqs.slice(seqs.length - segments.rows));
        expect(overwritten.segments).toBe(seqs.length - segments.rows);
        expect(firstSegment).toBe(overwritten.segments);
        expect(segments.rows).toBeLessThanOrEqual(records * MAX_RUN);
      }),
    );
  });

  it('are the same in a file, with the ranges that its headers promise', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom(1, 16), async (list, records) => {
        const pieces: Uint8Array[] = [];
        const writer = new TraceWriter((bytes) => pieces.push(bytes.slice()), {
          clock: { unixEpochUs: undefined, resolutionUs: 1 },
        });
        const kinds = new Set<number>();
        const sink: RowSink = {
          rows: (kind, id, firstRow, rows, payload, packed) => {
            kinds.add(kind);
            writer.payload(kind, id, firstRow, rows, payload, packed);
            return true;
          },
        };
        const [streamed, held] = [started({ records, sink }), started()];
        play(streamed, list);
        const seqs = play(held, list);
        streamed.flush();
        writer.flow(held.trace(), streamed.totals());
        writer.end();
        const file = new Uint8Array(Buffer.concat(pieces));
        const [flow] = readTrace(file).flows;
        const expectedTrace = held.trace();
        expect(flow!.segments.rows).toBe(seqs.length);
        for (const name of Object.keys(SEGMENT_SCHEMA) as (keyof typeof SEGMENT_SCHEMA)[]) {
          // A chunk that ends within a run changes how its times are spread, no more.
          if (name !== 'timeUs' && name !== 'delayUs')
            expect([...flow!.segments[name]]).toEqual([...expectedTrace.segments[name]]);
        }
        expect(flow!.dropped).toEqual({ segments: 0, sacks: 0, windows: 0, events: 0 });
        const index = await indexTrace((offset, length) => file.slice(offset, offset + length), file.length);
        for (const chunk of index.chunks.filter(({ kind }) => kind === CHUNK_SEGMENTS)) {
          const table = readChunk(CHUNK_SEGMENTS, chunk, file.slice(chunk.offset, chunk.offset + chunk.bytes))!;
          expect([table.rows, table.timeUs[0], table.timeUs.at(-1)]).toEqual([
            chunk.rows,
            chunk.firstTimeUs,
            chunk.lastTimeUs,
          ]);
          Object.keys(SEGMENT_SCHEMA).forEach((name, column) => {
            for (const value of table[name as keyof typeof SEGMENT_SCHEMA]) {
              expect(value).toBeGreaterThanOrEqual(chunk.min[column]!);
              expect(value).toBeLessThanOrEqual(chunk.max[column]!);
            }
          });
        }
      }),
      { numRuns: 60 },
    );
  });

  it('whose number is a lie are left out, and reported', () => {
    const pieces: Uint8Array[] = [];
    const writer = new TraceWriter((bytes) => pieces.push(bytes.slice()), {
      clock: { unixEpochUs: undefined, resolutionUs: 1 },
    });
    const recorder = started({
      sink: {
        rows: (kind, id, firstRow, rows, payload, packed) => {
          writer.payload(kind, id, firstRow, rows, payload, packed);
          return true;
        },
      },
    });
    recorder.dataSent(0, 5, 0x10, 1448, 512, true, 7, 8, 60, new State().window);
    recorder.flush();
    writer.end();
    const file = new Uint8Array(Buffer.concat(pieces));
    expect(readTrace(file).flows[0]!.segments.rows).toBe(60);
    const view = new DataView(file.buffer);
    for (const [rows, problem] of [
      [59, /other segments than it says/],
      [65, /lacks columns/],
      [0xffff_ffff, /lacks columns/],
    ] as const) {
      view.setUint32(40 + CHUNK_SEGMENT_COUNT, rows, true);
      const header = file.slice(40, 40 + view.getUint32(40 + 20, true));
      view.setUint32(40 + CHUNK_HEADER_CRC, chunkHeaderCrc(header), true);
      const trace = readTrace(file);
      expect(trace.problems.join()).toMatch(problem);
      expect(trace.flows.reduce((sum, flow) => sum + flow.segments.rows, 0)).toBe(0);
    }
  });
});

it('slots lie as their schemas say', () => {
  const words: Record<number, number> = { 2: slots.SACK_WORDS, 3: slots.WINDOW_WORDS, 4: slots.EVENT_WORDS };
  Object.assign(words, { 5: slots.MACHINE_WORDS, [CHUNK_RUNS]: slots.RUN_WORDS });
  for (const [kind, count] of Object.entries(words)) {
    expect(slots.slotLayout(SCHEMAS[Number(kind) as 2]).words, kind).toBe(count);
  }
  const at = (kind: keyof typeof SCHEMAS, name: string) =>
    slots.slotLayout(SCHEMAS[kind]).fields[Object.keys(SCHEMAS[kind]).indexOf(name)]!.at;
  const { RUN_ORDER, RUN_SEQ, RUN_ACK, RUN_BYTES, RUN_WINDOW, RUN_TS_VAL, RUN_TS_ECR, RUN_DELAY } = slots;
  const names = ['order', 'seq', 'ack', 'bytes', 'window', 'tsVal', 'tsEcr', 'delayUs', 'info', 'count', 'lastTimeUs'];
  expect(names.map((name) => at(CHUNK_RUNS, name))).toEqual([
    ...[RUN_ORDER, RUN_SEQ, RUN_ACK, RUN_BYTES, RUN_WINDOW, RUN_TS_VAL, RUN_TS_ECR, RUN_DELAY],
    ...[slots.RUN_INFO, slots.RUN_COUNT, slots.RUN_LAST_TIME],
  ]);
  expect([at(3, 'order'), at(3, 'info'), at(3, 'pacingRate')]).toEqual([
    slots.WINDOW_ORDER,
    slots.WINDOW_INFO,
    slots.WINDOW_PACING_RATE,
  ]);
  expect(['order', 'kind', 'a', 'b', 'c'].map((name) => at(5, name))).toEqual([
    ...[slots.EVENT_ORDER, slots.EVENT_KIND, slots.EVENT_A, slots.EVENT_B, slots.MACHINE_C],
  ]);
});
