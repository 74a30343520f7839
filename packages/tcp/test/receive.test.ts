import { describe, expect, it } from 'vitest';
import { Harness, pattern } from './harness.ts';

const established = (o = {}, config = {}) => new Harness({ quickAcks: 0, ...config }, o).connect('mss 1000');

describe('segment text (3.10.7.4, seventh)', () => {
  it('that straddles the left edge of the window is trimmed', () => {
    const t = established();
    t.in('P. 1:101(100) ack 1');
    t.in('P. 51:151(100) ack 1', { data: pattern(50, 100) });
    expect(t.read()).toBe(150);
  });

  it('that straddles the right edge is trimmed, and an ACK says so at once', () => {
    const t = established({}, { rcvBuf: 8192 });
    const window = t.c.rcvWnd;
    t.in(`. 1:${window - 99}(${window - 100}) ack 1`);
    t.drain();
    t.in(`P. ${window - 99}:${window + 201}(300) ack 1`);
    expect(t.takeOne('.').relAck).toBe(window + 1);
    expect(t.read()).toBe(window);
  });

  it('that is old and new at once, over what was kept out of order, is stitched together', () => {
    const t = established();
    t.in('. 301:401(100) ack 1');
    t.in('. 201:251(50) ack 1');
    t.in('. 1:201(200) ack 1');
    t.in('. 101:501(400) ack 1');
    expect(t.read()).toBe(500);
  });

  it('out of order is kept, acknowledged at once, and read when the hole is filled [SHLD-31] [MAY-13]', () => {
    const t = established();
    t.in('P. 1001:2001(1000) ack 1');
    t.out('. 1:1(0) ack 1');
    t.told();
    t.in('P. 1:1001(1000) ack 1');
    t.out('. 1:1(0) ack 2001');
    t.told('readable');
    expect(t.read()).toBe(2000);
  });

  it('that lay under another copy is read as it came first or last, but never torn', () => {
    const t = established();
    t.in('P. 11:21(10) ack 1');
    t.in('P. 1:31(30) ack 1');
    expect(t.read()).toBe(30);
  });

  it('may fill the whole buffer out of order', () => {
    const t = established({}, { rcvBuf: 65536 });
    const window = t.c.rcvWnd;
    for (let at = 1001; at < 1 + window; at += 1000) {
      const bytes = Math.min(1000, 1 + window - at);
      t.in(`. ${at}:${at + bytes}(${bytes}) ack 1`);
    }
    t.in('. 1:1001(1000) ack 1');
    expect(t.read()).toBe(window);
  });

  it('in more pieces than are kept is dropped, and comes again: a flood of holes costs bounded memory', () => {
    const t = established();
    for (let i = 0; i < 1000; i++) t.in(`. ${11 + 20 * i}:${21 + 20 * i}(10) ack 1`);
    expect(t.c.rcv.rangeCount).toBeLessThanOrEqual(128);
    expect(t.stats.TCPOFODrop).toBeGreaterThan(0);
    for (let i = 0; i < 20; i++) t.in(`. ${1 + 1000 * i}:${1001 + 1000 * i}(1000) ack 1`);
    expect(t.read()).toBe(20_000);
    expect(t.c.rcv.rangeCount).toBe(0);
  });

  it('crosses 2^32 in order, out of order and trimmed', () => {
    const t = established({ peerIss: 0xffffff00 | 0 });
    t.in('P. 1:201(200) ack 1');
    t.in('P. 401:501(100) ack 1');
    t.in('P. 151:451(300) ack 1');
    expect(t.read()).toBe(500);
    t.in('FP. 501:600(99) ack 1');
    expect(t.read()).toBe(99);
    expect(t.state).toBe('CLOSE-WAIT');
  });

  it('of zero bytes is nothing', () => {
    const t = established();
    t.in('P. 1:1(0) ack 1');
    t.quiet();
    t.told();
  });

  it('is copied out of packets with fragments, wherever the trim falls', () => {
    const t = established();
    t.in('P. 1:101(100) ack 1', { fragments: [60, 30, 30] });
    t.in('P. 61:261(200) ack 1', { fragments: [30, 20, 100, 70] });
    t.in('P. 301:401(100) ack 1', { fragments: [20, 1, 99] });
    t.in('P. 201:321(120) ack 1', { fragments: [20, 61, 59] });
    expect(t.read()).toBe(400);
  });

  it('is dropped when there is no memory for the buffer, and taken when there is', () => {
    const t = established({ memoryBytes: 4 << 20 });
    const taken: number[] = [];
    for (let page = t.pages.alloc(); page !== 0; page = t.pages.alloc()) taken.push(page);
    t.in('P. 1:101(100) ack 1');
    t.told();
    expect(t.stats.TCPRcvQDrop).toBe(1);
    for (const page of taken) t.pages.free(page, 1);
    t.in('P. 1:101(100) ack 1');
    expect(t.read()).toBe(100);
  });
});

