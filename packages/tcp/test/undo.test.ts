import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';

const sender = (segments: number, options: string, config = {}) => {
  const t = new Harness({ lossProbe: false, congestion: 'newreno', initialCwnd: segments, ...config });
  t.connect(options, { rttMs: 100 });
  t.write(100_000);
  expect(t.drain().length).toBe(segments);
  return t;
};
const SACK = 'mss 1000,sackOK';
const ALL = 'mss 1012,sackOK,TS 0 ecr 0';

describe('Eifel: a fast retransmit that reordering caused (RFC 3522, RFC 4015)', () => {
  it('is undone when the echo shows that the original arrived', () => {
    const t = sender(10, ALL);
    t.wait(100);
    t.in('. 1:1(0) ack 1 <nop,nop,TS 100 ecr 100,nop,nop,sack 1001:5001>');
    t.wait(50);
    expect(t.drain()[0]!.relSeq).toBe(1);
    expect(t.info()).toMatchObject({ tcpi_ca_state: 3, tcpi_snd_ssthresh: 5 });
    // The original comes after all: its ACK echoes what it was sent with.
    t.in('. 1:1(0) ack 5001 <nop,nop,TS 160 ecr 100>');
    t.in('. 1:1(0) ack 10001 <nop,nop,TS 200 ecr 100>');
    expect(t.info().tcpi_ca_state).toBe(0);
    expect(t.info().tcpi_snd_ssthresh).toBeGreaterThan(100);
    expect(t.info().tcpi_snd_cwnd).toBeGreaterThanOrEqual(10);
  });

  it('is undone the second time as well', () => {
    const t = sender(10, ALL);
    for (let round = 0; round < 2; round++) {
      t.wait(100);
      const una = (t.c.sndUna - t.peer.iss) | 0;
      const echo = t.peer.lastTsVal - t.peer.tsZero;
      const val = 200 * (round + 1);
      t.in(`. 1:1(0) ack ${una} <nop,nop,TS ${val} ecr ${echo},nop,nop,sack ${una + 1000}:${una + 5000}>`);
      t.wait(60);
      t.drain();
      expect(t.info().tcpi_ca_state).toBe(3);
      // Each episode is judged by the stamp of its own first retransmission.
      expect((t.c.retransStamp - t.peer.tsZero) | 0).toBeGreaterThan(echo);
      const end = (t.c.sndNxt - t.peer.iss) | 0;
      t.in(`. 1:1(0) ack ${una + 5000} <nop,nop,TS ${val + 1} ecr ${echo}>`);
      t.in(`. 1:1(0) ack ${end} <nop,nop,TS ${val + 2} ecr ${echo}>`);
      expect(t.info().tcpi_ca_state).toBe(0);
      expect(t.info().tcpi_snd_ssthresh).toBeGreaterThan(100);
      t.drain();
    }
  });

  it('is not undone when the retransmission was what arrived', () => {
    const t = sender(10, ALL);
    t.wait(100);
    t.in('. 1:1(0) ack 1 <nop,nop,TS 100 ecr 100,nop,nop,sack 1001:10001>');
    const { lastTsVal, tsZero } = t.peer;
    t.wait(100);
    t.in(`. 1:1(0) ack 10001 <nop,nop,TS 300 ecr ${lastTsVal - tsZero}>`);
    expect(t.info()).toMatchObject({ tcpi_ca_state: 0, tcpi_snd_ssthresh: 5, tcpi_snd_cwnd: 5 });
  });
});

describe('D-SACK: a recovery whose retransmissions were all duplicates (RFC 3708)', () => {
  it('is undone', () => {
    const t = sender(10, SACK);
    t.wait(100);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:5001>');
    t.wait(1);
    expect(t.drain().filter((s) => s.relSeq === 1).length).toBe(1);
    t.in('. 1:1(0) ack 5001');
    const end = (t.c.sndNxt - t.peer.iss) | 0;
    t.in('. 1:1(0) ack 10001 <nop,nop,sack 1:1001>');
    t.in(`. 1:1(0) ack ${end} <nop,nop,sack 1:1001>`);
    expect(t.info().tcpi_ca_state).toBe(0);
    expect(t.info().tcpi_snd_ssthresh).toBeGreaterThan(100);
    expect(t.info().tcpi_snd_cwnd).toBeGreaterThanOrEqual(10);
    expect(t.stats.TCPDSACKRecv).toBeGreaterThan(0);
  });

  it('is not undone when only some of them were', () => {
    const t = sender(10, SACK);
    t.wait(100);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 2001:10001>');
    t.wait(50);
    t.drain();
    t.in('. 1:1(0) ack 1001 <nop,nop,sack 2001:10001>');
    t.wait(100);
    t.drain();
    const end = (t.c.sndNxt - t.peer.iss) | 0;
    t.in(`. 1:1(0) ack ${end} <nop,nop,sack 1:1001>`);
    expect(t.info().tcpi_ca_state).toBe(0);
    expect(t.info().tcpi_snd_ssthresh).toBe(5);
  });

  it('counts no duplicate from before the recovery', () => {
    const t = sender(10, SACK);
    t.wait(100);
    t.in('. 1:1(0) ack 2001 <nop,nop,sack 1:1001>');
    t.in('. 1:1(0) ack 2001 <nop,nop,sack 3001:7001>');
    t.in('. 1:1(0) ack 2001 <nop,nop,sack 1:1001 3001:7001>');
    expect(t.info().tcpi_ca_state).toBe(3);
  });
});

