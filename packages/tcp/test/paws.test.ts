import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';

const TS = 'mss 1000,sackOK,TS 1000 ecr 0,nop,wscale 7';
const established = (config = {}, options = TS) => {
  const t = new Harness({ lossProbe: false, quickAcks: 0, ...config }).connect(options);
  return t;
};

describe('PAWS (RFC 7323 5)', () => {
  it('drops an old timestamp and answers with an ACK', () => {
    const t = established();
    t.in('P. 1:101(100) ack 1 <nop,nop,TS 2000 ecr 0>');
    t.told('readable');
    t.drain();
    t.in('P. 101:201(100) ack 1 <nop,nop,TS 1999 ecr 0>');
    t.out('. 1:1(0) ack 101');
    expect(t.stats.PAWSEstab).toBe(1);
    expect(t.read()).toBe(100);
    t.in('P. 101:201(100) ack 1 <nop,nop,TS 2000 ecr 0>');
    expect(t.read()).toBe(100);
  });

  it('holds over the wrap of the timestamp clock', () => {
    const wrap = 'mss 1000,TS 2146483640 ecr 0';
    const t = new Harness({ quickAcks: 0 });
    t.open();
    t.takeOne('S');
    t.in(`S. 0:0(0) ack 1 <${wrap}>`);
    t.drain();
    t.in('P. 1:101(100) ack 1 <nop,nop,TS 2147483650 ecr 0>');
    expect(t.read()).toBe(100);
    t.in('P. 101:201(100) ack 1 <nop,nop,TS 2146483000 ecr 0>');
    expect(t.read()).toBe(0);
    t.in('P. 101:201(100) ack 1 <nop,nop,TS 3147483650 ecr 0>');
    expect(t.read()).toBe(100);
  });

  it('takes what is 2^31 behind for old, what is just less for new', () => {
    const t = established();
    t.in(`. 1:1(0) ack 1 <nop,nop,TS ${1000 + 2 ** 31} ecr 0>`);
    expect(t.stats.PAWSEstab).toBe(1);
    t.in(`. 1:1(0) ack 1 <nop,nop,TS ${1000 + 2 ** 31 - 1} ecr 0>`);
    expect(t.stats.PAWSEstab).toBe(1);
  });

  it('says nothing of a connection that was idle for more than 24 days, and begins anew', () => {
    const t = established();
    t.wait(25 * 86_400_000);
    const old = 1000 - 2 ** 30;
    t.in(`P. 1:101(100) ack 1 <nop,nop,TS ${old} ecr 0>`);
    expect(t.read()).toBe(100);
    t.wait(100);
    expect(t.takeOne('.').options.find((o) => o.kind === 'TS')).toMatchObject({ ecr: 1_000_000 + old });
    t.in(`P. 101:201(100) ack 1 <nop,nop,TS ${old - 1} ecr 0>`);
    expect(t.read()).toBe(0);
  });

  it('does not apply to a RST', () => {
    const t = established();
    t.in('R 1:1(0) <nop,nop,TS 5 ecr 0>');
    t.told('close ECONNRESET');
  });

  it('lets segments without a timestamp pass (lenient, as Linux is)', () => {
    const t = established();
    t.in('P. 1:101(100) ack 1 <nop,nop>');
    expect(t.read()).toBe(100);
  });

  it('applies to SYN, FIN and bare ACKs too, which do not move anything', () => {
    const t = established();
    t.write(100);
    t.drain();
    t.in('. 1:1(0) ack 101 <nop,nop,TS 5 ecr 0>');
    expect(t.info().tcpi_unacked).toBe(1);
    t.in('F. 1:1(0) ack 1 <nop,nop,TS 5 ecr 0>');
    expect(t.state).toBe('ESTABLISHED');
  });

  it('reports an old duplicate by D-SACK', () => {
    const t = established();
    t.in('P. 1:101(100) ack 1 <nop,nop,TS 2000 ecr 0>');
    t.wait(100);
    t.drain();
    t.in('P. 1:101(100) ack 1 <nop,nop,TS 1500 ecr 0>');
    t.out('. 1:1(0) ack 101 <TS,sack 1:101>');
  });

  it('refuses a SYN-ACK that echoes what we never sent', () => {
    const t = new Harness();
    t.open();
    t.takeOne('S');
    t.in('S. 0:0(0) ack 1 <mss 1000,TS 1000 ecr 5000>');
    t.out('R 1:1(0)');
    expect(t.state).toBe('SYN-SENT');
    expect(t.stats.PAWSActive).toBe(1);
  });
});

