import { describe, expect, it } from 'vitest';
import { rateSample } from '../src/rate.ts';
import { Harness } from './harness.ts';

const PLAIN = { lossProbe: false, mtuProbing: 'off', timestamps: false, sndBuf: 1 << 20 } as const;

/** A connection of segments of 1000 bytes over 100 ms, with ten of them sent. */
function sender(segments = 10): Harness {
  const t = new Harness(PLAIN).connect('mss 1000,sackOK,wscale 8', { rttMs: 100 });
  t.write(segments * 1000);
  t.drain();
  return t;
}

describe('the delivery rate (draft-ietf-ccwg-bbr section 4.1)', () => {
  it('is what was delivered between the sending of a segment and its acknowledgment, over that time', () => {
    const t = sender(30);
    t.wait(100);
    t.in('. 1:1(0) ack 2001 win 2048');
    expect(rateSample).toMatchObject({
      delivered: 2,
      intervalUs: 100_000,
      priorDelivered: 0,
      newlyAcked: 2,
      rttUs: 100_000,
    });
    expect(rateSample.rate).toBeCloseTo(2 / 100_000, 12);
    t.wait(10);
    t.in('. 1:1(0) ack 10001 win 2048');
    // Ten of them in 110 ms.
    expect(rateSample).toMatchObject({ delivered: 10, intervalUs: 110_000, newlyAcked: 8 });
    expect(t.info().tcpi_delivery_rate).toBe(Math.floor(10_000 / 0.11));
  });

  it('is no higher than the rate of sending: acknowledgments that come at once say nothing of the path', () => {
    const t = sender(10);
    t.wait(100);
    t.in('. 1:1(0) ack 10001 win 2048');
    // Each 10 ms one segment, and all acknowledgments at one time.
    for (let i = 0; i < 20; i++) {
      t.write(1000);
      t.wait(10);
    }
    t.drain();
    const from = rateSample.rate;
    t.in('. 1:1(0) ack 30001 win 2048');
    expect(from).toBeGreaterThan(0);
    expect(rateSample.delivered / rateSample.intervalUs).toBeLessThanOrEqual(1.06 / 10_000);
  });

  it('makes no high rate of an acknowledgment that comes too soon for the retransmission it seems to answer', () => {
    const t = sender(10);
    t.wait(100);
    t.in('. 1:1(0) ack 1 win 2048 <nop,nop,sack 3001:6001>');
    expect(rateSample.rate).toBeGreaterThan(0);
    t.out('. 1:1001(1000) ack 1');
    t.drain();
    t.wait(10);
    // So soon it can only be the first copy that came.
    t.in('. 1:1(0) ack 1001 win 2048 <nop,nop,sack 3001:6001>');
    expect(rateSample).toMatchObject({ delivered: 1, newlyAcked: 1, intervalUs: 100_000 });
  });

  it('is marked as the application’s from when it had nothing to send until that was delivered', () => {
    const t = sender(30);
    t.wait(100);
    t.in('. 1:1(0) ack 10001 win 2048');
    t.drain();
    // Nothing is left after these; what was sent before that was noticed counts.
    t.wait(100);
    t.in('. 1:1(0) ack 30001 win 2048');
    expect(rateSample.appLimited).toBe(false);
    t.write(1000);
    t.drain();
    t.wait(100);
    t.in('. 1:1(0) ack 31001 win 2048');
    expect(rateSample.appLimited).toBe(true);
    t.write(1000);
    t.drain();
    expect(t.c.appLimited).toBeGreaterThan(0);
    // From here on there is always more than the window takes.
    t.write(500_000);
    t.drain();
    for (const acked of [42, 62, 82]) {
      t.wait(100);
      t.in(`. 1:1(0) ack ${acked}001 win 2048`);
      t.drain();
    }
    expect(t.c.appLimited).toBe(0);
    expect(rateSample.appLimited).toBe(false);
  });

  it('takes SACKed segments for delivered, once, and the sample from the one that was sent last', () => {
    const t = sender(10);
    t.wait(100);
    t.in('. 1:1(0) ack 1 win 2048 <nop,nop,sack 3001:6001>');
    expect(rateSample).toMatchObject({ delivered: 3, newlyAcked: 3, newlyLost: 3 });
    t.drain();
    t.wait(100);
    t.in('. 1:1(0) ack 10001 win 2048');
    expect(rateSample).toMatchObject({ newlyAcked: 7, newlyLost: 0 });
    expect(t.c.delivered).toBe(10);
  });

  it('tells how much was in flight when a segment was sent, and how much was lost since', () => {
    const t = sender(10);
    t.wait(100);
    t.in('. 1:1(0) ack 1 win 2048 <nop,nop,sack 3001:6001>');
    // The newest of them was the sixth.
    expect(rateSample).toMatchObject({ flight: 6, lost: 3 });
  });

  it('has no sample where nothing was delivered', () => {
    const t = sender(10);
    t.wait(100);
    t.in('. 1:1(0) ack 1 win 2048 <nop,nop,sack 3001:4001>');
    t.in('. 1:1(0) ack 1 win 4096 <nop,nop,sack 3001:4001>');
    expect(t.c.delivered).toBe(1);
    t.in('. 1:1(0) ack 1 win 4096 <nop,nop,sack 3001:5001>');
    expect(rateSample.newlyAcked).toBe(1);
  });
});
