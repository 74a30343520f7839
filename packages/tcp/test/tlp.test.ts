import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';

const sender = (bytes: number, config = {}, options = 'mss 1000,sackOK') => {
  const t = new Harness({ congestion: 'newreno', ...config }).connect(options, { rttMs: 100 });
  t.write(bytes);
  t.drain();
  return t;
};

describe('tail loss probe (RFC 8985 7)', () => {
  it('follows two round trips after the last segment, before the RTO', () => {
    const t = sender(5000);
    expect(t.next('P. 4001:5001(1000) ack 1')).toBe(202);
    expect(t.stats.TCPLossProbes).toBe(1);
    expect(t.info()).toMatchObject({ tcpi_ca_state: 0 });
  });

  it('waits for a delayed acknowledgment when only one segment is out', () => {
    const t = sender(1000);
    const ms = t.next('P. 1:1001(1000) ack 1');
    expect(ms).toBe(300);
    expect(ms).toBeLessThanOrEqual(400);
  });

  it('sends new data where there is some', () => {
    const t = new Harness({ initialCwnd: 5 }).connect('mss 1000,sackOK', { rttMs: 100 });
    t.write(7000);
    expect(t.drain().length).toBe(5);
    t.next('. 5001:6001(1000) ack 1');
  });

  it('that was new data and is acknowledged says nothing of a loss', () => {
    const t = new Harness({ initialCwnd: 5, congestion: 'newreno' }).connect('mss 1000,sackOK', { rttMs: 100 });
    t.write(7000);
    t.drain();
    t.next('. 5001:6001(1000) ack 1');
    const { tcpi_snd_ssthresh } = t.info();
    t.in('. 1:1(0) ack 6001');
    t.wait(10);
    t.in('. 1:1(0) ack 7001');
    expect(t.info().tcpi_snd_ssthresh).toBe(tcpi_snd_ssthresh);
    expect(t.stats.TCPLossProbeRecovery).toBe(0);
  });

  it('repairs a tail that was lost, by SACK recovery, before the RTO', () => {
    const t = sender(10_000);
    t.wait(100);
    t.in('. 1:1(0) ack 7001');
    // 8, 9 and 10 are lost. The probe brings a SACK, and that the others.
    const ms = t.next('P. 9001:10001(1000) ack 1');
    expect(ms).toBeLessThan(300);
    t.wait(100);
    t.in('. 1:1(0) ack 7001 <nop,nop,sack 9001:10001>');
    t.wait(30);
    expect(t.drain().map((s) => s.relSeq)).toEqual([7001]);
    t.wait(100);
    t.in('. 1:1(0) ack 8001 <nop,nop,sack 9001:10001>');
    expect(t.drain().map((s) => s.relSeq)).toEqual([8001]);
    t.wait(100);
    t.in('. 1:1(0) ack 10001');
    expect(t.stats.TCPTimeouts).toBe(0);
  });

  it('repairs a single packet that was lost, and congestion control is told', () => {
    const t = sender(10_000);
    t.wait(100);
    t.in('. 1:1(0) ack 9001');
    t.next('P. 9001:10001(1000) ack 1');
    t.wait(100);
    t.write(10);
    t.drain();
    t.wait(1);
    const { tcpi_snd_cwnd } = t.info();
    t.in('. 1:1(0) ack 10011');
    expect(t.stats.TCPLossProbeRecovery).toBe(1);
    expect(t.info()).toMatchObject({ tcpi_snd_ssthresh: tcpi_snd_cwnd >> 1, tcpi_ca_state: 0 });
  });

  it('does not touch the window when original and probe both arrived (D-SACK)', () => {
    const t = sender(10_000);
    t.wait(100);
    t.in('. 1:1(0) ack 9001');
    const { tcpi_snd_ssthresh } = t.info();
    t.next('P. 9001:10001(1000) ack 1');
    t.in('. 1:1(0) ack 10001');
    t.in('. 1:1(0) ack 10001 <nop,nop,sack 9001:10001>');
    expect(t.info().tcpi_snd_ssthresh).toBe(tcpi_snd_ssthresh);
    expect(t.stats.TCPLossProbeRecovery).toBe(0);
  });

  it('is one: then comes the RTO, counted from the oldest segment', () => {
    const t = sender(5000);
    t.next('P. 4001:5001(1000) ack 1');
    const ms = t.next('. 1:1001(1000) ack 1');
    expect(ms).toBeGreaterThan(0);
    expect(ms).toBeLessThanOrEqual(300);
    expect(t.stats).toMatchObject({ TCPLossProbes: 1, TCPTimeouts: 1 });
  });

  it('is not sent without SACK, nor when turned off', () => {
    for (const t of [sender(5000, {}, 'mss 1000'), sender(5000, { lossProbe: false })]) {
      expect(t.next('. 1:1001(1000) ack 1')).toBe(300);
      expect(t.stats.TCPLossProbes).toBe(0);
    }
  });

  it('is sent again for a later tail', () => {
    const t = sender(2000);
    for (let una = 1; una < 8000; una += 2000) {
      expect(t.next(`P. ${una + 1000}:${una + 2000}(1000) ack 1`)).toBeLessThan(400);
      t.wait(10);
      t.in(`. 1:1(0) ack ${una + 2000} <nop,nop,sack ${una + 1000}:${una + 2000}>`);
      t.write(2000);
      t.drain();
    }
    expect(t.stats).toMatchObject({ TCPLossProbes: 4, TCPLossProbeRecovery: 0, TCPTimeouts: 0 });
  });

  it('of new data is judged as such, though the one before was a retransmission', () => {
    const t = new Harness({ initialCwnd: 2, congestion: 'newreno' }).connect('mss 1000,sackOK', { rttMs: 100 });
    t.write(2000);
    t.drain();
    t.next('P. 1001:2001(1000) ack 1');
    t.in('. 1:1(0) ack 2001 <nop,nop,sack 1001:2001>');
    t.write(10_000);
    const sent = t.drain().length;
    const end = 2001 + sent * 1000;
    t.next(`. ${end}:${end + 1000}(1000) ack 1`);
    t.in(`. 1:1(0) ack ${end + 1000}`);
    t.drain();
    t.wait(10);
    t.in(`. 1:1(0) ack ${(t.c.sndNxt - t.peer.iss) | 0}`);
    expect(t.stats.TCPLossProbeRecovery).toBe(0);
  });

  it('carries a FIN that was lost', () => {
    const t = sender(1000);
    t.shutdown();
    t.out('F. 1001:1001(0) ack 1');
    t.next('F. 1001:1001(0) ack 1');
    t.in('. 1:1(0) ack 1002');
    expect(t.state).toBe('FIN-WAIT-2');
  });
});
