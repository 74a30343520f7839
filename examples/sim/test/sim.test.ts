import { describe, expect, it } from 'vitest';
import { generate } from '../src/generate.ts';
import { runSeeds } from '../src/run-seeds.ts';
import type { Scenario } from '../src/scenario.ts';
import { shrink } from '../src/shrink.ts';
import { type Failure, simulate } from '../src/simulate.ts';
import { simulateTraced } from '../src/trace.ts';

const SEEDS = 150;

describe('the simulation', () => {
  it(`passes ${SEEDS} seeds`, async () => {
    const { failures, tally } = await runSeeds({ first: 1, count: SEEDS, jobs: 1, untilFailure: false });
    expect(failures).toEqual([]);
    expect(tally.runs).toBe(SEEDS);
    // Most of what is begun arrives; a generator that only makes failing flows would show nothing.
    expect(tally.complete).toBeGreaterThan(tally.ends / 2);
    expect(tally.frameRatio).toBeLessThan(0.8);
  }, 60_000);

  it('has the same outcome for the same seed, whatever ran before', () => {
    const trace = (seed: number): string[] => {
      const lines: string[] = [];
      simulateTraced(generate(seed), (line) => lines.push(line));
      return lines;
    };
    const first = [3, 8, 21].map(trace);
    simulate(generate(99));
    const second = [3, 8, 21].map(trace);
    expect(second).toEqual(first);
    expect(first[0]!.length).toBeGreaterThan(10);
  });

  it('survives JSON, so that a printed scenario is the scenario', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const scenario = generate(seed);
      const again = JSON.parse(JSON.stringify(scenario)) as Scenario;
      expect(simulate(again)).toEqual(simulate(scenario));
    }
  });
});

describe('shrinking', () => {
  it('leaves what the failure needs', () => {
    const scenario: Scenario = {
      seed: 12,
      mtu: 1280,
      forth: { delayUs: 1234 },
      back: { delayUs: 99, rateBitsPerSecond: 1e6, queuePackets: 9 },
      disturbances: [
        { fromUs: 7, untilUs: 1000, way: 'both', impair: { lossRate: 0.1, jitterUs: 5 } },
        { fromUs: 0, untilUs: 500, way: 'back', impair: { down: true } },
      ],
      flows: [
        {
          startUs: 5,
          from: 'a',
          ends: [
            { tcp: {}, bytes: 1 },
            { tcp: {}, bytes: 2 },
          ],
        },
        {
          startUs: 9,
          from: 'b',
          ends: [
            { tcp: { sack: false, mss: 543 }, bytes: 5000, writeBytes: 3 },
            { tcp: {}, bytes: 0 },
          ],
        },
      ],
    };
    // As if loss on the way forth broke flows without SACK that carry more than 100 bytes.
    const run = (s: Scenario): Failure | undefined => {
      const lossy = s.disturbances.some(({ way, impair }) => way !== 'back' && (impair.lossRate ?? 0) > 0);
      const flow = s.flows.some(({ ends }) => ends.some(({ tcp, bytes }) => tcp.sack === false && bytes > 100));
      return lossy && flow ? { invariant: 'exact', message: 'as if', atUs: 0 } : undefined;
    };
    const small = shrink(scenario, run(scenario)!, { run }).scenario;
    expect(small).toEqual({
      seed: 1,
      mtu: 1500,
      forth: {},
      back: {},
      disturbances: [{ fromUs: 0, untilUs: 1, way: 'forth', impair: { lossRate: 0.1 } }],
      flows: [
        {
          startUs: 0,
          from: 'a',
          ends: [
            { tcp: { sack: false }, bytes: expect.any(Number) },
            { tcp: {}, bytes: 0 },
          ],
        },
      ],
    });
    expect(small.flows[0]!.ends[0].bytes).toBeLessThan(120);
  });

  it('keeps the kind of failure', () => {
    const scenario = generate(5);
    const kinds: string[] = [];
    const run = (s: Scenario): Failure => {
      const invariant = s.flows.length < scenario.flows.length ? 'storm' : 'exact';
      kinds.push(invariant);
      return { invariant, message: '', atUs: 0 };
    };
    expect(shrink(scenario, run(scenario), { run }).scenario.flows).toHaveLength(scenario.flows.length);
    expect(kinds).toContain('storm');
  });
});
