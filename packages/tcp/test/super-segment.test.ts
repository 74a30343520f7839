import { describe, expect, it } from 'vitest';
import { user } from '../src/index.ts';
import { Harness } from './harness.ts';

const GSO = { checksumOffload: true, gsoMaxBytes: 65_520 };
const established = (config = {}, options = 'mss 1000', o = {}) =>
  new Harness({ lossProbe: false, ...config }, { ...GSO, ...o }).connect(options);

describe('segmentation offload', () => {
  it('sends as one packet what cwnd, window and data allow, PSH on it where it ends what was written', () => {
    const t = established();
    t.write(10_000);
    t.outAll('P. 1:10001(10000) ack 1');
    const s = established();
    s.write(20_000);
    // The initial window is ten segments.
    s.outAll('. 1:10001(10000) ack 1');
    expect(s.c.segmentsInFlight).toBe(10);
    expect(s.c.segsOut).toBe(12);
  });

  it('takes the small rest along, but not where Nagle holds it', () => {
    const t = established();
    t.write(2500);
    t.outAll('P. 1:2501(2500) ack 1');
    t.write(2500);
    t.outAll('. 2501:4501(2000) ack 1');
    t.in('. 1:1(0) ack 2501');
    t.out('P. 4501:5001(500) ack 1');
  });

  it('is not used with accurate ECN: who cuts packets clears CWR in all but the first, which is part of the counter', () => {
    const t = new Harness({ ecn: 'on', accurateEcn: true, lossProbe: false }, GSO);
    t.open();
    t.takeOne('SEWA');
    t.in('S.W 0:0(0) ack 1 <mss 1000>');
    t.takeOne('.W');
    t.write(3000);
    expect(t.drain().map(({ payload }) => payload.length)).toEqual([1000, 1000, 1000]);
  });

  it('ends with the FIN', () => {
    const t = established();
    t.room = 0;
    t.write(2600);
    t.shutdown();
    t.room = 10;
    t.tcp.transmitReady();
    t.outAll('FP. 1:2601(2600) ack 1');
    expect([t.c.finSent, t.c.segmentsInFlight]).toEqual([true, 3]);
  });

  it('keeps each segment by itself: a hole is repaired by one', () => {
    const t = established({}, 'mss 1000, sackOK, nop, nop');
    t.write(10_000);
    t.drain();
    t.in('. 1:1(0) ack 1 <sack 1001:4001, nop, nop>');
    t.in('. 1:1(0) ack 1 <sack 1001:5001, nop, nop>');
    t.out('. 1:1001(1000) ack 1');
    expect(t.c.segmentsInFlight).toBe(10 - 4);
  });

  it('is not used for urgent data, whose pointer counts from one segment', () => {
    const t = established();
    t.write(1);
    t.drain();
    t.write(3000, user.WRITE_URGENT);
    for (const sent of t.drain()) expect(sent.payload.length).toBeLessThanOrEqual(1000);
  });

  it('ends where a record ends', () => {
    const t = established();
    t.room = 0;
    t.write(3500, user.WRITE_END_OF_RECORD);
    t.write(4000);
    t.room = 10;
    t.tcp.transmitReady();
    t.outAll('. 1:3001(3000) ack 1', '. 3001:3501(500) ack 1', 'P. 3501:7501(4000) ack 1');
  });

  it('waits for a device that has no room, and goes on', () => {
    const t = established();
    t.room = 0;
    t.write(5000);
    t.quiet();
    t.room = 10;
    t.tcp.transmitReady();
    t.outAll('P. 1:5001(5000) ack 1');
  });
});
