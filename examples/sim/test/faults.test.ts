import { describe, expect, it } from 'vitest';
import type { Fault } from '../src/faults.ts';
import type { Invariant } from '../src/invariant.ts';
import type { Scenario } from '../src/scenario.ts';
import { simulate } from '../src/simulate.ts';

/** Two hosts that talk both ways for some hundred milliseconds, then close. */
const SCENARIO: Scenario = {
  seed: 1,
  mtu: 1500,
  forth: { delayUs: 5000, rateBitsPerSecond: 10_000_000, queuePackets: 100 },
  back: { delayUs: 5000, rateBitsPerSecond: 10_000_000, queuePackets: 100 },
  disturbances: [{ fromUs: 20_000, untilUs: 60_000, way: 'both', impair: { lossRate: 0.05 } }],
  flows: [
    {
      startUs: 0,
      from: 'a',
      ends: [
        { tcp: {}, bytes: 100_000, logRecords: 64 },
        { tcp: {}, bytes: 100_000, finish: 'afterPeer' },
      ],
    },
  ],
};

/** The same, but one end goes away in the middle. */
const ABORTED: Scenario = {
  ...SCENARIO,
  flows: [
    {
      ...SCENARIO.flows[0]!,
      ends: [SCENARIO.flows[0]!.ends[0], { tcp: {}, bytes: 0, finish: 'abort', finishUs: 50_000 }],
    },
  ],
};

describe('each invariant fails when a fault is put in', () => {
  const cases: readonly [Fault, Invariant, RegExp, Scenario?][] = [
    ['swapWords', 'exact', /wrong byte/],
    ['dropAtReader', 'exact', /wrong byte|bytes/],
    ['hideError', 'reported', /closed without an error/, ABORTED],
    ['silence', 'reported', /ETIMEDOUT|EHOSTUNREACH/, { ...SCENARIO, disturbances: [] }],
    ['deafApplication', 'progress', /nothing moves|nobody waits/, ABORTED],
    ['closedWindow', 'progress', /nothing moves/],
    ['echo', 'storm', /frames/],
    ['leakPage', 'memory', /1 pages did not come back/],
    ['hoardPages', 'memory', /its connections may have/],
    ['leakTimer', 'left', /1 timers are armed/],
    ['longTimeWait', 'left', /TIME-WAIT/],
    ['lostTimer', 'audit', /no retransmission timer runs/],
    ['wrongCount', 'audit', /are counted/],
    ['throw', 'crash', /a fault that was put in/],
  ];
  for (const [fault, invariant, message, scenario = SCENARIO] of cases) {
    it(`${fault}: ${invariant}`, () => {
      expect(simulate(scenario).failure).toBeUndefined();
      const { failure } = simulate(scenario, { fault });
      expect(failure?.invariant).toBe(invariant);
      expect(failure?.message).toMatch(message);
    });
  }
});
