import { describe, expect, it } from 'vitest';
import { DEFAULT_TCP_CONFIG, tcpConfig } from '../src/config.ts';
import type { CongestionControl, CongestionState } from '../src/congestion-control.ts';
import { Cubic } from '../src/cubic.ts';
import { NewReno } from '../src/newreno.ts';
import { RttEstimator } from '../src/rtt.ts';

interface State extends CongestionState {
  sndUna: number;
  sndNxt: number;
  srttUs: number;
  minRttUs: number;
  segmentsInFlight: number;
}

const RTT_US = 100_000;
const state = (cwnd: number, ssthresh = 0x7fffffff): State => ({
  cwnd,
  ssthresh,
  mss: 1000,
  srttUs: RTT_US,
  minRttUs: RTT_US,
  segmentsInFlight: cwnd,
  sndUna: 0,
  sndNxt: cwnd * 1000,
});

/** One round trip: every segment of the window is acknowledged, `per` at a time. */
function round(cc: CongestionControl, s: State, nowUs: number, per = 1, rttUs = RTT_US): void {
  const end = s.sndNxt;
  while (s.sndUna < end) {
    const acked = Math.min(per, (end - s.sndUna) / 1000);
    s.sndUna += acked * 1000;
    cc.onAck(s, acked, rttUs, nowUs);
    s.sndNxt = s.sndUna + s.cwnd * 1000;
  }
}

describe('NewReno (RFC 5681) [MUST-19]', () => {
  it('doubles cwnd each round trip in slow start, with delayed ACKs too (RFC 3465)', () => {
    for (const per of [1, 2]) {
      const s = state(10);
      const cc = new NewReno();
      round(cc, s, 0, per);
      expect(s.cwnd).toBe(20);
    }
  });

  it('grows by one segment each round trip in congestion avoidance', () => {
    for (const per of [1, 2]) {
      const s = state(20, 20);
      const cc = new NewReno();
      for (let i = 1; i <= 10; i++) {
        round(cc, s, 0, per);
        expect(s.cwnd).toBe(20 + i);
      }
    }
  });

  it('stops slow start at ssthresh', () => {
    const s = state(10, 15);
    round(new NewReno(), s, 0);
    expect(s.cwnd).toBe(15);
  });

  it('halves, never below two segments', () => {
    expect(new NewReno().onLoss(state(21))).toBe(10);
    expect(new NewReno().onLoss(state(3))).toBe(2);
    expect(new NewReno().onLoss(state(1))).toBe(2);
  });
});

