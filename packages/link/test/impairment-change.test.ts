import { NEVER, seededRandom } from '@qanat/clock';
import { describe, expect, it } from 'vitest';
import { Impairment } from '../src/index.ts';

const MTU = 1000;
/** One frame of MTU bytes takes a millisecond. */
const RATE = 8e6;

describe('an impairment that changes while it runs', () => {
  it('loses everything while the link is down, and nothing after', () => {
    const link = new Impairment({ delayUs: 10 }, seededRandom(1));
    expect(link.plan(0, MTU).deliverAtUs).toBe(10);
    link.change({ delayUs: 10, down: true });
    expect(link.plan(1, MTU).deliverAtUs).toBe(NEVER);
    link.change({ delayUs: 10 });
    expect(link.plan(2, MTU).deliverAtUs).toBe(12);
    expect(link.counters.lost).toBe(1);
  });

  it('lets nothing overtake what a delay spike holds', () => {
    const link = new Impairment({ delayUs: 500 }, seededRandom(1));
    expect(link.plan(0, MTU).deliverAtUs).toBe(500);
    link.change({ delayUs: 10 });
    expect(link.plan(100, MTU).deliverAtUs).toBe(500);
    expect(link.plan(600, MTU).deliverAtUs).toBe(610);
  });

  it('keeps the queue when the rate and the length change', () => {
    const link = new Impairment({ rateBitsPerSecond: RATE, queuePackets: 2 }, seededRandom(1));
    expect(link.plan(0, MTU).deliverAtUs).toBe(1000);
    expect(link.plan(0, MTU).deliverAtUs).toBe(2000);
    expect(link.plan(0, MTU).deliverAtUs).toBe(NEVER);
    link.change({ rateBitsPerSecond: RATE / 2, queuePackets: 4 });
    expect(link.queued(0)).toBe(2);
    expect(link.plan(0, MTU).deliverAtUs).toBe(4000);
    expect(link.plan(0, MTU).deliverAtUs).toBe(6000);
    expect(link.plan(0, MTU).deliverAtUs).toBe(NEVER);
    link.change({ rateBitsPerSecond: RATE, queuePackets: 1 });
    expect(link.queued(4000)).toBe(1);
    expect(link.plan(4000, MTU).deliverAtUs).toBe(NEVER);
    expect(link.plan(6000, MTU).deliverAtUs).toBe(7000);
    expect(link.counters.queueDrops).toBe(3);
  });

  it('bounds a queue by bytes', () => {
    const link = new Impairment({ rateBitsPerSecond: RATE, queueBytes: 2500 }, seededRandom(1));
    expect(link.plan(0, MTU).deliverAtUs).toBe(1000);
    expect(link.plan(0, MTU).deliverAtUs).toBe(2000);
    expect(link.plan(0, MTU).deliverAtUs).toBe(NEVER);
    expect(link.plan(0, MTU / 2).deliverAtUs).toBe(2500);
    expect(link.plan(500, MTU / 2).deliverAtUs).toBe(3000);
  });

  it('refuses what cannot be, and stays as it was', () => {
    const link = new Impairment({ delayUs: 7 }, seededRandom(1));
    expect(() => link.change({ lossRate: 2, delayUs: 9 })).toThrow('lossRate is 2');
    expect(() => link.change({ queueBytes: 0 })).toThrow('queueBytes');
    expect(link.plan(0, MTU).deliverAtUs).toBe(7);
  });
});
