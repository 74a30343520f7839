import { describe, expect, it } from 'vitest';
import { Harness, pattern } from './harness.ts';

const ALL = 'mss 1000,sackOK,TS 0 ecr 0,nop,wscale 7';

describe('active open', () => {
  it('sends SYN with MSS, SACK, timestamps and scale, and acknowledges the SYN-ACK [MUST-14] [SHLD-5] [MAY-3] [MUST-4]', () => {
    const t = new Harness();
    t.open();
    t.out('S 0:0(0) win 65535 <mss 1460,sackOK,TS 0 ecr 0,wscale 5>');
    t.in(`S. 0:0(0) ack 1 win 5000 <${ALL}>`);
    t.out('. 1:1(0) ack 1 <TS 0 ecr 0>');
    t.told('connect');
    expect(t.state).toBe('ESTABLISHED');
    t.quiet();
  });

  it('does not use an option that the peer did not answer', () => {
    const t = new Harness().connect('mss 1000', { win: 3000 });
    t.write(500);
    t.out('P. 1:501(500) ack 1 win 65535 <>');
    expect(t.info()).toMatchObject({ tcpi_options: 0, tcpi_snd_wscale: 0, tcpi_rcv_wscale: 0, tcpi_snd_wnd: 3000 });
  });

  it('does not offer what the configuration turns off', () => {
    const t = new Harness({ timestamps: false, windowScaling: false, sack: false });
    t.open();
    t.out('S 0:0(0) <mss 1460>');
    t.in(`S. 0:0(0) ack 1 win 1000 <${ALL}>`);
    t.out('. 1:1(0) ack 1 <>');
    expect(t.info()).toMatchObject({ tcpi_options: 0, tcpi_snd_wnd: 1000 });
  });

  it('sends data that was written before the handshake is complete, and a FIN after it', () => {
    const t = new Harness();
    t.open();
    t.takeOne('S');
    t.write(300);
    t.shutdown();
    t.quiet();
    t.in(`S. 0:0(0) ack 1 <${ALL}>`);
    t.out('FP. 1:301(300) ack 1');
    expect(t.state).toBe('FIN-WAIT-1');
  });

  it('accepts data and FIN on the SYN-ACK (3.10.7.3)', () => {
    const t = new Harness();
    t.open();
    t.takeOne('S');
    t.in('FS. 0:100(100) ack 1', { data: pattern(0, 100) });
    t.out('. 1:1(0) ack 102');
    t.told('connect', 'readable', 'end');
    expect(t.read()).toBe(100);
    expect(t.state).toBe('CLOSE-WAIT');
  });

  it('retransmits the SYN with exponential backoff and gives up with ETIMEDOUT [MUST-22]', () => {
    const t = new Harness({ synRetries: 3 });
    t.open();
    t.takeOne('S');
    expect(t.next('S 0:0(0)')).toBe(1000);
    expect(t.next('S 0:0(0)')).toBe(2000);
    expect(t.next('S 0:0(0)')).toBe(4000);
    t.told();
    t.quietFor(8000);
    t.told('close ETIMEDOUT');
    expect(t.tcp.connectionCount).toBe(0);
  });

  it('can retransmit the SYN at even intervals first (Linux: tcp_syn_linear_timeouts)', () => {
    const t = new Harness({ synLinearTimeouts: 4 });
    t.open();
    t.takeOne('S');
    expect([1, 2, 3, 4, 5, 6, 7].map(() => t.next('S 0:0(0)'))).toEqual([1000, 1000, 1000, 1000, 1000, 2000, 4000]);
  });

  it('tries to open for at least three minutes by default [MUST-23]', () => {
    const t = new Harness();
    t.open();
    t.wait(179_000);
    expect(t.state).toBe('SYN-SENT');
    t.wait(600_000);
    t.told('close ETIMEDOUT');
  });

  it('sends one segment, with an RTO of 3 s, after a SYN was lost (RFC 5681 3.1, RFC 6298 5.7)', () => {
    const t = new Harness({ timestamps: false, sack: false });
    t.open();
    t.takeOne('S');
    t.next('S 0:0(0)');
    t.in('S. 0:0(0) ack 1 <mss 1000>');
    t.out('. 1:1(0) ack 1');
    t.write(5000);
    t.out('. 1:1001(1000) ack 1');
    t.quiet();
    expect(t.next('. 1:1001(1000) ack 1')).toBe(3000);
  });

  it('takes a first RTT sample from the handshake (RFC 6298 2.2)', () => {
    const t = new Harness().connect(ALL, { rttMs: 80 });
    expect(t.info()).toMatchObject({ tcpi_rtt: 80_000, tcpi_rttvar: 40_000, tcpi_rto: 280_000 });
  });

  it('takes a RTT sample from the handshake also when the device was full at first', () => {
    const t = new Harness();
    t.room = 0;
    t.open();
    t.quiet();
    t.wait(100);
    t.room = 100;
    t.tcp.transmitReady();
    t.takeOne('S');
    t.wait(30);
    t.in(`S. 0:0(0) ack 1 <${ALL}>`);
    expect(t.info().tcpi_rtt).toBe(30_000);
    expect(t.stats.RetransSegs).toBe(0);
  });

  it('closes without a word when closed in SYN-SENT', () => {
    const t = new Harness();
    t.open();
    t.takeOne('S');
    t.close();
    t.quiet();
    expect(t.tcp.connectionCount).toBe(0);
    t.in('S. 0:0(0) ack 1');
    t.out('R 1:1(0)');
  });

  it('takes a port that is neither listened on nor in use, and refuses one that is', () => {
    const t = new Harness();
    t.connect(ALL);
    expect(t.tcp.connect(t.path(0, t.peer.address)!, t.peer.localPort, t.peer.port, t.config)).toBe('EADDRINUSE');
    const c = t.tcp.connect(t.path(0, t.peer.address)!, 0, t.peer.port, t.config);
    if (typeof c === 'string') throw new Error(c);
    expect(c.localPort).toBeGreaterThanOrEqual(32768);
    expect(c.localPort).toBeLessThanOrEqual(60999);
  });
});

