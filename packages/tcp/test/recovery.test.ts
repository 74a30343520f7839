import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';

/** A sender of `segments` full segments in flight, 100 ms of round trip, on what was agreed in `options`. */
const sender = (segments: number, config = {}, options = 'mss 1000,sackOK', o = {}) => {
  const t = new Harness({ lossProbe: false, congestion: 'newreno', initialCwnd: segments, ...config }, o);
  t.connect(options, { rttMs: 100 });
  t.write(100_000);
  expect(t.drain().length).toBe(segments);
  t.wait(100);
  return t;
};
const seqs = (t: Harness) => t.drain().map((s) => s.relSeq);

describe('SACK-based recovery (RFC 6675)', () => {
  const RFC6675 = { rack: false };

  it('retransmits after three SACKed segments above the hole, not before', () => {
    const t = sender(10, RFC6675);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:2001>');
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:3001>');
    // Limited transmit (RFC 3042): each lets one new segment out.
    expect(seqs(t)).toEqual([10_001, 11_001]);
    expect(t.info().tcpi_ca_state).toBe(1);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:4001>');
    expect(seqs(t)[0]).toBe(1);
    expect(t.info()).toMatchObject({
      tcpi_ca_state: 3,
      tcpi_snd_ssthresh: 5,
      tcpi_lost: 1,
      tcpi_retrans: 1,
      tcpi_sacked: 3,
    });
    expect(t.stats).toMatchObject({ TCPSackRecovery: 1, TCPFastRetrans: 1 });
  });

  it('ends when what was out at its start is acknowledged, with cwnd at ssthresh', () => {
    const t = sender(10, RFC6675);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:10001>');
    expect(seqs(t)[0]).toBe(1);
    t.wait(100);
    t.in('. 1:1(0) ack 10001');
    expect(t.info()).toMatchObject({ tcpi_ca_state: 0, tcpi_snd_cwnd: 5 });
  });

  it('repairs three losses of one window in one round trip', () => {
    for (const config of [RFC6675, {}]) {
      const t = sender(20, config);
      // 1, 3 and 5 are lost; the ACKs of the others arrive.
      for (const sack of [
        '1001:2001',
        '1001:2001 3001:4001',
        '1001:2001 3001:4001 5001:6001',
        '1001:2001 3001:4001 5001:7001',
      ]) {
        t.in(`. 1:1(0) ack 1 <nop,nop,sack ${sack}>`);
      }
      for (let right = 8; right <= 20; right++)
        t.in(`. 1:1(0) ack 1 <nop,nop,sack 5001:${right}001 3001:4001 1001:2001>`);
      const sent = seqs(t);
      expect(sent).toEqual(expect.arrayContaining([1, 2001, 4001]));
      expect(sent.filter((seq) => seq < 20_000).length).toBe(3);
      t.wait(100);
      t.in(`. 1:1(0) ack ${(t.c.sndNxt - t.peer.iss) | 0}`);
      expect(t.info()).toMatchObject({ tcpi_ca_state: 0, tcpi_total_retrans: 3 });
      expect(t.stats.TCPTimeouts).toBe(0);
    }
  });

  it('sends what is lost first, then new data, as far as cwnd allows', () => {
    const t = sender(10, RFC6675);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 2001:10001>');
    expect(t.info().tcpi_lost).toBe(2);
    const sent = seqs(t);
    expect(sent.slice(0, 3)).toEqual([1, 1001, 10_001]);
    expect(sent.length).toBe(t.info().tcpi_snd_cwnd);
  });

  it('does not begin anew on duplicates of what was repaired', () => {
    const t = sender(10, RFC6675);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:10001>');
    t.wait(100);
    t.in('. 1:1(0) ack 10001');
    const { tcpi_snd_ssthresh } = t.info();
    for (let i = 0; i < 5; i++) t.in('. 1:1(0) ack 10001');
    expect(t.info()).toMatchObject({ tcpi_ca_state: 0, tcpi_snd_ssthresh });
  });

  it('ignores blocks below SND.UNA, above SND.NXT, inverted or empty', () => {
    const t = sender(10, RFC6675);
    t.in('. 1:1(0) ack 3001');
    t.drain();
    for (const sack of ['1:2001', '20001:30001', '5001:4001', '5001:5001', '9001:99001', '-5000:-4000', '5001:-2000']) {
      t.in(`. 1:1(0) ack 3001 <nop,nop,sack 4001:4001 ${sack}>`);
    }
    expect(t.info()).toMatchObject({ tcpi_sacked: 0, tcpi_lost: 0, tcpi_ca_state: 0 });
    expect(t.stats.TCPSACKDiscard).toBeGreaterThan(0);
  });

  it('counts a block that covers part of a segment for what it covers whole', () => {
    const t = sender(10, RFC6675);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1501:3501>');
    expect(t.info().tcpi_sacked).toBe(1);
  });

  it('takes SACK blocks from an acknowledgment that came late', () => {
    const t = sender(10, RFC6675);
    t.in('. 1:1(0) ack 2001');
    t.in('. 1:1(0) ack 1 <nop,nop,sack 3001:5001>');
    expect(t.info().tcpi_sacked).toBe(2);
  });

  it('takes no partial acknowledgment for a loss where nothing above it was SACKed', () => {
    const t = sender(10, RFC6675);
    for (const right of [2, 3, 4]) t.in(`. 1:1(0) ack 1 <nop,nop,sack 1001:${right}001>`);
    expect(t.drain().length).toBeGreaterThan(2);
    t.wait(100);
    // What was sent before the recovery began, beyond the first window, is still on its way.
    t.in('. 1:1(0) ack 10001');
    expect(t.info()).toMatchObject({ tcpi_ca_state: 3, tcpi_total_retrans: 1, tcpi_lost: 0 });
  });

  it('a second one is reduced as the first was', () => {
    const t = sender(20, {});
    const shape: number[] = [];
    for (let round = 0; round < 2; round++) {
      t.drain();
      const una = (t.c.sndUna - t.peer.iss) | 0;
      const flight = t.info().tcpi_unacked;
      for (let right = 2; right <= flight; right++) {
        t.in(`. 1:1(0) ack ${una} <nop,nop,sack ${una + 1000}:${una + right * 1000}>`);
      }
      shape.push(t.drain().length / flight);
      t.wait(100);
      t.in(`. 1:1(0) ack ${(t.c.sndNxt - t.peer.iss) | 0}`);
      t.wait(100);
    }
    expect(Math.abs(shape[0]! - shape[1]!)).toBeLessThan(0.25);
  });

  it('works across 2^32', () => {
    const t = sender(10, RFC6675, 'mss 1000,sackOK', { iss: -5500 });
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:10001>');
    expect(seqs(t)[0]).toBe(1);
    t.wait(100);
    t.in('. 1:1(0) ack 10001');
    expect(t.info()).toMatchObject({ tcpi_ca_state: 0, tcpi_sacked: 0, tcpi_unacked: t.c.rtx.packetsOut });
  });

  it('with a dupthresh that is configured', () => {
    const t = sender(10, { rack: false, dupThresh: 5 });
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:5001>');
    expect(t.info().tcpi_ca_state).toBe(1);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:6001>');
    expect(t.info().tcpi_ca_state).toBe(3);
  });
});

