import { describe, expect, it } from 'vitest';
import { DEFAULT_TCP_CONFIG } from '../src/index.ts';
import { Harness } from './harness.ts';

const CONFIG = { keepAlive: true, keepAliveIdleUs: 10_000_000, keepAliveIntervalUs: 1_000_000, keepAliveProbes: 3 };
const established = (config = {}, options = 'mss 1000') =>
  new Harness({ lossProbe: false, ...CONFIG, ...config }).connect(options);

describe('keepalive (3.8.4) [MAY-5]', () => {
  it('is off unless asked for, and idles two hours by default [MUST-25] [MUST-28]', () => {
    expect(DEFAULT_TCP_CONFIG.keepAlive).toBe(false);
    expect(DEFAULT_TCP_CONFIG.keepAliveIdleUs).toBeGreaterThanOrEqual(7_200_000_000);
    const t = new Harness().connect('mss 1000');
    t.quietFor(86_400_000);
  });

  it('stays off when other timers run', () => {
    const t = new Harness({ lossProbe: false }).connect('mss 1000');
    t.write(10);
    t.drain();
    t.next('P. 1:11(10) ack 1');
    t.in('. 1:1(0) ack 11');
    t.quietFor(30_000_000);
  });

  it('probes after the idle time, without data, from below SND.UNA [MUST-26] [MUST-27] [SHLD-12]', () => {
    const t = established();
    expect(t.next('. 0:0(0) ack 1')).toBe(10_000);
    t.in('. 1:1(0) ack 1');
    expect(t.next('. 0:0(0) ack 1')).toBe(10_000);
  });

  it('counts the idle time from what was received last, data or ACK [MUST-26]', () => {
    const t = established();
    t.wait(9000);
    t.in('P. 1:2(1) ack 1');
    t.drain();
    t.wait(5000);
    t.in('. 2:2(0) ack 1');
    t.drain();
    t.quietFor(9999);
    t.wait(1);
    t.out('. 0:0(0) ack 2');
  });

  it('does not give up because one probe was not answered [MUST-29]', () => {
    const t = established();
    t.next('. 0:0(0) ack 1');
    expect(t.next('. 0:0(0) ack 1')).toBe(1000);
    t.in('. 1:1(0) ack 1');
    t.wait(9999);
    t.quiet();
    expect(t.state).toBe('ESTABLISHED');
    t.next('. 0:0(0) ack 1');
    t.next('. 0:0(0) ack 1');
    t.next('. 0:0(0) ack 1');
    t.wait(999);
    expect(t.state).toBe('ESTABLISHED');
  });

  it('ends the connection when none is answered, with a RST', () => {
    const t = established();
    for (let i = 0; i < 3; i++) t.next('. 0:0(0) ack 1');
    t.wait(1000);
    t.told('close ETIMEDOUT');
    t.takeOne('R.');
    expect(t.tcp.connectionCount).toBe(0);
  });

  it('does not probe while something is in flight: retransmission is at work', () => {
    const t = established();
    t.write(10);
    t.drain();
    t.wait(9000);
    const sent = t.drain();
    expect(sent.length).toBeGreaterThan(3);
    t.wait(20_000);
    for (const s of t.drain()) expect(s.relSeq).toBe(1);
  });

  it('can be turned on and off while [MUST-24]', () => {
    const t = new Harness({ lossProbe: false }).connect('mss 1000');
    t.configure(CONFIG);
    t.next('. 0:0(0) ack 1');
    t.configure({ keepAlive: false });
    t.quietFor(1e6);
    expect(t.state).toBe('ESTABLISHED');
  });

  it('goes on after the peer has closed its side', () => {
    const t = established();
    t.in('F. 1:1(0) ack 1');
    t.drain();
    expect(t.next('. 0:0(0) ack 2')).toBe(10_000);
  });

  it("answers a peer's probe, with or without a garbage byte [MAY-6]", () => {
    const t = new Harness().connect('mss 1000');
    t.in('. 0:0(0) ack 1');
    t.out('. 1:1(0) ack 1');
    t.wait(1000);
    t.in('. 0:1(1) ack 1', { data: new Uint8Array(1) });
    t.out('. 1:1(0) ack 1');
    t.told();
  });
});
