import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { user } from '../src/index.ts';
import { Harness, pattern } from './harness.ts';

/** Receive buffers of a page: the ring's end comes soon. @param peerIss the data begins at the ring's beginning by default. */
const established = (peerIss = 4095) =>
  new Harness({ lossProbe: false, rcvBuf: 4096, autoTune: false }, { peerIss }).connect('mss 1000');

/** What lies at `peekAddr`, held against the pattern from `at` on. @returns how much that is. */
function look(t: Harness, at: number): number {
  const { peekAddr, peekBytes } = t.c.rcv;
  const seen = t.memory.u8.slice(peekAddr, peekAddr + peekBytes);
  expect(Buffer.compare(seen, pattern(at, peekBytes)), `the bytes from ${at} on`).toBe(0);
  return peekBytes;
}

function consume(t: Harness, bytes: number): void {
  user.consume(t.c, bytes);
  t.tcp.userDone();
}

describe('reading in place', () => {
  it('goes on at the beginning of the ring where its end comes', () => {
    const t = established();
    let read = 0;
    let pieces = 0;
    for (let sent = 0; sent < 20_000; sent += 1000) {
      t.in(`P. ${sent + 1}:${sent + 1001}(1000) ack 1`);
      for (let bytes = look(t, read); bytes > 0; bytes = look(t, read), pieces++) {
        consume(t, bytes);
        read += bytes;
      }
    }
    expect(read).toBe(20_000);
    // Some segment lay across the end.
    expect(pieces).toBeGreaterThan(20);
  });

  it('may take a part, and finds the rest where it lay', () => {
    const t = established();
    t.in('P. 1:1001(1000) ack 1');
    look(t, 0);
    const at = t.c.rcv.peekAddr;
    consume(t, 300);
    expect([t.c.rcv.peekAddr, look(t, 300)]).toEqual([at + 300, 700]);
    t.in('P. 1001:1501(500) ack 1');
    expect(look(t, 300)).toBe(1200);
    expect(() => user.consume(t.c, 1201)).toThrow(RangeError);
    expect(look(t, 300)).toBe(1200);
  });

  it('does not show what lies behind a hole, and shows it in one piece when the hole is filled', () => {
    const t = established();
    t.in('P. 1001:2001(1000) ack 1');
    expect(t.c.rcv.peekBytes).toBe(0);
    t.in('P. 1:501(500) ack 1');
    expect(look(t, 0)).toBe(500);
    t.in('P. 501:1001(500) ack 1');
    expect(look(t, 0)).toBe(2000);
  });

  it('comes to the end only when all before the FIN was consumed', () => {
    const t = established();
    t.in('F. 1001:1001(0) ack 1');
    t.in('P. 1:1001(1000) ack 1');
    t.told('readable', 'end');
    expect([t.c.finReceived, look(t, 0)]).toEqual([true, 1000]);
    consume(t, 999);
    expect(look(t, 999)).toBe(1);
    consume(t, 1);
    expect(t.c.rcv.peekBytes).toBe(0);
    t.shutdown();
    t.drain();
    t.in('. 1002:1002(0) ack 2');
    expect(t.c.stateName).toBe('CLOSED');
  });

  it('is what reading is, whatever comes in whichever order, in whatever parts it is consumed (property)', () => {
    const step = fc.record({
      from: fc.integer({ min: -300, max: 2500 }),
      bytes: fc.integer({ min: 1, max: 1000 }),
      take: fc.integer({ min: 0, max: 3000 }),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: -5000, max: 5000 }),
        fc.array(step, { minLength: 5, maxLength: 60 }),
        (iss, steps) => {
          const t = established(iss);
          let read = 0;
          for (const { from, bytes, take } of steps) {
            const next = (t.c.rcvNxt - t.peer.irs - 1) | 0;
            const at = Math.max(0, next + from);
            t.in(`P. ${at + 1}:${at + 1 + bytes}(${bytes}) ack 1`);
            for (let left = Math.min(take, t.c.rcv.readable); left > 0; ) {
              const part = Math.min(left, look(t, read));
              consume(t, part);
              read += part;
              left -= part;
            }
            look(t, read);
          }
          expect(read + t.c.rcv.readable).toBe((t.c.rcvNxt - t.peer.irs - 1) | 0);
        },
      ),
      { numRuns: 60 },
    );
  });
});