describe('CUBIC (RFC 9438)', () => {
  it('reduces to 0.7 [MAY-18]', () => {
    expect(new Cubic().onLoss(state(100))).toBe(70);
    expect(new Cubic().onLoss(state(2))).toBe(2);
  });

  it('follows W(t) = C (t - K)^3 + W_max after a loss (4.2)', () => {
    const cc = new Cubic();
    const s = state(1000);
    cc.start(s);
    s.ssthresh = cc.onLoss(s);
    s.cwnd = s.ssthresh;
    s.sndNxt = s.sndUna + s.cwnd * 1000;
    const k = Math.cbrt((1000 - s.cwnd) / 0.4);
    let nowUs = 1;
    for (let i = 0; nowUs < 1.6e6 * k; i++) {
      nowUs = 1 + i * RTT_US;
      round(cc, s, nowUs, 2);
      const t = nowUs / 1e6 + RTT_US / 1e6;
      const w = 0.4 * (t - k) ** 3 + 1000;
      if (i > 3) expect(Math.abs(s.cwnd - w) / w).toBeLessThan(0.03);
    }
    expect(s.cwnd).toBeGreaterThan(1000);
  });

  it('is flat about W_max, and remembers less of it when it loses before (fast convergence, 4.7)', () => {
    const cc = new Cubic();
    const s = state(1000);
    cc.start(s);
    s.ssthresh = cc.onLoss(s);
    s.cwnd = s.ssthresh;
    // A loss below the old maximum: it aims lower than where it was.
    s.cwnd = 800;
    s.ssthresh = cc.onLoss(s);
    s.cwnd = s.ssthresh;
    s.sndNxt = s.sndUna + s.cwnd * 1000;
    const target = (800 * 1.7) / 2;
    const k = Math.cbrt((target - s.cwnd) / 0.4);
    let nowUs = 1;
    for (; nowUs < k * 1e6; nowUs += RTT_US) round(cc, s, nowUs, 2);
    expect(Math.abs(s.cwnd - target)).toBeLessThan(10);
  });

  it('is at least as fast as Reno where windows are small (4.3)', () => {
    const cc = new Cubic();
    const s = { ...state(20), srttUs: 1000, minRttUs: 1000 };
    cc.start(s);
    s.ssthresh = cc.onLoss(s);
    s.cwnd = s.ssthresh;
    s.sndNxt = s.sndUna + s.cwnd * 1000;
    const from = s.cwnd;
    for (let i = 0; i < 40; i++) round(cc, s, 1 + i * 1000, 1, 1000);
    // alpha = 3 (1 - 0.7) / (1 + 0.7), about half a segment a round trip.
    expect(s.cwnd - from).toBeGreaterThanOrEqual(18);
    expect(s.cwnd - from).toBeLessThanOrEqual(24);
  });

  it('follows the curve alone where it is not to be Reno-friendly [tcp_friendliness 0]', () => {
    const grown = [true, false].map((renoFriendly) => {
      const cc = new Cubic(renoFriendly);
      const s = state(20, 20);
      s.ssthresh = s.cwnd = cc.onLoss(s);
      for (let i = 1; i <= 40; i++) round(cc, s, i * 10_000, 1, 10_000);
      return s.cwnd - 14;
    });
    // In 0.4 s of 10 ms round trips Reno's pace would give half a segment each; the curve is where it was after K = 2.5 s.
    expect(grown[0]).toBeGreaterThan(15);
    expect(grown[1]).toBeLessThanOrEqual(3);
  });

  it('never grows by more than half of what is acknowledged', () => {
    const cc = new Cubic();
    const s = state(100, 100);
    cc.start(s);
    s.ssthresh = cc.onLoss(s);
    s.cwnd = s.ssthresh;
    s.sndNxt = s.sndUna + s.cwnd * 1000;
    // Long after K the curve is steep.
    round(cc, s, 1, 2);
    const before = s.cwnd;
    round(cc, s, 60e6, 2);
    expect(s.cwnd).toBeLessThanOrEqual(1.6 * before);
  });

  it('does not let the curve run while nothing is sent', () => {
    const cc = new Cubic();
    const s = state(1000);
    cc.start(s);
    s.ssthresh = cc.onLoss(s);
    s.cwnd = s.ssthresh;
    s.sndNxt = s.sndUna + s.cwnd * 1000;
    round(cc, s, 1, 2);
    const before = s.cwnd;
    cc.onIdle(s, 3600e6);
    round(cc, s, 3600e6 + 1, 2);
    expect(s.cwnd).toBeLessThan(before * 1.1);
  });
});

