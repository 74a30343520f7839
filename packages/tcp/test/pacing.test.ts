import { describe, expect, it } from 'vitest';
import type { TcpConfig } from '../src/index.ts';
import { sendQuantum } from '../src/pacing.ts';
import { type Flying, Pair } from './pair.ts';

const MSS = 1448;

function isData(s: Flying): boolean {
  return s.from === 'a' && s.payload.length > 0;
}

/** A flow in its stride over 100 ms, and the data segments of half a second of it. */
function steady(config: Partial<TcpConfig> = {}, delayUs = 50_000): { p: Pair; sent: Flying[] } {
  const p = new Pair({ delayUs, a: { sndBuf: 1 << 19, ...config }, b: { rcvBuf: 1 << 19 } }).connect();
  p.a.toWrite = 400_000_000;
  p.a.pump();
  // Without an audit at each step: it walks the whole window.
  p.time.run(p.time.clock.now() + 1_300_000);
  const from = p.log.length;
  p.run(500);
  return { p, sent: p.log.slice(from).filter(isData) };
}

/** The most bytes that begin to be sent within any `us`. */
function mostWithin(sent: readonly Flying[], us: number): number {
  let most = 0;
  let bytes = 0;
  let first = 0;
  for (const s of sent) {
    bytes += s.payload.length;
    while (sent[first]!.atUs <= s.atUs - us) bytes -= sent[first++]!.payload.length;
    most = Math.max(most, bytes);
  }
  return most;
}

