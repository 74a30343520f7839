import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  RetransmitQueue,
  SEG_EVER_RETRANS,
  SEG_FIN,
  SEG_LOST,
  SEG_RETRANS,
  SEG_SACKED,
} from '../src/retransmit-queue.ts';

interface Entry {
  seq: number;
  len: number;
  sacked: boolean;
  lost: boolean;
  retrans: boolean;
  fin: boolean;
}

const step = fc.oneof(
  fc.record({ op: fc.constant('push' as const), n: fc.integer({ min: 1, max: 3000 }), at: fc.constant(0) }),
  fc.record({
    op: fc.constantFrom(
      'shift',
      'trim',
      'split',
      'lose',
      'loseAgain',
      'retransmit',
      'find',
      'loseAll',
      'forgive',
      'renege',
    ),
    n: fc.nat(3000),
    at: fc.nat(1000),
  }),
);

describe('RetransmitQueue', () => {
  it('counts what a naive list counts, for any steps', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.constant(0), fc.constant(-50_000), fc.constant(0x7fff_0000)),
        fc.array(step, { maxLength: 150 }),
        (start, steps) => {
          const queue = new RetransmitQueue();
          let model: Entry[] = [];
          let next: number = start;
          for (const { op, n, at } of steps) {
            const index = model.length > 0 ? at % model.length : -1;
            const entry = model[index];
            const place = queue.head + index;
            if (op === 'push') {
              queue.push(next, n, 0, next);
              model.push({ seq: next, len: n, sacked: false, lost: false, retrans: false, fin: false });
              next = (next + n) | 0;
            } else if (entry === undefined) {
              continue;
            } else if (op === 'shift') {
              queue.shift();
              model = model.slice(1);
            } else if (op === 'trim') {
              const head = model[0]!;
              const bytes = n % head.len;
              queue.trimHead(bytes);
              head.seq = (head.seq + bytes) | 0;
              head.len -= bytes;
            } else if (op === 'split') {
              if (entry.len < 2) continue;
              const bytes = 1 + (n % (entry.len - 1));
              queue.split(place, bytes);
              model.splice(index + 1, 0, { ...entry, seq: (entry.seq + bytes) | 0, len: entry.len - bytes });
              entry.len = bytes;
            } else if (op === 'lose') {
              queue.markLost(place);
              if (!entry.sacked) entry.lost = true;
            } else if (op === 'loseAgain') {
              if (entry.sacked) continue;
              queue.markLostAgain(place);
              entry.lost = true;
              entry.retrans = false;
            } else if (op === 'retransmit') {
              if (entry.sacked) continue;
              queue.markRetransmitted(place, 7);
              entry.retrans = true;
              expect(queue.sentUs[place]).toBe(7);
              expect(queue.flags[place]! & SEG_EVER_RETRANS).not.toBe(0);
            } else if (op === 'loseAll') {
              queue.markAllLost();
              for (const e of model) {
                e.retrans = false;
                e.lost = !e.sacked;
              }
            } else if (op === 'forgive') {
              queue.clearLost();
              for (const e of model) {
                e.lost = false;
                e.retrans = false;
              }
            } else if (op === 'renege') {
              queue.clearSacks();
              for (const e of model) e.sacked = false;
            } else {
              const wanted = (model[0]!.seq + n) | 0;
              const found = queue.find(wanted);
              const expected = model.findIndex((e) => ((e.seq + e.len - wanted) | 0) > 0);
              expect(found - queue.head).toBe(expected < 0 ? model.length : expected);
            }
            expect(queue.packetsOut).toBe(model.length);
            expect(queue.sackedOut).toBe(model.filter((e) => e.sacked).length);
            expect(queue.lostOut).toBe(model.filter((e) => e.lost).length);
            expect(queue.retransOut).toBe(model.filter((e) => e.retrans).length);
            const flight = model.filter((e) => !e.sacked && !e.lost).length + queue.retransOut;
            expect(queue.inFlight).toBe(flight);
            model.forEach((e, i) => {
              const k = queue.head + i;
              expect([queue.seq[k], queue.len[k], queue.endOf(k)]).toEqual([e.seq, e.len, (e.seq + e.len) | 0]);
              expect((queue.flags[k]! & SEG_LOST) !== 0).toBe(e.lost);
              expect((queue.flags[k]! & SEG_RETRANS) !== 0).toBe(e.retrans);
              expect(queue.isSacked(k)).toBe(e.sacked);
            });
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('keeps a FIN with the last half of what is split', () => {
    const queue = new RetransmitQueue();
    queue.push(100, 51, SEG_FIN, 1);
    queue.split(queue.head, 20);
    expect(queue.flags[queue.head]! & SEG_FIN).toBe(0);
    expect(queue.flags[queue.head + 1]! & SEG_FIN).toBe(SEG_FIN);
    expect([queue.len[queue.head], queue.len[queue.head + 1]]).toEqual([20, 31]);
  });

  it('grows and moves without losing anything', () => {
    const queue = new RetransmitQueue();
    for (let i = 0; i < 5000; i++) {
      queue.push(i * 10, 10, SEG_SACKED & 0, i);
      if (i % 3 === 2) queue.shift();
    }
    expect(queue.packetsOut).toBe(5000 - 1666);
    expect(queue.seq[queue.head]).toBe(16_660);
    expect(queue.endOf(queue.tail - 1)).toBe(50_000);
    queue.clear();
    expect(queue.inFlight).toBe(0);
  });
});