describe('SACK reneging (RFC 2018 8)', () => {
  it('after a timeout nothing is believed that was SACKed, and everything is sent again', () => {
    const t = sender(5, {}, 'mss 1000,sackOK');
    // The receiver reported 2..5, then acknowledges 1 and has thrown away the rest.
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:5001>');
    t.drain();
    t.in('. 1:1(0) ack 1001');
    const seen = new Set<number>();
    for (let una = 1001; una < 5001; ) {
      t.wait(5000);
      for (const s of t.drain()) {
        seen.add(s.relSeq);
        if (s.relSeq === una) una += 1000;
      }
      t.in(`. 1:1(0) ack ${una}`);
      expect(t.nowMs).toBeLessThan(600_000);
    }
    for (const seq of [1001, 2001, 3001, 4001]) expect(seen).toContain(seq);
    expect(t.stats.TCPSACKReneging).toBeGreaterThan(0);
  });

  it('is met with impatience: half a round trip after an ACK that stops at what was SACKed, not an RTO', () => {
    const t = sender(5, {}, 'mss 1000,sackOK');
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:5001>');
    t.drain();
    t.in('. 1:1(0) ack 1001');
    t.drain();
    expect(t.next('. 1001:2001(1000) ack 1')).toBeLessThanOrEqual(60);
    expect(t.stats.TCPSACKReneging).toBe(1);
  });

  it('is not suspected where the rest of the ACK follows at once', () => {
    const t = sender(5, {}, 'mss 1000,sackOK');
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:5001>');
    t.in('. 1:1(0) ack 1001');
    t.wait(5);
    t.in('. 1:1(0) ack 5001');
    t.wait(100);
    expect(t.stats.TCPSACKReneging).toBe(0);
  });

  it('a receiver that reneges for ever does not make a livelock', () => {
    const t = sender(5, { retries2: 4 });
    for (let i = 0; i < 200 && t.tcp.connectionCount > 0; i++) {
      t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:5001>');
      t.wait(1000);
      expect(t.drain().length).toBeLessThan(20);
      t.in('. 1:1(0) ack 1');
    }
  });
});

