import { seededRandom } from '@qanat/clock';
import { describe, expect, it } from 'vitest';
import { type Flying, Pair } from './pair.ts';

const ACK_ONLY = (s: Flying) => s.payload.length === 0;
const isData = (s: Flying) => s.from === 'a' && s.payload.length > 0;

describe('two ends', () => {
  it('carry a stream, close and leave nothing behind', () => {
    const p = new Pair().connect();
    p.a.atEnd = 'close';
    p.b.atEnd = 'close';
    p.transfer(1_000_000);
    p.run(200_000);
    expect(p.a.events).toEqual(['connect', 'end', 'close']);
    expect(p.b.events).toEqual(['end', 'close']);
    p.expectSilence();
  });

  it('carry streams both ways at once, with a FIN in each', () => {
    const p = new Pair().connect();
    p.b.toWrite = 2_000_000;
    p.a.atEnd = 'shutdown';
    p.b.atEnd = 'shutdown';
    p.transfer(2_000_000);
    p.until(() => p.a.read === 2_000_000, 100_000);
    p.run(200_000);
    p.expectSilence();
  });

  it('carry a stream over the wrap of 2^32', () => {
    // Find where the ISN clock makes a's ISN fall just short of the wrap.
    const probe = new Pair().connect();
    const iss = probe.a.c.iss;
    const startUs = 1_000_000 + 4 * ((-50_000 - iss) >>> 0);
    const p = new Pair({ startUs, link: lossy(5, 0.02) }).connect();
    expect(p.a.c.iss).toBeLessThan(0);
    expect(p.a.c.iss).toBeGreaterThan(-60_000);
    p.a.atEnd = 'close';
    p.b.atEnd = 'close';
    p.transfer(300_000);
    p.run(400_000);
    p.expectSilence();
  });

  it.each([
    ['both with all options', {}, {}],
    ['without timestamps', { timestamps: false }, {}],
    ['without SACK', { sack: false }, {}],
    ['without scaling', {}, { windowScaling: false }],
    ['with nothing', { timestamps: false, sack: false, windowScaling: false }, {}],
    ['with NewReno', { congestion: 'newreno' }, {}],
    ['without congestion control', { congestion: 'none' }, {}],
    ['without RACK and probes', { rack: false, lossProbe: false }, {}],
    ['without F-RTO and D-SACK', { frto: false }, { dsack: false }],
    ['with ECN asked for', { ecn: 'on' }, {}],
    ['with tiny buffers', { sndBuf: 500 }, { rcvBuf: 700 }],
    ['with a tiny receive buffer and no delay', { noDelay: true }, { rcvBuf: 128 }],
    ['with probing of the MTU', { mtuProbing: 'always' }, {}],
  ] as const)('%s survive loss, duplication and reordering', (_, a, b) => {
    for (let seed = 1; seed <= 4; seed++) {
      const p = new Pair({ a, b, link: nasty(seed) }).connect();
      p.a.atEnd = 'close';
      p.b.atEnd = 'close';
      const small = 'rcvBuf' in b || 'sndBuf' in a;
      p.b.toWrite = small ? 3000 : 50_000;
      p.transfer(small ? 10_000 : 200_000, 3_600_000);
      p.until(() => p.a.read === p.b.toWrite, 3_600_000);
      p.run(600_000);
      p.expectSilence();
    }
  });

  it('a reader that pauses stops the sender, and starts it again', () => {
    const p = new Pair({ b: { rcvBuf: 32_768 } }).connect();
    p.b.reading = false;
    p.a.toWrite = 1_000_000;
    p.a.pump();
    p.run(60_000);
    const held = p.b.c.rcv.readable;
    expect(held).toBeGreaterThan(30_000);
    p.b.reading = true;
    p.b.pump();
    p.until(() => p.b.read === 1_000_000, 60_000);
  });

  it('a window update that is lost is made up for by a probe', () => {
    let dropUpdates = false;
    const p = new Pair({
      b: { rcvBuf: 32_768 },
      link: (s) => (dropUpdates && s.from === 'b' ? [] : [10_000]),
    }).connect();
    p.b.reading = false;
    p.a.toWrite = 100_000;
    p.a.pump();
    p.run(5000);
    dropUpdates = true;
    p.b.reading = true;
    p.b.pump();
    p.run(100);
    dropUpdates = false;
    p.until(() => p.b.read === 100_000, 60_000);
  });

  it('both windows closed at once do not lock up', () => {
    const p = new Pair({ a: { rcvBuf: 8192 }, b: { rcvBuf: 8192 } }).connect();
    p.run(100);
    p.a.reading = false;
    p.b.reading = false;
    p.a.toWrite = 100_000;
    p.b.toWrite = 100_000;
    p.a.pump();
    p.b.pump();
    p.run(60_000);
    p.a.reading = true;
    p.b.reading = true;
    p.a.pump();
    p.b.pump();
    p.until(() => p.b.read === 100_000 && p.a.read === 100_000, 120_000);
  });

  it('open to each other at the same moment', () => {
    const p = new Pair();
    const connect = (from: typeof p.a, to: number, local: number, remote: number) => {
      const c = from.tcp.connect(from.path(0, to), local, remote, from.config);
      if (typeof c === 'string') throw new Error(c);
      from.use(c);
    };
    connect(p.a, 2, 100, 200);
    connect(p.b, 1, 200, 100);
    p.run(50);
    expect([p.a.c.stateName, p.b.c.stateName]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
    expect(p.log.filter((s) => s.flags & 2).length).toBe(4);
    p.transfer(100_000);
  });

  it('open to each other at the same moment though each segment is lost once', () => {
    for (let lost = 0; lost < 6; lost++) {
      const p = new Pair({ link: (s) => (s.index === lost >> 1 && s.from === (lost & 1 ? 'a' : 'b') ? [] : [10_000]) });
      const connect = (from: typeof p.a, to: number, local: number, remote: number) => {
        const c = from.tcp.connect(from.path(0, to), local, remote, from.config);
        if (typeof c === 'string') throw new Error(c);
        from.use(c);
      };
      connect(p.a, 2, 100, 200);
      connect(p.b, 1, 200, 100);
      p.transfer(50_000);
    }
  });

  it('close at the same moment', () => {
    const p = new Pair().connect();
    p.run(100);
    p.a.atEnd = 'shutdown';
    p.b.atEnd = 'shutdown';
    p.a.pump();
    p.b.pump();
    p.run(15);
    expect([p.a.c.stateName, p.b.c.stateName]).toEqual(['CLOSING', 'CLOSING']);
    p.run(100_000);
    expect(p.a.events).toEqual(['connect', 'end', 'close']);
    p.expectSilence();
  });

  it('close though any one segment of the closing is lost', () => {
    for (let lost = 0; lost < 8; lost++) {
      let closing = -1;
      const p = new Pair({
        link: (s) => {
          if (closing >= 0 && closing++ === lost) return [];
          return [s.from === 'a' ? 10_000 : 11_000];
        },
      }).connect();
      p.run(100);
      closing = 0;
      p.a.atEnd = 'shutdown';
      p.b.atEnd = 'shutdown';
      p.a.pump();
      p.b.pump();
      p.run(300_000);
      expect(p.a.events).toEqual(['connect', 'end', 'close']);
      expect(p.b.events).toEqual(['end', 'close']);
      p.expectSilence();
    }
  });

  it('whose sequence numbers have come apart end up in silence, not in a storm', () => {
    const p = new Pair().connect();
    p.run(100);
    // As after a crash that left half of the state behind.
    for (const [end, by] of [
      [p.a, 1_000_000],
      [p.b, 5_000_000],
    ] as const) {
      end.c.sndUna = (end.c.sndUna + by) | 0;
      end.c.sndNxt = end.c.sndUna;
      end.c.snd.start(end.c.sndUna);
    }
    const before = p.log.length;
    p.a.toWrite = 10;
    p.a.pump();
    p.run(1000);
    expect(p.log.length - before).toBeLessThan(20);
    p.run(3_600_000);
    expect(p.log.length - before).toBeLessThan(100);
    expect(p.a.events).toContain('close ETIMEDOUT');
  });
});

describe('loss recovery, end to end', () => {
  const RTT = { delayUs: 25_000 };

  it('repairs three losses of one window in about one round trip', () => {
    const lost = new Set([400_001, 410_137, 420_273]);
    const clean = new Pair(RTT).connect().transfer(3_000_000);
    let dropped = 0;
    const p = new Pair({
      link: (s) => {
        if (isData(s) && dropped < 3) {
          for (const at of lost) {
            const rel = (s.seq - p.a.c.iss) | 0;
            if (rel <= at && at < rel + s.payload.length) {
              lost.delete(at);
              dropped++;
              return [];
            }
          }
        }
        return [25_000];
      },
    });
    const took = p.connect().transfer(3_000_000);
    expect(dropped).toBe(3);
    expect(p.a.info().tcpi_total_retrans).toBe(3);
    expect(p.a.tcp.stats).toMatchObject({ TCPTimeouts: 0, TCPSackRecovery: 1 });
    // The window is smaller afterwards; the repair itself costs about a round trip of 50 ms.
    expect(took - clean).toBeLessThan(350);
  });

  it('repairs a lost tail before the RTO', () => {
    for (const tail of [1, 2, 3, 5]) {
      let armed = true;
      const total = 200_000;
      const p = new Pair({
        ...RTT,
        link: (s) => {
          const rel = isData(s) ? (s.seq - p.a.c.iss) | 0 : 0;
          if (armed && isData(s) && rel + s.payload.length > 1 + total - tail * 1448) {
            if (rel + s.payload.length === 1 + total) armed = false;
            return [];
          }
          return [25_000];
        },
      });
      p.connect().transfer(total);
      expect(p.a.tcp.stats.TCPTimeouts).toBe(0);
      expect(p.a.tcp.stats.TCPLossProbes).toBeGreaterThan(0);
    }
  });

  it('finds a lost retransmission without a timeout', () => {
    let drops = 0;
    let at = 0;
    const p = new Pair({
      ...RTT,
      link: (s) => {
        const rel = isData(s) ? (s.seq - p.a.c.iss) | 0 : 0;
        if (isData(s) && drops === 0 && rel > 400_000) {
          at = rel;
          drops++;
          return [];
        }
        if (isData(s) && rel === at && drops < 2) {
          drops++;
          return [];
        }
        return [25_000];
      },
    });
    p.connect().transfer(2_000_000);
    expect(drops).toBe(2);
    expect(p.a.tcp.stats.TCPTimeouts).toBe(0);
  });

  it('adapts to a path that reorders by 1 to 10 ms: no spurious recovery after that, no loss of speed', () => {
    const random = seededRandom(3);
    const p = new Pair({
      link: (s) => [25_000 + (isData(s) && random.float() < 0.1 ? 1000 + random.float() * 9000 : 0)],
    });
    p.connect().transfer(2_000_000);
    const before = p.a.tcp.stats.TCPSackRecovery;
    const { tcpi_total_retrans } = p.a.info();
    p.transfer(8_000_000);
    expect(p.a.tcp.stats.TCPTimeouts).toBe(0);
    expect(p.a.tcp.stats.TCPSackRecovery).toBe(before);
    expect(p.a.info().tcpi_total_retrans).toBe(tcpi_total_retrans);
    expect(before).toBeLessThanOrEqual(3);
  });

  it('widens its window of reordering by D-SACK where the path reorders more than a quarter of a round trip', () => {
    const random = seededRandom(4);
    const p = new Pair({
      link: (s) => [25_000 + (isData(s) && random.float() < 0.05 ? 20_000 : 0)],
      b: { timestamps: false },
    });
    p.connect().transfer(3_000_000);
    const before = p.a.info().tcpi_total_retrans;
    p.transfer(6_000_000);
    expect(p.a.tcp.stats.TCPDSACKRecv).toBeGreaterThan(0);
    expect(p.a.info().tcpi_total_retrans - before).toBeLessThan(before + 30);
  });

  it('undoes a timeout that a delay spike caused: cwnd and ssthresh are as before', () => {
    for (const config of [{}, { timestamps: false }, { timestamps: false, sack: false }] as const) {
      let heldUntilUs = 0;
      const p = new Pair({
        a: config,
        link: (s) => [s.from === 'a' ? Math.max(25_000, heldUntilUs - s.atUs) : 25_000],
      });
      p.connect().transfer(1_000_000);
      p.a.toWrite += 5_000_000;
      p.a.pump();
      p.run(100);
      const before = p.a.info();
      heldUntilUs = p.time.clock.now() + 600_000;
      p.until(() => p.a.tcp.stats.TCPTimeouts > 0, 5000);
      p.until(() => p.a.info().tcpi_ca_state <= 1, 5000);
      const after = p.a.info();
      if (config.sack === undefined) {
        expect(after.tcpi_snd_cwnd).toBeGreaterThanOrEqual(before.tcpi_snd_cwnd);
        expect(after.tcpi_snd_ssthresh).toBeGreaterThanOrEqual(before.tcpi_snd_ssthresh);
      }
      p.until(() => p.b.read === p.a.toWrite, 60_000);
    }
  });

  it('gives a window-limited flow its due: buffer by round trip', () => {
    const p = new Pair({ a: { sndBuf: 1 << 20 }, b: { rcvBuf: 256 << 10 }, delayUs: 25_000 }).connect();
    p.transfer(2_000_000);
    const from = p.nowMs;
    p.transfer(5_000_000);
    const rate = 5_000_000 / ((p.nowMs - from) / 1000);
    expect(rate).toBeGreaterThan(0.85 * ((256 << 10) / 0.05));
  });

  it('comes through a blackout', () => {
    let dark = false;
    const p = new Pair({ ...RTT, link: () => (dark ? [] : [25_000]) }).connect();
    p.a.toWrite = 3_000_000;
    p.a.pump();
    p.run(300);
    dark = true;
    p.run(20_000);
    dark = false;
    p.until(() => p.b.read === 3_000_000, 120_000);
  });

  it('loses acknowledgments without harm', () => {
    const random = seededRandom(5);
    const p = new Pair({
      link: (s) => (ACK_ONLY(s) && s.from === 'b' && !(s.flags & 2) && random.float() < 0.5 ? [] : [25_000]),
    }).connect();
    p.transfer(2_000_000);
    expect(p.a.info().tcpi_total_retrans).toBeLessThan(20);
    expect(p.a.tcp.stats.TCPTimeouts).toBeLessThan(3);
  });

  it('reports every duplicate of a link that duplicates, and halves nothing for it', () => {
    const p = new Pair({ link: (s) => (isData(s) && s.index % 10 === 0 ? [25_000, 25_500] : [25_000]) }).connect();
    p.transfer(1_000_000);
    expect(p.a.info().tcpi_total_retrans).toBe(0);
    expect(p.a.info().tcpi_dsack_dups).toBeGreaterThan(50);
    expect(p.a.info().tcpi_ca_state).toBeLessThanOrEqual(1);
  });

  it('does not fall silent when data and acknowledgments both get lost in bidirectional flows', () => {
    for (let seed = 1; seed <= 3; seed++) {
      const p = new Pair({ link: lossy(seed, 0.05) }).connect();
      p.b.toWrite = 500_000;
      p.transfer(500_000);
      p.until(() => p.a.read === 500_000, 600_000);
    }
  });
});

/** A link of 10 ms that loses at random. */
function lossy(seed: number, rate: number) {
  const random = seededRandom(seed);
  return () => (random.float() < rate ? [] : [10_000]);
}

/** One that loses, duplicates and reorders. */
function nasty(seed: number) {
  const random = seededRandom(seed);
  return () => {
    const dice = random.float();
    if (dice < 0.03) return [];
    if (dice < 0.05) return [10_000, 12_000];
    return [10_000 + (dice < 0.1 ? random.float() * 15_000 : 0)];
  };
}
