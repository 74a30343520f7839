import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NEVER, Timer, TimerQueue } from '../src/index.ts';

describe('TimerQueue', () => {
  it('fires in order of deadline, and equal deadlines in order of arming', () => {
    const queue = new TimerQueue();
    const log: string[] = [];
    const timer = (name: string) => new Timer((nowUs) => log.push(`${name}@${nowUs}`));
    const [a, b, c, d] = [timer('a'), timer('b'), timer('c'), timer('d')];
    queue.arm(a, 30);
    queue.arm(b, 10);
    queue.arm(c, 10);
    queue.arm(d, 20);
    queue.arm(b, 10); // Armed again: now after c.
    expect(queue.next()).toBe(10);
    expect(queue.size).toBe(4);
    expect(queue.fire(9)).toBe(0);
    expect(queue.fire(25)).toBe(3);
    expect(log).toEqual(['c@25', 'b@25', 'd@25']);
    expect(queue.next()).toBe(30);
    expect([a.armed, b.armed, a.deadlineUs, b.deadlineUs]).toEqual([true, false, 30, NEVER]);
  });

  it('shows the exact next deadline after timers were moved later, and fires them only then', () => {
    const queue = new TimerQueue();
    const fired: number[] = [];
    const moved = new Timer((nowUs) => fired.push(nowUs));
    const other = new Timer(() => {});
    queue.arm(moved, 10);
    queue.arm(other, 50);
    queue.arm(moved, 100);
    expect(queue.next()).toBe(50);
    queue.arm(moved, 40);
    expect(queue.next()).toBe(40);
    expect(queue.fire(39)).toBe(0);
    expect(queue.fire(40)).toBe(1);
    expect(fired).toEqual([40]);
  });

  it('lets callbacks arm and cancel anything', () => {
    const queue = new TimerQueue();
    const log: string[] = [];
    const victim = new Timer(() => log.push('victim'));
    const self = new Timer((nowUs) => {
      log.push('self');
      queue.cancel(victim);
      queue.arm(late, 5);
      queue.arm(self, nowUs + 10);
    });
    const late = new Timer(() => log.push('late'));
    queue.arm(self, 1);
    queue.arm(victim, 2);
    queue.arm(late, 100);
    expect(queue.fire(10)).toBe(1);
    expect(queue.size).toBe(2);
    expect(queue.next()).toBe(10); // 5 was in the past of that fire.
    expect(queue.fire(10)).toBe(1);
    expect(queue.fire(19)).toBe(0);
    expect(queue.fire(20)).toBe(1);
    expect(log).toEqual(['self', 'late', 'self']);
  });

  it('ends though timers re-arm themselves in the past, and starves nobody', () => {
    const queue = new TimerQueue();
    let loops = 0;
    let fired = 0;
    const loop = new Timer(() => {
      loops++;
      queue.arm(loop, -1e9);
    });
    queue.arm(loop, 0);
    const other = new Timer(() => fired++);
    queue.arm(other, 5);
    expect(queue.fire(5)).toBe(2);
    expect([loops, fired]).toEqual([1, 1]);
    expect(queue.fire(5)).toBe(1);
    expect(queue.next()).toBe(5);
  });

  it('fires no more than its limit, and the rest the next time', () => {
    const queue = new TimerQueue();
    const log: number[] = [];
    for (let i = 0; i < 10; i++) queue.arm(new Timer(() => log.push(i)), 7);
    expect(queue.fire(7, 3)).toBe(3);
    expect(queue.next()).toBe(7);
    expect(queue.fire(7, 100)).toBe(7);
    expect(log).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('keeps the others armed when a callback throws', () => {
    const queue = new TimerQueue();
    let fired = 0;
    const bad = new Timer(() => {
      throw new Error('bad');
    });
    queue.arm(bad, 1);
    queue.arm(new Timer(() => fired++), 2);
    expect(() => queue.fire(2)).toThrow('bad');
    expect(bad.armed).toBe(false);
    expect(queue.fire(2)).toBe(1);
    expect(fired).toBe(1);
    let earlier = 0;
    queue.onEarlier = () => earlier++;
    queue.arm(bad, 1);
    expect(earlier).toBe(1);
  });

  it('tells a driver whenever the earliest deadline becomes earlier, and not from within fire', () => {
    const queue = new TimerQueue();
    let calls = 0;
    queue.onEarlier = () => calls++;
    const a = new Timer(() => queue.arm(a, 0));
    queue.arm(a, 100);
    expect(calls).toBe(1);
    queue.arm(new Timer(() => {}), 200);
    expect(calls).toBe(1);
    queue.arm(a, 50);
    expect(calls).toBe(2);
    queue.fire(60);
    expect(calls).toBe(2);
  });

  it('refuses what is not a number and timers of another queue', () => {
    const queue = new TimerQueue();
    const timer = new Timer(() => {});
    expect(() => queue.arm(timer, Number.NaN)).toThrow(RangeError);
    queue.arm(timer, 1);
    const other = new TimerQueue();
    expect(() => other.arm(timer, 1)).toThrow('another queue');
    expect(() => other.cancel(timer)).toThrow('another queue');
    queue.arm(timer, NEVER);
    expect(timer.armed).toBe(false);
    other.arm(timer, 1);
    expect(other.size).toBe(1);
  });

  it('does not hold on to timers that are cancelled', () => {
    const queue = new TimerQueue();
    for (let i = 0; i < 1000; i++) {
      const timer = new Timer(() => {});
      queue.arm(timer, 1e12 + i);
      queue.cancel(timer);
    }
    expect(queue.size).toBe(0);
    expect(queue.next()).toBe(NEVER);
  });

  it('agrees with a naive model', () => {
    const TIMERS = 40;
    const timer = fc.integer({ min: 0, max: TIMERS - 1 });
    const time = fc.integer({ min: 0, max: 60 });
    const command = fc.oneof(
      { weight: 6, arbitrary: fc.tuple(fc.constant('arm' as const), timer, time) },
      { weight: 2, arbitrary: fc.tuple(fc.constant('cancel' as const), timer, time) },
      { weight: 1, arbitrary: fc.tuple(fc.constant('fire' as const), fc.integer({ min: 1, max: 8 }), time) },
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 300, size: 'max' }), (commands) => {
        const queue = new TimerQueue();
        const fired: number[] = [];
        const timers = Array.from({ length: TIMERS }, (_, i) => new Timer(() => fired.push(i)));
        // The model: a list of (deadline, timer) in the order of arming.
        let model: { us: number; i: number }[] = [];
        const sorted = () => [...model].sort((x, y) => x.us - y.us);
        for (const [kind, which, us] of commands) {
          if (kind === 'fire') {
            fired.length = 0;
            const due = sorted()
              .filter((entry) => entry.us <= us)
              .slice(0, which);
            expect(queue.fire(us, which)).toBe(due.length);
            expect(fired).toEqual(due.map((entry) => entry.i));
            model = model.filter((entry) => !due.includes(entry));
          } else {
            model = model.filter((entry) => entry.i !== which);
            if (kind === 'arm') {
              model.push({ us, i: which });
              queue.arm(timers[which]!, us);
            } else {
              queue.cancel(timers[which]!);
            }
          }
          expect(queue.size).toBe(model.length);
          if (which % 3 === 0) expect(queue.next()).toBe(sorted()[0]?.us ?? NEVER);
        }
        fired.length = 0;
        queue.fire(1e9);
        expect(fired).toEqual(sorted().map((entry) => entry.i));
      }),
      { numRuns: 300 },
    );
  });

  it('agrees with a naive model whatever callbacks arm, cancel and ask', () => {
    const TIMERS = 12;
    const timer = fc.integer({ min: 0, max: TIMERS - 1 });
    const action = fc.record({
      kind: fc.constantFrom('arm', 'arm', 'arm', 'cancel', 'look', 'nothing'),
      timer,
      us: fc.integer({ min: 0, max: 30 }),
    });
    const fire = fc.record({
      us: fc.integer({ min: 0, max: 30 }),
      actions: fc.array(fc.array(action, { maxLength: 3 })),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 30 }), fc.array(fire, { maxLength: 8 }), (first, fires) => {
        const queue = new TimerQueue();
        const armed = new Map<number, { us: number; order: number }>();
        let orders = 0;
        let nowUs = -1;
        let script: (typeof first)[] = [];
        const earliest = (): [number, { us: number; order: number }] | undefined =>
          [...armed].sort(([, x], [, y]) => x.us - y.us || x.order - y.order)[0];
        const act = ({ kind, timer: i, us }: (typeof first)[number]): void => {
          if (kind === 'arm') {
            queue.arm(timers[i]!, us);
            armed.set(i, { us: Math.max(us, nowUs), order: orders++ });
          } else if (kind === 'cancel') {
            queue.cancel(timers[i]!);
            armed.delete(i);
          } else if (kind === 'look') {
            expect(queue.next()).toBe(earliest()?.[1].us ?? NEVER);
          }
          expect(queue.size).toBe(armed.size);
        };
        let expected = -1;
        const timers = Array.from(
          { length: TIMERS },
          (_, i) =>
            new Timer(() => {
              const [which, { us, order }] = earliest()!;
              expect([which, us <= nowUs, order < expected]).toEqual([i, true, true]);
              armed.delete(i);
              for (const one of script.shift() ?? []) act(one);
            }),
        );
        for (const one of first) act(one);
        for (const { us, actions } of fires) {
          nowUs = us;
          script = [...actions];
          expected = orders;
          queue.fire(us);
          const left = earliest();
          expect(left === undefined || left[1].us > us || left[1].order >= expected).toBe(true);
          nowUs = -1;
          expect(queue.next()).toBe(left?.[1].us ?? NEVER);
        }
      }),
      { numRuns: 500 },
    );
  });
});
