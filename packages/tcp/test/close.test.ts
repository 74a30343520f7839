import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';

const established = (config = {}, options = 'mss 1000') =>
  new Harness({ lossProbe: false, ...config }).connect(options);

describe('normal close (3.6, figure 12)', () => {
  it('actively: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT, CLOSED [MUST-13]', () => {
    const t = established();
    t.close();
    t.out('F. 1:1(0) ack 1');
    expect(t.state).toBe('FIN-WAIT-1');
    t.in('. 1:1(0) ack 2');
    expect(t.state).toBe('FIN-WAIT-2');
    t.quiet();
    t.in('F. 1:1(0) ack 2');
    t.out('. 2:2(0) ack 2');
    expect(t.state).toBe('TIME-WAIT');
    t.wait(59_999);
    expect(t.tcp.connectionCount).toBe(1);
    t.wait(1);
    expect(t.tcp.connectionCount).toBe(0);
    expect(t.time.timers.size).toBe(0);
  });

  it('passively: CLOSE-WAIT, LAST-ACK, CLOSED', () => {
    const t = established();
    t.in('F. 1:1(0) ack 1');
    t.out('. 1:1(0) ack 2');
    t.told('end');
    expect(t.state).toBe('CLOSE-WAIT');
    t.close();
    t.out('F. 1:1(0) ack 2');
    expect(t.state).toBe('LAST-ACK');
    t.in('. 2:2(0) ack 2');
    t.told('close');
    expect(t.tcp.connectionCount).toBe(0);
    expect(t.time.timers.size).toBe(0);
  });

  it('simultaneously: FIN-WAIT-1, CLOSING, TIME-WAIT (figure 13)', () => {
    const t = established();
    t.close();
    t.takeOne('F.');
    t.in('F. 1:1(0) ack 1');
    t.out('. 2:2(0) ack 2');
    expect(t.state).toBe('CLOSING');
    t.in('. 2:2(0) ack 2');
    expect(t.state).toBe('TIME-WAIT');
    t.quiet();
  });

  it('with FIN and ACK in one segment goes from FIN-WAIT-1 to TIME-WAIT', () => {
    const t = established();
    t.shutdown();
    t.takeOne('F.');
    t.in('F. 1:1(0) ack 2');
    t.out('. 2:2(0) ack 2');
    t.told('end', 'close');
    expect(t.state).toBe('TIME-WAIT');
  });

  it('gives all its memory back', () => {
    const t = established();
    const free = freePages(t);
    t.write(5000);
    t.in('P. 1:101(100) ack 1');
    expect(freePages(t)).toBeLessThan(free);
    t.read();
    t.close();
    t.drain();
    t.in('. 101:101(0) ack 5002');
    t.in('F. 101:101(0) ack 5002');
    expect(t.state).toBe('TIME-WAIT');
    expect(freePages(t)).toBe(free);
  });
});

function freePages(t: Harness): number {
  const taken: number[] = [];
  for (let page = t.pages.alloc(); page !== 0; page = t.pages.alloc()) taken.push(page);
  for (const page of taken) t.pages.free(page, 1);
  return taken.length;
}

