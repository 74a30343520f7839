import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';

/** Without options and without loss probes: the bare RFC 6298. */
const plain = (config = {}, o: { rttMs?: number; win?: number } = {}) =>
  new Harness({ lossProbe: false, mtuProbing: 'off', ...config }).connect('mss 1000', o);
const stamped = (config = {}, o = {}) => new Harness({ lossProbe: false, ...config }).connect('mss 1012,TS 0 ecr 0', o);

describe('the retransmission timeout (RFC 6298)', () => {
  it('is 1 s before there is a measurement (2.1)', () => {
    const t = new Harness({ lossProbe: false });
    t.open();
    t.takeOne('S');
    expect(t.info().tcpi_rto).toBe(1_000_000);
  });

  it('follows SRTT and RTTVAR, never below SRTT + 200 ms (2.2, 2.3, Linux)', () => {
    const t = plain({}, { rttMs: 100 });
    expect(t.info()).toMatchObject({ tcpi_rtt: 100_000, tcpi_rttvar: 50_000, tcpi_rto: 300_000 });
    t.write(1000);
    t.drain();
    t.wait(200);
    t.in('. 1:1(0) ack 1001');
    expect(t.info()).toMatchObject({ tcpi_rtt: 112_500, tcpi_rttvar: 62_500, tcpi_rto: 362_500 });
    let una = 1001;
    for (let i = 0; i < 100; i++) {
      t.write(1000);
      t.drain();
      t.wait(10);
      una += 1000;
      t.in(`. 1:1(0) ack ${una}`);
    }
    expect(t.info().tcpi_rto).toBeLessThan(212_000);
    expect(t.info().tcpi_rto).toBeGreaterThanOrEqual(210_000);
  });

  it('doubles with each timeout, up to the bound (5.5) [MUST-19]', () => {
    const t = plain({ maxRtoUs: 60_000_000 }, { rttMs: 100 });
    t.write(500);
    t.drain();
    const times: number[] = [];
    for (let i = 0; i < 12; i++) times.push(t.next('P. 1:501(500) ack 1'));
    expect(times.slice(0, 8)).toEqual([300, 600, 1200, 2400, 4800, 9600, 19_200, 38_400]);
    expect(times.slice(8)).toEqual([60_000, 60_000, 60_000, 60_000]);
  });

  it('has a bound of at least 60 s (2.5)', () => {
    expect(plain().config.maxRtoUs).toBeGreaterThanOrEqual(60_000_000);
  });

  it('starts anew with each acknowledgment of new data (5.3), stops when all is acknowledged (5.2)', () => {
    const t = plain({}, { rttMs: 100 });
    t.write(2000);
    t.drain();
    t.wait(250);
    t.in('. 1:1(0) ack 1001');
    t.quietFor(250);
    t.in('. 1:1(0) ack 2001');
    t.quietFor(1e6);
    expect(t.time.timers.size).toBe(0);
  });

  it('is not put off by duplicate acknowledgments', () => {
    const t = plain({}, { rttMs: 100 });
    t.write(1000);
    t.drain();
    for (let i = 0; i < 2; i++) {
      t.wait(140);
      t.in('. 1:1(0) ack 1');
    }
    expect(t.next('P. 1:1001(1000) ack 1')).toBe(20);
  });

  it('is not put off by new data', () => {
    const t = plain({ noDelay: true }, { rttMs: 100 });
    t.write(100);
    t.drain();
    t.wait(200);
    t.write(100);
    t.drain();
    expect(t.next('. 1:101(100) ack 1')).toBe(100);
  });

  it('takes no sample from what was sent twice, without timestamps (Karn) [MUST-18]', () => {
    const t = plain({}, { rttMs: 100 });
    t.write(1000);
    t.drain();
    t.next('P. 1:1001(1000) ack 1');
    t.wait(1);
    const { tcpi_rtt } = t.info();
    t.in('. 1:1(0) ack 1001');
    expect(t.info().tcpi_rtt).toBe(tcpi_rtt);
  });

  it('keeps its backoff until something sent once is acknowledged (Karn) [MUST-18]', () => {
    const t = plain({}, { rttMs: 100 });
    t.write(1000);
    t.drain();
    t.next('P. 1:1001(1000) ack 1');
    t.next('P. 1:1001(1000) ack 1');
    t.in('. 1:1(0) ack 1001');
    t.write(1000);
    t.drain();
    expect(t.next('P. 1001:2001(1000) ack 1')).toBe(1200);
    t.in('. 1:1(0) ack 2001');
    t.write(1000);
    t.drain();
    t.wait(100);
    t.in('. 1:1(0) ack 3001');
    expect(t.info().tcpi_backoff).toBe(0);
    t.write(1000);
    t.drain();
    expect(t.next('P. 3001:4001(1000) ack 1')).toBeLessThan(400);
  });

  it('takes samples of retransmissions by timestamps, and the backoff ends', () => {
    const t = stamped({}, { rttMs: 100 });
    t.write(1000);
    t.drain();
    t.next('P. 1:1001(1000) ack 1');
    const ecr = t.peer.lastTsVal - t.peer.tsZero;
    t.wait(60);
    t.in(`. 1:1(0) ack 1001 <nop,nop,TS 500 ecr ${ecr}>`);
    expect(t.c.rtt.latestUs).toBe(60_000);
    expect(t.info().tcpi_backoff).toBe(0);
  });

  it('takes a sample from SACK, of the segment that was sent last', () => {
    const t = new Harness({ lossProbe: false, noDelay: true }).connect('mss 1000,sackOK', { rttMs: 100 });
    for (let i = 0; i < 3; i++) {
      t.write(100);
      t.wait(20);
    }
    t.drain();
    t.in('. 1:1(0) ack 1 <nop,nop,sack 101:301>');
    expect(t.c.rtt.latestUs).toBe(20_000);
  });

  it('measures when a segment arrived, not when it was processed', () => {
    const t = plain({}, { rttMs: 100 });
    t.write(1000);
    t.drain();
    const sentUs = t.time.clock.now();
    t.wait(400 - 250);
    t.in('. 1:1(0) ack 1001', { arrivedUs: sentUs + 30_000 });
    expect(t.c.rtt.latestUs).toBe(30_000);
  });

  it('crosses 2^32', () => {
    const t = new Harness({ lossProbe: false }, { iss: -501 }).connect('mss 1000', { rttMs: 100 });
    t.write(1000);
    t.drain();
    t.next('P. 1:1001(1000) ack 1');
    t.in('. 1:1(0) ack 1001');
    expect(t.info().tcpi_unacked).toBe(0);
  });
});

