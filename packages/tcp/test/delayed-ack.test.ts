import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';

const established = (config = {}, options = 'mss 1000') => new Harness({ quickAcks: 0, ...config }).connect(options);
/** As `established`, with the peer's segment size known to be 1000. */
const warm = (config = {}, options = 'mss 1000') => {
  const t = established({ quickAcks: 0, ...config }, options);
  t.in('. 1:1001(1000) ack 1');
  t.in('. 1001:2001(1000) ack 1');
  t.wait(500);
  t.read();
  t.drain();
  t.told('readable', 'readable');
  return t;
};

describe('delayed acknowledgments (3.8.6.3) [SHLD-18]', () => {
  it('wait 40 ms, never 500 ms [MUST-40]', () => {
    const t = warm();
    t.in('P. 2001:2101(100) ack 1');
    t.quiet();
    expect(t.next('. 1:1(0) ack 2101')).toBe(40);
    expect(() => new Harness({ delayedAckUs: 500_000 })).toThrow(RangeError);
  });

  it('can be turned off', () => {
    const t = warm({ delayedAckUs: 0 });
    t.in('P. 2001:2002(1) ack 1');
    t.out('. 1:1(0) ack 2002');
  });

  it('end with every second full segment [SHLD-19]', () => {
    const t = warm();
    for (let at = 2001; at < 10_000; at += 2000) {
      t.in(`. ${at}:${at + 1000}(1000) ack 1`);
      t.quiet();
      t.in(`. ${at + 1000}:${at + 2000}(1000) ack 1`);
      t.out(`. 1:1(0) ack ${at + 2000}`);
      t.read();
      t.drain();
    }
  });

  it('count segments of the size that the peer really sends, not of the size it might [SHLD-19]', () => {
    const t = established({}, 'mss 1460');
    for (let at = 1; at < 5000; at += 1072) {
      t.in(`. ${at}:${at + 536}(536) ack 1`);
      t.drain();
      t.in(`. ${at + 536}:${at + 1072}(536) ack 1`);
      expect(t.drain().map((s) => s.relAck)).toEqual([at + 1072]);
    }
  });

  it('count bytes: a jumbo segment of many times the least size is acknowledged as it comes', () => {
    const t = new Harness({ quickAcks: 0 }, { mtu: 9000 }).connect('mss 8960');
    t.in('. 1:8961(8960) ack 1');
    t.drain();
    t.in('. 8961:17921(8960) ack 1');
    expect(t.drain().at(-1)!.relAck).toBe(17921);
  });

  it('one acknowledgment for a whole batch, after all of it was processed [MUST-58] [MUST-59]', () => {
    const t = warm();
    t.batch(() => {
      for (let at = 2001; at < 22_001; at += 1000) t.feed(`. ${at}:${at + 1000}(1000) ack 1`);
    });
    t.outAll('. 1:1(0) ack 22001');
  });

  it('one acknowledgment for a batch with a hole that its end fills', () => {
    const t = warm();
    t.batch(() => {
      t.feed('. 3001:4001(1000) ack 1');
      t.feed('. 4001:5001(1000) ack 1');
      t.feed('. 2001:3001(1000) ack 1');
    });
    t.outAll('. 1:1(0) ack 5001');
  });

  it('ride on data', () => {
    const t = warm();
    t.in('P. 2001:2101(100) ack 1');
    t.write(10);
    t.out('P. 1:11(10) ack 2101');
    t.quietFor(39);
  });

  it('are not delayed for what is out of order', () => {
    const t = warm();
    t.in('. 3001:4001(1000) ack 1');
    t.out('. 1:1(0) ack 2001');
    t.in('. 4001:5001(1000) ack 1');
    t.out('. 1:1(0) ack 2001');
  });

  it('are not delayed for what fills a hole, in part or whole', () => {
    const t = warm();
    t.in('. 4001:4101(100) ack 1');
    t.in('. 3001:3101(100) ack 1');
    t.drain();
    t.in('. 2001:2101(100) ack 1');
    t.out('. 1:1(0) ack 2101');
    t.in('. 2101:3001(900) ack 1');
    t.out('. 1:1(0) ack 3101');
  });

  it('are not delayed for a duplicate, or a FIN', () => {
    const t = warm();
    t.in('. 1001:2001(1000) ack 1');
    t.out('. 1:1(0) ack 2001');
    t.in('F. 2001:2001(0) ack 1');
    t.out('. 1:1(0) ack 2002');
  });

  it('are quick at the start, so that the peer leaves slow start soon', () => {
    const t = new Harness({ quickAcks: 4 }).connect('mss 1000');
    for (let i = 0; i < 4; i++) {
      t.in(`P. ${1 + i * 10}:${11 + i * 10}(10) ack 1`);
      t.out(`. 1:1(0) ack ${11 + i * 10}`);
    }
    t.in('P. 41:51(10) ack 1');
    t.quiet();
  });

  it('a window update is not delayed when the window doubles', () => {
    const t = established({ rcvBuf: 10_000 });
    for (let at = 1; at < 8000; at += 1000) t.in(`. ${at}:${at + 1000}(1000) ack 1`);
    t.wait(100);
    t.drain();
    t.read(4000);
    expect(t.takeOne('.').window).toBeGreaterThanOrEqual(5900);
    t.quiet();
  });

  it('are not left behind by a device that was full', () => {
    const t = warm();
    t.room = 0;
    t.in('. 2001:3001(1000) ack 1');
    t.in('. 3001:4001(1000) ack 1');
    t.wait(1000);
    t.quiet();
    t.room = 10;
    t.tcp.transmitReady();
    t.out('. 1:1(0) ack 4001');
    t.quietFor(1000);
  });

  it('wait for the answer of an application that answers (pingpong), even at the start', () => {
    const t = new Harness({ lossProbe: false }).connect('mss 1000');
    t.in('P. 1:11(10) ack 1');
    t.out('. 1:1(0) ack 11');
    t.write(10);
    t.out('P. 1:11(10) ack 11');
    t.in('P. 11:21(10) ack 11');
    t.quiet();
    t.write(10);
    t.out('P. 11:21(10) ack 21');
  });

  it('are quick again when the stream gets out of order', () => {
    const t = new Harness({ lossProbe: false }).connect('mss 1000');
    t.in('P. 1:11(10) ack 1');
    t.write(10);
    t.drain();
    t.in('P. 21:31(10) ack 11');
    t.takeOne('.');
    t.in('P. 11:21(10) ack 11');
    t.takeOne('.');
    t.in('P. 1:11(10) ack 11');
    t.takeOne('.');
    t.in('P. 31:41(10) ack 11');
    t.takeOne('.');
  });
});
