import { describe, expect, it } from 'vitest';
import type { TcpConfig } from '../src/index.ts';
import { Harness } from './harness.ts';

const OFFER = 'mss 1000,sackOK,TS,nop,wscale 7';

/** The cookie in a SYN-ACK, in hex; undefined when there is none. */
function cookieOf(sent: { options: readonly { kind: string; cookie?: Uint8Array }[] }): string | undefined {
  const option = sent.options.find((o) => o.kind === 'FO');
  return option?.cookie === undefined ? undefined : Buffer.from(option.cookie).toString('hex');
}

/** A listener, and the cookie that it gives the peer. */
function server(config: Partial<TcpConfig> = {}): { t: Harness; cookie: string } {
  const t = new Harness({ fastOpenServer: true, noDelay: true, ...config });
  t.listen();
  const other = t.peerOn(3999);
  t.in('S 0:0(0) <mss 1000,FO >', { from: other });
  const cookie = cookieOf(t.takeOne('S.'))!;
  t.in('R 1:1(0)', { from: other });
  t.quiet();
  t.told();
  return { t, cookie };
}

describe('Fast Open, server (RFC 7413)', () => {
  it('gives a cookie to who asks for one, the same to the same address, and takes no data for that', () => {
    const t = new Harness({ fastOpenServer: true });
    t.listen();
    t.in(`S 0:100(100) <${OFFER},FO >`);
    const synAck = t.out(`S. 0:0(0) ack 1 <mss 1460,sackOK,TS,wscale 5,FO ${cookieOf(t.queue[0]!)}>`);
    expect(cookieOf(synAck)).toMatch(/^[0-9a-f]{16}$/);
    t.told();
    const again = t.peerOn(4001);
    t.in('S 0:0(0) <mss 1000,FO >', { from: again });
    expect(cookieOf(t.takeOne('S.'))).toBe(cookieOf(synAck));
    const elsewhere = t.peerOn(4000, { address: 0x0a000003 });
    t.in('S 0:0(0) <mss 1000,FO >', { from: elsewhere });
    expect(cookieOf(t.takeOne('S.'))).not.toBe(cookieOf(synAck));
    expect(t.stats).toMatchObject({ TCPFastOpenCookieReqd: 3, TCPFastOpenPassive: 0 });
  });

  it('does not put the cookie on a SYN-ACK that is sent again', () => {
    const t = new Harness({ fastOpenServer: true });
    t.listen();
    t.in('S 0:0(0) <mss 1000,FO >');
    expect(cookieOf(t.takeOne('S.'))).toBeDefined();
    t.next('S. 0:0(0) ack 1 <mss 1460>');
  });

  it('takes data that comes with a cookie, and lets the application answer before the handshake ends', () => {
    const { t, cookie } = server();
    t.in(`S 0:100(100) win 65535 <${OFFER},FO ${cookie}>`);
    t.out('S. 0:0(0) ack 101 <mss 1460,sackOK,TS,wscale 5>');
    t.told('accept', 'readable');
    expect(t.state).toBe('SYN-RECEIVED');
    expect(t.listener!.halfOpen).toBe(1);
    expect(t.read()).toBe(100);
    t.write(1500);
    t.outAll('. 1:989(988) ack 101', 'P. 989:1501(512) ack 101');
    t.wait(50);
    t.in('. 101:101(0) ack 1501 win 100');
    t.told();
    expect(t.state).toBe('ESTABLISHED');
    expect(t.listener!.halfOpen).toBe(0);
    expect(t.info()).toMatchObject({ tcpi_rtt: 50_000, tcpi_bytes_acked: 1500, tcpi_snd_wnd: 12_800, tcpi_unacked: 0 });
    expect(t.info().tcpi_options & 32).toBe(32);
    expect(t.stats).toMatchObject({ TCPFastOpenPassive: 1, TCPFastOpenPassiveFail: 0, PassiveOpens: 2 });
    t.in('P. 101:201(100) ack 1501');
    t.told('readable');
    expect(t.read()).toBe(100);
    // It has answered once: the next acknowledgment waits for an answer.
    t.wait(50);
    t.takeOne('.');
    t.quietFor(5000);
  });

  it('hands the connection out for a cookie without data too', () => {
    const { t, cookie } = server();
    t.in(`S 0:0(0) <${OFFER},FO ${cookie}>`);
    t.out('S. 0:0(0) ack 1');
    t.told('accept');
    t.write(10);
    t.outAll('P. 1:11(10) ack 1');
  });

  it('keeps to the window of the SYN', () => {
    const { t, cookie } = server();
    t.in(`S 0:10(10) win 600 <mss 1000,FO ${cookie}>`);
    t.takeOne('S.');
    t.write(2000);
    t.outAll('. 1:301(300) ack 11', '. 301:601(300) ack 11');
    t.quietFor(900);
    t.in('. 11:11(0) ack 601 win 65535');
    t.outAll('. 601:1601(1000) ack 11', 'P. 1601:2001(400) ack 11');
  });

  it('takes no data with a cookie that is not its own, and sends the right one', () => {
    const { t, cookie } = server();
    t.in(`S 0:100(100) <${OFFER},FO ffffffffffffffff>`);
    t.out(`S. 0:0(0) ack 1 <mss 1460,sackOK,TS,nop,wscale 5,FO ${cookie},nop,nop>`);
    t.told();
    t.in('P. 1:101(100) ack 1');
    t.told('accept', 'readable');
    expect(t.read()).toBe(100);
    expect(t.stats).toMatchObject({ TCPFastOpenPassive: 0, TCPFastOpenPassiveFail: 1 });
  });

  it('knows neither cookies of other lengths nor those of other hosts', () => {
    const { t, cookie } = server();
    t.in(`S 0:100(100) <${OFFER},FO ${cookie.slice(0, 12)}>`);
    t.out(`S. 0:0(0) ack 1 <mss 1460,sackOK,TS,nop,wscale 5,FO ${cookie},nop,nop>`);
    t.in(`S 0:100(100) <${OFFER},FO ${cookie}>`, { from: t.peerOn(4000, { address: 0x0a000003 }) });
    expect(cookieOf(t.takeOne('S.'))).not.toBe(cookie);
    t.told();
  });

  it('is off by default', () => {
    const t = new Harness();
    t.listen();
    t.in(`S 0:100(100) <${OFFER},FO >`);
    t.out('S. 0:0(0) ack 1 <mss 1460,sackOK,TS,wscale 5>');
    t.told();
    expect(t.stats.TCPFastOpenCookieReqd).toBe(0);
  });

  it('answers the experimental option in its own way', () => {
    const t = new Harness({ fastOpenServer: true });
    t.listen();
    t.in(`S 0:0(0) <mss 1000,raw fe04f989>`);
    const raw = t.takeOne('S.').options.find((o) => o.kind === 'raw');
    const hex = raw?.kind === 'raw' ? Buffer.from(raw.bytes).toString('hex') : '';
    expect(hex).toMatch(/^fe0cf989[0-9a-f]{16}$/);
    t.in(`S 0:100(100) <mss 1000,raw ${hex}>`, { from: t.peerOn(4001) });
    t.told('accept', 'readable');
  });

  it('takes a cookie of the key before, and gives a new one', () => {
    const { t, cookie } = server();
    t.tcp.setFastOpenKey([1, 2, 3, 4]);
    t.in(`S 0:100(100) <mss 1000,FO ${cookie}>`);
    t.told('accept', 'readable');
    const fresh = cookieOf(t.out(`S. 0:0(0) ack 101`));
    expect(fresh).not.toBe(cookie);
    expect(t.stats).toMatchObject({ TCPFastOpenPassive: 1, TCPFastOpenPassiveAltKey: 1 });
    t.tcp.setFastOpenKey([5, 6, 7, 8]);
    t.in(`S 0:100(100) <mss 1000,FO ${cookie}>`, { from: t.peerOn(4001) });
    t.told();
    t.takeOne('S.');
    t.in(`S 0:100(100) <mss 1000,FO ${fresh}>`, { from: t.peerOn(4002) });
    t.told('accept', 'readable');
  });

  it('takes a FIN with the SYN and its data', () => {
    const { t, cookie } = server();
    t.in(`FS 0:100(100) <${OFFER},FO ${cookie}>`);
    t.out('S. 0:0(0) ack 102');
    t.told('accept', 'readable', 'end');
    expect(t.read()).toBe(100);
    t.write(10);
    t.out('P. 1:11(10) ack 102');
    t.in('. 102:102(0) ack 11');
    expect(t.state).toBe('CLOSE-WAIT');
    t.shutdown();
    t.out('F. 11:11(0) ack 102');
    t.in('. 102:102(0) ack 12');
    t.told('close');
  });

  it('answers and is done before the handshake ends', () => {
    const { t, cookie } = server();
    t.in(`FS 0:100(100) <${OFFER},FO ${cookie}>`);
    t.takeOne('S.');
    t.told('accept', 'readable', 'end');
    t.read();
    t.write(10);
    t.out('P. 1:11(10) ack 102');
    t.shutdown();
    t.out('F. 11:11(0) ack 102');
    expect(t.state).toBe('SYN-RECEIVED');
    t.in('. 102:102(0) ack 12');
    t.told('close');
    expect(t.tcp.connectionCount).toBe(0);
  });

  it('goes through FIN-WAIT when it closes first', () => {
    const { t, cookie } = server();
    t.in(`S 0:100(100) <${OFFER},FO ${cookie}>`);
    t.takeOne('S.');
    t.read();
    t.close();
    t.out('F. 1:1(0) ack 101');
    t.in('. 101:101(0) ack 1');
    expect(t.state).toBe('FIN-WAIT-1');
    t.in('. 101:101(0) ack 2');
    expect(t.state).toBe('FIN-WAIT-2');
  });

  it('sends a lost SYN-ACK again, with the data acknowledged, and early data once that has come', () => {
    const { t, cookie } = server();
    t.in(`S 0:100(100) <${OFFER},FO ${cookie}>`);
    t.takeOne('S.');
    t.wait(300);
    t.write(1500);
    t.outAll('. 1:989(988) ack 101', 'P. 989:1501(512) ack 101');
    // The timer is that of the SYN-ACK: early data neither puts it off nor is probed for.
    expect(t.next('S. 0:0(0) ack 101')).toBe(700);
    t.in('. 101:101(0) ack 1');
    t.out('. 1:989(988) ack 101');
    t.quiet();
    t.in('. 101:101(0) ack 989');
    t.out('P. 989:1501(512) ack 101');
    t.in('. 101:101(0) ack 1501');
    t.quietFor(10_000);
    expect(t.info()).toMatchObject({ tcpi_bytes_acked: 1500, tcpi_ca_state: 0 });
  });

  it('keeps early data under a timer when only the SYN-ACK got through', () => {
    const { t, cookie } = server();
    t.in(`S 0:100(100) <${OFFER},FO ${cookie}>`);
    t.takeOne('S.');
    t.write(100);
    t.takeOne('P.');
    t.wait(10);
    t.in('. 101:101(0) ack 1');
    expect(t.next('P. 1:101(100) ack 101')).toBeLessThan(1000);
  });

  it('answers a SYN that is sent again, and does not take its data twice', () => {
    const { t, cookie } = server();
    t.in(`S 0:100(100) <${OFFER},FO ${cookie}>`);
    t.takeOne('S.');
    t.in(`S 0:0(0) <${OFFER}>`);
    t.out('S. 0:0(0) ack 101');
    t.in(`S 0:100(100) <${OFFER},FO ${cookie}>`);
    t.out('S. 0:0(0) ack 101');
    t.told('accept', 'readable');
    expect(t.read()).toBe(100);
    t.in('. 101:101(0) ack 1');
    expect(t.info().tcpi_bytes_received).toBe(100);
  });

  it('ends with a RST, and the application learns of it', () => {
    const { t, cookie } = server();
    t.in(`S 0:100(100) <${OFFER},FO ${cookie}>`);
    t.takeOne('S.');
    t.told('accept', 'readable');
    t.in('R 101:101(0)');
    t.told('close ECONNRESET');
    expect(t.listener!.halfOpen).toBe(0);
    expect(t.tcp.connectionCount).toBe(0);
  });

  it('ends when nobody completes the handshake', () => {
    const { t, cookie } = server({ synAckRetries: 2 });
    t.in(`S 0:100(100) <${OFFER},FO ${cookie}>`);
    t.takeOne('S.');
    t.told('accept', 'readable');
    t.write(100);
    t.takeOne('P.');
    t.next('S. 0:0(0) ack 101');
    t.next('S. 0:0(0) ack 101');
    t.next('S. 0:0(0) ack 101');
    t.quietFor(60_000);
    t.told('close ETIMEDOUT');
    expect(t.listener!.halfOpen).toBe(0);
    expect(t.tcp.connectionCount).toBe(0);
  });

  it('tells a peer whose data nobody will read', () => {
    const { t, cookie } = server();
    t.in(`S 0:100(100) <${OFFER},FO ${cookie}>`);
    t.takeOne('S.');
    t.close();
    t.out('R. 1:1(0) ack 101');
    expect(t.tcp.connectionCount).toBe(0);
  });

  it('stays when the listener closes: it is the application’s', () => {
    const { t, cookie } = server();
    t.in(`S 0:100(100) <${OFFER},FO ${cookie}>`);
    t.takeOne('S.');
    t.tcp.unlisten(t.listener!);
    t.quiet();
    t.in('. 101:101(0) ack 1');
    expect(t.state).toBe('ESTABLISHED');
  });

  it('waits for a device that is full with data that goes before the handshake ends', () => {
    const { t, cookie } = server();
    t.in(`S 0:100(100) <${OFFER},FO ${cookie}>`);
    t.takeOne('S.');
    t.room = 0;
    t.write(100);
    t.quiet();
    t.room = 10;
    t.tcp.transmitReady();
    t.outAll('P. 1:101(100) ack 101');
  });

  it('survives an ICMP error like any connection that the application has', () => {
    const { t, cookie } = server();
    t.in(`S 0:100(100) <${OFFER},FO ${cookie}>`);
    t.takeOne('S.');
    const { c } = t;
    t.tcp.icmpError(c.localAddress, c.localPort, c.remoteAddress, c.remotePort, c.iss, 'ECONNREFUSED', true);
    expect(t.state).toBe('SYN-RECEIVED');
  });

  it('takes what fits its window', () => {
    const { t, cookie } = server({ rcvBuf: 60 });
    t.in(`S 0:100(100) <mss 1000,FO ${cookie}>`);
    t.out('S. 0:0(0) ack 61 win 0');
    expect(t.read()).toBe(60);
    t.in('. 61:61(0) ack 1');
    t.out('. 1:1(0) ack 61 win 60');
    t.in('P. 61:101(40) ack 1');
    expect(t.read()).toBe(40);
  });
});

