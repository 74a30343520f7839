import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FlowRecord, FlowRecorder, formatText2013, parseText2013, text2013Chunks } from '../src/index.ts';
import { NO_OPTIONS, WINDOW } from './observed.ts';

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const positive = fc.integer({ min: 0, max: 0x7fff_ffff });
const timeUs = fc.integer({ min: 0, max: 10 ** 11 });

const segment = fc.record({
  op: fc.constantFrom('TX' as const, 'RX' as const),
  kind: fc.constant('SEG' as const),
  timeUs,
  delayUs: positive,
  seq: uint32,
  ack: uint32,
  flags: fc.constant(0),
  bytes: fc.constant(0),
  window: fc.constant(0),
  retransmission: fc.constant(false),
});
const update = fc.record({
  op: fc.constant('WND' as const),
  kind: fc.constant('UPD' as const),
  timeUs,
  delayUs: fc.constant(0),
  sndNxt: uint32,
  segAck: uint32,
  sndUna: uint32,
  rcvNxt: uint32,
  backoff: positive,
  sndWnd: positive,
  rcvWnd: positive,
  cwnd: positive,
  ssthresh: positive,
  inRecovery: fc.boolean(),
  recoveryPoint: uint32,
});
/** Records as the format can carry them: a received segment has no delay, times begin at 0. */
const records = fc.array(fc.oneof(segment, update), { maxLength: 50 }).map((list) => {
  list.sort((a, b) => a.timeUs - b.timeUs);
  const startUs = list[0]?.timeUs ?? 0;
  return list.map(
    (record): FlowRecord => ({
      ...record,
      timeUs: record.timeUs - startUs,
      delayUs: record.op === 'TX' ? record.delayUs : 0,
    }),
  );
});

describe('the 2013 text format', () => {
  it('is written to the letter', () => {
    const recorder = new FlowRecorder();
    recorder.startLogging();
    recorder.segmentSent(466434749, 452893865, 0x10, 1459, 1024, 5_000_000, 3, 0, NO_OPTIONS);
    recorder.segmentReceived(452893865, 466437667, 0x10, 0, 1024, 5_000_200, 5_000_205, NO_OPTIONS);
    recorder.windowUpdated(5_000_207, {
      ...WINDOW,
      sndNxt: 466437667,
      segAck: 466437667,
      sndUna: 466434749,
      rcvNxt: 452893865,
      backoff: 0,
      sndWnd: 262140,
      rcvWnd: 262140,
      cwnd: 2,
      ssthresh: 100,
      mss: 1460,
      inRecovery: false,
      recoveryPoint: 466434749,
    });
    recorder.segmentSent(-1, -2147483648, 0x10, 1, 1024, 66_000_000, 1_500_000, 0, NO_OPTIONS);
    expect(formatText2013(recorder.getLogDumpCopy())).toBe(
      [
        'Time=0.000000, Delay=0.000003, Op=TX, Kind=SEG, details=[466434749 452893865] \n',
        'Time=0.000205, Delay=0.000000, Op=RX, Kind=SEG, details=[452893865 466437667] \n',
        'Time=0.000207, Delay=0.000000, Op=WND, Kind=UPD, ',
        'details=[466437667 466437667 466434749 452893865 0 262140 262140 2920 146000 0 466434749] \n',
        'Time=61.000000, Delay=1.500000, Op=TX, Kind=SEG, details=[4294967295 2147483648] \n',
      ].join(''),
    );
    expect(formatText2013(recorder.snapshot())).toBe(formatText2013(recorder.getLogDumpCopy()));
    expect(formatText2013([])).toBe('');
  });

  it('what was written is read back, and written again letter by letter', () => {
    fc.assert(
      fc.property(records, (list) => {
        const text = formatText2013(list);
        const read = parseText2013(text);
        expect([...read.log]).toEqual(list);
        expect(read.skippedLines).toBe(0);
        expect(formatText2013(read.log)).toBe(text);
      }),
    );
  });

  it('comes in pieces that join to the whole', () => {
    const recorder = new FlowRecorder();
    recorder.startLogging();
    for (let i = 0; i < 20_000; i++) recorder.segmentSent(i, 0, 0, 0, 0, i, 0, 0, NO_OPTIONS);
    const log = recorder.snapshot();
    const chunks = [...text2013Chunks(log)];
    expect(chunks.length).toBe(3);
    expect(chunks.join('')).toBe(formatText2013(log));
    expect(chunks.every((chunk) => chunk.endsWith('] \n'))).toBe(true);
  });

  it('skips and counts what a console puts between the records', () => {
    const good = 'Time=0.000004, Delay=0.000002, Op=TX, Kind=SEG, details=[466436208 452893865] ';
    const read = parseText2013(
      [
        'Connecting to console on VM. Press Ctrl + ] to quit.',
        'ARP: updating 192.168.8.101 -> 4e:da:e3:99:3e:89',
        good,
        `noise${good}`,
        `${good}${good}`,
        good.slice(0, 40),
        good.replace('TX', 'UP'),
        good.replace('SEG', 'ACK'),
        good.replace(' 452893865', ''),
        good.replace('466436208', '4x6'),
        good.replace('SEG', 'UPD').replace('TX', 'WND'),
        '',
        good.replace('466436208 452893865', '-1 -2147483648'),
        '---#### END OF REPORT ####---',
        ' Done.\r',
        `${good}\r`,
      ].join('\n'),
    );
    expect(read.log.count).toBe(3);
    expect(read.log.record(1)).toMatchObject({ seq: 0xffff_ffff, ack: 0x8000_0000 });
    expect(read.skippedLines).toBe(12);
  });

  it('survives noise of any kind at any place, and truncation at every byte', () => {
    fc.assert(
      fc.property(records, fc.array(fc.string({ maxLength: 60 }), { maxLength: 10 }), fc.nat(), (list, noise, seed) => {
        const lines = formatText2013(list).split('\n');
        let next = seed;
        for (const text of noise)
          lines.splice((next = (next * 31 + 7) % (lines.length + 1)), 0, text.replaceAll('\n', ''));
        const read = parseText2013(lines.join('\n'));
        expect([...read.log]).toEqual(list);
        expect(read.skippedLines).toBe(noise.filter((text) => text.trim() !== '').length);
      }),
    );
    const whole = formatText2013(
      Array.from({ length: 3 }, (_, i) => ({ ...fc.sample(update, { numRuns: 1, seed: i })[0]!, timeUs: i })),
    );
    for (let length = 0; length <= whole.length; length++) {
      const read = parseText2013(whole.slice(0, length));
      // Without its last blank and line feed a line is still whole.
      const bracket = whole.slice(0, length).split(']').length - 1;
      expect(read.log.count).toBe(bracket);
    }
  });
});
