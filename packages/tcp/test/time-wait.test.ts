import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';

/** In TIME-WAIT: RCV.NXT is 2, SND.NXT is 2. */
const timeWait = (options = 'mss 1000', config = {}, o = {}) => {
  const t = new Harness({ lossProbe: false, ...config }, o);
  t.listen();
  t.accept(options);
  t.close();
  t.takeOne('F.');
  t.in('F. 1:1(0) ack 2');
  t.takeOne('.');
  expect(t.state).toBe('TIME-WAIT');
  t.events.length = 0;
  return t;
};

describe('TIME-WAIT', () => {
  it('lasts 2 MSL, 60 s by default, or what is configured [MUST-13]', () => {
    const t = timeWait('mss 1000', { timeWaitUs: 5_000_000 });
    t.wait(4999);
    expect(t.tcp.connectionCount).toBe(1);
    t.wait(1);
    expect(t.tcp.connectionCount).toBe(0);
    t.quiet();
  });

  it('acknowledges a FIN that comes again, and starts anew', () => {
    const t = timeWait();
    t.wait(50_000);
    t.in('F. 1:1(0) ack 2');
    t.out('. 2:2(0) ack 2');
    t.wait(59_999);
    expect(t.tcp.connectionCount).toBe(1);
    t.wait(1);
    expect(t.tcp.connectionCount).toBe(0);
    expect(t.stats.TW).toBe(1);
  });

  it('is not prolonged by anything else', () => {
    const t = timeWait();
    t.wait(50_000);
    t.in('. 2:2(0) ack 2');
    t.in('P. -99:1(100) ack 2');
    t.wait(10_000);
    expect(t.tcp.connectionCount).toBe(0);
  });

  it('acknowledges late data, out of order data and a wrong ACK', () => {
    const t = timeWait();
    t.in('P. -99:1(100) ack 2');
    t.out('. 2:2(0) ack 2');
    t.in('P. 102:202(100) ack 2');
    t.out('. 2:2(0) ack 2');
    t.in('P. 90000:90010(10) ack 2');
    t.out('. 2:2(0) ack 2');
    expect(t.state).toBe('TIME-WAIT');
    t.told();
  });

  it('does not answer a bare ACK', () => {
    const t = timeWait();
    t.in('. 2:2(0) ack 2');
    t.quiet();
  });

  it('is ended by a RST at RCV.NXT where RFC 1337 is switched off, as in Linux', () => {
    const t = timeWait('mss 1000', { rfc1337: false });
    t.in('R 50:50(0)');
    t.takeOne('.');
    expect(t.tcp.connectionCount).toBe(1);
    t.in('R 2:2(0)');
    expect(t.tcp.connectionCount).toBe(0);
    t.in('. 2:2(0) ack 2');
    t.out('R 2:2(0)');
  });

  it('ignores a RST, as RFC 1337 would have it', () => {
    const t = timeWait();
    t.in('R 2:2(0)');
    t.in('R. 2:2(0) ack 2');
    t.in('R 50:50(0)');
    expect(t.tcp.connectionCount).toBe(1);
    t.in('P. -99:1(100) ack 2');
    t.takeOne('.');
  });

  it('lets the port be listened on and other peers connect', () => {
    const t = timeWait();
    t.in('S 0:0(0)', { from: t.peerOn(4999) });
    t.takeOne('S.');
  });
});

describe('a SYN in TIME-WAIT (RFC 6191) [MAY-2] [SHLD-4]', () => {
  it('with a higher sequence number opens a new connection', () => {
    const t = timeWait();
    t.in('S 3:3(0) <mss 1000>');
    const sent = t.takeOne('S.');
    expect(sent.ack).toBe((t.peer.irs + 4) | 0);
    expect(t.tcp.connectionCount).toBe(1);
    t.in(`. 4:4(0) ack ${sent.relSeq + 1}`);
    t.told('accept');
  });

  it.each([0, 1, 2, -1000])(
    'with a sequence number that is not higher (%i), without timestamps, gets an ACK',
    (seq) => {
      const t = timeWait();
      t.in(`S ${seq}:${seq}(0) <mss 1000>`);
      t.out('. 2:2(0) ack 2');
      expect(t.state).toBe('TIME-WAIT');
    },
  );

  it('with a newer timestamp opens one, whatever its sequence number', () => {
    const t = timeWait('mss 1000,TS 0 ecr 0');
    t.wait(10);
    t.in('S -500:-500(0) <mss 1000,TS 2000 ecr 0>');
    t.takeOne('S.');
  });

  it('with an older timestamp gets an ACK, even if its sequence number is higher', () => {
    const t = timeWait('mss 1000,TS 5000 ecr 0');
    t.in('S 300:300(0) <mss 1000,TS 4000 ecr 0>');
    t.takeOne('.');
    expect(t.state).toBe('TIME-WAIT');
  });

  it('with the same timestamp needs a higher sequence number', () => {
    const t = timeWait('mss 1000,TS 5000 ecr 0', {}, {});
    const { tsRecent } = t.c;
    const same = `TS ${tsRecent - 1_000_000} ecr 0`;
    t.in(`S 1:1(0) <mss 1000,${same}>`);
    t.takeOne('.');
    t.in(`S 3:3(0) <mss 1000,${same}>`);
    t.takeOne('S.');
  });

  it('is not one with ACK or RST', () => {
    const t = timeWait();
    t.in('S. 300:300(0) ack 2');
    t.takeOne('.');
    t.in('SR 300:300(0)');
    t.quiet();
    expect(t.state).toBe('TIME-WAIT');
  });

  it('gets an ISN above all that the old connection used, however fast that was', () => {
    const t = new Harness({ lossProbe: false, initialCwnd: 1000 }, { memoryBytes: 32 << 20 });
    t.listen();
    t.accept('mss 1460');
    // Faster than the ISN clock of 250 kB a second.
    for (let una = 1; una < 20_000_000; ) {
      const taken = t.write(60_000);
      t.drain();
      una += taken;
      t.in(`. 1:1(0) ack ${una}`);
    }
    t.close();
    const end = t.takeOne('F.');
    t.in(`F. 1:1(0) ack ${end.relSeq + 1}`);
    t.takeOne('.');
    t.in('S 300:300(0) <mss 1000>');
    const sent = t.takeOne('S.');
    expect((sent.seq - (end.seq + 1)) | 0).toBeGreaterThan(0);
  });

  it('to a port nobody listens on any more is answered by TIME-WAIT, not by silence', () => {
    const t = timeWait();
    t.tcp.unlisten(t.listener!);
    t.in('S 3:3(0) <mss 1000>');
    expect(t.drain().length).toBe(1);
  });
});
