import { describe, expect, it } from 'vitest';
import { EventWaiters } from '../src/historical/event-waiters.ts';
import { NO_HOST, notRun, threadWaitUs } from '../src/host-monitor.ts';
import type { LostWakeup } from '../src/protocol.ts';
import { explain, findStalls, union } from '../src/stalls.ts';

const absentFor = (us: number) => (): number => us;
const evidence = {
  lost: [],
  absentUs: absentFor(0),
  queueDrops: 0,
  retransmissionUs: [],
  delayedAckUs: [],
  endUs: 10_000_000,
  unacked: 0,
};
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
    expect(findStalls({ ...evidence, pauses, absentUs: absentFor(150_000) })).toEqual([]);
    const [stall, ...others] = findStalls({ ...evidence, pauses, absentUs: absentFor(149_999) });
    expect(others).toEqual([]);
    expect(explain(stall!, 0)).toEqual([
      '0.0000 s to 0.2500 s, 250.0 ms: not known: no sleep was wrong, no timer ran out',
      'computer: for 150.0 ms of it a thread of the machine was ready and was not run',
    ]);
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

  it('know how long a thread was ready and was not run: the one that waited longest', () => {
    const host = {
      ...NO_HOST,
      timeUs: [0, 10_000, 20_000],
      waitedUs: [
        [100, 2100, 8100],
        [0, 4000, 4000],
      ],
    };
    expect(threadWaitUs(host, { fromUs: 0, toUs: 10_000 })).toBe(4000);
    expect(threadWaitUs(host, { fromUs: 5000, toUs: 15_000 })).toBe(4000);
    expect(threadWaitUs(host, { fromUs: 10_000, toUs: 30_000 })).toBe(6000);
    expect(threadWaitUs(host, { fromUs: -5000, toUs: 50_000 })).toBe(8000);
    expect(threadWaitUs(NO_HOST, { fromUs: 0, toUs: 10_000 })).toBe(0);
  });

  it('are put down to the sleep that fills them', () => {
    const pauses = [{ fromUs: 0, toUs: 200_000 }];
    const lost = [sleep(-50_000, 90_000), sleep(95_000, 200_000)];
    // The timer that ends the sleep does not make it a loss.
    const stalls = findStalls({ ...evidence, pauses, lost, queueDrops: 7, retransmissionUs: [200_000] });
    expect(stalls).toMatchObject([{ kind: 'lost wake-up', lost: { atUs: 95_000 } }]);
    expect(findStalls({ ...evidence, pauses, lost: [lost[0]!] })).toMatchObject([{ kind: 'unknown', lost: undefined }]);
  });

  it('are else put down to loss, where the retransmission timer ran out during them and something was dropped', () => {
    const pauses = [{ fromUs: 0, toUs: 200_000 }];
    const [loss] = findStalls({ ...evidence, pauses, queueDrops: 7, retransmissionUs: [150_000, 210_000, 300_000] });
    expect(loss).toMatchObject({ kind: 'loss', lost: undefined });
    expect(explain(loss!, 0)).toEqual([
      '0.0000 s to 0.2000 s, 200.0 ms: loss: the bridge dropped packets (7 in this run), and nothing came until the ' +
        "sender's retransmission timer ran out 2 times",
    ]);
    expect(findStalls({ ...evidence, pauses, queueDrops: 7, retransmissionUs: [0, 220_001] })).toMatchObject([
      { kind: 'unknown' },
    ]);
    const [spurious] = findStalls({ ...evidence, pauses, retransmissionUs: [150_000] });
    expect(spurious).toMatchObject({ kind: 'unknown', cause: expect.stringContaining('and nothing was dropped') });
  });

  it('are put down to loss at the end of the run, too, where the timer has no time to run out', () => {
    const pauses = [{ fromUs: 0, toUs: 200_000 }];
    const atEnd = { ...evidence, pauses, queueDrops: 7, endUs: 200_000 };
    const [stall] = findStalls({ ...atEnd, unacked: 12 });
    expect(stall).toMatchObject({ kind: 'loss', cause: expect.stringContaining('12 segments wait for an answer') });
    expect(findStalls(atEnd)).toMatchObject([{ kind: 'unknown' }]);
  });

  it('are else put down to an acknowledgment that was kept back', () => {
    const pauses = [{ fromUs: 0, toUs: 103_000 }];
    expect(findStalls({ ...evidence, pauses, delayedAckUs: [102_000] })).toMatchObject([{ kind: 'delayed ACK' }]);
    expect(findStalls({ ...evidence, pauses, delayedAckUs: [124_000] })).toMatchObject([{ kind: 'unknown' }]);
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