describe('FIN', () => {
  it('follows the data, on its last segment', () => {
    const t = established();
    t.write(1500);
    t.drain();
    t.write(700);
    t.close();
    // Nagle does not hold back what a FIN ends.
    t.out('FP. 1501:2201(700) ack 1');
    expect(t.state).toBe('FIN-WAIT-1');
  });

  it('waits for cwnd with the data before it, the state does not', () => {
    const t = established({ initialCwnd: 2 });
    t.write(3000);
    t.close();
    t.outAll('. 1:1001(1000) ack 1', '. 1001:2001(1000) ack 1');
    expect(t.state).toBe('FIN-WAIT-1');
    t.in('. 1:1(0) ack 2001');
    t.outAll('FP. 2001:3001(1000) ack 1');
  });

  it('that is acknowledged only in part (data, not FIN) stays in FIN-WAIT-1', () => {
    const t = established();
    t.write(500);
    t.close();
    t.drain();
    t.in('. 1:1(0) ack 501');
    expect(t.state).toBe('FIN-WAIT-1');
    t.in('. 1:1(0) ack 502');
    expect(t.state).toBe('FIN-WAIT-2');
  });

  it('is retransmitted with the data before it', () => {
    const t = established();
    t.write(500);
    t.close();
    t.out('P. 1:501(500) ack 1', 'F. 501:501(0) ack 1');
    t.next('P. 1:501(500) ack 1');
    t.in('. 1:1(0) ack 501');
    t.wait(10_000);
    expect(t.drain().map((s) => t.format(s))).toContain('F. 501:501(0) ack 1');
  });

  it.each(['FIN-WAIT-1', 'CLOSING', 'LAST-ACK'])('lost in %s is retransmitted with backoff until R2', (state) => {
    const t = established({ retries2: 3 });
    if (state === 'LAST-ACK') t.in('F. 1:1(0) ack 1');
    t.drain();
    t.shutdown();
    t.takeOne('F.');
    if (state === 'CLOSING') t.in('F. 1:1(0) ack 1');
    t.drain();
    t.events.length = 0;
    expect(t.state).toBe(state);
    const ack = state === 'FIN-WAIT-1' ? 1 : 2;
    const first = t.next(`F. 1:1(0) ack ${ack}`);
    expect(t.next(`F. 1:1(0) ack ${ack}`)).toBe(first * 2);
    expect(t.next(`F. 1:1(0) ack ${ack}`)).toBe(first * 4);
    t.quietFor(first * 8);
    t.told('close ETIMEDOUT');
    expect(t.tcp.connectionCount).toBe(0);
  });

  it.each([0, 100])('lost in CLOSING after %i bytes of data is found and repaired', (bytes) => {
    const t = established();
    if (bytes > 0) t.write(bytes);
    t.close();
    t.drain();
    t.in('F. 1:1(0) ack 1');
    t.takeOne('.');
    expect(t.state).toBe('CLOSING');
    t.wait(400);
    const seen = t.drain();
    expect(seen.length).toBeGreaterThan(0);
    t.in(`. 2:2(0) ack ${2 + bytes}`);
    expect(t.state).toBe('TIME-WAIT');
  });

  it('crosses 2^32', () => {
    for (const iss of [0xfffffffd, 0xfffffffe, 0xffffffff]) {
      const t = new Harness({ lossProbe: false }, { iss: iss | 0 }).connect('mss 1000');
      t.write(1);
      t.close();
      t.drain();
      t.in('. 1:1(0) ack 3');
      expect(t.state).toBe('FIN-WAIT-2');
      t.in('F. 1:1(0) ack 3');
      expect(t.state).toBe('TIME-WAIT');
    }
  });

  it('is sent once the window opens, the state is FIN-WAIT-1 at once', () => {
    const t = established();
    t.in('. 1:1(0) ack 1 win 0');
    t.write(1000);
    t.close();
    expect(t.state).toBe('FIN-WAIT-1');
    t.quiet();
    t.next('. 0:0(0) ack 1');
    t.in('. 1:1(0) ack 1 win 5000');
    t.outAll('FP. 1:1001(1000) ack 1');
  });
});