describe('pacing', () => {
  it('spreads a window over the round trip', () => {
    const { p, sent } = steady();
    const window = p.a.info().tcpi_snd_cwnd * MSS;
    // In no tenth of a round trip goes out more than the rate of congestion avoidance allows, and one burst.
    const { tcpi_pacing_rate } = p.a.info();
    expect(window).toBeGreaterThan(200_000);
    expect(mostWithin(sent, 10_000)).toBeLessThanOrEqual(
      tcpi_pacing_rate * 0.01 + sendQuantum(tcpi_pacing_rate, MSS) + MSS,
    );
    expect(mostWithin(sent, 10_000)).toBeLessThan(window / 4);
  });

  it('sends no burst beyond a millisecond of the rate, or two segments', () => {
    for (const maxPacingBytesPerSecond of [20_000, 500_000, 2_000_000]) {
      const { p, sent } = steady({ maxPacingBytesPerSecond });
      const burst = Math.max(maxPacingBytesPerSecond / 1000, 2 * MSS);
      // What goes out at one time: a burst, and the segment that uses it up.
      expect(mostWithin(sent, 1)).toBeLessThanOrEqual(burst + MSS);
      expect(p.a.info().tcpi_pacing_rate).toBe(maxPacingBytesPerSecond);
      const bytes = sent.reduce((sum, s) => sum + s.payload.length, 0);
      expect(Math.abs(bytes - maxPacingBytesPerSecond / 2)).toBeLessThanOrEqual(burst + MSS);
    }
  });

  it('bounds a burst at 64 KB', () => {
    expect(sendQuantum(1e9, MSS)).toBe(65_536);
    expect(sendQuantum(10_000, MSS)).toBe(2 * MSS);
    expect(sendQuantum(10_000_000, MSS)).toBe(10_000);
  });

  it('does not hold a window below the path: what arrives is the window each round trip', () => {
    const { p } = steady();
    const before = p.b.read;
    p.run(500);
    const { tcpi_snd_cwnd, tcpi_snd_wnd } = p.a.info();
    const window = Math.min(tcpi_snd_cwnd * MSS, tcpi_snd_wnd, 1 << 19);
    expect(p.b.read - before).toBeGreaterThan(0.9 * 5 * window);
  });

  it('lets the first ten segments of a connection go at once, as Linux does', () => {
    const p = new Pair({ delayUs: 50_000 }).connect();
    p.a.toWrite = 100_000;
    p.run(150);
    const times = p.log.filter(isData).map((s) => s.atUs);
    expect(times.slice(0, 10)).toEqual(new Array(10).fill(times[0]));
  });

  it('leaves short round trips and windows of ten segments alone', () => {
    const bursts = (delayUs: number, rcvBuf: number): number => {
      const p = new Pair({ delayUs, b: { rcvBuf } }).connect();
      p.a.toWrite = 2_000_000;
      p.a.pump();
      p.run(500);
      return mostWithin(p.log.filter(isData).slice(20), 1);
    };
    const p = new Pair({ delayUs: 900 }).connect();
    p.transfer(100_000);
    expect(p.a.c.paced).toBe(false);
    expect(bursts(900, 100 * MSS)).toBeGreaterThan(30 * MSS);
    expect(bursts(1100, 100 * MSS)).toBeLessThan(70 * MSS);
    expect(bursts(25_000, 8 * MSS)).toBeGreaterThan(3 * MSS);
    expect(bursts(25_000, 100 * MSS)).toBeLessThan(12 * MSS);
  });

  it('paces retransmissions as it does new data', () => {
    let lose = 0;
    const p = new Pair({
      a: { maxPacingBytesPerSecond: 1_000_000 },
      link: (s) => (isData(s) && lose-- > 0 ? [] : [50_000]),
    }).connect();
    p.a.toWrite = 10_000_000;
    p.a.pump();
    p.run(1000);
    lose = 30;
    const from = p.log.length;
    p.run(1000);
    expect(p.a.info().tcpi_total_retrans).toBeGreaterThanOrEqual(30);
    expect(mostWithin(p.log.slice(from).filter(isData), 1)).toBeLessThanOrEqual(3 * MSS);
  });

  it('makes good for a timer that came late, by 2 ms at most', () => {
    const p = new Pair({ delayUs: 50_000, a: { maxPacingBytesPerSecond: 10 * MSS * 1000 } }).connect();
    p.a.toWrite = 40_000_000;
    p.a.pump();
    p.time.run(p.time.clock.now() + 1_000_000);
    for (const lateMs of [1, 2, 30]) {
      const from = p.log.length;
      p.time.clock.advanceTo(p.time.clock.now() + lateMs * 1000);
      p.run(1);
      const burst = p.log.slice(from).filter(isData);
      const atOnce = burst.filter((s) => s.atUs === burst[0]!.atUs).length;
      // Ten segments a millisecond: what was missed, and a burst of ten.
      expect(atOnce).toBeLessThanOrEqual(10 * Math.min(lateMs, 2) + 11);
      p.run(200);
    }
  });

  it('a deadline that has come is over, also where nothing is sent any more: time does not stand still', () => {
    let deaf = false;
    const p = new Pair({
      a: { maxPacingBytesPerSecond: 2000 },
      link: (s) => (deaf && s.from === 'b' ? [] : [20_000]),
    }).connect();
    p.transfer(20 * MSS);
    p.run(30_000);
    deaf = true;
    p.a.toWrite += 3 * MSS - 100;
    p.a.atEnd = 'shutdown';
    p.a.pump();
    expect(p.a.c.paceHeld).toBe(true);
    const { paceAtUs } = p.a.c;
    // The pace holds the last segment and the FIN; the loss probe takes them along.
    p.until(() => p.a.c.finSent, 1000);
    expect(p.time.clock.now()).toBeLessThan(paceAtUs);
    deaf = false;
    p.until(() => p.a.c.stateName === 'FIN-WAIT-2', 1000);
    expect(p.time.clock.now()).toBeLessThan(paceAtUs);
    let turns = 0;
    for (; p.time.timers.next() <= paceAtUs + 1_000_000 && turns < 1000; turns++) p.time.step();
    expect(turns).toBeLessThan(100);
    expect(p.a.c.paceHeld).toBe(false);
  });

  it('leaves no timer behind after a close', () => {
    for (const config of [{ pacing: true }, { congestion: 'bbr' }, { maxPacingBytesPerSecond: 100_000 }] as const) {
      const p = new Pair({ delayUs: 20_000, a: config }).connect();
      p.a.atEnd = 'close';
      p.b.atEnd = 'close';
      p.transfer(300_000);
      p.run(300_000);
      p.expectSilence();
    }
  });
});
