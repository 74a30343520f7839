import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Clock, hostTimers, Timer, TimerQueue } from '../src/index.ts';

/** A clock that follows the faked timers of the test. */
const clock: Clock = { now: () => Math.round(performance.now() * 1000), resolutionUs: 1 };

describe('hostTimers', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('fires at the deadline, not before, and re-arms for the next and for an earlier one', () => {
    const queue = new TimerQueue();
    const startUs = clock.now();
    const log: [string, number][] = [];
    const timer = (name: string) => new Timer((nowUs) => log.push([name, nowUs - startUs]));
    queue.arm(timer('first'), startUs + 20_000);
    const driver = hostTimers(clock, queue);
    queue.arm(timer('earlier'), startUs + 4500);
    queue.arm(timer('last'), startUs + 30_000);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(4);
    expect(log).toEqual([]);
    vi.advanceTimersByTime(100);
    expect(log).toEqual([
      ['earlier', 5000],
      ['first', 20_000],
      ['last', 30_000],
    ]);
    expect(vi.getTimerCount()).toBe(0);
    driver.close();
  });

  it('lets the event loop turn between timers that are always due', () => {
    const queue = new TimerQueue();
    let fired = 0;
    const timer = new Timer(() => {
      fired++;
      queue.arm(timer, 0);
    });
    const driver = hostTimers(clock, queue);
    queue.arm(timer, 0);
    expect(fired).toBe(0);
    vi.advanceTimersToNextTimer();
    expect(fired).toBe(1);
    vi.advanceTimersToNextTimer();
    expect(fired).toBe(2);
    driver.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('waits longer than an int32 of milliseconds', () => {
    const queue = new TimerQueue();
    let fired = 0;
    const days = 40 * 86_400_000;
    queue.arm(new Timer(() => fired++), clock.now() + days * 1000);
    hostTimers(clock, queue);
    vi.advanceTimersByTime(days - 1);
    expect(fired).toBe(0);
    vi.advanceTimersByTime(1);
    expect(fired).toBe(1);
  });

  it('goes on after a callback that threw', () => {
    const queue = new TimerQueue();
    let fired = 0;
    const driver = hostTimers(clock, queue);
    queue.arm(
      new Timer(() => {
        throw new Error('bad');
      }),
      0,
    );
    queue.arm(new Timer(() => fired++), 0);
    expect(() => vi.advanceTimersToNextTimer()).toThrow('bad');
    vi.advanceTimersToNextTimer();
    expect(fired).toBe(1);
    driver.close();
  });

  it('leaves nothing behind when closed', () => {
    const queue = new TimerQueue();
    const driver = hostTimers(clock, queue);
    queue.arm(new Timer(() => expect.fail()), 0);
    driver.close();
    expect(vi.getTimerCount()).toBe(0);
    expect(queue.onEarlier).toBeUndefined();
    expect(queue.size).toBe(1);
  });
});
