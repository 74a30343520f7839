import { describe, expect, it } from 'vitest';
import { Harness, pattern } from './harness.ts';

const COOKIE = '0102030405060708';
const REPLY = 'mss 1000,sackOK,TS,nop,wscale 7';

/** A host that has the peer's cookie from an earlier connection; the next one comes from another port. */
function withCookie(config = {}, cookie = COOKIE, reply = REPLY): Harness {
  const t = new Harness({ noDelay: true, ...config });
  const first = t.peerOn(3999);
  t.open({}, first, 0);
  t.takeOne('S');
  t.in(`S. 0:0(0) ack 1 <${reply},FO ${cookie}>`, { from: first });
  t.takeOne('.');
  t.told('connect');
  t.reset();
  t.takeOne('R.');
  t.told('close');
  return t;
}

describe('Fast Open, client (RFC 7413)', () => {
  it('asks for a cookie when it has none; the data goes when the handshake is complete', () => {
    const t = new Harness();
    t.open({}, t.peer, 200);
    t.out('S 0:0(0) <mss 1460,sackOK,TS,nop,wscale 5,FO ,nop,nop>');
    t.quiet();
    t.in(`S. 0:0(0) ack 1 <${REPLY},FO ${COOKIE}>`);
    t.outAll('P. 1:201(200) ack 1');
    t.told('connect');
    expect(t.stats.TCPFastOpenActive).toBe(0);
    expect(t.info().tcpi_fastopen_client_fail).toBe(1);
  });

  it('asks for none when there is nothing to send with the SYN', () => {
    const t = new Harness();
    t.open();
    t.out('S 0:0(0) <mss 1460,sackOK,TS,wscale 5>');
  });

  it('does neither when it is turned off', () => {
    const t = withCookie();
    t.open({ fastOpenClient: false }, t.peer, 200);
    t.out('S 0:0(0) <mss 1460,sackOK,TS,wscale 5>');
    t.in(`S. 0:0(0) ack 1 <${REPLY}>`);
    t.outAll('P. 1:201(200) ack 1');
  });

  it('sends the data with the SYN when it has a cookie', () => {
    const t = withCookie();
    t.open({}, t.peer, 200);
    const syn = t.out(`S 0:200(200) <mss 1460,sackOK,TS,nop,wscale 5,FO ${COOKIE},nop,nop>`);
    expect(syn.payload).toEqual(pattern(0, 200));
    expect(t.state).toBe('SYN-SENT');
    t.wait(30);
    t.in(`S. 0:0(0) ack 201 win 5000 <${REPLY}>`);
    t.outAll('. 201:201(0) ack 1');
    t.told('connect');
    expect(t.stats).toMatchObject({ TCPFastOpenActive: 1, TCPFastOpenActiveFail: 0, RetransSegs: 0 });
    const info = t.info();
    expect(info).toMatchObject({ tcpi_bytes_acked: 200, tcpi_rtt: 30_000, tcpi_unacked: 0, tcpi_data_segs_out: 1 });
    expect(info.tcpi_options & 32).toBe(32);
    // The window of the SYN-ACK is not scaled, those after it are.
    expect(info.tcpi_snd_wnd).toBe(5000);
    t.in('. 1:1(0) ack 201 win 100');
    expect(t.info().tcpi_snd_wnd).toBe(12_800);
    t.write(100);
    t.outAll('P. 201:301(100) ack 1');
  });

  it('sends again at once what the SYN-ACK does not acknowledge', () => {
    const t = withCookie();
    t.open({}, t.peer, 200);
    t.takeOne('S');
    t.in(`S. 0:0(0) ack 1 <${REPLY}>`);
    t.outAll('P. 1:201(200) ack 1');
    expect(t.stats).toMatchObject({ TCPFastOpenActive: 0, TCPFastOpenActiveFail: 1 });
    const info = t.info();
    expect(info).toMatchObject({ tcpi_fastopen_client_fail: 2, tcpi_snd_cwnd: 10, tcpi_total_retrans: 1 });
    expect(info.tcpi_options & 32).toBe(0);
    t.in('. 1:1(0) ack 201');
    t.quietFor(10_000);
    expect(t.info()).toMatchObject({ tcpi_bytes_acked: 200, tcpi_ca_state: 0, tcpi_snd_cwnd: 10 });
  });

  it('has a timer over data that is sent again and new data behind it', () => {
    const t = withCookie();
    t.open({}, t.peer, 200);
    t.takeOne('S');
    t.write(100);
    t.in(`S. 0:0(0) ack 1 <${REPLY}>`);
    t.outAll('. 1:201(200) ack 1', 'P. 201:301(100) ack 1');
    t.wait(1500);
    expect(t.drain().length).toBeGreaterThan(0);
  });

  it('sends again what a SYN-ACK leaves of the data', () => {
    const t = withCookie();
    t.open({}, t.peer, 200);
    t.takeOne('S');
    t.in(`S. 0:0(0) ack 51 <${REPLY}>`);
    t.outAll('P. 51:201(150) ack 1');
    t.in('. 1:1(0) ack 201');
    expect(t.info()).toMatchObject({ tcpi_bytes_acked: 200, tcpi_unacked: 0 });
  });

  it('answers a SYN-ACK that acknowledges what was never sent with a RST', () => {
    const t = withCookie();
    t.open({}, t.peer, 200);
    t.takeOne('S');
    t.in(`S. 0:0(0) ack 202 <${REPLY}>`);
    t.outAll('R 202:202(0)');
    expect(t.state).toBe('SYN-SENT');
  });

  it('sends a lost SYN again without data and cookie, and the data with the last step of the handshake', () => {
    const t = withCookie();
    t.open({}, t.peer, 200);
    t.takeOne('S');
    expect(t.next('S 0:0(0) <mss 1460,sackOK,TS,wscale 5>')).toBe(1000);
    t.in(`S. 0:0(0) ack 1 <${REPLY}>`);
    t.outAll('P. 1:201(200) ack 1');
    expect(t.info()).toMatchObject({ tcpi_fastopen_client_fail: 3, tcpi_snd_cwnd: 1 });
    t.in('. 1:1(0) ack 201');
    t.quietFor(10_000);
  });

  it('takes a late SYN-ACK to the first SYN, data and all', () => {
    const t = withCookie();
    t.open({}, t.peer, 200);
    t.takeOne('S');
    t.next('S 0:0(0)');
    t.in(`S. 0:0(0) ack 201 <${REPLY}>`);
    t.outAll('. 201:201(0) ack 1');
    // The data went once: its round trip can be told.
    expect(t.info()).toMatchObject({ tcpi_rtt: 1_000_000, tcpi_bytes_acked: 200 });
  });

  it('puts as much in the SYN as the MSS of the last time allows; the rest and what is written meanwhile follow', () => {
    const t = withCookie();
    t.open({}, t.peer, 1500);
    t.out('S 0:960(960)');
    t.write(100);
    t.quiet();
    t.in(`S. 0:0(0) ack 961 <${REPLY}>`);
    t.outAll('P. 961:1601(640) ack 1');
  });

  it('follows the data of the SYN with a FIN', () => {
    const t = withCookie();
    t.open({}, t.peer, 200);
    t.shutdown();
    t.out('S 0:200(200)');
    t.quiet();
    t.in(`S. 0:0(0) ack 201 <${REPLY}>`);
    t.outAll('F. 201:201(0) ack 1');
    expect(t.state).toBe('FIN-WAIT-1');
  });

  it('sends a SYN with a cookie and no data when there is none', () => {
    const t = withCookie();
    t.open({}, t.peer, 0);
    t.out(`S 0:0(0) <mss 1460,sackOK,TS,nop,wscale 5,FO ${COOKIE},nop,nop>`);
    t.in(`S. 0:0(0) ack 1 <${REPLY}>`);
    t.outAll('. 1:1(0) ack 1');
    expect(t.stats).toMatchObject({ TCPFastOpenActive: 0, TCPFastOpenActiveFail: 0 });
  });

  it('takes data and FIN that the server sends with the SYN-ACK', () => {
    const t = withCookie();
    t.open({}, t.peer, 200);
    t.takeOne('S');
    t.in(`FS. 0:100(100) ack 201 <${REPLY}>`, { data: pattern(0, 100) });
    t.outAll('. 201:201(0) ack 102');
    t.told('connect', 'readable', 'end');
    expect(t.read()).toBe(100);
    expect(t.state).toBe('CLOSE-WAIT');
  });

  it('refuses first data beyond the send buffer', () => {
    const t = new Harness({ sndBuf: 1000 });
    expect(() => t.open({}, t.peer, 1001)).toThrow('EMSGSIZE');
    expect(t.tcp.connectionCount).toBe(0);
  });

  it('waits with SYN and data for a device that is full', () => {
    const t = withCookie();
    t.room = 0;
    t.open({}, t.peer, 200);
    t.quiet();
    t.room = 10;
    t.tcp.transmitReady();
    t.out(`S 0:200(200) <mss 1460,sackOK,TS,nop,wscale 5,FO ${COOKIE},nop,nop>`);
    t.in(`S. 0:0(0) ack 201 <${REPLY}>`);
    t.outAll('. 201:201(0) ack 1');
  });

  it('opens simultaneously with data under way', () => {
    const t = withCookie();
    t.open({}, t.peer, 200);
    t.takeOne('S');
    t.in(`S 0:0(0) <${REPLY}>`);
    t.out('S. 0:0(0) ack 1 <mss 1460,sackOK,TS,wscale 5>');
    t.in(`S. 0:0(0) ack 1 <${REPLY}>`);
    t.out('P. 1:201(200) ack 1');
    t.told('connect');
    t.in('. 1:1(0) ack 201');
    expect(t.info()).toMatchObject({ tcpi_bytes_acked: 200, tcpi_unacked: 0 });
    t.quietFor(5000);
  });

  it.each([
    ['is refused', (t: Harness) => t.in('R. 0:0(0) ack 201'), 'close ECONNREFUSED'],
    ['is refused by a host that saw the SYN alone', (t: Harness) => t.in('R. 0:0(0) ack 1'), 'close ECONNREFUSED'],
    ['is let go of', (t: Harness) => t.close(), 'close'],
    ['times out', (t: Harness) => t.wait(600_000), 'close ETIMEDOUT'],
  ])('ends, memory and all, when it %s', (_how, end, event) => {
    const t = withCookie();
    const free = t.pages.freePages;
    t.open({}, t.peer, 200);
    t.takeOne('S');
    end(t);
    t.drain();
    t.told(event);
    expect(t.tcp.connectionCount).toBe(0);
    expect(t.pages.freePages).toBe(free);
  });
});

