import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';

const CE = 3;
const ECT0 = 2;
const ACCURATE = { ecn: 'on', accurateEcn: true, lossProbe: false, congestion: 'newreno' } as const;
/** ACE by the IP-ECN field that a handshake segment came with: not-ECT, ECT(1), ECT(0), CE. */
const SEEN = ['W', 'EW', 'A', 'WA'] as const;

/** Agreed on, opened by us; the peer's counter stands at its start, 5. */
const agreed = (config = {}) => {
  const t = new Harness({ ...ACCURATE, ...config });
  t.open();
  t.takeOne('SEWA');
  t.in('S.W 0:0(0) ack 1 <mss 1000,sackOK>');
  t.takeOne('.W');
  t.told('connect');
  return t;
};

/** Agreed on, opened by the peer. */
const accepted = (tos = 0) => {
  const t = new Harness({ ...ACCURATE, quickAcks: 100 });
  t.listen();
  t.in('SEWA 0:0(0) <mss 1000,sackOK>', { tos });
  return t;
};

describe('accurate ECN, handshake (RFC 9768 3.1)', () => {
  it('asks with all three flags, and sends data as ECN-capable once it is agreed on', () => {
    const t = agreed();
    expect(t.info().tcpi_options & 8).toBe(8);
    t.write(100);
    expect(t.out('P.EA 1:101(100) ack 1').tos & 3).toBe(ECT0);
  });

  it.each([0, 1, 2, 3])('answers a SYN-ACK that came with codepoint %i with what it saw', (tos) => {
    const t = new Harness(ACCURATE);
    t.open();
    t.takeOne('SEWA');
    t.in('S.W 0:0(0) ack 1 <mss 1000,sackOK>', { tos });
    t.takeOne(`.${SEEN[tos]}`);
  });

  it.each([0, 1, 2, 3])('answers a SYN that came with codepoint %i with what it saw', (tos) => {
    const t = accepted(tos);
    t.takeOne(`S.${SEEN[tos]}`);
  });

  it('falls back to classic ECN with a peer that knows no other, either way', () => {
    const t = new Harness(ACCURATE);
    t.open();
    t.takeOne('SEWA');
    t.in('S.E 0:0(0) ack 1 <mss 1000>');
    t.takeOne('.');
    t.write(100);
    expect(t.out('P. 1:101(100) ack 1').tos & 3).toBe(ECT0);
    const other = new Harness(ACCURATE);
    other.listen();
    other.in('SEW 0:0(0) <mss 1000>');
    other.takeOne('S.E');
    const classic = new Harness({ ecn: 'passive' });
    classic.listen();
    classic.in('SEWA 0:0(0) <mss 1000>');
    classic.takeOne('S.E');
  });

  it.each(['S.', 'S.EWA'])('takes %s for a no', (flags) => {
    const t = new Harness(ACCURATE);
    t.open();
    t.takeOne('SEWA');
    t.in(`${flags} 0:0(0) ack 1 <mss 1000>`);
    t.takeOne('.');
    t.write(100);
    expect(t.out('P. 1:101(100) ack 1').tos & 3).toBe(0);
  });

  it('is not asked for again after a SYN was lost', () => {
    const t = new Harness(ACCURATE);
    t.open();
    t.takeOne('SEWA');
    t.next('S 0:0(0)');
  });

  it('sends nothing as ECN-capable where somebody on the way clears the flags (3.2.2.1)', () => {
    const t = accepted();
    t.takeOne('S.W');
    t.in('. 1:1(0) ack 1');
    t.told('accept');
    t.write(100);
    expect(t.out('P.EA 1:101(100) ack 1').tos & 3).toBe(0);
  });
});

describe('accurate ECN, receiver (3.2.2)', () => {
  it('counts each packet that comes marked, modulo 8, and says so at once', () => {
    const t = accepted();
    t.takeOne('S.W');
    t.in('.W 1:1(0) ack 1');
    t.told('accept');
    const counts = ['WA', 'EWA', '', 'E'];
    for (const [i, flags] of counts.entries()) {
      t.in(`.EA ${1 + i * 100}:${101 + i * 100}(100) ack 1`, { tos: CE });
      t.takeOne(`.${flags}`);
    }
    t.in('.EA 401:501(100) ack 1', { tos: ECT0 });
    t.takeOne('.E');
  });
});

describe('accurate ECN, sender (3.2.2)', () => {
  const sending = (segments: number) => {
    const t = agreed({ noDelay: true, initialCwnd: 20 });
    t.write(segments * 1000);
    t.drain();
    return t;
  };

  it('reduces once a round trip, counts every mark, and says no CWR', () => {
    const t = sending(10);
    t.in('.WA 1:1(0) ack 2001 win 60000');
    expect(t.info()).toMatchObject({ tcpi_ca_state: 2, tcpi_delivered_ce: 1, tcpi_snd_ssthresh: 10 });
    t.in('.EWA 1:1(0) ack 4001 win 60000');
    expect(t.info()).toMatchObject({ tcpi_ca_state: 2, tcpi_delivered_ce: 2, tcpi_snd_ssthresh: 10 });
    expect(t.stats.RetransSegs).toBe(0);
  });

  it('does nothing while the counter stands', () => {
    const t = sending(10);
    t.in('.EA 1:1(0) ack 10001 win 60000');
    expect(t.info()).toMatchObject({ tcpi_ca_state: 0, tcpi_delivered_ce: 0 });
  });

  it('takes a counter that may have gone round for the most that it can mean', () => {
    const t = sending(10);
    t.in('.WA 1:1(0) ack 10001 win 60000');
    expect(t.info().tcpi_delivered_ce).toBe(9);
  });

  it('does not believe an acknowledgment of nothing new', () => {
    const t = sending(4);
    t.in('.EA 1:1(0) ack 4001 win 60000');
    t.in('.WA 1:1(0) ack 4001 win 60000');
    expect(t.info()).toMatchObject({ tcpi_ca_state: 0, tcpi_delivered_ce: 0 });
  });
});