describe('timestamps (RFC 7323 3, 4)', () => {
  it('are on every segment but a RST', () => {
    const t = established();
    t.write(500);
    t.out('P. 1:501(500) ack 1 <TS>');
    t.in('P. 1:101(100) ack 501');
    t.wait(100);
    t.out('. 501:501(0) ack 101 <TS>');
    t.read();
    t.shutdown();
    t.out('F. 501:501(0) ack 101 <TS>');
    t.next('F. 501:501(0) ack 101 <TS>');
    t.reset();
    expect(t.takeOne('R.').options).toEqual([]);
  });

  it('have a random offset for each connection (7.1)', () => {
    const t = new Harness();
    const offsets = new Set<number>();
    for (let port = 1; port < 20; port++) {
      t.open({}, t.peerOn(port, { localPort: 100 + port }));
      const ts = t.takeOne('S').options.find((o) => o.kind === 'TS');
      if (ts?.kind === 'TS') offsets.add(ts.val);
    }
    expect(offsets.size).toBe(19);
  });

  it('count milliseconds', () => {
    const t = established();
    t.write(1);
    t.out('P. 1:2(1) ack 1 <TS 0 ecr 1000>');
    t.wait(1234);
    t.drain();
    t.in('. 1:1(0) ack 2 <nop,nop,TS 1000 ecr 0>');
    t.write(1);
    t.out('P. 2:3(1) ack 1 <TS 1234 ecr 1000>');
  });

  it('echo the timestamp of the earliest segment that is not acknowledged yet (delayed ACKs)', () => {
    const t = established();
    t.in('. 1:1001(1000) ack 1 <nop,nop,TS 2000 ecr 0>');
    t.drain();
    t.wait(100);
    t.drain();
    t.in('. 1001:1101(100) ack 1 <nop,nop,TS 2010 ecr 0>');
    t.in('. 1101:1201(100) ack 1 <nop,nop,TS 2020 ecr 0>');
    t.wait(100);
    t.out('. 1:1(0) ack 1201 <TS 140 ecr 2010>');
  });

  it('echo the last in-sequence segment while there is a hole, and the filler once it is filled', () => {
    const t = established();
    t.in('. 1:1001(1000) ack 1 <nop,nop,TS 2000 ecr 0>');
    t.wait(100);
    t.drain();
    t.in('. 2001:3001(1000) ack 1 <nop,nop,TS 2010 ecr 0>');
    t.out('. 1:1(0) ack 1001 <TS 100 ecr 2000,sack 2001:3001>');
    t.in('. 1001:2001(1000) ack 1 <nop,nop,TS 2005 ecr 0>');
    t.out('. 1:1(0) ack 3001 <TS 100 ecr 2005>');
  });

  it('of a segment with an acknowledgment out of range are not taken', () => {
    const t = established();
    t.in('P. 1:101(100) ack 9999 <nop,nop,TS 9000 ecr 0>');
    t.takeOne('.');
    t.in('P. 1:101(100) ack 1 <nop,nop,TS 2000 ecr 0>');
    expect(t.read()).toBe(100);
    expect(t.stats.PAWSEstab).toBe(0);
  });

  it('of a segment beyond Last.ACK.sent are not taken', () => {
    const t = established();
    t.in('. 1001:2001(1000) ack 1 <nop,nop,TS 9000 ecr 0>');
    t.in('. 1:1001(1000) ack 1 <nop,nop,TS 2000 ecr 0>');
    expect(t.read()).toBe(2000);
  });

  it('give a round trip though the segment was sent twice', () => {
    const t = established();
    t.write(1000);
    t.drain();
    t.wait(200);
    t.next('. 1:989(988) ack 1');
    const stamp = t.peer.lastTsVal - t.peer.tsZero;
    t.drain();
    t.wait(70);
    t.in(`. 1:1(0) ack 1001 <nop,nop,TS 1500 ecr ${stamp}>`);
    expect(t.c.rtt.latestUs).toBe(70_000);
  });
});
