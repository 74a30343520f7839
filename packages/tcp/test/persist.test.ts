import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';

/** A window that closed with 2000 bytes left to send. */
const closed = (config = {}, options = 'mss 1000') => {
  const t = new Harness({ lossProbe: false, ...config }).connect(options, { win: 2000, rttMs: 50 });
  t.write(4000);
  t.drain();
  t.wait(50);
  t.in('. 1:1(0) ack 2001 win 0');
  t.quiet();
  return t;
};

describe('zero-window probes (3.8.6.1) [MUST-36] [MUST-35]', () => {
  it('begin after an RTO and back off exponentially [SHLD-29] [SHLD-30]', () => {
    const t = closed();
    const first = t.next('. 2000:2000(0) ack 1');
    expect(first).toBe(t.info().tcpi_rto / 2 / 1000);
    for (let i = 1; i < 8; i++) expect(t.next('. 2000:2000(0) ack 1')).toBe(first * 2 ** i);
  });

  it('are not sent when there is nothing to send', () => {
    const t = new Harness({ lossProbe: false }).connect('mss 1000', { win: 2000 });
    t.write(2000);
    t.drain();
    t.in('. 1:1(0) ack 2001 win 0');
    t.quietFor(1e6);
  });

  it('begin when something is written later', () => {
    const t = new Harness({ lossProbe: false }).connect('mss 1000', { win: 2000 });
    t.in('. 1:1(0) ack 1 win 0');
    t.quietFor(10_000);
    t.write(10);
    expect(t.next('. 0:0(0) ack 1')).toBeGreaterThan(0);
  });

  it('go on without bound while the peer answers [MUST-37]', () => {
    const t = closed({ retries2: 3 });
    for (let i = 0; i < 100; i++) {
      t.next('. 2000:2000(0) ack 1');
      t.in('. 1:1(0) ack 2001 win 0');
    }
    expect(t.state).toBe('ESTABLISHED');
    expect(t.nowMs).toBeGreaterThan(100 * 60_000);
    t.in('. 1:1(0) ack 2001 win 2000');
    t.outAll('. 2001:3001(1000) ack 1', 'P. 3001:4001(1000) ack 1');
  });

  it('are never further apart than the largest RTO', () => {
    const t = closed();
    for (let i = 0; i < 20; i++) {
      expect(t.next('. 2000:2000(0) ack 1')).toBeLessThanOrEqual(120_000);
      t.in('. 1:1(0) ack 2001 win 0');
    }
  });

  it('give up after R2 when nobody answers, with a RST', () => {
    const t = closed({ retries2: 4 });
    for (let i = 0; i < 4; i++) t.next('. 2000:2000(0) ack 1');
    t.wait(1e6);
    t.told('close ETIMEDOUT');
    t.takeOne('R.');
    expect(t.tcp.connectionCount).toBe(0);
    expect(t.stats.TCPAbortOnTimeout).toBe(1);
  });

  it('give up after the user timeout when nobody answers', () => {
    const t = closed({ userTimeoutUs: 5_000_000 });
    const from = t.nowMs;
    while (t.events.length === 0) t.time.step();
    t.told('close ETIMEDOUT');
    expect(t.nowMs - from).toBeGreaterThanOrEqual(5000);
    expect(t.nowMs - from).toBeLessThan(15_000);
  });

  it('do not give up by the user timeout while they are answered [MUST-37]', () => {
    const t = closed({ userTimeoutUs: 5_000_000 });
    for (let i = 0; i < 20; i++) {
      t.next('. 2000:2000(0) ack 1');
      t.in('. 1:1(0) ack 2001 win 0');
    }
    expect(t.state).toBe('ESTABLISHED');
  });

  it('recover a window update that was lost', () => {
    const t = closed();
    t.next('. 2000:2000(0) ack 1');
    // The peer opened long ago; its answer says so.
    t.in('. 1:1(0) ack 2001 win 4000');
    t.outAll('. 2001:3001(1000) ack 1', 'P. 3001:4001(1000) ack 1');
  });

  it('are no sign of congestion when they are lost', () => {
    const t = closed();
    const { tcpi_snd_cwnd, tcpi_snd_ssthresh } = t.info();
    for (let i = 0; i < 5; i++) t.next('. 2000:2000(0) ack 1');
    expect(t.info()).toMatchObject({ tcpi_snd_cwnd, tcpi_snd_ssthresh, tcpi_total_retrans: 0, tcpi_ca_state: 0 });
    expect(t.info().tcpi_probes).toBe(5);
    t.in('. 1:1(0) ack 2001 win 4000');
    expect(t.drain().length).toBe(2);
    expect(t.info().tcpi_backoff).toBe(0);
  });

  it('are not held back by cwnd', () => {
    const t = new Harness({ lossProbe: false, initialCwnd: 1 }).connect('mss 1000', { win: 2000 });
    t.write(4000);
    t.drain();
    t.in('. 1:1(0) ack 1001 win 0');
    t.next('. 1000:1000(0) ack 1');
  });

  it('carry timestamps', () => {
    const t = closed({}, 'mss 1012,TS 0 ecr 0');
    t.next('. 2000:2000(0) ack 1 <TS>');
  });

  it('count in persisting also for a FIN that waits', () => {
    const t = new Harness({ lossProbe: false }).connect('mss 1000', { win: 1000 });
    t.in('. 1:1(0) ack 1 win 0');
    t.shutdown();
    expect(t.state).toBe('FIN-WAIT-1');
    t.next('. 0:0(0) ack 1');
    t.in('. 1:1(0) ack 1 win 10');
    t.out('F. 1:1(0) ack 1');
  });

  it('end when the window opens: then it is retransmission that counts', () => {
    const t = closed();
    t.next('. 2000:2000(0) ack 1');
    t.in('. 1:1(0) ack 2001 win 1000');
    t.outAll('. 2001:3001(1000) ack 1');
    expect(t.next('. 2001:3001(1000) ack 1')).toBe(t.info().tcpi_rto / 2 / 1000);
  });

  it('a probe of the peer that crosses ours does not stop them', () => {
    const t = closed();
    t.in('. 0:0(0) ack 2001 win 0');
    t.takeOne('.');
    t.next('. 2000:2000(0) ack 1');
  });
});
