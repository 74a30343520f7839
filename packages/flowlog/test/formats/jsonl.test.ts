import { describe, expect, it } from 'vitest';
import { flowDescriptor, flowTrace, type SegmentTable, SegmentTableBuilder, type Trace } from '../../src/index.ts';
import { sampleTrace } from '../sample-trace.ts';
import { seededRandom } from '../seeded-random.ts';
import { read, write, writeText } from './pieces.ts';

describe('JSON lines', () => {
  it('lose nothing', () => {
    for (const seed of [1, 2, 3]) {
      const trace = sampleTrace(seed, 500);
      expect(read('jsonl', write('jsonl', trace))).toEqual(trace);
    }
  });

  it('are objects that anybody can parse, rows in the order of time', () => {
    const lines = writeText('jsonl', sampleTrace(4, 200)).trimEnd().split('\n');
    const objects = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(objects[0]).toMatchObject({ type: 'trace', version: 1 });
    const times = objects.filter((each) => each['timeUs'] !== undefined).map((each) => each['timeUs'] as number);
    expect(times.length).toBeGreaterThan(500);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('are read however they are spaced and ordered', () => {
    const trace = sampleTrace(5, 100);
    const lines = writeText('jsonl', trace).trimEnd().split('\n');
    const other = lines.map((line) => {
      const entries = Object.entries(JSON.parse(line) as object).reverse();
      return `  ${JSON.stringify(Object.fromEntries(entries), undefined, 1).replaceAll('\n', ' ')}\r\n\r\n`;
    });
    expect(read('jsonl', other.join(''))).toEqual(trace);
  });

  it('keep what the readable fields do not say: unknown bits, stamps of 0, blocks without a segment', () => {
    const base = sampleTrace(6, 50);
    const flow = base.flows[0]!;
    flow.segments.info[3] = (flow.segments.info[3]! | 0x8000_0004) >>> 0;
    flow.segments.info[5] = (flow.segments.info[5]! ^ 2) >>> 0;
    flow.sacks.segment[flow.sacks.rows - 1] = flow.firstSegment + 1_000_000;
    expect(read('jsonl', write('jsonl', base))).toEqual(base);
  });

  it('keep any double', () => {
    const segments = new SegmentTableBuilder();
    const times = [0, 0.001, 1e-9, 1 / 3, 1e15 / 7, 123_456_789.123, 2 ** 52 + 1, 2 ** 53, 1e300];
    for (const [i, time] of times.entries()) segments.push(time, i, 0, 0, 0, 0, 0, 0, 0, 0);
    segments.push(-1.5, 99, 0, 0, 0, 0, 0, 0, 0, 0);
    const flow = flowTrace(flowDescriptor({ id: 1, source: 0 }), { segments: segments.finish() });
    const trace: Trace = {
      sources: [],
      flows: [flow],
      clock: { unixEpochUs: undefined, resolutionUs: 1 },
      problems: [],
    };
    const back: SegmentTable = read('jsonl', write('jsonl', trace)).flows[0]!.segments;
    expect([...back.timeUs]).toEqual([...times, -1.5]);
  });

  it('of a later version are refused in one sentence', () => {
    expect(read('jsonl', '{"type":"trace","version":2}\n').problems).toEqual([
      'JSON lines of version 2: this reader knows version 1',
    ]);
  });

  it('that were cut at any byte give all that was whole', () => {
    const text = write('jsonl', sampleTrace(7, 4));
    const lines = new TextDecoder().decode(text).split('\n');
    let end = 0;
    let rows = 0;
    for (const line of lines) {
      const start = end;
      end += new TextEncoder().encode(line).length;
      const isRow = /"type":"(segment|window|event|machine)"/.test(line);
      for (let length = start + 1; length <= Math.min(end + 1, text.length); length++) {
        const trace = read('jsonl', text.subarray(0, length));
        const isWhole = length >= end;
        const found = rowsOf(trace);
        const torn = trace.problems.includes(`line ${lines.indexOf(line) + 1} could not be read`);
        if (found !== rows + (isRow && isWhole ? 1 : 0) || torn === isWhole) {
          expect([length, line, found, trace.problems]).toEqual([]);
        }
      }
      if (isRow) rows++;
      end++;
    }
    expect(rows).toBeGreaterThan(8);
  });

  it('that were damaged never throw, and give all lines that were not', () => {
    const random = seededRandom(8);
    const text = write('jsonl', sampleTrace(8, 40));
    const rows = rowsOf(read('jsonl', text));
    for (let run = 0; run < 300; run++) {
      const damaged = text.slice();
      const hits = 1 + random(8);
      for (let i = 0; i < hits; i++) damaged[random(text.length)] = random(256);
      const trace = read('jsonl', damaged);
      expect(rowsOf(trace)).toBeGreaterThanOrEqual(rows - 2 * hits);
      expect(rowsOf(trace)).toBeLessThanOrEqual(rows);
    }
  });
});

function rowsOf(trace: Trace): number {
  const flows = trace.flows.map(({ segments, windows, events }) => segments.rows + windows.rows + events.rows);
  const machines = trace.sources.map(({ machine }) => machine.rows);
  return [...flows, ...machines].reduce((sum, rows) => sum + rows, 0);
}