describe('NewReno without SACK (RFC 5681, RFC 6582)', () => {
  const reno = (segments: number, config = {}) => sender(segments, config, 'mss 1000');

  it('retransmits on the third duplicate acknowledgment', () => {
    const t = reno(10);
    t.in('. 1:1(0) ack 1');
    t.in('. 1:1(0) ack 1');
    expect(seqs(t)).toEqual([10_001, 11_001]);
    t.in('. 1:1(0) ack 1');
    expect(seqs(t)[0]).toBe(1);
    expect(t.info()).toMatchObject({ tcpi_ca_state: 3, tcpi_snd_ssthresh: 5 });
    expect(t.stats.TCPRenoRecovery).toBe(1);
  });

  it('a partial acknowledgment shows the next hole, which is repaired at once', () => {
    const t = reno(10);
    for (let i = 0; i < 5; i++) t.in('. 1:1(0) ack 1');
    t.drain();
    t.wait(100);
    t.in('. 1:1(0) ack 4001');
    expect(seqs(t)).toEqual([4001]);
    expect(t.info().tcpi_ca_state).toBe(3);
    t.wait(100);
    t.in('. 1:1(0) ack 12001');
    expect(t.stats.TCPTimeouts).toBe(0);
    expect(t.info()).toMatchObject({ tcpi_total_retrans: 2 });
  });

  it('does not count as duplicates: segments with data, a changed window, or nothing in flight', () => {
    const t = reno(10);
    for (let i = 0; i < 4; i++) t.in(`P. ${1 + 10 * i}:${11 + 10 * i}(10) ack 1`);
    for (let i = 0; i < 4; i++) t.in(`. 41:41(0) ack 1 win ${60_000 + i}`);
    expect(t.info()).toMatchObject({ tcpi_ca_state: 0, tcpi_total_retrans: 0 });
    const s = new Harness().connect('mss 1000');
    for (let i = 0; i < 5; i++) s.in('. 1:1(0) ack 1');
    s.quiet();
    s.write(500);
    s.out('P. 1:501(500) ack 1');
  });

  it('does not begin anew by duplicates that a retransmission caused (RFC 6582 3.2)', () => {
    const t = reno(10);
    for (let i = 0; i < 3; i++) t.in('. 1:1(0) ack 1');
    t.wait(100);
    const { sndNxt } = t.c;
    t.in(`. 1:1(0) ack ${(sndNxt - t.peer.iss) | 0}`);
    t.drain();
    const { tcpi_snd_ssthresh } = t.info();
    for (let i = 0; i < 4; i++) t.in(`. 1:1(0) ack ${(sndNxt - t.peer.iss) | 0}`);
    expect(t.info().tcpi_snd_ssthresh).toBe(tcpi_snd_ssthresh);
  });

  it('recovers again more than 2^31 bytes after the last recovery', () => {
    const t = reno(10);
    // The marks of that recovery are drawn along before they can come round.
    t.c.recoveryPoint = (t.c.sndUna - 0x3fff_ff00) | 0;
    t.in('. 1:1(0) ack 1001');
    expect((t.c.sndUna - t.c.recoveryPoint) | 0).toBe(1);
    t.drain();
    for (let i = 0; i < 3; i++) t.in('. 1:1(0) ack 1001');
    expect(seqs(t)).toContain(1001);
  });

  it('survives floods of duplicates: what is counted never exceeds what is out', () => {
    const t = reno(10);
    for (let i = 0; i < 200; i++) t.in('. 1:1(0) ack 1');
    t.drain();
    const end = (t.c.sndNxt - t.peer.iss) | 0;
    t.in(`. 1:1(0) ack ${end}`);
    expect(t.info().tcpi_unacked).toBe(t.drain().length);
  });
});