describe('Fast Open cookies that a client keeps', () => {
  it('are replaced by what a SYN-ACK brings', () => {
    const t = withCookie();
    t.open({}, t.peer, 200);
    t.takeOne('S');
    t.in(`S. 0:0(0) ack 1 <${REPLY},FO aabbccddeeff>`);
    t.drain();
    t.open({}, t.peerOn(4001), 200);
    t.out('S 0:200(200) <mss 1460,sackOK,TS,wscale 5,FO aabbccddeeff>');
  });

  it.each(['010203', '0102', '010203040506070809', '0102030405060708090a0b0c0d0e0f101112'])(
    'are not taken with the wrong length: %s',
    (cookie) => {
      const t = withCookie({}, cookie, 'mss 1000');
      t.open({}, t.peer, 200);
      t.takeOne('S');
      t.quiet();
    },
  );

  it('are not taken when nobody asked for one', () => {
    const t = new Harness();
    t.open();
    t.takeOne('S');
    t.in(`S. 0:0(0) ack 1 <${REPLY},FO ${COOKIE}>`);
    t.drain();
    t.open({}, t.peerOn(4001), 200);
    t.out('S 0:0(0) <mss 1460,sackOK,TS,wscale 5,FO >');
  });

  it('belong to one destination', () => {
    const t = withCookie();
    t.open({}, t.peerOn(4001, { address: 0x0a000003 }), 200);
    t.out('S 0:0(0) <mss 1460,sackOK,TS,wscale 5,FO >');
  });

  it('are asked for as an experiment when the option was not answered, then by the option again', () => {
    const t = new Harness();
    const opens = (port: number, reply: string) => {
      const peer = t.peerOn(port);
      t.open({}, peer, 200);
      const syn = t.takeOne('S');
      t.in(`S. 0:0(0) ack 1 <${reply}>`, { from: peer });
      t.drain();
      return t.format(syn, '<').replace(/.*wscale 5,(.*)>/, '$1');
    };
    expect(opens(1, REPLY)).toBe('FO ');
    expect(opens(2, REPLY)).toBe('raw fe04f989');
    expect(opens(3, REPLY)).toBe('FO ');
    expect(opens(4, REPLY)).toBe('FO ');
  });

  it('of the experimental kind are sent back as such', () => {
    const t = new Harness();
    t.open({}, t.peerOn(1), 200);
    t.takeOne('S');
    t.in(`S. 0:0(0) ack 1 <${REPLY}>`, { from: t.peers.at(-1)! });
    t.drain();
    t.open({}, t.peerOn(2), 200);
    t.takeOne('S');
    t.in(`S. 0:0(0) ack 1 <${REPLY},raw fe0cf989${COOKIE}>`, { from: t.peers.at(-1)! });
    t.drain();
    t.open({}, t.peer, 200);
    t.out(`S 0:200(200) <mss 1460,sackOK,TS,wscale 5,raw fe0cf989${COOKIE}>`);
  });

  it('rest for minutes after two SYNs with data in a row were lost', () => {
    const t = withCookie();
    const loses = (port: number) => {
      const peer = t.peerOn(port);
      t.open({}, peer, 200);
      const syn = t.takeOne('S');
      if (syn.payload.length > 0) {
        t.next('S 0:0(0)');
        t.in(`S. 0:0(0) ack 1 <${REPLY}>`, { from: peer });
        t.drain();
      }
      t.reset();
      t.drain();
      return syn.payload.length;
    };
    expect(loses(1)).toBe(200);
    expect(loses(2)).toBe(200);
    expect(loses(3)).toBe(0);
    t.wait(230_000);
    expect(loses(4)).toBe(0);
    t.wait(20_000);
    expect(loses(5)).toBe(200);
    // Twice as long the next time.
    t.wait(400_000);
    expect(loses(6)).toBe(0);
    t.wait(90_000);
    expect(loses(7)).toBe(200);
  });
});