describe('half close [MAY-1]', () => {
  it('the peer may send megabytes after our FIN, the window stays open and the connection lives', () => {
    const t = established({ rcvBuf: 65536, finTimeoutUs: 1_000_000 });
    t.readAll = true;
    t.shutdown();
    t.in('. 1:1(0) ack 2');
    expect(t.state).toBe('FIN-WAIT-2');
    t.drain();
    for (let at = 1; at < 4_000_000; at += 1000) {
      t.in(`. ${at}:${at + 1000}(1000) ack 2`);
      if (at % 100_000 === 1) t.wait(500);
    }
    for (const sent of t.drain()) expect(sent.window).toBeGreaterThan(20_000);
    expect(t.state).toBe('FIN-WAIT-2');
    t.in(`F. 4000001:4000001(0) ack 2`);
    t.told('end', 'close');
    expect(t.state).toBe('TIME-WAIT');
  });

  it('we may send after the peer has closed its side', () => {
    const t = established();
    t.in('F. 1:1(0) ack 1');
    t.told('end');
    t.drain();
    t.write(1500);
    t.outAll('. 1:1001(1000) ack 2', 'P. 1001:1501(500) ack 2');
    t.in('. 2:2(0) ack 1501');
    t.shutdown();
    t.out('F. 1501:1501(0) ack 2');
  });

  it('is told to the application at once, with what is still unread', () => {
    const t = established();
    t.in('FP. 1:101(100) ack 1');
    t.told('readable', 'end');
  });

  it('refuses writes and tells when it ends', () => {
    const t = established();
    t.shutdown();
    t.drain();
    expect(t.write(1)).toBe(-1);
    t.shutdown();
    t.quiet();
  });
});

describe('FIN-WAIT-2', () => {
  it('of a connection that is fully closed ends after a while, and a late FIN gets a RST', () => {
    const t = established({ finTimeoutUs: 2_000_000 });
    t.close();
    t.takeOne('F.');
    t.in('. 1:1(0) ack 2');
    t.quietFor(1999);
    expect(t.state).toBe('FIN-WAIT-2');
    t.quietFor(1);
    expect(t.tcp.connectionCount).toBe(0);
    t.in('F. 1:1(0) ack 2');
    t.out('R 2:2(0)');
  });

  it('begins to end when the application lets go of it later', () => {
    const t = established({ finTimeoutUs: 2_000_000 });
    t.shutdown();
    t.takeOne('F.');
    t.in('. 1:1(0) ack 2');
    t.wait(10_000);
    expect(t.state).toBe('FIN-WAIT-2');
    t.close();
    t.wait(2000);
    expect(t.tcp.connectionCount).toBe(0);
  });

  it('of a half-closed connection lasts', () => {
    const t = established({ finTimeoutUs: 2_000_000 });
    t.shutdown();
    t.takeOne('F.');
    t.in('. 1:1(0) ack 2');
    t.wait(1e6);
    expect(t.state).toBe('FIN-WAIT-2');
  });
});

describe('lost data is told by a RST (3.6.1) [SHLD-3]', () => {
  it('when the application closes with data unread', () => {
    const t = established();
    t.in('P. 1:101(100) ack 1');
    t.drain();
    t.close();
    t.out('R. 1:1(0) ack 101');
    expect(t.tcp.connectionCount).toBe(0);
    expect(t.stats.TCPAbortOnClose).toBe(1);
  });

  it('also after its own FIN was sent or queued', () => {
    for (const win of [0, 5000]) {
      const t = established();
      t.in(`. 1:1(0) ack 1 win ${win}`);
      t.shutdown();
      t.in(`P. 1:101(100) ack 1 win ${win}`);
      t.drain();
      t.close();
      expect(t.takeOne('R.').relSeq).toBe(win === 0 ? 1 : 2);
      t.quietFor(1e6);
      expect(t.tcp.connectionCount).toBe(0);
    }
  });

  it('in CLOSE-WAIT too', () => {
    const t = established();
    t.in('FP. 1:101(100) ack 1');
    t.drain();
    t.close();
    t.out('R. 1:1(0) ack 102');
  });

  it('when data comes after a full close', () => {
    const t = established();
    t.close();
    t.takeOne('F.');
    t.in('P. 1:101(100) ack 2');
    expect(t.takeOne('R').relSeq).toBe(2);
    expect(t.tcp.connectionCount).toBe(0);
    expect(t.stats.TCPAbortOnData).toBe(1);
  });

  it('not when data comes again that was read before the close', () => {
    const t = established();
    t.in('P. 1:101(100) ack 1');
    t.read();
    t.close();
    t.drain();
    t.in('P. 1:101(100) ack 1');
    t.out('. 2:2(0) ack 101');
    expect(t.state).toBe('FIN-WAIT-1');
  });

  it('not when everything was read', () => {
    const t = established();
    t.in('P. 1:101(100) ack 1');
    t.read();
    t.drain();
    t.close();
    t.out('F. 1:1(0) ack 101');
  });
});