describe('a timeout (RFC 5681 3.1) [MUST-19]', () => {
  it('takes cwnd to one segment, ssthresh to half of the flight, and everything for lost', () => {
    const t = plain({ congestion: 'newreno' }, { rttMs: 100 });
    t.write(20_000);
    expect(t.drain().length).toBe(10);
    t.next('. 1:1001(1000) ack 1');
    expect(t.info()).toMatchObject({
      tcpi_ca_state: 4,
      tcpi_snd_cwnd: 1,
      tcpi_snd_ssthresh: 5,
      tcpi_lost: 10,
      tcpi_retrans: 1,
    });
    expect(t.stats.TCPTimeouts).toBe(1);
  });

  it('is followed by slow start over what was lost', () => {
    const t = plain({ congestion: 'newreno', frto: false }, { rttMs: 100 });
    t.write(10_000);
    t.drain();
    t.next('. 1:1001(1000) ack 1');
    t.wait(100);
    t.in('. 1:1(0) ack 1001');
    t.outAll('. 1001:2001(1000) ack 1', '. 2001:3001(1000) ack 1');
    t.wait(100);
    t.in('. 1:1(0) ack 2001');
    t.in('. 1:1(0) ack 3001');
    expect(t.drain().length).toBe(4);
  });

  it('does not halve ssthresh again when the same segment times out again', () => {
    const t = plain({ congestion: 'newreno' }, { rttMs: 100 });
    t.write(20_000);
    t.drain();
    t.next('. 1:1001(1000) ack 1');
    t.next('. 1:1001(1000) ack 1');
    t.next('. 1:1001(1000) ack 1');
    expect(t.info().tcpi_snd_ssthresh).toBe(5);
  });

  it('retransmits in the segment size of now', () => {
    const t = plain({}, { rttMs: 100 });
    t.write(2000);
    t.drain();
    t.configure({});
    t.pathMtus.set(t.peer.address, 600);
    t.tcp.pathMtuChanged(t.peer.address);
    for (const sent of t.drain()) expect(sent.payload.length).toBeLessThanOrEqual(560);
  });
});

