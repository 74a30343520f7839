import { describe, expect, it } from 'vitest';
import { EventWaiters } from '../src/historical/event-waiters.ts';
import { notRun } from '../src/host-monitor.ts';
import type { LostWakeup } from '../src/protocol.ts';
import { explain, findStalls, union } from '../src/stalls.ts';

const evidence = { lost: [], hostGaps: [], queueDrops: 0, timeouts: 0 };
const ring = { reqProd: 8, reqEvent: 9, rspProd: 8, rspEvent: 9, rspCons: 8, free: 256, outstanding: 0, unread: 0 };

const sleep = (atUs: number, wokeUs: number): LostWakeup => ({
  domain: 'sender',
  atUs,
  wokeUs,
  wokeBy: 4,
  faults: ['a fault'],
  events: 'upcall_pending 0',
  state: { port: 4, pending: false, masked: true, tx: ring, rx: ring, holder: undefined, queued: 0 },
});

describe('stalls', () => {
  it('are pauses of over 100 ms', () => {
    const pauses = [
      { fromUs: 0, toUs: 100_000 },
      { fromUs: 200_000, toUs: 300_001 },
    ];
    const stalls = findStalls({ ...evidence, pauses });
    expect(stalls).toMatchObject([{ fromUs: 200_000, lost: undefined }]);
    expect(stalls[0]!.cause).toContain('not known');
  });

  it('do not count the time in which the computer did not run us', () => {
    const pauses = [{ fromUs: 0, toUs: 250_000 }];
    expect(findStalls({ ...evidence, pauses, hostGaps: [{ fromUs: 50_000, toUs: 199_999 }] })).toHaveLength(1);
    expect(findStalls({ ...evidence, pauses, hostGaps: [{ fromUs: 50_000, toUs: 200_000 }] })).toEqual([]);
  });

  it('know when a guest was ready and was not run', () => {
    const samples = {
      timeUs: Float64Array.of(0, 100_000, 200_000, 300_000),
      blockedUs: Float64Array.of(0, 95_000, 145_000, 145_000),
      bytes: new Float64Array(4),
      txUsed: new Int16Array(4),
    };
    const gaps = notRun(samples);
    expect(gaps).toEqual([
      { fromUs: 150_000, toUs: 200_000 },
      { fromUs: 200_000, toUs: 300_000 },
    ]);
    expect(union([...gaps, { fromUs: 190_000, toUs: 210_000 }, { fromUs: 0, toUs: 1 }])).toEqual([
      { fromUs: 0, toUs: 1 },
      { fromUs: 150_000, toUs: 300_000 },
    ]);
  });

  it('are put down to the sleep that fills them, else to loss', () => {
    const pauses = [{ fromUs: 0, toUs: 200_000 }];
    const lost = [sleep(-50_000, 90_000), sleep(95_000, 200_000)];
    expect(findStalls({ ...evidence, pauses, lost })[0]).toMatchObject({ lost: { atUs: 95_000 } });
    const loss = findStalls({ ...evidence, pauses, lost: [lost[0]!], queueDrops: 7, timeouts: 2 })[0]!;
    expect(loss).toMatchObject({ lost: undefined, cause: expect.stringContaining('dropped 7 packets') });
    expect(explain(loss, 0)).toHaveLength(1);
  });

  it('are told with port, rings and who woke the domain', () => {
    const [stall] = findStalls({ ...evidence, pauses: [{ fromUs: 0, toUs: 200_000 }], lost: [sleep(0, 200_000)] });
    expect(explain(stall!, -1_000_000)).toEqual([
      '1.0000 s to 1.2000 s, 200.0 ms: lost wake-up: the sender slept with work left',
      'the sender went to sleep at 1.0000 s; at 1.2000 s an event on port 4 woke it',
      'auditor: a fault',
      'port 4: pending clear, mask set (upcall_pending 0)',
      'tx ring: req_prod 8, req_event 9, rsp_prod 8, rsp_event 9, rsp_cons 8: 256 slots free, 0 under way, 0 answers unread',
      'rx ring: req_prod 8, req_event 9, rsp_prod 8, rsp_event 9, rsp_cons 8: 0 pages posted, 0 answers unread',
    ]);
  });
});

describe('who waits for an event in 2013', () => {
  it('is woken the newest first, once, and who waits again waits for the next', () => {
    const waiters = new EventWaiters();
    const order: string[] = [];
    const again = (): void => {
      order.push('again');
      waiters.wait(again);
    };
    waiters.wait(() => order.push('old'));
    waiters.wait(again);
    waiters.wakeAll();
    expect(order).toEqual(['again', 'old']);
    waiters.wakeAll();
    waiters.wakeAll();
    expect(order).toEqual(['again', 'old', 'again', 'again']);
  });
});
