import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';

const PLAIN = { lossProbe: false, mtuProbing: 'off' } as const;

/** What the goodput matrix (`pnpm bench netsim`) brought to light. */
describe('a path that loses much', () => {
  it('takes no round trip from an acknowledgment that answers a duplicate: its echo is that of the first copy', () => {
    const t = new Harness(PLAIN).connect('mss 1012,sackOK,TS 0 ecr 0', { rttMs: 100 });
    t.write(1000);
    t.drain();
    const first = t.peer.lastTsVal - t.peer.tsZero;
    t.next('P. 1:1001(1000) ack 1');
    t.next('P. 1:1001(1000) ack 1');
    t.wait(100);
    const { tcpi_rtt, tcpi_rttvar } = t.info();
    // The first copy arrived and its acknowledgment was lost: 1.2 s later the third copy draws this one.
    t.in(`. 1:1(0) ack 1001 <nop,nop,TS 1300 ecr ${first},nop,nop,sack 1:1001>`);
    expect(t.info()).toMatchObject({ tcpi_rtt, tcpi_rttvar, tcpi_unacked: 0 });
  });

  it('takes it from one that is late, which means that the path is slow', () => {
    const t = new Harness(PLAIN).connect('mss 1012,sackOK,TS 0 ecr 0', { rttMs: 100 });
    t.write(1000);
    t.drain();
    const first = t.peer.lastTsVal - t.peer.tsZero;
    t.next('P. 1:1001(1000) ack 1');
    t.wait(100);
    t.in(`. 1:1(0) ack 1001 <nop,nop,TS 400 ecr ${first}>`);
    // An eighth of 400 ms and seven of 100.
    expect(t.info().tcpi_rtt).toBe(137_500);
  });

  it('takes none from what SACK reports late, beside the answer to an old duplicate', () => {
    const t = new Harness({ ...PLAIN, frto: false }).connect('mss 1000,sackOK', { rttMs: 100 });
    t.write(3000);
    t.drain();
    t.wait(100);
    t.in('. 1:1(0) ack 1001');
    t.next('. 1001:2001(1000) ack 1');
    t.drain();
    t.wait(100);
    const { tcpi_rtt } = t.info();
    // 2001:3001 came at once, and the news of it was lost; this comes with the answer to a third copy of 1:1001.
    t.in('. 1:1(0) ack 1001 <nop,nop,sack 1:1001 2001:3001>');
    expect(t.info()).toMatchObject({ tcpi_rtt, tcpi_sacked: 1 });
  });

  it('takes it from the echo where a retransmission fills a hole, not from an older segment that SACK reports beside it', () => {
    const t = new Harness({ ...PLAIN, frto: false }).connect('mss 1012,sackOK,TS 0 ecr 0', { rttMs: 100 });
    t.write(3000);
    t.drain();
    t.next('. 1:1001(1000) ack 1');
    const again = t.peer.lastTsVal - t.peer.tsZero;
    t.wait(100);
    // 2001:3001 was sent 400 ms ago; the retransmission 100 ms ago.
    t.in(`. 1:1(0) ack 1001 <nop,nop,TS 400 ecr ${again},nop,nop,sack 2001:3001>`);
    expect(t.info()).toMatchObject({ tcpi_rtt: 100_000, tcpi_sacked: 1, tcpi_backoff: 0 });
  });

  it('cuts a window of few segments into equal ones, so that silly-window avoidance leaves nothing of it unused', () => {
    const t = new Harness(PLAIN).connect('mss 1460', { win: 4096 });
    t.write(10_000);
    t.out('. 1:1366(1365) ack 1');
    t.out('. 1366:2731(1365) ack 1');
    t.out('. 2731:4096(1365) ack 1');
    t.quiet();
  });

  it('leaves large windows and segments that fit as they are', () => {
    const large = new Harness(PLAIN).connect('mss 1460', { win: 40_000 });
    large.write(10_000);
    large.out('. 1:1461(1460) ack 1');
    const even = new Harness(PLAIN).connect('mss 1000', { win: 10_000 });
    even.write(10_000);
    even.out('. 1:1001(1000) ack 1');
  });
});
