import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';

describe("the peer's window", () => {
  const sending = (win = 4000, config = {}) => {
    const t = new Harness({ lossProbe: false, ...config }).connect('mss 1000', { win });
    return t;
  };

  it('bounds what is sent', () => {
    const t = sending(4000);
    t.write(10_000);
    t.outAll('. 1:1001(1000) ack 1', '. 1001:2001(1000) ack 1', '. 2001:3001(1000) ack 1', '. 3001:4001(1000) ack 1');
    t.in('. 1:1(0) ack 1001 win 4000');
    t.outAll('. 4001:5001(1000) ack 1');
  });

  it('is not set back by an older segment that comes late (SND.WL1) [MUST-34]', () => {
    const t = sending(4000);
    t.in('P. 1:11(10) ack 1 win 9000');
    t.in('. 1:1(0) ack 1 win 100');
    expect(t.info().tcpi_snd_wnd).toBe(9000);
  });

  it('is not set back by an older acknowledgment (SND.WL2)', () => {
    const t = sending(4000);
    t.write(2000);
    t.drain();
    t.in('. 1:1(0) ack 2001 win 8000');
    t.in('. 1:1(0) ack 1001 win 500');
    expect(t.info().tcpi_snd_wnd).toBe(8000);
    t.in('. 1:1(0) ack 2001 win 6000');
    expect(t.info().tcpi_snd_wnd).toBe(6000);
  });

  it('is taken from a segment that carries data, and while SACK is in use', () => {
    const t = new Harness({ lossProbe: false }).connect('mss 1000,sackOK', { win: 4000 });
    t.write(3000);
    t.drain();
    t.in('. 1:1(0) ack 1 win 7000 <nop,nop,sack 1001:2001>');
    expect(t.info().tcpi_snd_wnd).toBe(7000);
    t.in('P. 1:11(10) ack 1 win 7500 <nop,nop,sack 1001:3001>');
    expect(t.info().tcpi_snd_wnd).toBe(7500);
  });

  it('that shrinks below SND.NXT stops new data, not the connection [MUST-34] [SHLD-15] [SHLD-16] [SHLD-17]', () => {
    const t = sending(8000);
    t.write(20_000);
    expect(t.drain().length).toBe(8);
    t.in('. 1:1(0) ack 1001 win 2000');
    t.quiet();
    // What lies within the shrunken window is sent again as ever.
    expect(t.next('. 1001:2001(1000) ack 1')).toBeGreaterThan(100);
    t.in('. 1:1(0) ack 2001 win 2000');
    t.in('. 1:1(0) ack 4001 win 2000');
    t.in('. 1:1(0) ack 6001 win 2000');
    t.drain();
    t.in('. 1:1(0) ack 8001 win 2000');
    t.in('. 1:1(0) ack 8001 win 8000');
    expect(t.drain().length).toBeGreaterThan(0);
    t.told();
  });

  it('that shrinks to zero with data in flight: what is not acknowledged is tried again, for ever while answered [MUST-34]', () => {
    const t = sending(4000, { retries2: 3 });
    t.write(4000);
    t.drain();
    for (let i = 0; i < 10; i++) {
      t.in('. 1:1(0) ack 1 win 0');
      expect(t.next('. 1:1001(1000) ack 1')).toBeGreaterThan(0);
    }
    t.told();
    t.in('. 1:1(0) ack 1 win 4000');
    t.wait(200_000);
    expect(t.state).toBe('ESTABLISHED');
    expect(t.drain().length).toBeGreaterThan(0);
  });

  it('retransmits at most what the window holds, besides the first segment [MAY-7]', () => {
    const t = new Harness({ lossProbe: false, rack: false }).connect('mss 1000,sackOK', { win: 8000 });
    t.write(8000);
    t.drain();
    t.in('. 1:1(0) ack 1 win 2000 <nop,nop,sack 4001:8001>');
    t.wait(10_000);
    expect(new Set(t.drain().map((s) => s.relSeq))).toEqual(new Set([1, 1001]));
  });

  it('of 65535 << 14 is used as it is [MUST-1]', () => {
    const t = new Harness({ initialCwnd: 1000, sndBuf: 4 << 20, lossProbe: false }, { memoryBytes: 32 << 20 });
    t.connect('mss 1460,nop,wscale 14', { win: 65535 });
    t.in('. 1:1(0) ack 1 win 65535');
    t.write(1 << 20);
    expect(t.drain().length).toBe(Math.ceil((1 << 20) / 1460));
  });
});

