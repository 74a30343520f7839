import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';

const sender = (config = {}, options = 'mss 1000,sackOK,nop,wscale 7') =>
  new Harness(
    { lossProbe: false, congestion: 'newreno', sndBuf: 1 << 20, ...config },
    { memoryBytes: 16 << 20 },
  ).connect(options, {
    rttMs: 50,
  });

/** Acknowledges everything that is in flight. */
const ackAll = (t: Harness) => t.in(`. 1:1(0) ack ${(t.c.sndNxt - t.peer.iss) | 0}`);

describe('the congestion window', () => {
  it('begins with ten segments (RFC 6928), or what is configured', () => {
    const t = sender();
    t.write(100_000);
    expect(t.drain().length).toBe(10);
    const s = sender({ initialCwnd: 3 });
    s.write(100_000);
    expect(s.drain().length).toBe(3);
  });

  it('doubles each round trip in slow start', () => {
    const t = sender();
    t.write(1 << 20);
    const rounds: number[] = [];
    for (let i = 0; i < 3; i++) {
      rounds.push(t.drain().length);
      t.wait(50);
      ackAll(t);
    }
    expect(rounds).toEqual([10, 20, 40]);
  });

  it('does not grow while the application sends less than it allows (RFC 7661)', () => {
    const t = sender({ noDelay: true });
    for (let i = 0; i < 50; i++) {
      t.write(1000);
      t.drain();
      t.wait(50);
      ackAll(t);
    }
    expect(t.info().tcpi_snd_cwnd).toBe(10);
  });

  it("does not grow while the peer's window is what limits", () => {
    const t = sender();
    for (let i = 0; i < 50; i++) {
      t.write(5000);
      t.drain();
      t.wait(50);
      t.in(`. 1:1(0) ack ${(t.c.sndNxt - t.peer.iss) | 0} win 39`);
    }
    expect(t.info().tcpi_snd_cwnd).toBeLessThanOrEqual(20);
  });

  it('shrinks with each RTO of silence, down to where it began; ssthresh remembers it (RFC 2861)', () => {
    const t = sender();
    t.write(160_000);
    for (let i = 0; i < 4; i++) {
      t.drain();
      t.wait(50);
      ackAll(t);
    }
    t.drain();
    ackAll(t);
    const { tcpi_snd_cwnd, tcpi_rto } = t.info();
    expect(tcpi_snd_cwnd).toBeGreaterThan(60);
    t.wait((tcpi_rto / 1000) * 2.5);
    t.write(500_000);
    const quarter = t.drain().length;
    expect(quarter).toBeLessThanOrEqual(tcpi_snd_cwnd / 2);
    ackAll(t);
    t.drain();
    ackAll(t);
    t.drain();
    ackAll(t);
    t.drain();
    ackAll(t);
    t.wait(60_000);
    const before = t.info();
    t.write(500_000);
    expect(t.drain().length).toBe(10);
    expect(t.info().tcpi_snd_ssthresh).toBeGreaterThanOrEqual(Math.floor(before.tcpi_snd_cwnd * 0.74));
  });

  it('is kept over silence where that is configured', () => {
    const t = sender({ slowStartAfterIdle: false });
    t.write(100_000);
    for (let i = 0; i < 3; i++) {
      t.drain();
      t.wait(50);
      ackAll(t);
    }
    t.drain();
    ackAll(t);
    const { tcpi_snd_cwnd } = t.info();
    t.wait(600_000);
    t.write(500_000);
    expect(t.drain().length).toBe(tcpi_snd_cwnd);
  });

  it('is counted in segments: small ones use it up as large ones do', () => {
    const t = sender({ noDelay: true, initialCwnd: 4 });
    for (let i = 0; i < 10; i++) t.write(10);
    expect(t.drain().length).toBe(4);
  });

  it('of one connection does not starve another: turns are taken', () => {
    const t = new Harness(
      { congestion: 'none', sndBuf: 4 << 20, lossProbe: false, autoTune: false },
      { memoryBytes: 64 << 20 },
    );
    const peers = [1, 2].map((port) => t.peerOn(port, { localPort: 100 + port }));
    const all = peers.map((from) => {
      const c = t.open({}, from);
      t.in('S. 0:0(0) ack 1 <mss 1000,nop,wscale 7>', { from });
      return c;
    });
    t.drain();
    for (const from of peers) t.in('. 1:1(0) ack 1 win 0', { from });
    for (const c of all) t.write(400_000, 0, c);
    t.batch(() => {
      for (const from of peers) t.feed('. 1:1(0) ack 1 win 60000', { from });
    });
    const ports = t.drain().map((s) => s.dstPort);
    expect(ports.length).toBe(800);
    const firstOfSecond = ports.indexOf(2);
    expect(firstOfSecond).toBeLessThan(200);
  });
});
