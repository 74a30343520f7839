import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';

const established = (options = 'mss 1000', config = {}) => new Harness(config).connect(options);

/** A connection whose receive window is closed. */
function zeroWindow(): Harness {
  const t = new Harness({ rcvBuf: 4096, quickAcks: 1 }).connect('mss 1000');
  const window = t.c.rcvWnd;
  t.in(`P. 1:${1 + window}(${window}) ack 1`);
  t.wait(100);
  expect(t.queue.at(-1)!.window).toBe(0);
  t.drain();
  t.told('readable');
  return t;
}

describe('RST (RFC 5961 3.2)', () => {
  it.each([2, 100, 65534, 65535])('in the window but not at RCV.NXT (%i) is challenged', (seq) => {
    const t = established();
    t.in(`R ${seq}:${seq}(0)`);
    t.out('. 1:1(0) ack 1');
    t.told();
    t.quiet();
    // A peer that really lost its state answers the challenge exactly.
    t.in('R 1:1(0)');
    t.told('close ECONNRESET');
  });

  it.each([0, -1, -65535, 65536, 70000, 1 << 30, -(2 ** 31) + 1])(
    'outside the window (%i) is dropped silently',
    (seq) => {
      const t = established();
      t.in(`R ${seq}:${seq}(0)`);
      t.quiet();
      t.told();
      expect(t.state).toBe('ESTABLISHED');
    },
  );

  it('at RCV.NXT counts when the window is zero [MUST-66]', () => {
    const t = zeroWindow();
    const at = t.c.rcv.readable + 1;
    t.in(`R ${at + 1}:${at + 1}(0)`);
    t.quiet();
    t.in(`R ${at}:${at}(0)`);
    t.told('close ECONNRESET');
  });
});

describe('SYN in a synchronized state (RFC 5961 4.2)', () => {
  it.each([
    'S 1:1(0)',
    'S 0:0(0)',
    'S 5000:5000(0)',
    'S 900000:900000(0)',
    'S. 1:1(0) ack 1',
    'S. 0:0(0) ack 1',
    'SFP. 1:11(10) ack 1',
  ])('%s is challenged and nothing else happens', (text) => {
    const t = established();
    t.in(text);
    t.out('. 1:1(0) ack 1');
    t.quiet();
    t.told();
    expect(t.state).toBe('ESTABLISHED');
    expect(t.stats.TCPSYNChallenge).toBe(1);
  });

  it.each(['FIN-WAIT-1', 'FIN-WAIT-2', 'CLOSE-WAIT', 'CLOSING', 'LAST-ACK'])('is challenged in %s', (state) => {
    const t = established();
    const fin = state === 'CLOSE-WAIT' || state === 'CLOSING' || state === 'LAST-ACK';
    if (state !== 'CLOSE-WAIT' && state !== 'LAST-ACK') t.shutdown();
    if (fin) t.in('F. 1:1(0) ack 1');
    if (state === 'LAST-ACK') t.shutdown();
    if (state === 'FIN-WAIT-2') t.in('. 1:1(0) ack 2');
    t.drain();
    expect(t.state).toBe(state);
    t.wait(1);
    const at = fin ? 2 : 1;
    t.in(`S ${at}:${at}(0)`);
    expect(t.takeOne('.').relAck).toBe(at);
    expect(t.state).toBe(state);
  });

  it('finds a half-open connection: the SYN of a rebooted peer draws an ACK, its RST ends ours (figure 9)', () => {
    const t = established();
    const reborn = 123_456;
    t.in(`S ${reborn}:${reborn}(0)`);
    t.out('. 1:1(0) ack 1');
    t.in('R 1:1(0)');
    t.told('close ECONNRESET');
  });
});

describe('challenge ACKs are limited in rate (RFC 5961 7)', () => {
  it('one in 500 ms for segments without data', () => {
    const t = established();
    t.in('S 1:1(0)');
    t.takeOne('.');
    t.in('S 1:1(0)');
    t.in('R 2:2(0)');
    t.in('. 90000:90000(0) ack 1');
    t.in('. 1:1(0) ack 99');
    t.quiet();
    expect(t.stats.TCPACKSkippedChallenge).toBe(4);
    t.wait(499);
    t.in('S 1:1(0)');
    t.quiet();
    t.wait(1);
    t.in('S 1:1(0)');
    t.takeOne('.');
  });

  it('never for segments with data, which are no part of a loop', () => {
    const t = established('mss 1000', { quickAcks: 0 });
    t.in('P. 1:101(100) ack 1');
    for (let i = 0; i < 5; i++) {
      t.in('P. 1:101(100) ack 1');
      t.out('. 1:1(0) ack 101');
      t.in('P. 90000:90100(100) ack 1');
      t.out('. 1:1(0) ack 101');
    }
  });

  it('never for a FIN that comes again', () => {
    const t = established();
    t.in('F. 1:1(0) ack 1');
    t.takeOne('.');
    for (let i = 0; i < 5; i++) {
      t.in('F. 1:1(0) ack 1');
      t.out('. 1:1(0) ack 2');
    }
  });

  it('also for SYNs and RSTs with data', () => {
    const t = established();
    t.in('S 1:11(10)');
    t.takeOne('.');
    t.in('S 1:11(10)');
    t.in('R 2:12(10)');
    t.quiet();
  });

  it('so two ends that have lost each other do not talk for ever', () => {
    // Each acknowledges what the other never sent.
    const a = established();
    const b = established();
    a.in('. 500000:500000(0) ack 1');
    let exchanged = 0;
    for (let i = 0; i < 20; i++) {
      const fromA = a.drain();
      const fromB = b.drain();
      exchanged += fromA.length + fromB.length;
      for (const _ of fromA) b.in('. 700000:700000(0) ack 1');
      for (const _ of fromB) a.in('. 700000:700000(0) ack 1');
      a.wait(1);
      b.wait(1);
    }
    expect(exchanged).toBeLessThanOrEqual(3);
  });
});