describe('segments in SYN-SENT (3.10.7.3)', () => {
  const synSent = () => {
    const t = new Harness();
    t.open();
    t.takeOne('S');
    return t;
  };

  it.each([0, 2, -1000, 1 << 30])(
    'answers a SYN-ACK that acknowledges %i with <SEQ=SEG.ACK><CTL=RST> and stays',
    (ack) => {
      const t = synSent();
      t.in(`S. 0:0(0) ack ${ack}`);
      t.out(`R ${ack}:${ack}(0)`);
      t.quiet();
      expect(t.state).toBe('SYN-SENT');
      t.in(`S. 0:0(0) ack 1 <${ALL}>`);
      t.out('. 1:1(0) ack 1');
      expect(t.state).toBe('ESTABLISHED');
    },
  );

  it('answers a bare ACK of something else with a RST, and ignores a right one', () => {
    const t = synSent();
    t.in('. 0:0(0) ack 5');
    t.out('R 5:5(0)');
    t.in('. 0:0(0) ack 1');
    t.quiet();
    t.in('P. 0:10(10) ack 1');
    t.quiet();
    t.in('F. 0:0(0) ack 1');
    t.quiet();
    expect(t.state).toBe('SYN-SENT');
  });

  it('ignores a RST without ACK or with a wrong one', () => {
    const t = synSent();
    t.in('R 0:0(0)');
    t.in('R. 0:0(0) ack 0');
    t.in('R. 0:0(0) ack 2');
    t.quiet();
    t.told();
    expect(t.state).toBe('SYN-SENT');
  });

  it('is refused by a RST that acknowledges the SYN [MUST-12]', () => {
    const t = synSent();
    t.in('R. 0:0(0) ack 1');
    t.quiet();
    t.told('close ECONNREFUSED');
    expect(t.tcp.connectionCount).toBe(0);
    expect(t.stats.AttemptFails).toBe(1);
  });

  it('fails queued data with the connection when the SYN is refused', () => {
    const t = synSent();
    expect(t.write(1000)).toBe(1000);
    t.in('R. 0:0(0) ack 1');
    t.told('close ECONNREFUSED');
    expect(t.write(10)).toBe(-1);
  });

  it('drops a segment with neither SYN nor RST', () => {
    const t = synSent();
    t.in('- 0:0(0)');
    t.in('F 0:0(0)');
    t.in('P 0:10(10)');
    t.quiet();
    expect(t.state).toBe('SYN-SENT');
  });
});