describe('Fast Open connections of a listener', () => {
  it('are bounded in number until they are established; beyond, data waits for the handshake', () => {
    const { t, cookie } = server({ fastOpenBacklog: 2 });
    const peers = [1, 2, 3, 4].map((port) => t.peerOn(port));
    const opens = (i: number) => t.in(`S 0:100(100) <mss 1000,FO ${cookie}>`, { from: peers[i]! });
    opens(0);
    opens(1);
    t.out('S. 0:0(0) ack 101', 'S. 0:0(0) ack 101');
    opens(2);
    t.out('S. 0:0(0) ack 1 <mss 1460>');
    t.told('accept', 'readable', 'accept', 'readable');
    expect(t.stats.TCPFastOpenListenOverflow).toBe(1);
    t.in('. 101:101(0) ack 1', { from: peers[0]! });
    opens(3);
    t.out('S. 0:0(0) ack 101');
  });

  it('count for a minute after a RST ended them (RFC 7413 section 5.1)', () => {
    const { t, cookie } = server({ fastOpenBacklog: 1 });
    const opens = (port: number) => {
      t.in(`S 0:100(100) <mss 1000,FO ${cookie}>`, { from: t.peerOn(port) });
      return t.queue.splice(0)[0]!.relAck;
    };
    expect(opens(1)).toBe(101);
    t.in('R 101:101(0)', { from: t.peers.at(-1)! });
    expect(opens(2)).toBe(1);
    t.in('R 1:1(0)', { from: t.peers.at(-1)! });
    t.wait(60_000);
    expect(opens(3)).toBe(101);
  });

  it('are half open: past the backlog cookies of the other kind answer', () => {
    const { t, cookie } = server();
    for (let port = 1; port <= 16; port++) t.in(`S 0:10(10) <mss 1000,FO ${cookie}>`, { from: t.peerOn(port) });
    t.drain();
    t.in(`S 0:10(10) <mss 1000,FO ${cookie}>`);
    t.out('S. 0:0(0) ack 1 <mss 1460>');
    expect(t.stats.SyncookiesSent).toBe(1);
  });
});

