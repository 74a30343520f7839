import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';

const CE = 3;
const ECT0 = 2;
const ECN = { ecn: 'on', lossProbe: false, congestion: 'newreno' } as const;

/** ECN agreed on, opened by us. */
const agreed = (config = {}) => {
  const t = new Harness({ ...ECN, ...config });
  t.open();
  t.takeOne('SEW');
  t.in('S.E 0:0(0) ack 1 <mss 1000,sackOK>');
  t.takeOne('.');
  t.told('connect');
  return t;
};

describe('ECN setup (RFC 3168 6.1.1) [SHLD-8]', () => {
  it('asks with ECE and CWR, and takes ECE alone for an answer', () => {
    const t = agreed();
    expect(t.info().tcpi_options & 8).toBe(8);
    t.write(100);
    expect(t.out('P. 1:101(100) ack 1').tos & 3).toBe(ECT0);
  });

  it.each(['S.', 'S.EW', 'S.W'])('an answer of %s means no', (flags) => {
    const t = new Harness(ECN);
    t.open();
    t.takeOne('SEW');
    t.in(`${flags} 0:0(0) ack 1 <mss 1000>`);
    t.drain();
    t.write(100);
    expect(t.out('P. 1:101(100) ack 1').tos & 3).toBe(0);
  });

  it('is given up after a SYN was lost, as a middlebox may drop it', () => {
    const t = new Harness(ECN);
    t.open();
    t.takeOne('SEW');
    t.next('S 0:0(0)');
    t.in('S.E 0:0(0) ack 1 <mss 1000>');
    expect(t.info().tcpi_options & 8).toBe(0);
  });

  it('answers an ECN-setup SYN with ECE, by default; others without', () => {
    const t = new Harness();
    t.listen();
    t.in('SEW 0:0(0) <mss 1000>');
    expect(t.takeOne('S.E').tos & 3).toBe(0);
    t.in('S 0:0(0) <mss 1000>', { from: t.peerOn(1) });
    t.takeOne('S.');
    t.in('SE 0:0(0) <mss 1000>', { from: t.peerOn(2) });
    t.takeOne('S.');
    const off = new Harness({ ecn: 'off' });
    off.listen();
    off.in('SEW 0:0(0) <mss 1000>');
    off.takeOne('S.');
  });

  it('does not ask by default (tcp_ecn = 2)', () => {
    const t = new Harness();
    t.open();
    t.takeOne('S');
  });
});

describe('ECN, receiver (6.1.3)', () => {
  it('echoes CE with every ACK until CWR comes', () => {
    const t = agreed({ quickAcks: 0 });
    t.in('P. 1:101(100) ack 1', { tos: CE });
    t.out('.E 1:1(0) ack 101');
    t.in('P. 101:201(100) ack 1', { tos: ECT0 });
    t.wait(100);
    t.out('.E 1:1(0) ack 201');
    t.in('P.W 201:301(100) ack 1', { tos: ECT0 });
    t.wait(100);
    t.out('. 1:1(0) ack 301');
    t.in('P. 301:401(100) ack 1', { tos: CE });
    t.out('.E 1:1(0) ack 401');
  });

  it('CWR on a segment that is itself marked begins anew', () => {
    const t = agreed({ quickAcks: 0 });
    t.in('P. 1:101(100) ack 1', { tos: CE });
    t.drain();
    t.in('P.W 101:201(100) ack 1', { tos: CE });
    t.out('.E 1:1(0) ack 201');
  });

  it('does not heed CE where ECN was not agreed on', () => {
    const t = new Harness().connect('mss 1000');
    t.in('P. 1:101(100) ack 1', { tos: CE });
    t.wait(100);
    t.out('. 1:1(0) ack 101');
  });
});