describe('simultaneous open (3.5, figure 8)', () => {
  it('is established by the SYN-ACKs that cross [MUST-10]', () => {
    const t = new Harness();
    t.open();
    t.takeOne('S');
    t.in(`S 0:0(0) win 5000 <${ALL}>`);
    t.out('S. 0:0(0) ack 1 <mss 1460,sackOK,TS 0 ecr 0,wscale 5>');
    expect(t.state).toBe('SYN-RECEIVED');
    t.in('S. 0:0(0) ack 1 win 5000 <mss 1000,sackOK,TS 10 ecr 0,nop,wscale 7>');
    expect(t.state).toBe('ESTABLISHED');
    t.told('connect');
    t.peer.timestamps = true;
    t.drain();
    t.in('P. 1:101(100) ack 1');
    t.out('. 1:1(0) ack 101');
    expect(t.read()).toBe(100);
    t.write(100);
    t.out('P. 1:101(100) ack 101');
    expect(t.info().tcpi_options).toBe(7);
  });

  it('is established by a bare ACK of the SYN too [MUST-10]', () => {
    const t = new Harness();
    t.open();
    t.takeOne('S');
    t.in('S 0:0(0)');
    t.takeOne('S.');
    t.in('. 1:1(0) ack 1');
    t.told('connect');
    expect(t.state).toBe('ESTABLISHED');
  });

  it('survives the loss of the SYN-ACK: it is sent again, and the peer finds out by a challenge ACK [MUST-10]', () => {
    const t = new Harness();
    t.open();
    t.takeOne('S');
    t.in('S 0:0(0)');
    t.takeOne('S.');
    expect(t.next('S. 0:0(0) ack 1')).toBeGreaterThan(0);
    t.in('S. 0:0(0) ack 1');
    expect(t.state).toBe('ESTABLISHED');
    t.drain();
    // Ours was lost too: the peer is still in SYN-RECEIVED and repeats.
    t.wait(1000);
    t.in('S. 0:0(0) ack 1');
    t.out('. 1:1(0) ack 1');
  });

  it('answers a wrong acknowledgment in the crossing SYN-ACK with a RST', () => {
    const t = new Harness();
    t.open();
    t.takeOne('S');
    t.in('S 0:0(0)');
    t.takeOne('S.');
    t.in('. 1:1(0) ack 77');
    t.out('R 77:77(0)');
    expect(t.state).toBe('SYN-RECEIVED');
  });

  it('is refused, not put back to LISTEN, by a RST [MUST-11]', () => {
    const t = new Harness();
    t.listen();
    t.open({}, t.peerOn(99, { localPort: 1234 }));
    t.takeOne('S');
    const from = t.c.remotePort === 99 ? { from: peerOf(t, 99) } : {};
    t.in('S 0:0(0)', from);
    t.takeOne('S.');
    t.in('R 1:1(0)', from);
    t.told('close ECONNREFUSED');
    expect(t.tcp.connectionCount).toBe(0);
  });

  it.each([-100_000, 0x7fff_fff0, -(2 ** 31)])('opens a window wherever the ISN of the peer lies (%i)', (peerIss) => {
    const t = new Harness({}, { peerIss });
    t.open();
    t.takeOne('S');
    t.in('S 0:0(0)');
    t.takeOne('S.');
    t.in('. 1:1(0) ack 1');
    t.in('P. 1:1001(1000) ack 1');
    expect(t.read()).toBe(1000);
  });

  it('takes data and FIN with the ACK', () => {
    const t = new Harness();
    t.open();
    t.takeOne('S');
    t.in('S 0:0(0)');
    t.takeOne('S.');
    t.in('FP. 1:11(10) ack 1');
    t.told('connect', 'readable', 'end');
    t.out('. 1:1(0) ack 12');
  });
});

