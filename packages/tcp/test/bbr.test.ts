import { describe, expect, it } from 'vitest';
import { DRAIN, PROBE_CRUISE, PROBE_DOWN, PROBE_REFILL, PROBE_RTT, PROBE_UP, STARTUP } from '../src/bbr-state.ts';
import { BbrPath, MSS } from './bbr-path.ts';

const PLENTY = 2_000_000_000;

/** 20 Mbit/s and 40 ms: a bandwidth-delay product of 67 segments. */
const path = (o: Partial<ConstructorParameters<typeof BbrPath>[0]> = {}): BbrPath =>
  new BbrPath({ bitsPerSecond: 20e6, rttUs: 40_000, ...o });
const BDP = 67;
/** Of 1500 bytes, 1448 are payload. */
const PAYLOAD = 1448 / 1500;

/** The states that a flow goes through within `ms`, one after the other. */
function statesOf(p: BbrPath, ms: number): number[] {
  const states = [p.state.mode];
  const untilUs = p.nowUs + ms * 1000;
  while (p.nowUs < untilUs && p.pair.time.step()) {
    if (p.state.mode !== states.at(-1)) states.push(p.state.mode);
  }
  return states;
}

describe('BBR starts up', () => {
  it('finds the bandwidth within a few round trips, and drains what that has queued', () => {
    const p = path().write(PLENTY);
    const foundMs = p.until(() => p.state.fullBwReached, 2000);
    // Four doublings from ten segments to 67 and more, three rounds without growth; round trips grow with the queue.
    expect(foundMs).toBeLessThan(14 * 40);
    expect(p.estimate / 1e6).toBeGreaterThan(20 * PAYLOAD * 0.95);
    expect(p.estimate / 1e6).toBeLessThan(20 * PAYLOAD * 1.05);
    p.until(() => p.state.mode === DRAIN, 10);
    p.until(() => p.state.mode !== DRAIN, 200);
    expect(p.state.isInProbeBw).toBe(true);
    expect(p.pair.a.c.rtx.inFlight).toBeLessThanOrEqual(BDP);
    expect(p.pair.a.tcp.stats.TCPTimeouts ?? 0).toBe(0);
  });

  it('paces from the first window on at 2.77 of it per round trip', () => {
    const p = path();
    p.until(() => p.pair.a.events.includes('connect'), 200);
    expect(p.state.mode).toBe(STARTUP);
    expect(p.state.pacingRate).toBeCloseTo((2.77 * 10 * MSS) / 0.04, -5);
  });

  it('stops searching when it loses too much, at the volume that was delivered', () => {
    // A queue of eight packets: no plateau without loss.
    const p = path({ queue: 8 }).write(PLENTY);
    p.until(() => p.state.fullBwReached, 2000);
    p.run(500);
    expect(p.state.inflightLongterm).toBeLessThan(3 * BDP);
    expect(p.estimate / 1e6).toBeGreaterThan(20 * PAYLOAD * 0.9);
  });

  it('is not taken in by an application that sends little: the search goes on when it sends more', () => {
    const p = path();
    p.run(100);
    for (let i = 0; i < 20; i++) p.write(3000).run(100);
    expect(p.state.mode).toBe(STARTUP);
    expect(p.state.fullBwReached).toBe(false);
    p.write(PLENTY).run(1500);
    expect(p.estimate / 1e6).toBeGreaterThan(20 * PAYLOAD * 0.95);
  });
});

describe('BBR in its stride', () => {
  it('goes down, cruises, refills, probes up, and down again, every two to three seconds', () => {
    const p = path().write(PLENTY).run(3000);
    p.until(() => p.state.mode === PROBE_RTT, 8000);
    p.until(() => p.state.mode === PROBE_CRUISE, 1000);
    const fromUs = p.state.cycleStartUs;
    expect(statesOf(p, 3900).slice(0, 5)).toEqual([PROBE_CRUISE, PROBE_REFILL, PROBE_UP, PROBE_DOWN, PROBE_CRUISE]);
    expect(p.state.cycleStartUs - fromUs).toBeGreaterThan(2_000_000);
  });

  it('paces at 0.9, 1, 1 and 1.25 of its estimate meanwhile', () => {
    const p = path().write(PLENTY).run(3000);
    const gains = new Map([
      [PROBE_DOWN, 0.9],
      [PROBE_CRUISE, 1],
      [PROBE_REFILL, 1],
      [PROBE_UP, 1.25],
    ]);
    for (let i = 0; i < 4000; i++) {
      p.run(1);
      const { mode, pacingRate, bw } = p.state;
      const gain = gains.get(mode);
      // One percent below, so that queues shrink.
      if (gain !== undefined) expect(pacingRate / (bw * MSS * 1e6)).toBeCloseTo(gain * 0.99, 6);
    }
  });

  it('fills the path and keeps its queue short', () => {
    const p = path({ queue: 1000 }).write(PLENTY).run(3000);
    expect(p.utilisation(4000)).toBeGreaterThan(0.95);
    expect(p.drops).toBe(0);
    // CUBIC would stand with a full queue of 600 ms.
    expect(p.pair.a.info().tcpi_rtt).toBeLessThan(70_000);
  });

  it('finds more bandwidth where there comes to be some, and gives way where it goes', () => {
    const p = path({ queue: 100 }).write(PLENTY).run(4000);
    p.bitsPerSecond = 40e6;
    p.run(20_000);
    expect(p.estimate / 1e6).toBeGreaterThan(40 * PAYLOAD * 0.95);
    p.bitsPerSecond = 10e6;
    p.run(12_000);
    expect(p.estimate / 1e6).toBeLessThan(10 * PAYLOAD * 1.1);
    expect(p.utilisation(2000)).toBeGreaterThan(0.9);
  });
});