describe('silly window avoidance, sender (3.8.6.2.1) [MUST-38]', () => {
  it('does not fill a window that opens by tiny steps', () => {
    const t = new Harness({ noDelay: true, lossProbe: false }).connect('mss 1000', { win: 4000 });
    t.write(4000);
    t.drain();
    t.write(4000);
    t.in('. 1:1(0) ack 4001 win 0');
    for (let win = 100; win < 1000; win += 100) {
      t.in(`. 1:1(0) ack 4001 win ${win}`);
      t.quiet();
    }
    t.in('. 1:1(0) ack 4001 win 1000');
    t.out('. 4001:5001(1000) ack 1');
  });

  it('sends a part that is half of the largest window there ever was', () => {
    const t = new Harness({ noDelay: true, lossProbe: false }).connect('mss 1000', { win: 600 });
    expect(t.info().tcpi_snd_mss).toBe(300);
    t.write(600);
    t.drain();
    t.write(600);
    t.in('. 1:1(0) ack 601 win 200');
    t.quiet();
    t.in('. 1:1(0) ack 601 win 300');
    t.out('. 601:901(300) ack 1');
  });

  it('is overridden in time: a small window is filled after an RTO', () => {
    const t = new Harness({ noDelay: true, lossProbe: false }).connect('mss 1000', { win: 4000 });
    t.write(4000);
    t.drain();
    t.write(4000);
    t.in('. 1:1(0) ack 4001 win 300');
    expect(t.next('P. 4001:4301(300) ack 1')).toBeLessThanOrEqual(1000);
    t.in('. 1:1(0) ack 4301 win 5000');
    t.out('. 4301:5301(1000) ack 1');
  });

  it('sends full segments where it can, whatever the writes were [SHLD-28] [MAY-16]', () => {
    const t = new Harness({ lossProbe: false }).connect('mss 1000', { win: 2000 });
    t.write(2000);
    t.drain();
    for (let i = 0; i < 25; i++) t.write(100);
    t.quiet();
    t.in('. 1:1(0) ack 2001 win 65535');
    t.outAll('. 2001:3001(1000) ack 1', '. 3001:4001(1000) ack 1', 'P. 4001:4501(500) ack 1');
    for (let i = 0; i < 5; i++) t.write(100);
    t.quiet();
    t.in('. 1:1(0) ack 4501 win 65535');
    t.outAll('P. 4501:5001(500) ack 1');
  });
});

