import { describe, expect, it } from 'vitest';
import { Harness } from './harness.ts';

const established = (options = 'mss 1000,sackOK', config = {}, o = {}) =>
  new Harness({ quickAcks: 0, lossProbe: false, ...config }, o).connect(options);

describe('SACK, receiver (RFC 2018 4)', () => {
  it('reports what lies beyond the hole, the segment that triggered it first', () => {
    const t = established();
    t.in('. 1001:2001(1000) ack 1');
    t.out('. 1:1(0) ack 1 <sack 1001:2001>');
    t.in('. 3001:4001(1000) ack 1');
    t.out('. 1:1(0) ack 1 <sack 3001:4001 1001:2001>');
    t.in('. 5001:6001(1000) ack 1');
    t.out('. 1:1(0) ack 1 <sack 5001:6001 3001:4001 1001:2001>');
    t.in('. 2001:3001(1000) ack 1');
    t.out('. 1:1(0) ack 1 <sack 1001:4001 5001:6001>');
  });

  it('reports at most four blocks, three beside timestamps', () => {
    for (const [options, most] of [
      ['mss 1000,sackOK', 4],
      ['mss 1000,sackOK,TS 0 ecr 0', 3],
    ] as const) {
      const t = established(options);
      for (let i = 1; i <= 8; i++) {
        t.in(`. ${i * 200 + 1}:${i * 200 + 101}(100) ack 1`);
        const sack = t.takeOne('.').options.find((o) => o.kind === 'sack');
        expect(sack?.kind === 'sack' && sack.blocks.length).toBe(Math.min(i, most));
      }
    }
  });

  it('grows a block on either side', () => {
    const t = established();
    t.in('. 2001:3001(1000) ack 1');
    t.in('. 3001:4001(1000) ack 1');
    t.in('. 1501:2001(500) ack 1');
    expect(t.drain().map((s) => t.format(s, '<>'))).toEqual([
      '. 1:1(0) ack 1 <sack 2001:3001>',
      '. 1:1(0) ack 1 <sack 2001:4001>',
      '. 1:1(0) ack 1 <sack 1501:4001>',
    ]);
  });

  it('stops when the hole is filled', () => {
    const t = established();
    t.in('. 1001:2001(1000) ack 1');
    t.in('. 3001:4001(1000) ack 1');
    t.drain();
    t.in('. 1:1001(1000) ack 1');
    t.out('. 1:1(0) ack 2001 <sack 3001:4001>');
    t.in('. 2001:3001(1000) ack 1');
    t.out('. 1:1(0) ack 4001 <>');
  });

  it('crosses 2^32', () => {
    const t = established('mss 1000,sackOK', {}, { peerIss: -1500 });
    t.in('. 1001:2001(1000) ack 1');
    t.out('. 1:1(0) ack 1 <sack 1001:2001>');
    t.in('. 3001:4001(1000) ack 1');
    t.out('. 1:1(0) ack 1 <sack 3001:4001 1001:2001>');
    t.in('. 1:1001(1000) ack 1');
    t.out('. 1:1(0) ack 2001 <sack 3001:4001>');
  });

  it('is not used where it was not agreed on', () => {
    const t = established('mss 1000');
    t.in('. 1001:2001(1000) ack 1');
    t.out('. 1:1(0) ack 1 <>');
    t.in('. 1:1(0) ack 1 <sack 1:100>');
  });

  it('gets through although we are sending full segments ourselves', () => {
    const t = established('mss 1000,sackOK');
    t.write(100_000);
    const before = t.drain().length;
    expect(before).toBe(10);
    // Data with a hole before it, which acknowledges ours: more of ours is due, and the SACK too.
    t.in('. 1001:2001(1000) ack 2001');
    const sacks = t.drain().filter((s) => s.options.some((o) => o.kind === 'sack'));
    expect(sacks.length).toBe(1);
    expect(t.format(sacks[0]!, '<>')).toContain('<sack 1001:2001>');
  });

  it('counts the room of its blocks against the MSS', () => {
    const t = established('mss 1000,sackOK,TS 0 ecr 0');
    t.in('. 1001:2001(1000) ack 1');
    t.drain();
    t.write(100_000);
    for (const sent of t.drain()) expect(sent.bytes.length).toBeLessThanOrEqual(1020);
    const s = established('mss 1000,sackOK', { noDelay: true });
    s.in('. 1001:2001(1000) ack 1');
    s.drain();
    s.write(100);
    s.out('P. 1:101(100) ack 1 <sack 1001:2001>');
  });
});

describe('D-SACK (RFC 2883 4)', () => {
  it('reports a whole duplicate below the acknowledgment', () => {
    const t = established();
    t.in('. 1:1001(1000) ack 1');
    t.wait(100);
    t.drain();
    t.in('. 1:1001(1000) ack 1');
    t.out('. 1:1(0) ack 1001 <sack 1:1001>');
  });

  it('reports it once', () => {
    const t = established();
    t.in('. 1:1001(1000) ack 1');
    t.in('. 1:1001(1000) ack 1');
    t.wait(100);
    t.drain();
    t.in('. 2001:3001(1000) ack 1');
    t.out('. 1:1(0) ack 1001 <sack 2001:3001>');
  });

  it('reports the part of a segment that was a duplicate', () => {
    const t = established();
    t.in('. 1:1001(1000) ack 1');
    t.wait(100);
    t.drain();
    t.in('. 501:1501(1000) ack 1');
    t.wait(100);
    t.out('. 1:1(0) ack 1501 <sack 501:1001>');
  });

  it('reports a duplicate of what is out of order, followed by the block that holds it', () => {
    const t = established();
    t.in('. 1001:2001(1000) ack 1');
    t.in('. 2001:3001(1000) ack 1');
    t.in('. 5001:6001(1000) ack 1');
    t.drain();
    t.in('. 1001:2001(1000) ack 1');
    t.out('. 1:1(0) ack 1 <sack 1001:2001 1001:3001 5001:6001>');
  });

  it('reports a duplicate below the acknowledgment, then what is out of order', () => {
    const t = established();
    t.in('. 1:1001(1000) ack 1');
    t.in('. 2001:3001(1000) ack 1');
    t.drain();
    t.in('. 1:1001(1000) ack 1');
    t.out('. 1:1(0) ack 1001 <sack 1:1001 2001:3001>');
  });

  it('is not sent for data beyond the window, nor when it is turned off', () => {
    const t = established();
    t.in('. 90000:91000(1000) ack 1');
    t.out('. 1:1(0) ack 1 <>');
    const s = established('mss 1000,sackOK', { dsack: false });
    s.in('. 1:1001(1000) ack 1');
    s.wait(100);
    s.drain();
    s.in('. 1:1001(1000) ack 1');
    s.out('. 1:1(0) ack 1001 <>');
  });

  it('reports the garbage byte of a keepalive like any duplicate', () => {
    const t = established();
    t.in('. 1:101(100) ack 1');
    t.wait(100);
    t.drain();
    t.in('. 100:101(1) ack 1');
    t.out('. 1:1(0) ack 101 <sack 100:101>');
  });
});
