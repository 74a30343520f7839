import { Memory } from '@qanat/bytes';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { BackRing, FrontRing } from '../src/index.ts';

const PAGE = 4096;
const ENTRIES = 8;
const u32 = (value: number): number => value >>> 0;

/** Start indices near every place where arithmetic can break. */
const startIndex = fc.oneof(
  fc.constantFrom(0, 1, 0x7fff_fff0, 0x7fff_ffff, 0x8000_0000, 0xffff_ff00, 0xffff_fff8, 0xffff_ffff),
  fc.integer({ min: 0xffff_ff00, max: 0xffff_ffff }),
  fc.integer({ min: 0, max: 0xffff_ffff }),
);

let memory: Memory;

beforeEach(() => {
  memory = Memory.create({ bytes: 0x1_0000 });
});

function shared(offset: number): number {
  return memory.u32[(PAGE + offset) >>> 2]!;
}

function setShared(offset: number, value: number): void {
  memory.u32[(PAGE + offset) >>> 2] = value;
}

function pair(start = 0): { front: FrontRing; back: BackRing } {
  return {
    front: FrontRing.init(memory, PAGE, 8, ENTRIES, start),
    back: new BackRing(memory, PAGE, 8, ENTRIES, start),
  };
}

describe.each([0, 0xffff_fffc])('the formulas, from index %i on', (start) => {
  it('FREE_REQUESTS = n - (req_prod_pvt - rsp_cons)', () => {
    const { front } = pair(start);
    expect(front.freeRequests()).toBe(ENTRIES);
    for (let i = 0; i < 5; i++) front.nextRequest();
    expect(front.freeRequests()).toBe(3);
    front.rspCons = front.rspCons + 2;
    expect(front.freeRequests()).toBe(5);
  });

  it('UNCONSUMED_RSP = rsp_prod - rsp_cons', () => {
    const { front } = pair(start);
    setShared(8, u32(start + 6));
    expect(front.unconsumedResponses()).toBe(6);
    front.nextResponse();
    expect(front.unconsumedResponses()).toBe(5);
  });

  it('UNCONSUMED_REQ = min(req_prod - req_cons, n - (req_cons - rsp_prod_pvt))', () => {
    const { back } = pair(start);
    setShared(0, u32(start + 5));
    expect(back.unconsumedRequests()).toBe(5);
    for (let i = 0; i < 5; i++) back.nextRequest();
    setShared(0, u32(start + 100));
    expect(back.unconsumedRequests()).toBe(3);
    for (let i = 0; i < 3; i++) back.nextRequest();
    expect(back.unconsumedRequests()).toBe(0);
    back.nextResponse();
    expect(back.unconsumedRequests()).toBe(1);
  });

  it('PUSH publishes and asks nobody', () => {
    const { front, back } = pair(start);
    front.nextRequest();
    expect(shared(0)).toBe(start);
    expect(front.unpushedRequests()).toBe(1);
    front.pushRequests();
    expect(shared(0)).toBe(u32(start + 1));
    expect(front.unpushedRequests()).toBe(0);
    back.nextRequest();
    back.nextResponse();
    expect(back.unpushedResponses()).toBe(1);
    back.pushResponses();
    expect(shared(8)).toBe(u32(start + 1));
  });

  it('PUSH_AND_CHECK: notify iff event in (old, new]', () => {
    for (let old = 0; old <= 4; old++) {
      for (let next = old; next <= 6; next++) {
        for (let event = 0; event <= 8; event++) {
          const { front, back } = pair(start);
          const expected = event > old && event <= next;
          setShared(0, u32(start + old));
          setShared(4, u32(start + event));
          front.reqProdPvt = start + next;
          expect(front.pushRequestsAndCheckNotify()).toBe(expected);
          expect(shared(0)).toBe(u32(start + next));
          setShared(8, u32(start + old));
          setShared(12, u32(start + event));
          back.rspProdPvt = start + next;
          expect(back.pushResponsesAndCheckNotify()).toBe(expected);
          expect(shared(8)).toBe(u32(start + next));
        }
      }
    }
  });

  it('PUSH_AND_CHECK with nothing new never notifies, wherever the event is', () => {
    const { front, back } = pair(start);
    for (const event of [start, start + 1, start - 1, start + 0x7fff_ffff, start + 0x8000_0000]) {
      setShared(4, u32(event));
      setShared(12, u32(event));
      expect(front.pushRequestsAndCheckNotify()).toBe(false);
      expect(back.pushResponsesAndCheckNotify()).toBe(false);
    }
  });

  it('FINAL_CHECK_RSP: with unconsumed it returns at once and arms nothing', () => {
    const { front } = pair(start);
    setShared(12, 12345);
    setShared(8, u32(start + 1));
    expect(front.finalCheckForResponses()).toBe(true);
    expect(shared(12)).toBe(12345);
  });

  it('FINAL_CHECK_RSP: rsp_event = rsp_cons + 1, then looks again', () => {
    const { front } = pair(start);
    setShared(12, 12345);
    expect(front.finalCheckForResponses()).toBe(false);
    expect(shared(12)).toBe(u32(start + 1));
  });

  it('FINAL_CHECK_REQ alike', () => {
    const { back } = pair(start);
    setShared(4, 12345);
    expect(back.finalCheckForRequests()).toBe(false);
    expect(shared(4)).toBe(u32(start + 1));
    setShared(0, u32(start + 1));
    setShared(4, 12345);
    expect(back.finalCheckForRequests()).toBe(true);
    expect(shared(4)).toBe(12345);
  });

  it('REQUEST_CONS_OVERFLOW(c) = u32(c - rsp_prod_pvt) >= n', () => {
    const { back } = pair(start);
    expect(back.requestConsOverflow(u32(start + ENTRIES - 1))).toBe(false);
    expect(back.requestConsOverflow(u32(start + ENTRIES))).toBe(true);
    expect(back.requestConsOverflow(u32(start - 1))).toBe(true);
  });

  it('REQUEST_PROD_OVERFLOW(p) = u32(p - rsp_prod_pvt) > n', () => {
    const { back } = pair(start);
    for (const [ahead, overflow] of [
      [0, false],
      [ENTRIES, false],
      [ENTRIES + 1, true],
      [-1, true],
      [0x8000_0000, true],
    ] as const) {
      setShared(0, u32(start + ahead));
      expect(back.requestOverflow()).toBe(overflow);
    }
  });

  it('RESPONSE_PROD_OVERFLOW: more responses than requests were made', () => {
    const { front } = pair(start);
    front.nextRequest();
    front.nextRequest();
    for (const [ahead, overflow] of [
      [0, false],
      [2, false],
      [3, true],
      [ENTRIES + 1, true],
      [-1, true],
    ] as const) {
      setShared(8, u32(start + ahead));
      expect(front.responseOverflow()).toBe(overflow);
    }
  });

  it('event = cons + k asks for a kick after k messages', () => {
    const { front, back } = pair(start);
    back.armRequestEvent(3);
    front.nextRequest();
    front.nextRequest();
    expect(front.pushRequestsAndCheckNotify()).toBe(false);
    front.nextRequest();
    expect(front.pushRequestsAndCheckNotify()).toBe(true);
    front.armResponseEvent(2);
    back.nextResponse();
    expect(back.pushResponsesAndCheckNotify()).toBe(false);
    back.nextResponse();
    expect(back.pushResponsesAndCheckNotify()).toBe(true);
  });

  it('ATTACH begins where the responses end', () => {
    setShared(8, u32(start + 3));
    const back = BackRing.attach(memory, PAGE, 8, ENTRIES);
    expect([back.reqCons, back.rspProdPvt]).toEqual([u32(start + 3), u32(start + 3)]);
  });

  it('the sleep audit tells unread messages without an event from those with one', () => {
    const { front, back } = pair(start);
    expect(back.sleepFault()).toBeUndefined();
    front.nextRequest();
    front.pushRequests();
    // The event at start + 1 has been passed: nobody will kick any more.
    expect(back.sleepFault()).toContain('1 unread requests');
    back.armRequestEvent(2);
    expect(back.sleepFault()).toBeUndefined();
    setShared(8, u32(start + 1));
    expect(front.sleepFault()).toContain('1 unread responses');
    front.armResponseEvent(2);
    expect(front.sleepFault()).toBeUndefined();
  });
});