describe('Fast Open without cookies, server', () => {
  const listening = (config: Partial<TcpConfig> = {}) => {
    const t = new Harness({ fastOpenServer: true, fastOpenServerNoCookie: true, noDelay: true, ...config });
    t.listen();
    return t;
  };

  it('takes data with any SYN, with a wrong cookie too, and gives none', () => {
    for (const option of ['', ',FO 0102030405060708', ',FO ']) {
      const t = listening();
      t.in(`S 0:100(100) <mss 1000${option}>`);
      t.out('S. 0:0(0) ack 101 <mss 1460>');
      t.told('accept', 'readable');
      expect(t.read()).toBe(100);
      expect(t.stats.TCPFastOpenPassive).toBe(1);
    }
  });

  it('goes through the handshake with a SYN that has no data', () => {
    const t = listening();
    t.in('S 0:0(0) <mss 1000>');
    t.out('S. 0:0(0) ack 1 <mss 1460>');
    t.told();
    t.in('. 1:1(0) ack 1');
    t.told('accept');
  });

  it('does not where Fast Open is off', () => {
    const t = listening({ fastOpenServer: false });
    t.in('S 0:100(100) <mss 1000>');
    t.out('S. 0:0(0) ack 1 <mss 1460>');
    t.told();
  });
});
