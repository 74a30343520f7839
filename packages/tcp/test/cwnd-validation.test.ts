import { describe, expect, it } from 'vitest';
import type { TcpConfig } from '../src/index.ts';
import { Harness } from './harness.ts';

const RTT_MS = 50;

/** A sender with a window of about `cwnd` segments, nothing in flight. */
function grown(cwnd: number, config: Partial<TcpConfig> = {}): Harness {
  const t = new Harness(
    { lossProbe: false, congestion: 'newreno', noDelay: true, sndBuf: 1 << 20, ...config },
    { memoryBytes: 16 << 20 },
  ).connect('mss 1000,sackOK,nop,wscale 7', { rttMs: RTT_MS });
  while (t.c.cwnd < cwnd) {
    t.write(t.c.cwnd * 1000);
    ackAll(t);
  }
  return t;
}

function ackAll(t: Harness): void {
  t.drain();
  t.wait(RTT_MS);
  t.in(`. 1:1(0) ack ${(t.c.sndNxt - t.peer.iss) | 0}`);
}

describe('congestion window validation', () => {
  it('halves the way down to what the application uses, once per RTO (RFC 2861 section 3)', () => {
    const t = grown(80);
    expect(t.c.cwnd).toBe(80);
    const windows: number[] = [];
    for (let i = 0; i < 40; i++) {
      t.write(20_000);
      ackAll(t);
      windows.push(t.c.cwnd);
    }
    // An RTO is five round trips here. (80 + 20) / 2, then (50 + 20) / 2.
    expect(windows.slice(3, 10)).toEqual([80, 50, 50, 50, 50, 50, expect.any(Number)]);
    // Slow start may go on to three quarters of what it was, and takes the window to more than twice what is used.
    expect(t.c.ssthresh).toBeGreaterThanOrEqual(60);
    expect(Math.max(...windows.slice(10))).toBeLessThan(60);
    expect(Math.min(...windows)).toBeGreaterThanOrEqual(20);
  });

  it('never goes below the initial window that way', () => {
    const t = grown(40);
    for (let i = 0; i < 60; i++) {
      t.write(1000);
      ackAll(t);
    }
    expect(t.c.cwnd).toBe(10);
  });

  it('lets the window alone while it is used up now and then', () => {
    const t = grown(40);
    const { cwnd } = t.c;
    for (let i = 0; i < 20; i++) {
      for (let k = 0; k < 3; k++) {
        t.write(5000);
        ackAll(t);
      }
      t.write(cwnd * 1000);
      ackAll(t);
    }
    expect(t.c.cwnd).toBeGreaterThanOrEqual(cwnd);
  });

  it('lets it alone where the send buffer is what limits: the application waits for room', () => {
    const t = grown(80);
    for (let i = 0; i < 40; i++) {
      // As after a write that found no room.
      t.c.wantWrite = true;
      t.write(20_000);
      ackAll(t);
    }
    expect(t.c.cwnd).toBe(80);
  });

  it('lets it alone where that is configured [tcp_slow_start_after_idle 0]', () => {
    const t = grown(80, { slowStartAfterIdle: false });
    for (let i = 0; i < 40; i++) {
      t.write(20_000);
      ackAll(t);
    }
    expect(t.c.cwnd).toBe(80);
  });

  it('counts a window that the application fills by chance as used up', () => {
    const t = grown(20);
    const { cwnd } = t.c;
    // Exactly the window, and nothing more to send.
    t.write(cwnd * 1000);
    expect(t.c.cwndLimited).toBe(true);
    ackAll(t);
    expect(t.c.cwnd).toBe(2 * cwnd);
  });

  it('does not forget it because acknowledgments come while there is nothing to send', () => {
    const t = grown(20);
    const { cwnd } = t.c;
    t.write(cwnd * 1000);
    const first = t.drain()[0]!.relSeq;
    t.wait(RTT_MS);
    for (let i = 1; i <= cwnd; i++) t.in(`. 1:1(0) ack ${first + i * 1000}`);
    expect(t.c.cwnd).toBe(2 * cwnd);
  });
});

describe('limited transmit (RFC 3042)', () => {
  it.each([
    ['with SACK', 'mss 1000,sackOK,nop,wscale 7'],
    ['without SACK', 'mss 1000,nop,wscale 7'],
  ])('sends a new segment for each of the first two duplicates, cwnd as it was, %s', (_, options) => {
    const t = new Harness({ lossProbe: false, initialCwnd: 4, rack: false }).connect(options, { rttMs: RTT_MS });
    t.in('. 1:1(0) ack 1');
    t.write(20_000);
    t.outAll('. 1:1001(1000) ack 1', '. 1001:2001(1000) ack 1', '. 2001:3001(1000) ack 1', '. 3001:4001(1000) ack 1');
    t.wait(RTT_MS);
    const sack = (right: number) => (options.includes('sackOK') ? ` <nop,nop,sack 1001:${right}>` : '');
    t.in(`. 1:1(0) ack 1${sack(2001)}`);
    t.outAll('. 4001:5001(1000) ack 1');
    t.in(`. 1:1(0) ack 1${sack(3001)}`);
    t.outAll('. 5001:6001(1000) ack 1');
    expect(t.c.cwnd).toBe(4);
    t.in(`. 1:1(0) ack 1${sack(4001)}`);
    expect(t.drain()[0]!.relSeq).toBe(1);
  });

  it('sends none beyond what the peer has room for', () => {
    const t = new Harness({ lossProbe: false, initialCwnd: 4 }).connect('mss 1000,sackOK', { rttMs: RTT_MS });
    t.in('. 1:1(0) ack 1 win 4000');
    t.write(20_000);
    t.drain();
    t.in('. 1:1(0) ack 1 win 4000 <nop,nop,sack 1001:2001>');
    t.quiet();
  });
});

describe('appropriate byte counting (RFC 3465), as Linux counts', () => {
  it.each(['newreno', 'cubic'] as const)('grows by what an ACK covers, however many segments that are (%s)', (name) => {
    const t = new Harness({ lossProbe: false, congestion: name, sndBuf: 1 << 20 }, { memoryBytes: 16 << 20 }).connect(
      'mss 1000,sackOK,nop,wscale 7',
      { rttMs: RTT_MS },
    );
    t.write(100_000);
    ackAll(t);
    expect(t.c.cwnd).toBe(20);
  });

  it('grows by nothing for ACKs that divide a segment', () => {
    const t = new Harness({ lossProbe: false }).connect('mss 1000', { rttMs: RTT_MS });
    t.write(100_000);
    t.drain();
    t.wait(RTT_MS);
    for (let i = 1; i < 10; i++) t.in(`. 1:1(0) ack ${1 + i * 100}`);
    expect(t.c.cwnd).toBe(10);
    t.in('. 1:1(0) ack 1001');
    expect(t.c.cwnd).toBe(11);
  });
});
