import { describe, expect, it } from 'vitest';
import { type Figures, figuresOf } from '../src/figures.ts';
import { explain } from '../src/stalls.ts';
import { cpuShare, runIdle, runTrial, type Trial, type TrialOptions } from '../src/trial.ts';

const run = async (options: Partial<TrialOptions>): Promise<{ trial: Trial; figures: Figures }> => {
  const trial = await runTrial({
    build: '2013',
    machine: 'virtual',
    seconds: 1.2,
    txqueuelen: 1000,
    seed: 1,
    ...options,
  });
  return { trial, figures: figuresOf(trial, undefined) };
};

describe('2013', () => {
  it.each([1, 2, 3])('stalls, and the auditor names who waits for what (seed %i)', async (seed) => {
    const { trial, figures } = await run({ seed });
    expect(figures.stallsBy['lost wake-up']).toBeGreaterThan(0);
    expect(figures.longestMs).toBeGreaterThan(100);
    const stall = figures.stalls.find(({ lost }) => lost !== undefined)!;
    expect(stall.cause).toBe('lost wake-up: the sender slept with work left');
    expect(stall.lost!.state).toMatchObject({
      pending: false,
      masked: false,
      tx: { free: 256, outstanding: 0, unread: 0 },
      holder: { waitsFor: 'event', slots: 2 },
    });
    expect(stall.lost!.faults).toEqual([
      expect.stringContaining(
        'a writer that needs 2 tx slots waits for an event, not for the slots: 256 of 256 are free',
      ),
    ]);
    const words = explain(stall, trial.sender.startUs).join('\n');
    // What ended it had nothing to do with the ring.
    expect(words).toMatch(/(a timer|an event on port 4) woke it/);
    expect(words).toMatch(
      /tx ring: req_prod (\d+), req_event \d+, rsp_prod \1, rsp_event \d+, rsp_cons \1: 256 slots free/,
    );
    expect(words).toMatch(/waiting: a writer of 2 slots, for an event, since .*; \d+ packets behind it/);
  });

  it('repeats for a seed, and not for another', async () => {
    const [first, second, other] = [await run({}), await run({}), await run({ seed: 2 })];
    expect(second).toEqual(first);
    expect(other.figures.stalls).not.toEqual(first.figures.stalls);
  });

  it('loses packets at the bridge where the queue is short', async () => {
    const short = await run({ seed: 5, txqueuelen: 32 });
    expect(short.figures).toMatchObject({ queueHighWater: 32 });
    expect(short.figures.queueDrops).toBeGreaterThan(0);
    const long = await run({ seed: 5 });
    expect(long.figures.queueDrops).toBe(0);
    expect(long.figures.queueHighWater).toBeGreaterThan(32);
  });
});

describe('2013-masked', () => {
  it('does not stall and does not sleep: many hypercalls for each event, and a core while idle', async () => {
    const { figures } = await run({ build: '2013-masked', seconds: 0.3 });
    expect(figures.stalls).toEqual([]);
    expect(figures.sleeps).toBe(0);
    expect(figures.bitsPerSecond).toBeGreaterThan(1e8);
    expect(figures.senderCpu).toBe(1);
    expect(figures.hypercallsPerEvent).toBeGreaterThan(10);
    const idle = await runIdle('2013-masked', 'virtual', 0.1, 1);
    expect(cpuShare('virtual', idle.report)).toBeGreaterThan(0.95);
  });
});

describe('qanat', () => {
  it('neither stalls nor spins, and the auditor of the machine, which throws, has nothing to say', async () => {
    const { figures } = await run({ build: 'qanat', seconds: 0.3 });
    expect(figures.stalls).toEqual([]);
    expect(figures.bitsPerSecond).toBeGreaterThan(1e9);
    expect(figures.hypercallsPerEvent).toBeLessThan(3);
    const idle = await runIdle('qanat', 'virtual', 0.1, 1);
    expect(cpuShare('virtual', idle.report)).toBeLessThan(0.01);
    expect(cpuShare('virtual', (await runIdle('2013', 'virtual', 0.1, 1)).report)).toBeLessThan(0.01);
  });
});