describe('HyStart++ (RFC 9406)', () => {
  const grow = (rtts: (round: number, ack: number) => number, rounds: number) => {
    const cc = new Cubic();
    const s = state(16);
    cc.start(s);
    const sizes: number[] = [];
    for (let i = 0; i < rounds; i++) {
      const end = s.sndNxt;
      for (let ack = 0; s.sndUna < end; ack++) {
        s.sndUna += 1000;
        cc.onAck(s, 1, rtts(i, ack), i * RTT_US);
        s.sndNxt = s.sndUna + s.cwnd * 1000;
      }
      sizes.push(s.cwnd);
    }
    return { s, sizes };
  };

  it('leaves slow start alone while the round trip does not grow', () => {
    const { s, sizes } = grow(() => RTT_US, 6);
    expect(sizes).toEqual([32, 64, 128, 256, 512, 1024]);
    expect(s.ssthresh).toBe(0x7fffffff);
  });

  it('grows at a quarter once it has grown by an eighth, and ends slow start five rounds later', () => {
    const { s, sizes } = grow((i) => (i < 3 ? RTT_US : 1.3 * RTT_US), 12);
    expect(sizes.slice(0, 3)).toEqual([32, 64, 128]);
    expect(sizes[4]! / sizes[3]!).toBeLessThan(1.3);
    expect(s.ssthresh).not.toBe(0x7fffffff);
    expect(s.ssthresh).toBeLessThan(128 * 2 * 1.25 ** 7);
  });

  it('resumes slow start when the delay falls back: it was jitter', () => {
    const { s, sizes } = grow((i) => (i === 3 ? 1.3 * RTT_US : RTT_US), 7);
    expect(s.ssthresh).toBe(0x7fffffff);
    expect(sizes[6]! / sizes[5]!).toBeGreaterThan(1.9);
  });

  it('does not heed one late sample among the first eight', () => {
    const { s } = grow((i, ack) => (i === 3 && ack === 2 ? 3 * RTT_US : RTT_US), 6);
    expect(s.ssthresh).toBe(0x7fffffff);
  });
});

describe('RttEstimator (RFC 6298 2)', () => {
  it('starts with R and R/2, then smooths by 1/8 and 1/4', () => {
    const rtt = new RttEstimator(1_000_000, 200_000, 60_000_000);
    expect(rtt.rtoUs).toBe(1_000_000);
    rtt.sample(100_000);
    expect([rtt.srttUs, rtt.rttvarUs, rtt.rtoUs]).toEqual([100_000, 50_000, 300_000]);
    rtt.sample(300_000);
    expect([rtt.srttUs, rtt.rttvarUs]).toEqual([125_000, 87_500]);
    expect(rtt.rtoUs).toBe(125_000 + 4 * 87_500);
    expect([rtt.minRttUs, rtt.latestUs, rtt.samples]).toEqual([100_000, 300_000, 2]);
  });

  it('keeps its floor and its bound, and takes nothing for a microsecond', () => {
    const rtt = new RttEstimator(1_000_000, 200_000, 60_000_000);
    for (let i = 0; i < 100; i++) rtt.sample(10);
    expect(rtt.rtoUs).toBeGreaterThanOrEqual(200_010);
    expect(rtt.rtoUs).toBeLessThan(200_100);
    rtt.sample(1e9);
    expect(rtt.rtoUs).toBe(60_000_000);
    rtt.sample(0);
    expect(rtt.minRttUs).toBe(1);
  });

  it('is 3 s after a lost SYN, if nothing was measured (5.7)', () => {
    const rtt = new RttEstimator(1_000_000, 200_000, 60_000_000);
    rtt.afterSynLoss();
    expect(rtt.rtoUs).toBe(3_000_000);
    rtt.sample(50_000);
    rtt.afterSynLoss();
    expect(rtt.rtoUs).toBe(250_000);
  });
});

describe('the configuration', () => {
  it('has defaults in range', () => {
    expect(() => tcpConfig()).not.toThrow();
    expect(tcpConfig({ sndBuf: 5 }).sndBuf).toBe(5);
    expect(tcpConfig({}, tcpConfig({ noDelay: true })).noDelay).toBe(true);
  });

  it.each([
    ['sndBuf', 0],
    ['sndBuf', 16 * 1024 * 1024 + 1],
    ['rcvBuf', -1],
    ['rcvBuf', Number.NaN],
    ['mss', 47],
    ['mss', 65_496],
    ['initialCwnd', 0],
    ['delayedAckUs', 500_000],
    ['dupThresh', 0],
    ['initialRtoUs', 0],
  ] as const)('refuses %s of %d, by name', (key, value) => {
    expect(() => tcpConfig({ [key]: value })).toThrow(new RegExp(`${key}.*${value}|${value}.*${key}`));
  });

  it('refuses an unknown congestion control and names those there are', () => {
    expect(() => tcpConfig({ congestion: 'vegas' as 'cubic' })).toThrow(/vegas.*cubic, newreno/);
    expect(DEFAULT_TCP_CONFIG.congestion).toBe('cubic');
  });
});
