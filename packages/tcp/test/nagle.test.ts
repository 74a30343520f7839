import { describe, expect, it } from 'vitest';
import { user } from '../src/index.ts';
import { Harness } from './harness.ts';

const established = (config = {}, options = 'mss 1000', o = {}) =>
  new Harness({ lossProbe: false, ...config }, o).connect(options);

describe("Nagle's rule (3.7.4) [SHLD-7]", () => {
  it('holds a small segment back while another is not acknowledged', () => {
    const t = established();
    t.write(10);
    t.out('P. 1:11(10) ack 1');
    t.write(10);
    t.write(10);
    t.quiet();
    t.in('. 1:1(0) ack 11');
    t.out('P. 11:31(20) ack 1');
  });

  it('does not hold back a full segment', () => {
    const t = established();
    t.write(10);
    t.drain();
    t.write(995);
    t.quiet();
    t.write(10);
    t.out('. 11:1011(1000) ack 1');
    t.quiet();
  });

  it("is Minshall's: a small segment behind full ones goes at once", () => {
    const t = established();
    t.write(2500);
    t.outAll('. 1:1001(1000) ack 1', '. 1001:2001(1000) ack 1', 'P. 2001:2501(500) ack 1');
    t.write(2500);
    // 5000 in all: two more full ones, and the rest waits for the small one in flight.
    t.outAll('. 2501:3501(1000) ack 1', '. 3501:4501(1000) ack 1');
    t.in('. 1:1(0) ack 2001');
    t.quiet();
    t.in('. 1:1(0) ack 2501');
    t.out('P. 4501:5001(500) ack 1');
  });

  it('can be turned off, before and while [MUST-17]', () => {
    const t = established({ noDelay: true });
    t.write(10);
    t.write(10);
    t.outAll('P. 1:11(10) ack 1', 'P. 11:21(10) ack 1');
    const s = established();
    s.write(10);
    s.write(10);
    s.drain();
    s.configure({ noDelay: true });
    s.out('P. 11:21(10) ack 1');
  });

  it('does not hold back a FIN', () => {
    const t = established();
    t.write(10);
    t.write(10);
    t.drain();
    t.shutdown();
    t.out('FP. 11:21(10) ack 1');
  });

  it('is not confused by a small segment of 2 GB ago', () => {
    const t = established({}, 'mss 1000');
    t.write(10);
    t.drain();
    t.in('. 1:1(0) ack 11');
    // As if more than 2^31 bytes in full segments had followed.
    t.c.smallEnd = (t.c.sndUna - 0x7fff_0000 - 0x20000) | 0;
    t.write(10);
    t.out('P. 11:21(10) ack 1');
  });
});

describe('cork', () => {
  it('holds small segments back until uncorked', () => {
    const t = established({ cork: true });
    t.write(100);
    t.write(100);
    t.quietFor(100);
    t.configure({ cork: false });
    t.out('P. 1:201(200) ack 1');
  });

  it('lets full segments pass, and the rest after an RTO', () => {
    const t = established({ cork: true });
    t.write(1500);
    t.outAll('. 1:1001(1000) ack 1');
    t.in('. 1:1(0) ack 1001');
    expect(t.next('P. 1001:1501(500) ack 1')).toBeGreaterThanOrEqual(200);
  });

  it('ends with a FIN', () => {
    const t = established({ cork: true });
    t.write(100);
    t.shutdown();
    t.out('FP. 1:101(100) ack 1');
  });
});

describe('flags of a write', () => {
  it('MORE holds a small segment back until a write without it', () => {
    const t = established();
    t.write(100, user.WRITE_MORE);
    t.write(100, user.WRITE_MORE);
    t.quiet();
    t.write(100);
    t.out('P. 1:301(300) ack 1');
  });

  it('END_OF_RECORD ends a segment, and bytes of two records never share one', () => {
    const t = established({ noDelay: true });
    t.in('. 1:1(0) ack 1 win 0');
    t.write(300, user.WRITE_END_OF_RECORD);
    t.write(1200, user.WRITE_END_OF_RECORD);
    t.write(100);
    t.in('. 1:1(0) ack 1 win 65535');
    expect(t.drain().map((s) => s.payload.length)).toEqual([300, 1000, 200, 100]);
  });
});

describe('the send buffer', () => {
  it('takes no more than it holds, and tells when a third is free', () => {
    const t = established({ sndBuf: 10_000, initialCwnd: 100 });
    expect(t.write(12_000)).toBe(10_000);
    expect(t.write(1)).toBe(0);
    t.drain();
    t.in('. 1:1(0) ack 3001');
    t.told();
    t.in('. 1:1(0) ack 4001');
    t.told('writable');
    t.in('. 1:1(0) ack 5001');
    t.told();
    expect(t.write(12_000)).toBe(5000);
  });

  it('keeps little unsent where a low-water mark is set (TCP_NOTSENT_LOWAT)', () => {
    const t = established({ sndBuf: 1 << 20, notsentLowat: 4000, initialCwnd: 4 });
    let taken = 0;
    for (let n = t.write(1000); n > 0; n = t.write(1000)) taken += n;
    expect(taken).toBeLessThanOrEqual(4000 + 4000 + 1000);
    expect(t.info().tcpi_notsent_bytes).toBeLessThanOrEqual(5000);
    t.told();
    t.drain();
    t.in('. 1:1(0) ack 4001');
    t.in('. 1:1(0) ack 8001');
    t.told('writable');
  });

  it('of any size carries a stream', () => {
    for (const sndBuf of [1, 2, 100, 536, 1000]) {
      const t = established({ sndBuf });
      let una = 1;
      for (let i = 0; i < 30; i++) {
        expect(t.write(5000)).toBe(sndBuf);
        for (const sent of t.drain()) una = Math.max(una, sent.relSeq + sent.payload.length);
        t.in(`. 1:1(0) ack ${una}`);
      }
      expect(t.info().tcpi_bytes_acked).toBe(30 * sndBuf);
    }
  });

  it('reports no memory as such', () => {
    const t = established({}, 'mss 1000', { memoryBytes: 4 << 20 });
    for (let page = t.pages.alloc(); page !== 0; page = t.pages.alloc());
    expect(t.write(100)).toBe(-2);
    expect(t.state).toBe('ESTABLISHED');
  });
});
