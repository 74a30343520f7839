import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';

const sender = (segments: number, config = {}, options = 'mss 1000,sackOK') => {
  const t = new Harness({ lossProbe: false, congestion: 'newreno', initialCwnd: segments, ...config });
  t.connect(options, { rttMs: 100 });
  t.write(200_000);
  expect(t.drain().length).toBe(segments);
  t.wait(100);
  return t;
};
const seqs = (t: Harness) => t.drain().map((s) => s.relSeq);

describe('RACK (RFC 8985 6)', () => {
  it('takes a segment for lost by time: a later one delivered, and the reordering window over', () => {
    const t = sender(10);
    // One SACK only: three there are not, but time tells.
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:2001>');
    expect(seqs(t)).toEqual([10_001]);
    const ms = t.next('. 1:1001(1000) ack 1');
    expect(ms).toBeGreaterThanOrEqual(24);
    expect(ms).toBeLessThanOrEqual(26);
    expect(t.info().tcpi_ca_state).toBe(3);
    expect(t.stats.TCPTimeouts).toBe(0);
  });

  it('waits no longer than the window of reordering: a segment that comes within it is not sent again', () => {
    const t = sender(10);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:2001>');
    t.wait(20);
    t.in('. 1:1(0) ack 2001');
    t.wait(30);
    expect(t.info()).toMatchObject({ tcpi_total_retrans: 0, tcpi_ca_state: 0 });
    expect(t.c.rack.reorderingSeen).toBe(true);
    expect(t.stats.TCPSACKReorder).toBe(1);
  });

  it('takes three SACKed segments for loss at once while no reordering was seen (6.2, step 4)', () => {
    const t = sender(10);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:4001>');
    expect(seqs(t)[0]).toBe(1);
  });

  it('does not see reordering where one ACK brings both what came in order and the first SACK', () => {
    const t = sender(10);
    t.in('. 1:1(0) ack 2001 <nop,nop,sack 3001:4001>');
    expect(t.c.rack.reorderingSeen).toBe(false);
    t.in('. 1:1(0) ack 2001 <nop,nop,sack 3001:6001>');
    expect(seqs(t)).toContain(2001);
  });

  it.each([-5000, -(2 ** 31) + 10, 2 ** 31 - 20_000])(
    'sees none in an orderly flow, wherever the ISN lies (%i)',
    (iss) => {
      const t = new Harness({ lossProbe: false }, { iss }).connect('mss 1000,sackOK', { rttMs: 100 });
      t.write(20_000);
      t.drain();
      t.wait(100);
      t.in('. 1:1(0) ack 2001');
      t.in('. 1:1(0) ack 4001');
      expect(t.c.rack.reorderingSeen).toBe(false);
    },
  );

  it('does not count duplicates once reordering was seen', () => {
    const t = sender(10);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:2001>');
    t.in('. 1:1(0) ack 2001');
    t.wait(1);
    t.in('. 1:1(0) ack 2001 <nop,nop,sack 3001:8001>');
    expect(seqs(t).filter((seq) => seq < 10_000)).toEqual([]);
    t.wait(30);
    expect(seqs(t)).toContain(2001);
  });

  it('widens its window with each round whose retransmissions were needless (D-SACK), and narrows it in time', () => {
    const t = sender(10);
    expect(t.c.rack.reoWndSteps).toBe(1);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:4001>');
    t.drain();
    t.wait(10);
    t.in('. 1:1(0) ack 4001');
    t.in('. 1:1(0) ack 4001 <nop,nop,sack 1:1001>');
    expect(t.c.rack.reoWndSteps).toBe(2);
    expect(t.c.rack.reoWndPersist).toBe(16);
  });

  it('finds a lost retransmission without a timeout', () => {
    const t = sender(10);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:10001>');
    const sent = seqs(t);
    expect(sent[0]).toBe(1);
    const rest = sent.slice(1);
    expect(rest.length).toBeGreaterThan(0);
    t.wait(100);
    // What was sent after the retransmission arrives; the retransmission does not.
    t.in(`. 1:1(0) ack 1 <nop,nop,sack 1001:${rest.at(-1)! + 1000}>`);
    t.wait(60);
    expect(seqs(t)).toContain(1);
    expect(t.stats.TCPTimeouts).toBe(0);
  });

  it('takes a retransmission for delivered by an ACK that is too early for it to be of the original', () => {
    const t = sender(10);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:4001>');
    t.drain();
    t.wait(1);
    // Far less than a round trip after the retransmission: it is the original that came.
    t.in('. 1:1(0) ack 4001');
    t.wait(1);
    expect(t.info().tcpi_lost).toBe(0);
  });

  it('measures round trips when segments arrive, not when they are processed', () => {
    const t = sender(10);
    const arrivedUs = t.time.clock.now();
    t.wait(200 - 100 - 50);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:2001>', { arrivedUs });
    expect(t.c.rack.rttUs).toBe(100_000);
  });

  it('gives the grain of the clock to the window of reordering', () => {
    const t = sender(10);
    expect(t.tcp.clockResolutionUs).toBe(1);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:2001>');
    // The end of the window lies strictly after a quarter of the least round trip.
    expect(t.c.rtoAtUs - t.time.clock.now()).toBeGreaterThanOrEqual(25_000);
  });

  it('works across 2^32', () => {
    const t = new Harness({ lossProbe: false, initialCwnd: 10 }, { iss: -4500 });
    t.connect('mss 1000,sackOK', { rttMs: 100 });
    t.write(200_000);
    t.drain();
    t.wait(100);
    t.in('. 1:1(0) ack 1 <nop,nop,sack 1001:2001>');
    t.drain();
    t.next('. 1:1001(1000) ack 1');
  });
});
