import { afterEach, describe, expect, it, vi } from 'vitest';
import { RealClock, Timer, VirtualClock, VirtualTime } from '../src/index.ts';

describe('VirtualTime', () => {
  it('jumps from deadline to deadline until none is left', () => {
    const time = new VirtualTime(5);
    const log: number[] = [];
    const timer = new Timer((nowUs) => {
      log.push(nowUs);
      expect(time.clock.now()).toBe(nowUs);
      if (log.length < 3) time.timers.arm(timer, nowUs + 1_000_000);
    });
    time.timers.arm(timer, 10);
    time.run();
    expect(log).toEqual([10, 1_000_010, 2_000_010]);
    expect(time.clock.now()).toBe(2_000_010);
    expect(time.step()).toBe(false);
  });

  it('runs up to a time, what is due then included, and stands there', () => {
    const time = new VirtualTime();
    const log: number[] = [];
    for (const us of [10, 20, 21]) time.timers.arm(new Timer((nowUs) => log.push(nowUs)), us);
    time.run(20);
    expect(log).toEqual([10, 20]);
    expect(time.clock.now()).toBe(20);
    time.run(20);
    time.run(1000);
    expect(log).toEqual([10, 20, 21]);
    expect(time.clock.now()).toBe(1000);
  });

  it('fires a deadline in the past at the time that it is', () => {
    const time = new VirtualTime(100);
    let at = 0;
    time.timers.arm(new Timer((nowUs) => (at = nowUs)), 3);
    expect(time.step()).toBe(true);
    expect(at).toBe(100);
  });

  it('counts turns at one time only, not those of a whole run', () => {
    const time = new VirtualTime(0, 10);
    let turns = 0;
    const timer = new Timer((nowUs) => {
      if (++turns < 100) time.timers.arm(timer, turns % 9 === 0 ? nowUs + 1 : nowUs);
    });
    time.timers.arm(timer, 0);
    time.run();
    expect([turns, time.clock.now()]).toEqual([100, 11]);
  });

  it('reports timers that keep time from passing', () => {
    const time = new VirtualTime(0, 100);
    const timer = new Timer((nowUs) => time.timers.arm(timer, nowUs));
    time.timers.arm(timer, 7);
    expect(() => time.run()).toThrow('stands still at 7 us');
  });
});

describe('clocks', () => {
  it('virtual time does not go back', () => {
    const clock = new VirtualClock(10);
    clock.advanceTo(10);
    expect(() => clock.advanceTo(9)).toThrow(RangeError);
    expect(clock.now()).toBe(10);
  });

  it('real time is integer microseconds from the origin, and does not decrease', () => {
    const clock = new RealClock(RealClock.hostNowUs());
    let last = -1000;
    for (let i = 0; i < 1000; i++) {
      const now = clock.now();
      expect(Number.isInteger(now)).toBe(true);
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
    expect(last).toBeLessThan(10_000_000);
  });

  it('of the host agree in all threads, also when the first readings took long or were interrupted', () => {
    // A host whose clock stands at `us`, and a thread that began 5 ms after it; every reading takes a microsecond, some more.
    let us = 1_000_000;
    let readings = 0;
    const pausesUs = [400, 30, 0, 700, 20];
    const read = (): number => {
      us += 1 + (pausesUs[readings++] ?? 0);
      return us;
    };
    vi.spyOn(performance, 'now').mockImplementation(() => (read() - 5000) / 1000);
    vi.spyOn(process, 'hrtime').mockImplementation(() => [0, read() * 1000]);
    const clock = new RealClock(1000);
    const nowUs = clock.now();
    expect(Math.abs(nowUs - (us - 1000))).toBeLessThanOrEqual(1);
  });

  afterEach(() => {
    vi.restoreAllMocks();
  });
});