describe('Fast Open without cookies, client', () => {
  it('sends data with the first SYN, without the option', () => {
    const t = new Harness({ noDelay: true, fastOpenClientNoCookie: true });
    t.open({}, t.peer, 200);
    t.out('S 0:200(200) <mss 1460,sackOK,TS,wscale 5>');
    t.in(`S. 0:0(0) ack 201 <${REPLY}>`);
    t.outAll('. 201:201(0) ack 1');
    t.told('connect');
    expect(t.stats).toMatchObject({ TCPFastOpenActive: 1, RetransSegs: 0 });
  });

  it('sends again at once what was not taken', () => {
    const t = new Harness({ noDelay: true, fastOpenClientNoCookie: true });
    t.open({}, t.peer, 200);
    t.takeOne('S');
    t.in(`S. 0:0(0) ack 1 <${REPLY}>`);
    t.outAll('P. 1:201(200) ack 1');
    expect(t.stats.TCPFastOpenActiveFail).toBe(1);
  });

  it('keeps to 536 bytes where the MSS of the host is not known', () => {
    const t = new Harness({ noDelay: true, fastOpenClientNoCookie: true });
    t.open({}, t.peer, 2000);
    t.out('S 0:496(496) <mss 1460,sackOK,TS,wscale 5>');
  });
});