describe('proportional rate reduction (RFC 6937)', () => {
  it('spreads what is sent over the recovery: about one for two acknowledged', () => {
    const t = sender(20);
    let sent = 0;
    for (let right = 2; right <= 20; right++) {
      t.in(`. 1:1(0) ack 1 <nop,nop,sack 1001:${right}001>`);
      const now = t.drain().length;
      expect(now).toBeLessThanOrEqual(2);
      if (right > 4) sent += now;
    }
    expect(sent).toBeGreaterThanOrEqual(6);
    expect(sent).toBeLessThanOrEqual(12);
    t.wait(100);
    t.in('. 1:1(0) ack 20001');
    expect(t.info().tcpi_snd_cwnd).toBe(10);
  });

  it('sends one more than was delivered where an ACK advances without new losses, else as much (slow start bound)', () => {
    const t = sender(40);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 36001:40001>');
    t.drain();
    t.wait(100);
    t.in('. 1:1(0) ack 1001 <nop,nop,sack 36001:40001>');
    expect(t.drain().length).toBe(2);
    t.in('. 1:1(0) ack 1001 <nop,nop,sack 2001:3001 36001:40001>');
    expect(t.drain().length).toBe(1);
  });

  it('ends with cwnd at ssthresh, also when there was nothing more to send', () => {
    const t = new Harness({ lossProbe: false, congestion: 'newreno' }).connect('mss 1000,sackOK', { rttMs: 100 });
    t.write(10_000);
    t.drain();
    t.wait(100);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:10001>');
    t.wait(100);
    t.in('. 1:1(0) ack 10001');
    expect(t.info()).toMatchObject({ tcpi_ca_state: 0, tcpi_snd_cwnd: 5, tcpi_snd_ssthresh: 5, tcpi_unacked: 0 });
  });

  it('does not burst when most of a window is lost', () => {
    const t = sender(40);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 36001:40001>');
    expect(t.drain().length).toBeLessThanOrEqual(5);
    t.wait(100);
    t.in('. 1:1(0) ack 1001 <nop,nop,sack 36001:40001>');
    expect(t.drain().length).toBeLessThanOrEqual(3);
  });
});

describe('with congestion control off', () => {
  it('only the window limits, and losses are repaired all the same', () => {
    const t = new Harness({ congestion: 'none', lossProbe: false }).connect('mss 1000,sackOK', {
      win: 65535,
      rttMs: 100,
    });
    t.write(100_000);
    expect(t.drain().length).toBe(65);
    t.wait(100);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:65001>');
    expect(seqs(t)).toContain(1);
    t.wait(100);
    t.in('. 1:1(0) ack 65001');
    expect(t.drain().length).toBe(35);
  });
});