describe('FIN (eighth)', () => {
  it('comes after the data of its segment', () => {
    const t = established();
    t.in('FP. 1:101(100) ack 1');
    t.told('readable', 'end');
    t.out('. 1:1(0) ack 102');
  });

  it('out of order waits for the hole', () => {
    const t = established();
    t.in('F. 101:101(0) ack 1');
    t.told();
    expect(t.state).toBe('ESTABLISHED');
    t.drain();
    t.in('P. 1:101(100) ack 1');
    t.told('readable', 'end');
    t.out('. 1:1(0) ack 102');
    expect(t.state).toBe('CLOSE-WAIT');
  });

  it('out of order with data waits too', () => {
    const t = established();
    t.in('FP. 101:201(100) ack 1');
    t.drain();
    t.told();
    t.in('P. 1:101(100) ack 1');
    t.told('readable', 'end');
    t.out('. 1:1(0) ack 202');
  });

  it('beyond the right edge is ignored, and honoured when it comes again within', () => {
    const t = established({}, { rcvBuf: 8192 });
    const window = t.c.rcvWnd;
    t.in(`FP. 1:${window + 101}(${window + 100}) ack 1`);
    t.told('readable');
    expect(t.state).toBe('ESTABLISHED');
    expect(t.read()).toBe(window);
    t.drain();
    // It was not remembered either: data up to where it stood ends nothing.
    t.in(`P. ${window + 1}:${window + 101}(100) ack 1`);
    t.told('readable');
    expect(t.state).toBe('ESTABLISHED');
    t.drain();
    t.in(`FP. ${window + 1}:${window + 101}(100) ack 1`);
    t.told('end');
    expect(t.state).toBe('CLOSE-WAIT');
  });

  it('retransmitted with more data before it counts where it stands now, as long as it was not taken', () => {
    const t = established();
    // A FIN after a hole at 201 that never was: the sender went on at 301.
    t.in('F. 201:201(0) ack 1');
    t.in('FP. 1:301(300) ack 1');
    expect(t.read()).toBe(300);
    expect(t.state).toBe('CLOSE-WAIT');
    expect(t.drain().at(-1)!.relAck).toBe(302);
  });

  it('that comes again in CLOSE-WAIT is acknowledged again, with or without data', () => {
    const t = established();
    t.in('FP. 1:101(100) ack 1');
    t.drain();
    t.told('readable', 'end');
    t.in('FP. 1:101(100) ack 1');
    t.out('. 1:1(0) ack 102');
    t.in('F. 101:101(0) ack 1');
    t.out('. 1:1(0) ack 102');
    t.told();
    expect(t.read()).toBe(100);
  });

  it('retransmitted over part of the data that was taken is taken once', () => {
    const t = established();
    t.in('P. 1:101(100) ack 1');
    t.in('FP. 51:151(100) ack 1');
    expect(t.read()).toBe(150);
    expect(t.state).toBe('CLOSE-WAIT');
  });

  it('data after it is no data', () => {
    const t = established();
    t.in('FP. 1:101(100) ack 1');
    t.told('readable', 'end');
    t.drain();
    t.in('P. 102:202(100) ack 1');
    t.told();
    expect(t.read()).toBe(100);
    expect(t.read()).toBe(0);
    expect(t.state).toBe('CLOSE-WAIT');
  });

  it('fits a window that the data has filled', () => {
    const t = established({}, { rcvBuf: 8192 });
    const window = t.c.rcvWnd;
    t.in(`FP. 1:${window + 1}(${window}) ack 1`);
    t.told('readable', 'end');
    expect(t.drain().at(-1)!.relAck).toBe(window + 2);
    expect(t.read()).toBe(window);
  });
});

describe('PSH', () => {
  it('is set on the last segment of what was written, only there [MUST-61] [SHLD-27] [MUST-60]', () => {
    const t = established();
    t.write(2500);
    t.out('. 1:1001(1000) ack 1', '. 1001:2001(1000) ack 1', 'P. 2001:2501(500) ack 1');
  });

  it('makes no difference to a reader, who gets data as it comes', () => {
    const t = established();
    t.in('. 1:101(100) ack 1');
    t.told('readable');
  });
});
