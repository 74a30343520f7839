import { describe, expect, it } from 'vitest';
import { user } from '../src/index.ts';
import { Harness } from './harness.ts';

const established = (config = {}, options = 'mss 1000') =>
  new Harness({ lossProbe: false, quickAcks: 0, ...config }).connect(options);
const URGENT = user.WRITE_URGENT;

describe('urgent data, sender (3.8.5) [MUST-30]', () => {
  it('is announced by URG and a pointer to the byte after it [MUST-62]', () => {
    const t = established();
    t.write(10, URGENT);
    t.out('P.U 1:11(10) ack 1 urg 10');
  });

  it('of any length, over several segments, each with its pointer [MUST-31]', () => {
    const t = established();
    t.write(2500, URGENT);
    t.outAll('.U 1:1001(1000) ack 1 urg 2500', '.U 1001:2001(1000) ack 1 urg 1500', 'P.U 2001:2501(500) ack 1 urg 500');
    t.in('. 1:1(0) ack 2501');
    t.write(10);
    t.out('P. 2501:2511(10) ack 1 urg 0');
  });

  it('behind data that is not is announced ahead', () => {
    const t = established({ noDelay: true, initialCwnd: 1 });
    t.write(1500);
    t.out('. 1:1001(1000) ack 1 urg 0');
    t.write(5, URGENT);
    t.in('. 1:1(0) ack 1001');
    t.out('P.U 1001:1506(505) ack 1 urg 505');
  });

  it('is announced again when it is retransmitted', () => {
    const t = established();
    t.write(10, URGENT);
    t.drain();
    t.next('P.U 1:11(10) ack 1 urg 10');
  });

  it('further ahead than the field can say is announced as far as it goes', () => {
    const t = established({ sndBuf: 200_000, initialCwnd: 10 });
    t.write(150_000, URGENT);
    const sent = t.drain();
    expect(sent[0]!.urgent).toBe(0xffff);
    for (const s of sent) expect(s.flags & 0x20).toBe(0x20);
  });

  it('is not announced any more 2 GB later', () => {
    const t = established();
    t.write(10, URGENT);
    t.drain();
    t.in('. 1:1(0) ack 11');
    t.write(10);
    t.out('P. 11:21(10) ack 1 urg 0');
    expect(t.c.urgentSending).toBe(false);
  });

  it('is announced while the window is closed, by the probe', () => {
    const t = established();
    t.in('. 1:1(0) ack 1 win 0');
    t.write(10, URGENT);
    t.next('.U 0:0(0) ack 1 urg 11');
  });
});

describe('urgent data, receiver (3.8.5)', () => {
  it('is told to the application as it is announced, and stays in the stream (RFC 6093) [MUST-32] [MUST-33]', () => {
    const t = established();
    t.in('P.U 1:11(10) ack 1 urg 10');
    t.told('urgent', 'readable');
    expect(user.urgentBytes(t.c)).toBe(10);
    expect(t.read(4)).toBe(4);
    expect(user.urgentBytes(t.c)).toBe(6);
    expect(t.read()).toBe(6);
    expect(user.urgentBytes(t.c)).toBe(0);
  });

  it('is told before it is here [MUST-32]', () => {
    const t = established();
    t.in('.U 1:1(0) ack 1 urg 500');
    t.told('urgent');
    expect(user.urgentBytes(t.c)).toBe(500);
  });

  it('is told once, and again when there is more', () => {
    const t = established();
    t.in('.U 1:101(100) ack 1 urg 300');
    t.in('.U 101:201(100) ack 1 urg 200');
    t.told('urgent', 'readable', 'readable');
    t.in('.U 201:301(100) ack 1 urg 200');
    t.told('urgent', 'readable');
    expect(user.urgentBytes(t.c)).toBe(400);
  });

  it('that was read already is not told again', () => {
    const t = established();
    t.in('P.U 1:11(10) ack 1 urg 10');
    t.read();
    t.told('urgent', 'readable');
    t.in('P.U 1:11(10) ack 1 urg 10');
    t.in('.U 11:11(0) ack 1 urg 0');
    t.told();
  });

  it('is told when the window is closed [MUST-66]', () => {
    const t = established({ rcvBuf: 4096 });
    const full = t.c.rcvWnd;
    t.in(`. 1:${full + 1}(${full}) ack 1`);
    t.wait(100);
    t.drain();
    t.told('readable');
    t.in(`P.U ${full + 1}:${full + 11}(10) ack 1 urg 10`);
    t.told('urgent');
    t.takeOne('.');
  });

  it('is told again after 2 GB without any', () => {
    const t = established();
    t.in('P.U 1:11(10) ack 1 urg 10');
    t.read();
    t.told('urgent', 'readable');
    expect(t.c.urgentReceived).toBe(false);
  });

  it('is nothing without the URG bit', () => {
    const t = established();
    t.in('P. 1:11(10) ack 1 urg 10');
    t.told('readable');
  });
});