function peerOf(t: Harness, port: number) {
  const peer = t.peers.find((p) => p.port === port);
  if (peer === undefined) throw new Error(`no peer on ${port}`);
  return peer;
}

describe('self connect', () => {
  it('opens a connection to itself when ports and addresses are the same', () => {
    const t = new Harness({ lossProbe: false });
    const self = t.peerOn(5000, { address: t.localAddress, localPort: 5000 });
    const wire: Uint8Array[] = [];
    t.onSegment = (sent) => wire.push(sent.bytes);
    t.open({}, self);
    for (let i = 0; i < 20 && wire.length > 0; i++) {
      t.batch(() => {
        for (const bytes of wire.splice(0)) t.feedBytes(bytes, {}, self);
      });
    }
    expect(t.state).toBe('ESTABLISHED');
    t.told('connect');
    t.write(100);
    t.batch(() => t.feedBytes(wire.shift()!, {}, self));
    t.told('readable');
    expect(t.read()).toBe(100);
  });
});

describe('segments in SYN-RECEIVED (3.10.7.4)', () => {
  const synReceived = (config = {}) => {
    const t = new Harness(config);
    t.listen();
    t.in(`S 0:0(0) win 5000 <${ALL}>`);
    t.takeOne('S.');
    return t;
  };

  it('answers a duplicate SYN with the SYN-ACK again', () => {
    const t = synReceived();
    t.in(`S 0:0(0) win 5000 <${ALL}>`);
    t.out('S. 0:0(0) ack 1 <mss 1460,sackOK,TS 0 ecr 0,wscale 5>');
    t.in('. 1:1(0) ack 1 win 40');
    t.told('accept');
  });

  it('answers a duplicate SYN with data with the SYN-ACK again', () => {
    const t = synReceived();
    t.in(`S 0:100(100) win 5000 <${ALL}>`);
    t.out('S. 0:0(0) ack 1');
    t.quiet();
  });

  it('goes back to LISTEN upon a RST [MUST-11]', () => {
    const t = synReceived();
    t.in('R 1:1(0)');
    t.quiet();
    t.told();
    expect(t.tcp.connectionCount).toBe(0);
    expect(t.listener!.halfOpen).toBe(0);
    t.in(`S 0:0(0) <${ALL}>`);
    t.takeOne('S.');
    t.in('. 1:1(0) ack 1');
    t.told('accept');
  });

  it('challenges a RST in the window, ignores one outside', () => {
    const t = synReceived();
    t.in('R 2:2(0)');
    t.out('. 1:1(0) ack 1');
    t.in('R 70000:70000(0)');
    t.in('R 0:0(0)');
    t.quiet();
    t.in('. 1:1(0) ack 1');
    t.told('accept');
  });

  it.each([0, 2, 1000, -5, 1 << 30])('answers an ACK of %i with exactly <SEQ=SEG.ACK><CTL=RST>', (ack) => {
    const t = synReceived();
    t.in(`. 1:1(0) ack ${ack}`);
    const sent = t.out(`R ${ack}:${ack}(0)`);
    expect(sent.ack).toBe(0);
    expect(sent.options).toEqual([]);
    t.quiet();
    t.in('. 1:1(0) ack 1');
    t.told('accept');
  });

  it('drops a segment without ACK', () => {
    const t = synReceived();
    t.in('P 1:11(10)');
    t.in('F 1:1(0)');
    t.in('- 1:1(0)');
    t.quiet();
    t.told();
  });

  it('accepts data and FIN on the third segment', () => {
    const t = synReceived();
    t.in('FP. 1:101(100) ack 1');
    t.told('accept', 'readable', 'end');
    expect(t.state).toBe('CLOSE-WAIT');
    expect(t.read()).toBe(100);
    t.out('. 1:1(0) ack 102');
  });

  it('accepts when the third segment was lost and data comes', () => {
    const t = synReceived();
    t.in('P. 1:101(100) ack 1');
    t.told('accept', 'readable');
    t.out('. 1:1(0) ack 101');
  });

  it('accepts when the third segment comes late, out of order with data', () => {
    const t = synReceived();
    t.in('P. 101:201(100) ack 1');
    t.told('accept');
    t.drain();
    t.in('. 1:1(0) ack 1');
    t.in('P. 1:101(100) ack 1');
    expect(t.read()).toBe(200);
  });

  it('accepts a third segment without timestamps though they were agreed on', () => {
    const t = synReceived();
    t.in('. 1:1(0) ack 1 <nop,nop>');
    t.told('accept');
    t.in('P. 1:11(10) ack 1 <nop,nop>');
    expect(t.read()).toBe(10);
  });

  it('takes the window of the third segment, with its top bit set, and scaled [MUST-1] [REC-1]', () => {
    const t = new Harness();
    t.listen();
    t.in(`S 0:0(0) win 0 <${ALL}>`);
    t.takeOne('S.');
    t.in('. 1:1(0) ack 1 win 40000');
    t.told('accept');
    expect(t.info()).toMatchObject({ tcpi_snd_wnd: 40000 << 7, tcpi_snd_mss: 988 });
    t.write(5000);
    expect(t.drain().length).toBe(6);
  });

  it('retransmits the SYN-ACK and forgets the half-open connection in the end [MUST-22]', () => {
    const t = synReceived({ synAckRetries: 2 });
    expect(t.next('S. 0:0(0) ack 1')).toBe(1000);
    expect(t.next('S. 0:0(0) ack 1')).toBe(2000);
    t.quietFor(4000);
    expect(t.tcp.connectionCount).toBe(0);
    expect(t.listener!.halfOpen).toBe(0);
    t.told();
    // A late third segment belongs to nothing.
    t.in('. 1:1(0) ack 1');
    t.out('R 1:1(0)');
  });

  it('does not take a round trip from a SYN-ACK that was sent twice (Karn) [MUST-18]', () => {
    const t = new Harness({ timestamps: false });
    t.listen();
    t.in('S 0:0(0) <mss 1000>');
    t.takeOne('S.');
    t.next('S. 0:0(0) ack 1');
    t.wait(10);
    t.in('. 1:1(0) ack 1');
    expect(t.info().tcpi_rtt).toBe(0);
  });

  it('does not take a round trip when a repeated SYN drew a second SYN-ACK (Karn) [MUST-18]', () => {
    const t = new Harness({ timestamps: false });
    t.listen();
    t.in('S 0:0(0) <mss 1000>');
    t.takeOne('S.');
    t.wait(900);
    t.in('S 0:0(0) <mss 1000>');
    t.takeOne('S.');
    t.wait(10);
    t.in('. 1:1(0) ack 1');
    expect(t.info().tcpi_rtt).toBe(0);
  });
});

