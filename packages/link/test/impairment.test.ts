import { NEVER, seededRandom } from '@qanat/clock';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Impairment, type ImpairmentOptions } from '../src/index.ts';

const create = (options: ImpairmentOptions, seed = 1) => new Impairment(options, seededRandom(seed));

describe('Impairment', () => {
  it('is perfect when nothing is asked for', () => {
    const link = create({});
    for (let us = 0; us < 1000; us += 10) {
      expect(link.plan(us, 1514)).toEqual({
        deliverAtUs: us,
        duplicateAtUs: NEVER,
        corruptBit: -1,
        queueFull: false,
      });
    }
  });

  it('loses, duplicates, reorders and corrupts about as often as told', () => {
    const N = 20_000;
    const link = create({ lossRate: 0.1, duplicateRate: 0.05, reorderRate: 0.02, corruptRate: 0.01 });
    for (let us = 0; us < N; us++) link.plan(us, 100);
    const { counters } = link;
    const near = (count: number, rate: number) => expect(Math.abs(count / N / rate - 1)).toBeLessThan(0.2);
    near(counters.lost, 0.1);
    near(counters.duplicated, 0.05 * 0.9);
    near(counters.reordered, 0.02 * 0.9);
    near(counters.corrupted, 0.01 * 0.9);
    expect(counters.queueDrops).toBe(0);
  });

  it('serializes: frames leave one after the other, at the rate', () => {
    // 1000 bytes at 8 Mbit/s take 1000 us.
    const link = create({ rateBitsPerSecond: 8e6, delayUs: 50 });
    expect(link.plan(0, 1000).deliverAtUs).toBe(1050);
    expect(link.plan(0, 500).deliverAtUs).toBe(1550);
    expect(link.plan(10_000, 1000).deliverAtUs).toBe(11_050);
  });

  it('queues no more than it may, and has room again when a frame has left', () => {
    const link = create({ rateBitsPerSecond: 8e6, queuePackets: 2 });
    expect(link.plan(0, 1000).deliverAtUs).toBe(1000);
    expect(link.plan(0, 1000).deliverAtUs).toBe(2000);
    expect(link.plan(0, 1000).deliverAtUs).toBe(NEVER);
    expect(link.plan(999, 1000).deliverAtUs).toBe(NEVER);
    expect(link.plan(1000, 1000).deliverAtUs).toBe(3000);
    expect(link.queued(1000)).toBe(2);
    expect(link.counters).toMatchObject({ queueDrops: 2, lost: 0 });
  });

  it('says of what is lost whether the queue was full', () => {
    const link = create({ rateBitsPerSecond: 8e6, queuePackets: 1 });
    expect(link.plan(0, 1000)).toMatchObject({ deliverAtUs: 1000, queueFull: false });
    expect(link.plan(0, 1000)).toMatchObject({ deliverAtUs: NEVER, queueFull: true });
    link.change({ rateBitsPerSecond: 8e6, queuePackets: 9, lossRate: 1 });
    expect(link.plan(0, 1000)).toMatchObject({ deliverAtUs: NEVER, queueFull: false });
    link.change({ down: true });
    expect(link.plan(0, 1000)).toMatchObject({ deliverAtUs: NEVER, queueFull: false });
  });

  it('knows the bytes of the frames in its queue', () => {
    const link = create({ rateBitsPerSecond: 8e6, queuePackets: 3 });
    expect(link.queuedBytes(0)).toBe(0);
    for (const bytes of [1000, 500, 100, 700]) link.plan(0, bytes);
    expect(link.queuedBytes(999)).toBe(1600);
    expect(link.queuedBytes(1000)).toBe(600);
    link.change({ rateBitsPerSecond: 8e6, queuePackets: 9 });
    link.plan(1000, 60);
    expect(link.queuedBytes(1500)).toBe(160);
    expect(link.queuedBytes(1600)).toBe(60);
    expect([link.queuedBytes(2000), link.queued(2000)]).toEqual([0, 0]);
  });

  it('keeps its rate over long runs though a frame takes a fraction of a microsecond', () => {
    const link = create({ rateBitsPerSecond: 10e9, queuePackets: 100_000 });
    let last = 0;
    for (let i = 0; i < 10_000; i++) last = link.plan(0, 1514).deliverAtUs;
    expect(last).toBe(Math.ceil((10_000 * 1514 * 8) / 10_000));
  });

  it('jitters within its bounds and keeps the order', () => {
    const link = create({ delayUs: 1000, jitterUs: 300 });
    const delays: number[] = [];
    for (let us = 0; us < 1_000_000; us += 1000) delays.push(link.plan(us, 100).deliverAtUs - us);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(700);
    expect(Math.max(...delays)).toBeLessThanOrEqual(1300);
    expect(new Set(delays).size).toBeGreaterThan(100);
  });

  it('loses in bursts of the mean length that Gilbert and Elliott say', () => {
    const N = 100_000;
    const link = create({ burst: { goodToBad: 0.01, badToGood: 0.25 } });
    let bursts = 0;
    let lost = 0;
    let wasLost = false;
    for (let us = 0; us < N; us++) {
      const isLost = link.plan(us, 100).deliverAtUs === NEVER;
      if (isLost) lost++;
      if (isLost && !wasLost) bursts++;
      wasLost = isLost;
    }
    expect(Math.abs(lost / bursts - 4)).toBeLessThan(0.4);
    expect(Math.abs(lost / N - 0.01 / 0.26)).toBeLessThan(0.005);
  });

  it('plans sanely whatever the options: integer times, in order unless it reorders, a bit within the frame', () => {
    const rate = fc.double({ min: 0, max: 1, noNaN: true });
    const us = fc.double({ min: 0, max: 1e5, noNaN: true });
    const options = fc.record(
      {
        lossRate: rate,
        delayUs: us,
        jitterUs: us,
        duplicateRate: rate,
        reorderRate: rate,
        reorderUs: us,
        corruptRate: rate,
        rateBitsPerSecond: fc.double({ min: 1e4, max: 1e11, noNaN: true }),
        queuePackets: fc.integer({ min: 1, max: 50 }),
        burst: fc.record({ goodToBad: rate, badToGood: rate }),
      },
      { requiredKeys: [] },
    );
    const frames = fc.array(fc.tuple(fc.nat({ max: 2000 }), fc.integer({ min: 14, max: 9014 })), { maxLength: 60 });
    fc.assert(
      fc.property(options, frames, fc.nat(), (option, list, seed) => {
        const link = create(option, seed);
        const twin = create(option, seed);
        let now = 0;
        let last = 0;
        for (const [gap, bytes] of list) {
          now += gap;
          const plan = link.plan(now, bytes);
          expect(twin.plan(now, bytes)).toEqual(plan);
          if (plan.deliverAtUs === NEVER) {
            expect(plan.duplicateAtUs).toBe(NEVER);
            continue;
          }
          expect(Number.isInteger(plan.deliverAtUs) && plan.deliverAtUs >= now).toBe(true);
          if (!option.reorderRate) expect(plan.deliverAtUs).toBeGreaterThanOrEqual(last);
          last = plan.deliverAtUs;
          expect(plan.corruptBit).toBeLessThan(bytes * 8);
        }
      }),
    );
  });

  it('refuses impossible options by name', () => {
    expect(() => create({ lossRate: 1.5 })).toThrow('lossRate is 1.5');
    expect(() => create({ corruptRate: Number.NaN })).toThrow('corruptRate is NaN');
    expect(() => create({ delayUs: -1 })).toThrow('delayUs is -1');
    expect(() => create({ jitterUs: Number.POSITIVE_INFINITY })).toThrow('jitterUs');
    expect(() => create({ queuePackets: 0 })).toThrow('queuePackets');
    expect(() => create({ burst: { goodToBad: 2, badToGood: 0 } })).toThrow('burst.goodToBad');
  });
});
