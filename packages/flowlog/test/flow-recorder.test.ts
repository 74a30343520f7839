import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FlowLog, type FlowRecord, FlowRecorder, MAX_RECORDS, REASON_FAST, REASON_RTO } from '../src/index.ts';
import { NO_OPTIONS, WINDOW } from './observed.ts';

function send(recorder: FlowRecorder, nowUs: number, seq = nowUs): void {
  recorder.segmentSent(seq, 7, 0x18, 1460, 512, nowUs, 3, 0, NO_OPTIONS);
}

describe('FlowRecorder', () => {
  it('records nothing until it is started, and says whether start and stop changed anything', () => {
    const recorder = new FlowRecorder();
    send(recorder, 1);
    expect(recorder.count).toBe(0);
    expect(recorder.recording).toBe(false);
    expect(recorder.stopLogging()).toBe(false);
    expect(recorder.startLogging()).toBe(true);
    expect(recorder.startLogging()).toBe(false);
    send(recorder, 2);
    expect(recorder.recording).toBe(true);
    expect(recorder.stopLogging()).toBe(true);
    send(recorder, 3);
    expect(recorder.getLogDumpCopy().map((record) => record.timeUs)).toEqual([2]);
    expect(recorder.startLogging()).toBe(true);
    send(recorder, 4);
    expect(recorder.getLogDumpCopy().map((record) => record.timeUs)).toEqual([2, 4]);
  });

  it('keeps every field of the three kinds of record', () => {
    const recorder = new FlowRecorder();
    recorder.startLogging();
    recorder.segmentSent(-2, 9, 0x19, 1448, 65535, 2 ** 40, 12, REASON_RTO, NO_OPTIONS);
    recorder.segmentReceived(9, -3, 0x10, 0, 1024, 2 ** 40 + 10, 2 ** 40 + 25, NO_OPTIONS);
    recorder.windowUpdated(2 ** 40 + 26, WINDOW);
    expect(recorder.getLogDumpCopy()).toEqual([
      {
        op: 'TX',
        kind: 'SEG',
        timeUs: 2 ** 40,
        delayUs: 12,
        seq: 0xffff_fffe,
        ack: 9,
        flags: 0x19,
        bytes: 1448,
        window: 65535,
        retransmission: true,
      },
      {
        op: 'RX',
        kind: 'SEG',
        timeUs: 2 ** 40 + 25,
        delayUs: 15,
        seq: 9,
        ack: 0xffff_fffd,
        flags: 0x10,
        bytes: 0,
        window: 1024,
        retransmission: false,
      },
      {
        op: 'WND',
        kind: 'UPD',
        timeUs: 2 ** 40 + 26,
        delayUs: 0,
        sndNxt: 0xffff_ffff,
        segAck: 2,
        sndUna: 3,
        rcvNxt: 4,
        backoff: 5,
        sndWnd: 6,
        rcvWnd: 7,
        cwnd: 8 * 1448,
        ssthresh: 0x7fff_ffff,
        inRecovery: true,
        recoveryPoint: 0xffff_fff5,
      },
    ]);
  });

  it('a slot that is used again keeps nothing of its former record', () => {
    const recorder = new FlowRecorder({ records: 1 });
    recorder.startLogging();
    recorder.segmentSent(1, 2, 0xff, 99, 98, 1, 97, REASON_FAST, NO_OPTIONS);
    recorder.segmentReceived(3, 4, 0, 0, 0, 5, 5, NO_OPTIONS);
    expect(recorder.getLogDumpCopy()).toEqual([
      {
        op: 'RX',
        kind: 'SEG',
        timeUs: 5,
        delayUs: 0,
        seq: 3,
        ack: 4,
        flags: 0,
        bytes: 0,
        window: 0,
        retransmission: false,
      },
    ]);
    recorder.windowUpdated(6, WINDOW);
    expect(recorder.getLogDumpCopy()[0]).toMatchObject({ op: 'WND', delayUs: 0 });
    expect(recorder.overwritten).toBe(2);
  });

  it('keeps the order of all that is noted, however much comes before somebody looks', () => {
    const recorder = new FlowRecorder({ records: 4096 });
    recorder.startLogging();
    for (let i = 0; i < 1500; i++) {
      send(recorder, 2 * i);
      if (i % 3 === 0) recorder.windowUpdated(2 * i + 1, { ...WINDOW, sndNxt: i });
      if (i % 5 === 0) recorder.happened(2 * i + 1, 8, i, 0);
    }
    const { segments, windows, events } = recorder.trace();
    expect([...segments.seq]).toEqual(Array.from({ length: 1500 }, (_, i) => 2 * i));
    expect([...windows.sndNxt]).toEqual(Array.from({ length: 500 }, (_, i) => 3 * i));
    // The first window tells two changes of state.
    const writes = [...events.kind.keys()].filter((row) => events.kind[row] === 8);
    expect(writes.map((row) => events.a[row])).toEqual(Array.from({ length: 300 }, (_, i) => 5 * i));
    const orders = [...segments.order, ...windows.order, ...events.order].sort((a, b) => a - b);
    expect(orders).toEqual(orders.map((_, i) => i));
  });

  it('agrees with a model: any order of records, starts, stops, cleanings and dumps', () => {
    const operation = fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom('tx', 'rx', 'wnd') },
      { weight: 1, arbitrary: fc.constantFrom('start', 'stop', 'clean') },
      { weight: 2, arbitrary: fc.constantFrom('raw', 'copy', 'snapshot') },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.array(operation, { maxLength: 200 }), (records, operations) => {
        const recorder = new FlowRecorder({ records });
        expect(recorder.capacity).toBeGreaterThanOrEqual(records);
        let model: number[] = [];
        let overwritten = 0;
        let recording = false;
        let now = 0;
        for (const what of operations) {
          now++;
          if (what === 'start') expect(recorder.startLogging()).toBe(!recording);
          if (what === 'start') recording = true;
          if (what === 'stop') expect(recorder.stopLogging()).toBe(recording);
          if (what === 'stop') recording = false;
          if (what === 'clean') {
            recorder.cleanLog();
            model = [];
            overwritten = 0;
          }
          if (what === 'tx' || what === 'rx' || what === 'wnd') {
            if (what === 'tx') send(recorder, now);
            if (what === 'rx') recorder.segmentReceived(1, 2, 3, 4, 5, now - 1, now, NO_OPTIONS);
            if (what === 'wnd') recorder.windowUpdated(now, WINDOW);
            if (recording) model.push(now);
            if (model.length > recorder.capacity) {
              model.shift();
              overwritten++;
            }
          }
          const times = (list: Iterable<FlowRecord>) => [...list].map((record) => record.timeUs);
          if (what === 'raw') expect(times(recorder.getRawLogDump())).toEqual([...model].reverse());
          if (what === 'copy') expect(times(recorder.getLogDumpCopy())).toEqual(model);
          if (what === 'snapshot') {
            const log = recorder.snapshot();
            expect(times(log)).toEqual(model);
            expect(log.overwritten).toBe(overwritten);
          }
          expect(recorder.count).toBe(model.length);
          expect(recorder.overwritten).toBe(overwritten);
          expect(recorder.recording).toBe(recording);
        }
      }),
    );
  });

  it('a dump is a copy: what is recorded later does not change it', () => {
    const recorder = new FlowRecorder({ records: 2 });
    recorder.startLogging();
    send(recorder, 1);
    const log = recorder.snapshot();
    const copy = recorder.getLogDumpCopy();
    send(recorder, 2);
    send(recorder, 3);
    recorder.cleanLog();
    expect([...log].map((record) => record.timeUs)).toEqual([1]);
    expect(copy.map((record) => record.timeUs)).toEqual([1]);
  });

  it('refuses sizes that make no ring', () => {
    for (const records of [0, -1, 1.5, Number.NaN, MAX_RECORDS + 1]) {
      expect(() => new FlowRecorder({ records })).toThrow(RangeError);
    }
  });
});

describe('FlowLog', () => {
  it('packs records into 64 bytes each and gives them back', () => {
    const recorder = new FlowRecorder();
    recorder.startLogging();
    recorder.segmentSent(-2, 9, 0x19, 1448, 65535, 5, 12, REASON_RTO, NO_OPTIONS);
    recorder.segmentReceived(9, -3, 0x10, 0, 1024, 6, 7, NO_OPTIONS);
    recorder.windowUpdated(8, WINDOW);
    const records = recorder.getLogDumpCopy();
    const log = FlowLog.from(records, 4);
    expect(log.handle.buffer.byteLength).toBe(3 * 64);
    expect([...log]).toEqual(records);
    const cloned = new FlowLog(structuredClone(log.handle));
    expect([...cloned]).toEqual(records);
    expect(cloned.overwritten).toBe(4);
  });

  it('says when a buffer is too small or an index is outside', () => {
    expect(() => new FlowLog({ buffer: new ArrayBuffer(63), count: 1, overwritten: 0 })).toThrow(RangeError);
    const log = FlowLog.from([]);
    expect(() => log.record(0)).toThrow(RangeError);
    expect([...log]).toEqual([]);
  });
});
