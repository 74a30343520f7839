import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { backoff, isInRecovery, isReceived, parseText2013, type Trace } from '../../src/index.ts';
import { sampleTrace } from '../sample-trace.ts';
import { seededRandom } from '../seeded-random.ts';
import { read, write, writeText } from './pieces.ts';

/** As it came from a console: a banner before it, noise in it, a torn line at its end. */
const GOLDEN = readFileSync(new URL('golden-2013.log', import.meta.url), 'utf8');

describe('a trace and the 2013 text format', () => {
  it('a log as the console of 2013 gave it is read', () => {
    const trace = read('2013', GOLDEN);
    expect(trace.problems).toEqual(['4 lines are no records and were skipped']);
    const [flow] = trace.flows;
    const { segments, windows } = flow!;
    expect([segments.rows, windows.rows]).toEqual([6, 3]);
    expect([...segments.timeUs]).toEqual([0, 4, 7, 205, 1_200_341, 1_200_360]);
    expect([...segments.delayUs]).toEqual([3, 2, 2, 0, 0, 19]);
    expect([...segments.info].map(isReceived)).toEqual([false, false, false, true, true, false]);
    expect([segments.seq[0]! >>> 0, segments.ack[0]! >>> 0]).toEqual([466434749, 452893865]);
    // Written as a negative number, as OCaml of 32 bits may have.
    expect(segments.seq[5]! >>> 0).toBe(4294967295);
    expect([...windows.cwnd]).toEqual([2920, 4380, 1460]);
    expect([...windows.ssthresh]).toEqual([146_000, 146_000, 2920]);
    expect([...windows.pipe]).toEqual([...windows.sndNxt].map((next, row) => next - windows.sndUna[row]!));
    expect([...windows.info].map(backoff)).toEqual([0, 0, 1]);
    expect([...windows.info].map(isInRecovery)).toEqual([false, false, true]);
    expect(windows.recoveryPoint[2]! >>> 0).toBe(466_437_667);
    // Records of one instant keep the order of the file.
    expect([windows.timeUs[0], windows.order[0], segments.order[3]]).toEqual([207, 4, 3]);
  });

  it('is written letter by letter as it was read', () => {
    const records = GOLDEN.split('\n').filter((line) => /^Time=.*\] $/.test(line) && !line.includes('TimTime'));
    const clean = records.join('\n').replace('[-1 ', '[4294967295 ');
    expect(writeText('2013', read('2013', GOLDEN))).toBe(`${clean}\n`);
  });

  it('is the same as what the flow log of 2013 wrote of the same records', () => {
    const text = writeText('2013', sampleTrace(1, 300));
    expect(parseText2013(text).log.count).toBe(400);
    expect(writeText('2013', read('2013', text))).toBe(text);
    const flow = sampleTrace(1, 300).flows[0]!;
    const back = read('2013', text).flows[0]!;
    expect(back.segments.seq).toEqual(flow.segments.seq.slice(0, 300));
    const { sndNxt, sndUna } = back.windows;
    expect([...back.windows.pipe]).toEqual([...sndNxt].map((next, row) => Math.max(0, (next - sndUna[row]!) | 0)));
    expect(back.windows.sndWnd).toEqual(flow.windows.sndWnd.slice(0, 100));
  });

  it('holds the flow that was chosen, else the one with most rows', () => {
    const trace = sampleTrace(2, 30);
    expect(writeText('2013', trace).split('\n').length).toBe(41);
    expect(writeText('2013', trace, { flows: [8] }).split('\n').length).toBe(21);
    expect(writeText('2013', { ...trace, flows: [] })).toBe('');
  });

  it('cut at any byte gives all records that were whole', () => {
    const text = write('2013', sampleTrace(3, 6));
    const string = new TextDecoder().decode(text);
    for (let length = 0; length <= text.length; length++) {
      const trace = read('2013', text.subarray(0, length));
      const whole = string.slice(0, length).split(']').length - 1;
      if (rowsOf(trace) !== whole) expect([length, rowsOf(trace)]).toEqual([length, whole]);
      if (whole === 0 && length > 0) expect(trace.problems).toHaveLength(1);
    }
  });

  it('damaged anywhere gives all lines that were not', () => {
    const random = seededRandom(4);
    const text = write('2013', sampleTrace(4, 60));
    for (let run = 0; run < 300; run++) {
      const damaged = text.slice();
      const hits = 1 + random(8);
      for (let i = 0; i < hits; i++) damaged[random(text.length)] = random(256);
      expect(rowsOf(read('2013', damaged))).toBeGreaterThanOrEqual(80 - 2 * hits);
      for (let i = 0; i < 500; i++) damaged[random(text.length)] = random(256);
      read('2013', damaged);
    }
  });
});

function rowsOf(trace: Trace): number {
  return trace.flows.reduce((sum, { segments, windows }) => sum + segments.rows + windows.rows, 0);
}