describe('BBR looks for the round trip without queues (ProbeRTT)', () => {
  it('where none as short came for five seconds: 200 ms with half of the volume, then as before', () => {
    const p = path().write(PLENTY).run(3000);
    // Nothing is shorter from here on.
    p.rttUs = 41_000;
    p.until(() => p.state.mode === PROBE_RTT, 8000);
    expect(p.nowUs - p.state.probeRttMinAtUs).toBeLessThan(5_100_000);
    p.run(120);
    expect(p.pair.a.c.rtx.inFlight).toBeLessThanOrEqual(Math.ceil(BDP * 0.55));
    const tookMs = p.until(() => p.state.mode !== PROBE_RTT, 1000);
    expect(tookMs + 120).toBeGreaterThan(200);
    expect(tookMs + 120).toBeLessThan(450);
    p.run(200);
    expect(p.pair.a.c.cwnd).toBeGreaterThan(BDP);
  });

  it('follows a path that has become longer', () => {
    const p = path().write(PLENTY).run(3000);
    expect(p.state.minRttUs).toBeLessThan(41_000);
    p.rttUs = 80_000;
    p.run(25_000);
    expect(p.state.minRttUs).toBeGreaterThan(80_000);
    expect(p.utilisation(3000)).toBeGreaterThan(0.9);
  });
});

describe('BBR and loss', () => {
  it('uses more than 90 % of 50 Mbit/s over 40 ms though 1 % is lost at random; CUBIC cannot', () => {
    const lossy = { bitsPerSecond: 50e6, rttUs: 40_000, lossRate: 0.01 };
    expect(new BbrPath(lossy).write(PLENTY).run(3000).utilisation(6000)).toBeGreaterThan(0.9);
    const cubic = new BbrPath({ ...lossy, a: { congestion: 'cubic' } });
    expect(cubic.write(PLENTY).run(3000).utilisation(6000)).toBeLessThan(0.3);
  });

  it('bounds what it has in flight by what a shallow queue bears (inflight_longterm), and leaves headroom', () => {
    const p = path({ queue: 10 }).write(PLENTY).run(6000);
    expect(p.state.inflightLongterm).toBeLessThan(BDP * 1.6);
    p.until(() => p.state.mode === PROBE_CRUISE, 4000);
    p.run(50);
    expect(p.pair.a.c.cwnd).toBeLessThanOrEqual(p.state.inflightLongterm * 0.85 + 1);
    const { drops } = p;
    const sent = p.pair.a.c.dataSegsOut;
    p.run(10_000);
    expect((p.drops - drops) / (p.pair.a.c.dataSegsOut - sent)).toBeLessThan(0.02);
  });

  it('adapts at once to loss while it cruises (bw_shortterm, inflight_shortterm), and forgets it at the next probe', () => {
    const p = path({ queue: 1000 }).write(PLENTY).run(3000);
    p.until(() => p.state.mode === PROBE_CRUISE, 5000);
    expect(p.state.bwShortterm).toBe(Number.POSITIVE_INFINITY);
    p.bitsPerSecond = 8e6;
    p.queue = 5;
    p.until(() => p.state.bwShortterm < p.state.maxBw, 1000);
    p.until(() => p.state.mode === PROBE_REFILL, 5000);
    expect(p.state.bwShortterm).toBe(Number.POSITIVE_INFINITY);
    expect(p.state.inflightShortterm).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('a BBR flow', () => {
  it('resumes at the rate of its model after idle, without a burst', () => {
    const p = path({ queue: 1000 }).write(2_500_000);
    p.until(() => p.pair.b.read === 2_500_000, 5000);
    p.run(3000);
    const before = p.estimate;
    const from = p.pair.log.length;
    p.write(400_000).run(30);
    const bytes = p.pair.log.slice(from).reduce((sum, s) => sum + (s.from === 'a' ? s.payload.length : 0), 0);
    // 30 ms at the model's rate, and a burst.
    expect(bytes).toBeLessThan((before / 8) * 0.03 * 1.05 + 4 * MSS);
    expect(bytes).toBeGreaterThan((before / 8) * 0.03 * 0.8);
    expect(p.drops).toBe(0);
  });

  it('does the same for the same seed', () => {
    const run = (): unknown[] => {
      const p = path({ lossRate: 0.02, seed: 7 }).write(PLENTY).run(5000);
      const { mode, maxBw, inflightLongterm, cycleStartUs } = p.state;
      return [mode, maxBw, inflightLongterm, cycleStartUs, p.pair.b.read, p.pair.log.length, p.drops];
    };
    expect(run()).toEqual(run());
  });

  it('leaves no timer behind', () => {
    const p = path({ lossRate: 0.02 });
    p.pair.a.atEnd = 'close';
    p.pair.b.atEnd = 'close';
    p.write(2_000_000);
    p.until(() => p.pair.b.read === 2_000_000, 30_000);
    p.run(300_000);
    p.pair.expectSilence();
  });

  it('comes through a blackout with its bandwidth', () => {
    const p = path().write(PLENTY).run(3000);
    p.lossRate = 1;
    p.run(3000);
    p.lossRate = 0;
    p.run(4000);
    expect(p.utilisation(2000)).toBeGreaterThan(0.85);
  });
});