describe('acknowledgments out of range (RFC 5961 5)', () => {
  const inFlight = () => {
    const t = established('mss 1000', { lossProbe: false });
    t.write(2000);
    t.drain();
    t.in('. 1:1(0) ack 1001 win 5000');
    return t;
  };

  it('of what was never sent are answered with an ACK and dropped, with their data [MAY-12]', () => {
    const t = inFlight();
    t.in('P. 1:101(100) ack 2002');
    t.out('. 2001:2001(0) ack 1');
    t.told();
    expect(t.info()).toMatchObject({ tcpi_unacked: 1, tcpi_bytes_acked: 1000, tcpi_snd_wnd: 5000 });
  });

  it('of less than SND.UNA - MAX.SND.WND are answered and dropped', () => {
    const t = inFlight();
    t.in(`P. 1:101(100) ack ${1001 - 65536}`);
    t.out('. 2001:2001(0) ack 1');
    t.told();
  });

  it('older than SND.UNA but in range are no news, and their data is taken', () => {
    const t = inFlight();
    t.in('P. 1:101(100) ack 1 win 100');
    t.told('readable');
    expect(t.read()).toBe(100);
    t.in(`P. 101:201(100) ack ${1001 - 65535} win 100`);
    expect(t.read()).toBe(100);
    expect(t.info()).toMatchObject({ tcpi_bytes_acked: 1000, tcpi_unacked: 1 });
  });

  it('take part in both directions when data is reordered (bidirectional flows)', () => {
    const t = established('mss 1000', { quickAcks: 0 });
    t.write(1000);
    t.drain();
    // The peer sent 1:101 before it saw our data and 101:201 after; they arrive in the other order.
    t.in('P. 101:201(100) ack 1001');
    t.in('P. 1:101(100) ack 1');
    expect(t.read()).toBe(200);
    expect(t.info()).toMatchObject({ tcpi_bytes_acked: 1000, tcpi_unacked: 0 });
  });
});

describe('segments outside the window (3.10.7.4, first check)', () => {
  const edge = 65536;
  it.each([
    ['S', 0, true],
    ['S.', 0, true],
    ['P.', 0, true],
    ['.', 0, false],
    ['S', 1, true],
    ['S.', 1, true],
    ['.', 1, true],
    ['P.', 1, true],
    ['F.', 1, true],
    ['S', 2, true],
    ['.', 2, true],
    ['P.', 2, true],
    ['F.', 2, true],
  ])('%s at the right edge + %i: answered with an ACK: %s', (flags, offset, answered) => {
    const t = established();
    const seq = edge + offset;
    const bytes = flags === 'P.' ? 10 : 0;
    const ack = flags.includes('.') ? ' ack 1' : '';
    const text = `${flags} ${seq}:${seq + bytes}(${bytes})${ack}`;
    t.in(text);
    if (answered) t.out('. 1:1(0) ack 1');
    t.quiet();
    t.told();
    // The second within 500 ms is suppressed, unless it carries data or a FIN.
    t.in(text);
    if (answered && (bytes > 0 || flags === 'F.')) t.out('. 1:1(0) ack 1');
    t.quiet();
  });

  it.each(['ESTABLISHED', 'CLOSING', 'CLOSE-WAIT', 'FIN-WAIT-2', 'TIME-WAIT'])('are answered in %s', (state) => {
    const t = established();
    if (state === 'CLOSE-WAIT') t.in('F. 1:1(0) ack 1');
    if (state === 'CLOSING') {
      t.shutdown();
      t.in('F. 1:1(0) ack 1');
    }
    if (state === 'FIN-WAIT-2') {
      t.shutdown();
      t.in('. 1:1(0) ack 2');
    }
    if (state === 'TIME-WAIT') {
      t.shutdown();
      t.in('F. 1:1(0) ack 2');
    }
    t.drain();
    expect(t.state).toBe(state);
    t.in('P. 90000:90010(10) ack 1');
    t.takeOne('.');
    t.in('P. -20:-10(10) ack 1');
    t.takeOne('.');
    expect(t.state).toBe(state);
  });

  it('a bare ACK at the edge of a full window counts: the peer has sent all it may', () => {
    const t = new Harness({ rcvBuf: 8192, lossProbe: false }).connect('mss 1000');
    t.write(1000);
    t.drain();
    const window = t.c.rcvWnd;
    // The first segment of the window is lost; the peer acknowledges ours from the right edge.
    t.in(`P. 1001:${1 + window}(${window - 1000}) ack 1`);
    t.drain();
    t.in(`. ${1 + window}:${1 + window}(0) ack 1001`);
    expect(t.info().tcpi_unacked).toBe(0);
    t.quiet();
  });

  it('the ACK of a segment counts though a zero window refuses its data', () => {
    const t = zeroWindow();
    const at = t.c.rcv.readable + 1;
    t.write(1000);
    t.drain();
    t.in(`P. ${at}:${at + 10}(10) ack 1001`);
    expect(t.info().tcpi_unacked).toBe(0);
    expect(t.takeOne('.')).toMatchObject({ relAck: at, window: 0 });
    t.told();
  });
});