describe('ECN, sender (6.1.2)', () => {
  it('halves once a round trip when ECE comes, retransmits nothing, and says CWR with new data', () => {
    const t = agreed();
    t.write(50_000);
    expect(t.drain().length).toBe(10);
    t.wait(100);
    t.in('.E 1:1(0) ack 1001');
    expect(t.info()).toMatchObject({ tcpi_ca_state: 2, tcpi_snd_ssthresh: 5 });
    t.in('.E 1:1(0) ack 2001');
    t.in('.E 1:1(0) ack 3001');
    const sent = t.drain();
    expect(sent.filter((s) => s.flags & 0x80).length).toBe(1);
    expect(sent[0]!.flags & 0x80).toBe(0x80);
    expect(t.info()).toMatchObject({ tcpi_snd_ssthresh: 5, tcpi_total_retrans: 0 });
    for (let ack = 4001; ack <= 10_001; ack += 1000) t.in(`. 1:1(0) ack ${ack}`);
    t.drain();
    t.in(`. 1:1(0) ack ${(t.c.sndNxt - t.peer.iss) | 0}`);
    expect(t.info()).toMatchObject({ tcpi_ca_state: 0 });
    expect(t.info().tcpi_snd_cwnd).toBeGreaterThanOrEqual(5);
    expect(t.info().tcpi_snd_cwnd).toBeLessThanOrEqual(7);
  });

  it('sends retransmissions, pure ACKs, SYNs and probes as not ECN-capable (6.1.4-6.1.6)', () => {
    const t = agreed();
    t.write(1000);
    t.drain();
    t.next('P. 1:1001(1000) ack 1');
    t.in('P. 1:101(100) ack 1', { tos: ECT0 });
    t.wait(10_000);
    for (const sent of t.drain()) expect(sent.tos & 3).toBe(0);
  });

  it('reduces again in a later round trip', () => {
    const t = agreed();
    t.write(80_000);
    t.drain();
    t.in('.E 1:1(0) ack 1001');
    const end = (t.c.sndNxt - t.peer.iss) | 0;
    t.in(`. 1:1(0) ack ${end}`);
    t.drain();
    const { tcpi_snd_cwnd } = t.info();
    t.in(`.E 1:1(0) ack ${end + 1000}`);
    expect(t.info().tcpi_snd_ssthresh).toBe(Math.max(2, tcpi_snd_cwnd >> 1));
  });

  it('says CWR after a fast retransmit too, once', () => {
    const t = agreed();
    t.write(50_000);
    t.drain();
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:9001>');
    let marked = t.drain().filter((s) => s.flags & 0x80).length;
    t.wait(100);
    t.in('. 1:1(0) ack 10001');
    marked += t.drain().filter((s) => s.flags & 0x80).length;
    expect(marked).toBe(1);
  });

  it('does not say CWR for a reduction that was undone', () => {
    const t = new Harness(ECN);
    t.open();
    t.takeOne('SEW');
    t.in('S.E 0:0(0) ack 1 <mss 1012,sackOK,TS 0 ecr 0>');
    t.takeOne('.');
    t.write(50_000);
    t.drain();
    t.wait(2000);
    expect(t.drain().map((s) => s.relSeq)).toContain(1);
    // The echo of the original: the timeout was spurious (Eifel).
    t.in('. 1:1(0) ack 1001 <nop,nop,TS 500 ecr 0>');
    const sent = t.drain().filter((s) => s.relSeq > 10_000);
    expect(sent.length).toBeGreaterThan(0);
    for (const s of sent) expect(s.flags & 0x80).toBe(0);
  });

  it('marks what it sends with the TOS byte of the application, whose ECN bits are not its own [MUST-48] [SHLD-21] [SHLD-22]', () => {
    const t = agreed({ tos: 0xb8 });
    t.write(100);
    expect(t.takeOne('P.').tos).toBe(0xb8 | ECT0);
    t.configure({ tos: 0x20 });
    t.in('. 1:1(0) ack 101');
    t.write(100);
    expect(t.takeOne('P.').tos).toBe(0x20 | ECT0);
    const s = new Harness({ tos: 0x1f }).connect('mss 1000');
    s.write(100);
    expect(s.takeOne('P.').tos & 3).toBe(0);
  });
});