describe('a connection that nobody holds any more', () => {
  it('waits for a peer that keeps its window closed for a minute, however short the RTO is', () => {
    const t = new Harness({ minRtoUs: 10_000 }).connect('mss 1000', { rttMs: 1 });
    t.in('. 1:1(0) ack 1 win 0');
    t.write(1000);
    t.close();
    for (const end = t.time.clock.now() + 60e6; t.tcp.connectionCount > 0 && t.time.clock.now() < end; ) {
      t.time.step();
      for (const sent of t.drain()) if (!(sent.flags & 4)) t.in('. 1:1(0) ack 1 win 0');
    }
    expect(t.tcp.connectionCount).toBe(1);
  });

  it('is given up when its peer keeps its window closed for long', () => {
    const t = established();
    t.in('. 1:1(0) ack 1 win 0');
    t.write(1000);
    t.close();
    let probes = 0;
    while (t.tcp.connectionCount > 0 && probes < 100) {
      t.time.step();
      for (const sent of t.drain()) {
        if (sent.flags & 4) break;
        probes++;
        t.in('. 1:1(0) ack 1 win 0');
      }
    }
    expect(t.tcp.connectionCount).toBe(0);
    expect(probes).toBeGreaterThan(5);
    expect(probes).toBeLessThan(20);
  });

  it('is given up sooner than others when nobody answers (Linux: tcp_orphan_retries)', () => {
    const t = established();
    t.write(1000);
    t.close();
    t.drain();
    t.wait(300_000);
    expect(t.tcp.connectionCount).toBe(0);
  });
});

describe('CLOSE in SYN-RECEIVED', () => {
  it('sends the FIN when the handshake is complete', () => {
    const t = new Harness({ lossProbe: false });
    t.open();
    t.takeOne('S');
    t.in('S 0:0(0)');
    t.takeOne('S.');
    t.close();
    t.quiet();
    t.in('. 1:1(0) ack 1');
    t.out('F. 1:1(0) ack 1');
    expect(t.state).toBe('FIN-WAIT-1');
  });
});

describe('lingering', () => {
  it('of zero resets at once, whatever waits', () => {
    const t = established();
    t.write(100_000);
    t.drain();
    const nxt = (t.c.sndNxt - t.peer.iss) | 0;
    t.close(t.c, 0);
    expect(t.takeOne('R.').relSeq).toBe(nxt);
    t.quietFor(1e6);
    expect(t.tcp.connectionCount).toBe(0);
  });

  it('ends with a RST when what was queued is not acknowledged in time', () => {
    const t = established();
    t.write(1000);
    t.close(t.c, 3_000_000);
    t.drain();
    t.wait(2999);
    expect(t.tcp.connectionCount).toBe(1);
    t.drain();
    t.wait(1);
    expect(t.tcp.connectionCount).toBe(0);
    t.takeOne('R.');
  });

  it('is over when the FIN is acknowledged: FIN-WAIT-2 and TIME-WAIT last as ever', () => {
    const t = established();
    t.write(1000);
    t.close(t.c, 3_000_000);
    t.drain();
    t.in('. 1:1(0) ack 1002');
    t.quietFor(30_000);
    expect(t.state).toBe('FIN-WAIT-2');
    t.in('F. 1:1(0) ack 1002');
    t.takeOne('.');
    t.quietFor(59_999);
    expect(t.state).toBe('TIME-WAIT');
  });

  it('in LAST-ACK ends too', () => {
    const t = established();
    t.in('F. 1:1(0) ack 1');
    t.close(t.c, 1_000_000);
    t.drain();
    t.wait(1000);
    expect(t.tcp.connectionCount).toBe(0);
  });

  it('without data is an ordinary close', () => {
    const t = established();
    t.close(t.c, 1_000_000);
    t.out('F. 1:1(0) ack 1');
    t.in('F. 1:1(0) ack 2');
    expect(t.state).toBe('TIME-WAIT');
  });
});