describe('a timeout that a delay spike caused', () => {
  it('is found by F-RTO and undone, cwnd and ssthresh restored (RFC 5682, SACK)', () => {
    const t = sender(10, SACK);
    t.wait(400);
    expect(t.drain().map((s) => s.relSeq)).toEqual([1]);
    expect(t.info()).toMatchObject({ tcpi_ca_state: 4, tcpi_snd_cwnd: 1, tcpi_snd_ssthresh: 5 });
    // The acknowledgments of the originals were only late.
    t.in('. 1:1(0) ack 1001');
    expect(t.drain().map((s) => s.relSeq)[0]).toBe(10_001);
    t.in('. 1:1(0) ack 2001');
    expect(t.info().tcpi_ca_state).toBe(0);
    expect(t.info().tcpi_snd_cwnd).toBeGreaterThanOrEqual(10);
    expect(t.info().tcpi_snd_ssthresh).toBeGreaterThan(100);
    expect(t.stats.TCPSpuriousRTOs).toBe(1);
    expect(t.info().tcpi_total_retrans).toBe(1);
  });

  it('is found by Eifel by the first acknowledgment that echoes the original', () => {
    const t = sender(10, ALL);
    t.wait(400);
    t.drain();
    t.in('. 1:1(0) ack 1001 <nop,nop,TS 500 ecr 100>');
    expect(t.info().tcpi_ca_state).toBe(0);
    expect(t.info().tcpi_snd_cwnd).toBeGreaterThanOrEqual(10);
    expect(t.info()).toMatchObject({ tcpi_lost: 0 });
    expect(t.info().tcpi_snd_ssthresh).toBeGreaterThan(100);
    for (let ack = 2; ack <= 10; ack++) t.in(`. 1:1(0) ack ${ack}001 <nop,nop,TS 500 ecr 100>`);
    expect(t.info().tcpi_total_retrans).toBe(1);
  });

  it('is found without SACK by Eifel too', () => {
    const t = sender(10, 'mss 1012,TS 0 ecr 0');
    t.wait(400);
    t.drain();
    t.in('. 1:1(0) ack 1001 <nop,nop,TS 500 ecr 100>');
    expect(t.info().tcpi_ca_state).toBe(0);
    expect(t.info().tcpi_snd_cwnd).toBeGreaterThanOrEqual(10);
  });

  it('is a true one when duplicates answer the new data (RFC 5682 2.1, 3.a)', () => {
    const t = sender(10, SACK);
    t.wait(400);
    t.drain();
    t.in('. 1:1(0) ack 1001');
    t.drain();
    t.in('. 1:1(0) ack 1001 <nop,nop,sack 10001:11001>');
    expect(t.info().tcpi_ca_state).toBe(4);
    const sent = t.drain().map((s) => s.relSeq);
    expect(sent).toContain(1001);
    expect(t.stats.TCPSpuriousRTOs).toBe(0);
  });

  it('is taken for true when it strikes again', () => {
    const t = sender(10, SACK);
    t.wait(400);
    t.wait(700);
    t.drain();
    t.in('. 1:1(0) ack 1001');
    t.in('. 1:1(0) ack 10001');
    expect(t.info().tcpi_ca_state).not.toBe(4);
    expect(t.info().tcpi_backoff).toBeLessThanOrEqual(2);
  });

  it('can do without F-RTO', () => {
    const t = sender(10, SACK, { frto: false });
    t.wait(400);
    t.drain();
    t.in('. 1:1(0) ack 1001');
    expect(t.drain().map((s) => s.relSeq)[0]).toBe(1001);
    expect(t.stats.TCPSpuriousRTOs).toBe(0);
  });
});
