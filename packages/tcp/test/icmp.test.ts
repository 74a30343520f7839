import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';

/** ICMP quotes a segment of the connection. */
const error = (
  t: Harness,
  seq: number,
  code: 'EHOSTUNREACH' | 'ENETUNREACH' | 'ECONNREFUSED' | 'ENOPROTOOPT' | 'EPROTO',
  hard: boolean,
) => {
  t.tcp.icmpError(t.localAddress, t.peer.localPort, t.peer.address, t.peer.port, (t.peer.iss + seq) | 0, code, hard);
  t.batch(() => {});
};

describe('ICMP errors (3.9.2.2) [MUST-54]', () => {
  it('fail a connection that is being opened, at once [SHLD-25]', () => {
    for (const [code, hard] of [
      ['EHOSTUNREACH', false],
      ['ENETUNREACH', false],
      ['ECONNREFUSED', true],
      ['ENOPROTOOPT', true],
    ] as const) {
      const t = new Harness();
      t.open();
      t.takeOne('S');
      error(t, 0, code, hard);
      t.told(`close ${code}`);
      t.quiet();
      expect(t.tcp.connectionCount).toBe(0);
    }
  });

  it.each(['EHOSTUNREACH', 'ENETUNREACH', 'EPROTO'] as const)(
    'that are soft (%s) are told to the user and do not end an established connection; they name the cause when it times out [MUST-56] [SHLD-25] [MUST-47]',
    (code) => {
      const t = new Harness({ lossProbe: false, retries2: 3 }).connect('mss 1000');
      t.write(100);
      t.drain();
      error(t, 1, code, false);
      t.told();
      expect(t.troubles).toEqual([code]);
      expect(t.state).toBe('ESTABLISHED');
      t.wait(100_000);
      t.told(`close ${code}`);
    },
  );

  it('that are soft do not end the connection, which goes on when the path is back [MUST-56]', () => {
    const t = new Harness({ lossProbe: false }).connect('mss 1000');
    t.write(100);
    t.drain();
    error(t, 1, 'EHOSTUNREACH', false);
    t.next('P. 1:101(100) ack 1');
    t.in('. 1:1(0) ack 101');
    t.told();
    expect(t.troubles).toEqual(['EHOSTUNREACH']);
    // What was reported then is no cause of a failure later.
    t.write(100);
    t.wait(1e7);
    t.told('close ETIMEDOUT');
  });

  it('that are hard do not end an established connection either: anybody can forge them (RFC 5927 5.2, and Linux)', () => {
    const t = new Harness({ lossProbe: false }).connect('mss 1000');
    t.write(100);
    t.drain();
    error(t, 1, 'ECONNREFUSED', true);
    t.told();
    expect(t.troubles).toEqual(['ECONNREFUSED']);
    expect(t.state).toBe('ESTABLISHED');
  });

  it.each([-1, 101, 5000, -5000, 1 << 30])(
    'that quote a sequence number not in flight (%i) are ignored (RFC 5927 4.1)',
    (seq) => {
      const t = new Harness({ lossProbe: false, retries2: 1 }).connect('mss 1000');
      t.write(100);
      t.drain();
      error(t, seq, 'EHOSTUNREACH', false);
      t.wait(100_000);
      t.told('close ETIMEDOUT');
    },
  );

  it.each([-1, 1, 100])('for a SYN must quote its sequence number (not %i)', (seq) => {
    const t = new Harness();
    t.open();
    t.takeOne('S');
    error(t, seq, 'ECONNREFUSED', true);
    t.told();
    expect(t.state).toBe('SYN-SENT');
  });

  it('for a connection that does not exist are ignored', () => {
    const t = new Harness();
    t.listen();
    error(t, 0, 'ECONNREFUSED', true);
    t.quiet();
    t.told();
  });

  it.each([
    ['EHOSTUNREACH', false, true],
    ['ENETUNREACH', false, true],
    ['ECONNREFUSED', true, true],
    ['EPROTO', false, false],
  ] as const)('%s (hard: %s) ends a half-open connection of a listener: %s', (code, hard, ends) => {
    const t = new Harness();
    t.listen();
    t.in('S 0:0(0)');
    t.takeOne('S.');
    error(t, 0, code, hard);
    expect(t.tcp.connectionCount).toBe(ends ? 0 : 1);
    expect(t.listener!.halfOpen).toBe(ends ? 0 : 1);
    t.told();
    t.quiet();
  });
});