describe('giving up (3.8.3) [MUST-20]', () => {
  it('after R2 retransmissions, 15 by default: more than 100 s [SHLD-11] [SHLD-10]', () => {
    const t = plain({}, { rttMs: 100 });
    t.write(500);
    t.drain();
    const from = t.nowMs;
    for (let i = 0; i < 15; i++) t.next('P. 1:501(500) ack 1');
    t.told();
    while (t.events.length === 0) t.time.step();
    t.told('close ETIMEDOUT');
    expect(t.nowMs - from).toBeGreaterThan(100_000);
    expect(t.tcp.connectionCount).toBe(0);
  });

  it('has a sign before it: after R1 retransmissions, 3 by default, IP is to doubt the way and the user is told [MUST-20] [SHLD-9] [SHLD-10]', () => {
    const t = plain({}, { rttMs: 100 });
    t.write(500);
    t.drain();
    for (let i = 0; i < 2; i++) t.next('P. 1:501(500) ack 1');
    expect([t.troubles, t.doubted]).toEqual([[], 0]);
    t.next('P. 1:501(500) ack 1');
    expect([t.troubles, t.doubted]).toEqual([['ETIMEDOUT'], 1]);
    t.next('P. 1:501(500) ack 1');
    expect([t.troubles, t.doubted]).toEqual([['ETIMEDOUT'], 2]);
    t.in('. 1:1(0) ack 501');
    t.write(500);
    t.drain();
    t.next('P. 501:1001(500) ack 1');
    expect(t.doubted).toBe(2);
  });

  it('has no sign where nobody listens for it [SHLD-20]', () => {
    const t = plain({}, { rttMs: 100 });
    const { onTrouble: _, ...rest } = t.c.user!;
    t.c.user = rest;
    t.write(500);
    t.drain();
    for (let i = 0; i < 5; i++) t.next('P. 1:501(500) ack 1');
    expect(t.troubles).toEqual([]);
    t.told();
  });

  it('after what the application sets, before and while [MUST-21]', () => {
    for (const before of [true, false]) {
      const t = plain(before ? { retries2: 2 } : {}, { rttMs: 100 });
      if (!before) t.configure({ retries2: 2 });
      t.write(500);
      t.drain();
      t.next('P. 1:501(500) ack 1');
      t.next('P. 1:501(500) ack 1');
      t.quietFor(1200);
      t.told('close ETIMEDOUT');
    }
  });

  it('after the user timeout (RFC 5482), early or late', () => {
    const t = plain({ userTimeoutUs: 3_000_000, retries2: 1 }, { rttMs: 100 });
    t.write(500);
    t.drain();
    const from = t.nowMs;
    while (t.tcp.connectionCount > 0) t.time.step();
    expect(t.events.at(-1)).toBe('close ETIMEDOUT');
    expect(t.nowMs - from).toBeGreaterThanOrEqual(3000);
    expect(t.nowMs - from).toBeLessThan(6000);
  });

  it('not while there is progress', () => {
    const t = plain({ retries2: 2 }, { rttMs: 100 });
    let una = 1;
    for (let i = 0; i < 20; i++) {
      t.write(100);
      t.drain();
      t.next(`P. ${una}:${una + 100}(100) ack 1`);
      una += 100;
      t.in(`. 1:1(0) ack ${una}`);
    }
    t.told();
    expect(t.state).toBe('ESTABLISHED');
  });

  it('says how many timeouts there were before it (tcpi_retransmits) [SHLD-9]', () => {
    const t = plain({}, { rttMs: 100 });
    t.write(500);
    t.drain();
    for (let i = 1; i < 5; i++) {
      t.next('P. 1:501(500) ack 1');
      expect(t.info()).toMatchObject({ tcpi_retransmits: i, tcpi_backoff: i, tcpi_total_retrans: i });
    }
  });
});

describe('a device that is full', () => {
  it('holds data back until it has room; nothing is lost and order is kept', () => {
    const t = plain();
    t.room = 3;
    t.write(5000);
    t.outAll('. 1:1001(1000) ack 1', '. 1001:2001(1000) ack 1', '. 2001:3001(1000) ack 1');
    t.room = 1;
    t.tcp.transmitReady();
    t.outAll('. 3001:4001(1000) ack 1');
    t.room = 10;
    t.tcp.transmitReady();
    t.outAll('P. 4001:5001(1000) ack 1');
    expect(t.stats.RetransSegs).toBe(0);
    t.in('. 1:1(0) ack 5001');
    t.quietFor(1e6);
  });

  it('serves connections in the order in which they were refused', () => {
    const t = new Harness({ lossProbe: false });
    const peers = [1, 2, 3].map((port) => t.peerOn(port, { localPort: 100 + port }));
    for (const from of peers) {
      t.open({}, from);
      t.in('S. 0:0(0) ack 1 <mss 1000>', { from });
    }
    const all = [...t.tcp.connections].sort((a, b) => a.remotePort - b.remotePort);
    t.drain();
    t.room = 0;
    for (const c of [all[1]!, all[0]!, all[2]!]) t.write(100, 0, c);
    t.quiet();
    t.room = 10;
    t.tcp.transmitReady();
    expect(t.drain().map((s) => s.dstPort)).toEqual([2, 1, 3]);
  });

  it('delays a retransmission, which then goes out', () => {
    const t = plain({}, { rttMs: 100 });
    t.write(500);
    t.drain();
    t.room = 0;
    t.wait(350);
    t.quiet();
    t.room = 10;
    t.tcp.transmitReady();
    t.wait(1000);
    expect(t.drain()[0]!.relSeq).toBe(1);
  });

  it('delays SYN, SYN-ACK and FIN', () => {
    const t = new Harness({ lossProbe: false });
    t.room = 0;
    t.listen();
    t.in('S 0:0(0) <mss 1000>');
    t.quiet();
    t.room = 1;
    t.tcp.transmitReady();
    t.takeOne('S.');
    t.room = 10;
    t.in('. 1:1(0) ack 1');
    t.room = 0;
    t.shutdown();
    t.quiet();
    t.room = 1;
    t.tcp.transmitReady();
    t.out('F. 1:1(0) ack 1');
  });

  it('forgets a connection that ended while it waited', () => {
    const t = plain();
    t.room = 0;
    t.write(500);
    t.in('R 1:1(0)');
    t.room = 10;
    t.tcp.transmitReady();
    t.quiet();
  });
});
