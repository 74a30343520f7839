import { VirtualClock } from '@qanat/clock';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StampClock } from '../src/stamp-clock.ts';

/** A clock that counts how often it is read. */
class CountedClock extends VirtualClock {
  readings = 0;

  override now(): number {
    this.readings++;
    return super.now();
  }
}

describe('StampClock', () => {
  it('reads the clock at every sixteenth stamp, and knows nothing better than the time of the batch before the first', () => {
    const clock = new CountedClock(1000);
    const stamps = new StampClock(clock);
    for (let i = 1; i < 16; i++) {
      clock.advanceTo(1000 + i);
      expect(stamps.stamp(1000)).toBe(1000);
    }
    expect(clock.readings).toBe(0);
    clock.advanceTo(1016);
    expect(stamps.stamp(1000)).toBe(1016);
    expect(clock.readings).toBe(1);
  });

  it('puts those between readings as far apart as the ones before were, and learns that slowly', () => {
    const clock = new CountedClock();
    const stamps = new StampClock(clock);
    let at = 0;
    const of16 = (stepUs: number) => {
      const times: number[] = [];
      for (let i = 0; i < 16; i++) {
        at += stepUs;
        clock.advanceTo(at);
        times.push(stamps.stamp(0));
      }
      return times;
    };
    for (let i = 0; i < 40; i++) of16(2);
    const from = at;
    for (const [i, time] of of16(2).entries()) expect(time).toBeCloseTo(from + 2 * (i + 1), 1);
  });

  it('takes many stamps at once as one after the other', () => {
    const [clock, other] = [new CountedClock(), new CountedClock()];
    const [many, single] = [new StampClock(clock), new StampClock(other)];
    for (let at = 3; at < 600; at += 3) {
      clock.advanceTo(at);
      other.advanceTo(at);
      many.stamps(0, 4);
      for (let i = 0; i < 4; i++) single.stamp(0);
      expect(many.mark(0)).toBeCloseTo(single.mark(0), 6);
    }
    expect(clock.readings).toBe(other.readings);
    expect(many.stamps(0, 100)).toBe(clock.now());
  });

  it('does not spread a pause over what follows', () => {
    const clock = new CountedClock();
    const stamps = new StampClock(clock);
    for (let i = 0; i < 15; i++) stamps.stamp(0);
    clock.advanceTo(50_000);
    expect(stamps.stamp(0)).toBe(50_000);
    // A quarter of the longest step that is taken for work.
    expect(stamps.stamp(0)).toBe(50_005);
  });

  it('is exact where time stands still in a batch', () => {
    const clock = new VirtualClock(77);
    const stamps = new StampClock(clock);
    for (let i = 0; i < 100; i++) expect(stamps.stamp(77)).toBe(77);
    clock.advanceTo(90);
    expect(stamps.mark(90)).toBe(90);
    expect(stamps.now()).toBe(90);
  });

  it('goes on from what was read for something else, and does not learn from it what its own work costs', () => {
    const clock = new CountedClock();
    const stamps = new StampClock(clock);
    stamps.stamps(0, 10);
    expect(stamps.align(700)).toBe(700);
    expect(stamps.mark(0)).toBe(700);
    clock.advanceTo(730);
    // The clock is read when 16 have come since.
    expect(stamps.stamps(0, 15)).toBe(700);
    expect(clock.readings).toBe(0);
    expect(stamps.stamp(0)).toBe(730);
    expect(stamps.stamp(0)).toBeCloseTo(730 + 30 / 16 / 4, 9);
    // A batch whose time was read before that.
    expect(stamps.mark(710)).toBeGreaterThan(730);
  });

  it('gives a reading that is late no time before the stamp that came before', () => {
    const clock = new CountedClock();
    const stamps = new StampClock(clock);
    clock.advanceTo(320);
    stamps.stamps(0, 16);
    const last = stamps.stamps(0, 12);
    expect(last).toBe(320 + (12 * 20) / 4);
    expect(stamps.align(325)).toBe(last);
    // Nothing is put on top of what is ahead already.
    expect(stamps.stamps(0, 10)).toBe(last);
    expect(stamps.stamps(0, 3)).toBe(325 + 13 * 5);
  });

  it('is ahead of the clock by what fifteen stamps cost at most', () => {
    const clock = new CountedClock();
    const stamps = new StampClock(clock);
    // Slow work, then work that costs nothing.
    for (let i = 0; i < 100; i++) {
      clock.advanceTo(clock.now() + 320);
      stamps.stamps(0, 16);
    }
    for (let i = 0; i < 400; i++) expect(stamps.stamp(0) - clock.now()).toBeLessThanOrEqual(15 * 20);
  });

  it('never goes back, whatever is asked of it', () => {
    const step = fc.record({
      what: fc.constantFrom('mark', 'stamp', 'stamps', 'now', 'align', 'batch'),
      us: fc.nat(300),
      count: fc.integer({ min: 1, max: 70 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const clock = new VirtualClock();
        const stamps = new StampClock(clock);
        let [batchUs, last] = [0, 0];
        for (const { what, us, count } of steps) {
          clock.advanceTo(clock.now() + us);
          if (what === 'batch') batchUs = clock.now();
          const time =
            what === 'mark'
              ? stamps.mark(batchUs)
              : what === 'stamp'
                ? stamps.stamp(batchUs)
                : what === 'stamps'
                  ? stamps.stamps(batchUs, count)
                  : what === 'now'
                    ? stamps.now()
                    : what === 'align'
                      ? stamps.align(clock.now())
                      : last;
          expect(time).toBeGreaterThanOrEqual(last);
          last = time;
        }
      }),
    );
  });
});