describe('properties', () => {
  it('notify iff event in (old, new], for all u32', () => {
    fc.assert(
      fc.property(
        startIndex,
        fc.nat(ENTRIES),
        fc.oneof(fc.integer({ min: -20, max: 20 }), fc.nat(0xffff_ffff)),
        (start, added, delta) => {
          const { front } = pair(start);
          const event = u32(start + delta);
          setShared(4, event);
          front.reqProdPvt = start + added;
          let inside = false;
          for (let i = 1; i <= added; i++) inside ||= u32(start + i) === event;
          expect(front.pushRequestsAndCheckNotify()).toBe(inside);
        },
      ),
      { numRuns: 500 },
    );
  });

  /**
   * Producer and consumer interleaved at the grain of their shared accesses. The consumer sleeps only after a final
   * check that found nothing, and wakes by a kick only.
   */
  it('never sleeps with unconsumed and event <= prod; at most one kick per armed event', () => {
    fc.assert(
      fc.property(startIndex, fc.array(fc.nat(3), { minLength: 1, maxLength: 300 }), (start, schedule) => {
        const { front, back } = pair(start);
        let produced = 0;
        let consumed = 0;
        let asleep = false;
        let kickPending = false;
        let kicks = 0;
        let arms = 1;
        const producer = (): void => {
          if (front.freeRequests() === 0) {
            front.rspCons = back.reqCons;
            return;
          }
          front.nextRequest();
          produced++;
          if (front.pushRequestsAndCheckNotify()) {
            kicks++;
            kickPending = true;
          }
        };
        const consumer = (mayRest: boolean): void => {
          if (asleep) {
            if (!kickPending) {
              expect(back.sleepFault()).toBeUndefined();
              return;
            }
            asleep = false;
          }
          kickPending = false;
          if (back.unconsumedRequests() > 0) {
            back.nextRequest();
            back.nextResponse();
            consumed++;
          } else if (mayRest) {
            const event = shared(4);
            if (!back.finalCheckForRequests()) asleep = true;
            if (shared(4) !== event) arms++;
          }
          expect(kicks).toBeLessThanOrEqual(arms);
        };
        for (const choice of schedule) {
          if (choice < 2) producer();
          else consumer(choice === 3);
        }
        // Left alone, the consumer gets everything.
        for (let i = 0; i < 2 * ENTRIES + 4; i++) consumer(true);
        expect(consumed).toBe(produced);
        expect(asleep).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('a push between the look and the arming is found by the second look of the final check', () => {
    fc.assert(
      fc.property(startIndex, (start) => {
        const { front, back } = pair(start);
        /** What the peer does just before the event is armed. */
        let peer = (): void => {};
        const store = Atomics.store;
        const armed = new Set([(PAGE + 4) >>> 2, (PAGE + 12) >>> 2]);
        Atomics.store = ((array: Int32Array, index: number, value: number): number => {
          if (armed.has(index)) peer();
          return store(array, index, value);
        }) as typeof Atomics.store;
        try {
          peer = () => {
            front.nextRequest();
            // The event of the last arming has been passed: no kick.
            expect(front.pushRequestsAndCheckNotify()).toBe(false);
          };
          setShared(4, start);
          expect(back.finalCheckForRequests()).toBe(true);
          back.nextRequest();
          peer = () => {
            back.nextResponse();
            expect(back.pushResponsesAndCheckNotify()).toBe(false);
          };
          setShared(12, start);
          expect(front.finalCheckForResponses()).toBe(true);
        } finally {
          Atomics.store = store;
        }
      }),
      { numRuns: 50 },
    );
  });

  it('passes whole packets of several slots around the wrap, in order', () => {
    fc.assert(
      fc.property(startIndex, fc.array(fc.integer({ min: 1, max: ENTRIES }), { maxLength: 60 }), (start, packets) => {
        const { front, back } = pair(start);
        let tag = 0;
        let seen = 0;
        for (const slots of packets) {
          expect(front.freeRequests()).toBe(ENTRIES);
          for (let i = 0; i < slots; i++) memory.u32[front.nextRequest() >>> 2] = ++tag;
          expect(back.unconsumedRequests()).toBe(0);
          front.pushRequestsAndCheckNotify();
          expect(back.unconsumedRequests()).toBe(slots);
          for (let i = 0; i < slots; i++) {
            expect(memory.u32[back.nextRequest() >>> 2]).toBe(++seen);
            back.nextResponse();
          }
          back.pushResponsesAndCheckNotify();
          expect(front.unconsumedResponses()).toBe(slots);
          for (let i = 0; i < slots; i++) front.nextResponse();
          expect(front.finalCheckForResponses()).toBe(false);
          expect(back.finalCheckForRequests()).toBe(false);
        }
      }),
    );
  });

  it('whatever a peer writes, nobody is told to walk further than the ring', () => {
    fc.assert(
      fc.property(startIndex, fc.nat(0xffff_ffff), fc.nat(0xffff_ffff), (start, reqProd, rspProd) => {
        const { front, back } = pair(start);
        setShared(0, reqProd);
        setShared(8, rspProd);
        expect(back.unconsumedRequests()).toBeLessThanOrEqual(ENTRIES);
        if (!front.responseOverflow()) expect(front.unconsumedResponses()).toBeLessThanOrEqual(ENTRIES);
      }),
    );
  });
});