describe('SYN options', () => {
  it('answers with what was offered only', () => {
    const t = new Harness();
    t.listen();
    t.in('S 0:0(0) <mss 1000>');
    t.out('S. 0:0(0) ack 1 <mss 1460>');
    t.in('S 0:0(0) <mss 1000,sackOK>', { from: t.peerOn(4001) });
    t.out('S. 0:0(0) ack 1 <mss 1460,sackOK>');
    t.in('S 0:0(0) <mss 1000,nop,wscale 3>', { from: t.peerOn(4002) });
    t.out('S. 0:0(0) ack 1 <mss 1460,wscale 5>');
    t.in('S 0:0(0) <mss 1000,TS 50 ecr 0>', { from: t.peerOn(4003) });
    t.out('S. 0:0(0) ack 1 <mss 1460,TS 0 ecr 50>');
  });

  it('sends segments of 536 bytes when the SYN has no MSS option [MUST-15]', () => {
    const t = new Harness().connect('');
    t.write(2000);
    t.out('. 1:537(536) ack 1', '. 537:1073(536) ack 1');
  });

  it.each([
    [1, 48],
    [40, 48],
    [48, 48],
    [100, 100],
    [1460, 1460],
    [9000, 1460],
    [65535, 1460],
  ])('with an MSS of %i sends at most %i bytes [MUST-16]', (mss, bytes) => {
    const t = new Harness().connect(`mss ${mss}`);
    t.write(20_000);
    expect(t.drain()[0]!.payload.length).toBe(bytes);
  });

  it('takes an MSS of 0 for none (Linux)', () => {
    const t = new Harness().connect('mss 0');
    t.write(2000);
    expect(t.drain()[0]!.payload.length).toBe(536);
  });

  it('takes the options of every segment off the MSS, in one direction only (RFC 6691) [MUST-16]', () => {
    const t = new Harness().connect(ALL);
    t.write(5000);
    t.out('. 1:989(988) ack 1 <TS>');
  });

  it('announces the MSS of the path: MTU less 40 [MUST-67] [SHLD-6]', () => {
    for (const [mtu, mss] of [
      [1500, 1460],
      [576, 536],
      [9000, 8960],
    ] as const) {
      const t = new Harness({}, { mtu });
      t.open();
      expect(t.takeOne('S').options[0]).toEqual({ kind: 'mss', value: mss });
    }
  });

  it('announces and keeps to a configured MSS', () => {
    const t = new Harness({ mss: 500 });
    t.open();
    expect(t.takeOne('S').options[0]).toEqual({ kind: 'mss', value: 500 });
    t.in('S. 0:0(0) ack 1 <mss 1460>');
    t.drain();
    t.write(2000);
    t.out('. 1:501(500) ack 1');
  });

  it('ignores MSS, scale and SACK-permitted on a segment without SYN, and sends none [MUST-65] [MUST-5]', () => {
    const t = new Harness().connect('mss 1000', { win: 5000 });
    t.in('. 1:1(0) ack 1 win 5000 <mss 200,nop,wscale 7,nop,nop,sackOK>');
    t.write(1500);
    t.out('. 1:1001(1000) ack 1 <>');
    expect(t.info()).toMatchObject({ tcpi_options: 0, tcpi_snd_wnd: 5000 });
  });

  it('uses a scale of more than 14 as 14 (RFC 7323 2.3)', () => {
    const t = new Harness().connect('mss 1000,nop,wscale 15', { win: 100 });
    expect(t.info().tcpi_snd_wscale).toBe(14);
    t.in('. 1:1(0) ack 1 win 65535');
    expect(t.info().tcpi_snd_wnd).toBe(65535 * 2 ** 14);
  });

  it('does not scale the window of SYN and SYN-ACK (RFC 7323 2.2)', () => {
    const t = new Harness().connect('mss 1000,nop,wscale 7', { win: 3000 });
    expect(t.info().tcpi_snd_wnd).toBe(3000);
    t.in('. 1:1(0) ack 1 win 3000');
    expect(t.info().tcpi_snd_wnd).toBe(3000 << 7);
  });

  it('does not scale its own window when the peer did not offer to', () => {
    const t = new Harness().connect('mss 1000');
    expect(t.info().tcpi_rcv_wscale).toBe(0);
    t.in('P. 1:11(10) ack 1');
    t.out('. 1:1(0) ack 11 win 65525');
  });

  it('ignores unknown options, at odd places too [MUST-6] [MUST-64]', () => {
    const t = new Harness().connect('raw fd04abcd,nop,mss 900,raw ee03ff,sackOK');
    expect(t.info()).toMatchObject({ tcpi_options: 2, tcpi_snd_mss: 900 });
  });

  it.each([
    'raw 02',
    'raw 0200',
    'raw 0201',
    'raw 02ff05dc',
    'raw 0206000005dc',
    'raw 08',
    'raw 080a0000',
    'raw 05',
    'raw 0502',
    'raw 0300',
    'raw fe00',
  ])('survives the malformed option %s [MUST-7]', (options) => {
    const t = new Harness();
    t.listen();
    t.in(`S 0:0(0) <${options}>`);
    t.takeOne('S.');
    t.in(`. 1:1(0) ack 1 <${options}>`);
    t.told('accept');
    t.in(`P. 1:11(10) ack 1 <${options}>`);
    expect(t.read()).toBe(10);
  });
});