describe('our window', () => {
  const receiving = (config = {}, o = {}) =>
    new Harness({ rcvBuf: 8192, quickAcks: 0, ...config }, o).connect('mss 1000');

  it('closes as the buffer fills, and is zero when it is full', () => {
    const t = receiving();
    const full = t.c.rcvWnd;
    t.in(`. 1:${full - 99}(${full - 100}) ack 1`);
    expect(t.drain().at(-1)!.window).toBe(100);
    t.in(`. ${full - 99}:${full + 1}(100) ack 1`);
    t.wait(100);
    expect(t.drain().at(-1)!.window).toBe(0);
    expect(t.read()).toBe(full);
    expect(t.takeOne('.').window).toBe(full);
  });

  it('never closes while the application reads', () => {
    const t = receiving();
    t.readAll = true;
    for (let i = 0; i < 100; i++) {
      t.in(`P. ${1 + i * 1000}:${1001 + i * 1000}(1000) ack 1`);
      for (const sent of t.drain()) expect(sent.window).toBeGreaterThanOrEqual(4000);
    }
  });

  it('never shrinks: its right edge stays or moves right [SHLD-14]', () => {
    const t = receiving({ rcvBuf: 100_000, quickAcks: 1000 }, { memoryBytes: 16 << 20 });
    let edge = 0;
    let at = 1;
    for (let i = 0; i < 300; i++) {
      const bytes = 1 + ((i * 397) % 1400);
      if (t.c.rcvWnd >= bytes) {
        t.in(`P. ${at}:${at + bytes}(${bytes}) ack 1`);
        at += bytes;
      }
      if (i % 7 === 0) t.read((i * 53) % 9000);
      for (const sent of t.drain()) {
        const right = sent.relAck + (sent.window << t.info().tcpi_rcv_wscale);
        expect(right).toBeGreaterThanOrEqual(edge);
        edge = right;
      }
    }
  });

  it('with a scale shrinks by rounding only, by less than one unit (RFC 7323 2.4), and what was offered is accepted', () => {
    const t = new Harness({ rcvBuf: 1 << 20, quickAcks: 1000 }, { memoryBytes: 16 << 20 });
    t.connect('mss 1000,nop,wscale 0');
    let edge = 0;
    let at = 1;
    for (let i = 0; i < 500; i++) {
      const bytes = 1 + ((i * 7) % 31);
      t.in(`P. ${at}:${at + bytes}(${bytes}) ack 1`);
      at += bytes;
      const { relAck, window } = t.drain().at(-1)!;
      const unit = 2 ** t.info().tcpi_rcv_wscale;
      const right = relAck + window * unit;
      expect(right).toBeGreaterThan(edge - unit);
      edge = Math.max(edge, right);
    }
    t.in(`P. ${edge - 10}:${edge}(10) ack 1`);
    expect(t.takeOne('.').options).toEqual([]);
    expect(t.c.rcv.rangeCount).toBe(1);
  });

  it('does not open by less than a segment or half of the buffer (3.8.6.2.2) [MUST-39]', () => {
    const t = receiving();
    const full = t.c.rcvWnd;
    for (let at = 1; at < full; at += 1000) {
      const bytes = Math.min(1000, full + 1 - at);
      t.in(`. ${at}:${at + bytes}(${bytes}) ack 1`);
    }
    t.wait(100);
    t.drain();
    // An application that reads byte by byte.
    let read = 0;
    while (t.queue.length === 0) read += t.read(1);
    expect(read).toBeGreaterThanOrEqual(536);
    expect(t.takeOne('.').window).toBe(read);
    // Small segments do not make the window grow either.
    t.read(10);
    t.in(`P. ${full + 1}:${full + 11}(10) ack 1`);
    t.wait(100);
    expect(t.takeOne('.').window).toBe(read - 10);
  });

  it('that was zero is told at once when it opens [MAY-8]', () => {
    const t = receiving();
    const full = t.c.rcvWnd;
    t.in(`. 1:${full + 1}(${full}) ack 1`);
    t.wait(100_000);
    t.drain();
    t.read();
    expect(t.takeOne('.')).toMatchObject({ window: full, relAck: full + 1 });
    t.quiet();
  });

  it('answers a probe of a zero window, with or without a byte', () => {
    const t = receiving();
    const full = t.c.rcvWnd;
    t.in(`. 1:${full + 1}(${full}) ack 1`);
    t.wait(100);
    t.drain();
    t.in(`. ${full}:${full}(0) ack 1`);
    expect(t.takeOne('.')).toMatchObject({ window: 0, relAck: full + 1 });
    t.wait(500);
    t.in(`P. ${full + 1}:${full + 2}(1) ack 1`);
    expect(t.takeOne('.')).toMatchObject({ window: 0, relAck: full + 1 });
  });

  it('with a tiny buffer still carries a stream', () => {
    for (const rcvBuf of [1, 2, 100, 128, 536]) {
      const t = receiving({ rcvBuf });
      let at = 1;
      for (let i = 0; i < 50; i++) {
        const bytes = t.c.rcvWnd;
        expect(bytes).toBeGreaterThan(0);
        t.in(`P. ${at}:${at + bytes}(${bytes}) ack 1`);
        at += bytes;
        expect(t.read()).toBe(bytes);
      }
    }
  });

  it('of a large buffer grows with what comes, up to the buffer', () => {
    const t = new Harness({ rcvBuf: 1 << 20 }, { memoryBytes: 16 << 20 }).connect('mss 1460,nop,wscale 7');
    t.readAll = true;
    let at = 1;
    for (let i = 0; i < 2000; i++) {
      t.in(`. ${at}:${at + 1460}(1460) ack 1`);
      at += 1460;
    }
    const { window } = t.drain().at(-1)!;
    expect(window << t.info().tcpi_rcv_wscale).toBeGreaterThan(0.9 * (1 << 20));
  });
});