describe('data on a SYN', () => {
  it('is not acknowledged and not delivered before the handshake is complete, as Linux does without Fast Open', () => {
    const t = new Harness();
    t.listen();
    t.in('S 0:100(100) <mss 1000>', { data: pattern(0, 100) });
    t.out('S. 0:0(0) ack 1');
    t.told();
    t.in('. 101:101(0) ack 1');
    t.told('accept');
    t.drain();
    t.in('P. 1:101(100) ack 1');
    t.told('readable');
    expect(t.read()).toBe(100);
  });
});

describe('checksum', () => {
  it('discards a segment whose checksum is wrong [MUST-3]', () => {
    const t = new Harness();
    t.listen();
    t.in('S 0:0(0)', { mangle: (bytes) => (bytes[16]! ^= 1) });
    t.quiet();
    expect(t.stats).toMatchObject({ InCsumErrors: 1, InErrs: 1 });
  });

  it('takes a zero in the field for a wrong checksum, not for none [MUST-3]', () => {
    const t = new Harness();
    t.listen();
    t.in('S 0:0(0)', { mangle: (bytes) => bytes.fill(0, 16, 18) });
    t.quiet();
    expect(t.stats.InCsumErrors).toBe(1);
  });

  it('believes a device that vouches for it', () => {
    const t = new Harness();
    t.listen();
    t.in('S 0:0(0)', { mangle: (bytes) => bytes.fill(0, 16, 18), validated: true });
    t.takeOne('S.');
  });

  it('is right on everything sent, payloads of every length and ring place included [MUST-2]', () => {
    // The harness verifies each; here are odd lengths across the end of the ring.
    const t = new Harness({ sndBuf: 4096, noDelay: true }).connect('mss 777');
    for (let i = 0, una = 1; i < 40; i++) {
      const bytes = 1 + ((i * 131) % 700);
      t.write(bytes);
      una += bytes;
      t.drain();
      t.in(`. 1:1(0) ack ${una}`);
    }
    expect(t.info().tcpi_bytes_acked).toBe(t.info().tcpi_bytes_sent);
  });

  it('is verified over fragments that begin at odd places', () => {
    const t = new Harness().connect('mss 1460');
    t.in('P. 1:1001(1000) ack 1', { fragments: [20, 1, 332, 333, 334] });
    expect(t.read()).toBe(1000);
    t.in('P. 1001:1008(7) ack 1', { fragments: [23, 4] });
    expect(t.read()).toBe(7);
    t.in('P. 1008:1108(100) ack 1', { fragments: [40, 79, 1], mangle: (bytes) => (bytes[119]! ^= 1) });
    expect(t.stats.InCsumErrors).toBe(1);
    expect(t.read()).toBe(0);
  });
});

describe('headers', () => {
  it('drops a header that is cut, or whose data offset points into itself or past the end', () => {
    const t = new Harness();
    t.listen();
    for (const length of [0, 1, 19]) t.batch(() => t.feedBytes(new Uint8Array(length)));
    t.in('S 0:0(0)', { mangle: (bytes) => (bytes[12] = 0x40), validated: true });
    t.in('S 0:0(0)', { mangle: (bytes) => (bytes[12] = 0xf0), validated: true });
    t.quiet();
    expect(t.stats.InErrs).toBe(5);
  });
});
