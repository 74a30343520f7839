import { PAGE_SIZE } from '@qanat/bytes';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { user } from '../src/index.ts';
import { Harness, type HarnessOptions, pattern, type Sent } from './harness.ts';

const MIB = 1 << 20;
const GSO: HarnessOptions = {
  checksumOffload: true,
  gsoMaxBytes: 65_520,
  lendableBytes: MIB,
  memoryBytes: 4 * MIB,
};
const CONFIG = { lossProbe: false, initialCwnd: 1000, sndBuf: 256 * 1024, autoTune: false };
const OPTIONS = { win: 65_535 };

function established(o: HarnessOptions = {}, config = {}): Harness {
  return new Harness({ ...CONFIG, ...config }, { ...GSO, ...o }).connect('mss 1000, wscale 7', OPTIONS);
}

/** Puts the pattern from `offset` on into memory of its own. */
function lendable(t: Harness, offset: number, bytes: number, shift = 0): number {
  const pages = Math.ceil((bytes + shift) / PAGE_SIZE);
  const addr = (t.lending?.alloc(pages) ?? t.pages.allocContiguous(pages)) + shift;
  t.memory.u8.set(pattern(offset, bytes), addr);
  return addr;
}

function lend(t: Harness, addr: number, bytes: number): number {
  const taken = user.lend(t.c, addr, bytes);
  t.tcp.userDone();
  return taken;
}

/** Every segment that went carries the pattern at its place. @returns bytes in all of them. */
function expectPattern(sent: readonly Sent[]): number {
  for (const { relSeq, payload } of sent) {
    expect(Buffer.compare(payload, pattern(relSeq - 1, payload.length)), `payload at ${relSeq}`).toBe(0);
  }
  return sent.reduce((sum, { payload }) => sum + payload.length, 0);
}

describe('memory that is lent', () => {
  it('is referred to by packets, not copied, and comes back when it is acknowledged and they are answered', () => {
    const t = established();
    const addr = lendable(t, 0, 60_000, 77);
    expect(lend(t, addr, 60_000)).toBe(60_000);
    const { lending } = t;
    expect([expectPattern(t.drain()), lending!.sent, t.c.snd.lent]).toEqual([60_000, 1, 60_000]);
    lending!.answer();
    expect(t.c.snd.lent).toBe(60_000);
    t.in('. 1:1(0) ack 30001 win 65535');
    expect(t.c.snd.lent).toBe(30_000);
    t.told('returned');
    t.in('. 1:1(0) ack 60001 win 65535');
    expect(t.c.snd.lent).toBe(0);
    t.told('returned');
  });

  it('stays lent while a packet refers to it, though it is acknowledged', () => {
    const t = established();
    lend(t, lendable(t, 0, 40_000), 40_000);
    t.drain();
    t.in('. 1:1(0) ack 40001 win 65535');
    expect([t.c.snd.lent, t.lending!.watched]).toEqual([40_000, true]);
    t.told();
    t.lending!.answer();
    t.tcp.transmitReady();
    expect(t.c.snd.lent).toBe(0);
    t.told('returned');
  });

  it('needs no event where the answer is there when the acknowledgment comes', () => {
    const t = established();
    lend(t, lendable(t, 0, 40_000), 40_000);
    t.drain();
    t.lending!.unseen = 1;
    t.in('. 1:1(0) ack 40001 win 65535');
    expect([t.c.snd.lent, t.lending!.watched]).toEqual([0, false]);
    t.told('returned');
  });

  it('is taken as far as the buffer reaches, and onWritable tells when there is more', () => {
    const t = established({}, { sndBuf: 50_000 });
    const addr = lendable(t, 0, 80_000);
    expect(lend(t, addr, 80_000)).toBe(50_000);
    expect(lend(t, addr + 50_000, 30_000)).toBe(0);
    t.drain();
    t.lending!.answer();
    t.in('. 1:1(0) ack 50001 win 65535');
    t.told('returned', 'writable');
    expect(lend(t, addr + 50_000, 30_000)).toBe(30_000);
    expectPattern(t.drain());
  });

  it('is copied when it is sent again, however long the segments are', () => {
    for (const mss of [1000, 20_000]) {
      const t = new Harness(CONFIG, { ...GSO, mtu: mss + 500 }).connect(`mss ${mss}, wscale 7`, OPTIONS);
      lend(t, lendable(t, 0, 20_000, 5), 20_000);
      t.drain();
      t.wait(300);
      const again = t.drain();
      expect([again.length > 0, t.lending!.sent]).toEqual([true, 1]);
      expectPattern(again);
      // The one that went first still holds on to it.
      t.in('. 1:1(0) ack 20001 win 65535');
      expect(t.c.snd.lent).toBe(20_000);
      t.lending!.answer();
      t.tcp.transmitReady();
      expect(t.c.snd.lent).toBe(0);
    }
  });

  it('is copied where there is no offload, and its checksum is computed', () => {
    for (const o of [
      { checksumOffload: false, gsoMaxBytes: 0 },
      { checksumOffload: true, gsoMaxBytes: 0 },
      { checksumOffload: false, gsoMaxBytes: 0, lendableBytes: 0 },
    ]) {
      const t = established(o, { noDelay: true });
      // Parts of odd lengths at odd addresses: where they meet, the checksum's bytes change places.
      let at = 0;
      for (const [bytes, shift] of [
        [333, 1],
        [7001, 2],
        [1, 3],
        [4000, 0],
      ] as const) {
        expect(lend(t, lendable(t, at, bytes, shift), bytes)).toBe(bytes);
        at += bytes;
      }
      t.in('. 1:1(0) ack 1 win 65535');
      const sent = t.drain();
      t.in(`. 1:1(0) ack ${at} win 65535`);
      sent.push(...t.drain());
      expect(expectPattern(sent)).toBe(at);
      expect(t.lending?.sent ?? 0).toBe(0);
    }
  });

  it('and bytes that are written follow each other as they were given', () => {
    const t = established();
    let at = 0;
    for (let i = 0; i < 6; i++) {
      const bytes = 9000 + 501 * i;
      if (i % 2 === 0) expect(user.lend(t.c, lendable(t, at, bytes, i), bytes)).toBe(bytes);
      else expect(user.write(t.c, pattern(at, bytes))).toBe(bytes);
      at += bytes;
    }
    t.tcp.userDone();
    expect(expectPattern(t.drain())).toBe(at);
  });

  it('in too many pieces for one packet is copied', () => {
    const t = established();
    t.room = 0;
    let at = 0;
    for (let i = 0; i < 60; i++, at += 1000) user.lend(t.c, lendable(t, at, 1000), 1000);
    t.tcp.userDone();
    t.room = 100;
    t.tcp.transmitReady();
    expect([expectPattern(t.drain()), t.lending!.sent]).toEqual([60_000, 0]);
  });

  it('comes back at the end of the connection when packets are answered, even after onClose', () => {
    for (const end of ['reset', 'peer resets'] as const) {
      const t = established();
      lend(t, lendable(t, 0, 30_000), 30_000);
      t.drain();
      if (end === 'reset') t.reset();
      else t.in('R 1:1(0)');
      t.batch(() => {});
      t.wait(1);
      expect(t.c.snd.lent).toBe(30_000);
      t.told(end === 'reset' ? 'close' : 'close ECONNRESET');
      t.lending!.answer();
      t.tcp.transmitReady();
      expect(t.c.snd.lent).toBe(0);
      t.told('returned');
    }
  });

  it('that was never sent comes back with the end', () => {
    const t = established();
    t.room = 0;
    lend(t, lendable(t, 0, 30_000), 30_000);
    t.in('R 1:1(0)');
    t.told('returned', 'close ECONNRESET');
    expect(t.c.snd.lent).toBe(0);
  });

  it('is refused after the end of sending', () => {
    const t = established();
    t.shutdown();
    expect(lend(t, lendable(t, 0, 100), 100)).toBe(-1);
  });
});

describe('the ring of a flow in bulk', () => {
  it('lies in pages that packets refer to, and goes back to them', () => {
    const t = established();
    t.write(100_000);
    t.lending!.answer();
    t.in('. 1:1(0) ack 50001 win 65535');
    expect(expectPattern(t.drain())).toBe(100_000);
    expect([t.lending!.sent > 0, t.lending!.pagesInUse]).toEqual([true, 32]);
    t.reset();
    // A packet is under way.
    expect(t.lending!.pagesInUse).toBe(32);
    t.lending!.answer();
    expect(t.lending!.pagesInUse).toBe(0);
  });

  it('takes no more bytes than there is room for behind what packets refer to', () => {
    const t = established({}, { sndBuf: 128 * 1024 });
    expect(t.write(200_000)).toBe(131_072);
    t.drain();
    t.in('. 1:1(0) ack 60001 win 65535');
    t.drain();
    // Acknowledged, and not answered.
    expect([t.c.snd.bytes, t.c.snd.occupied, t.write(1)]).toEqual([71_072, 131_072, 0]);
    t.told();
    t.lending!.answer();
    t.tcp.transmitReady();
    t.told('writable');
    expect(t.write(200_000)).toBe(60_000);
    expectPattern(t.drain());
    t.lending!.answer();
  });

  it('is copied from where the device has no such pages left', () => {
    const t = established();
    while (t.lending!.alloc(1) !== 0);
    t.write(100_000);
    expect(expectPattern(t.drain())).toBeGreaterThan(50_000);
    expect(t.lending!.sent).toBe(0);
  });
});

describe('whatever is written, lent, acknowledged, lost and answered, in whichever order (property)', () => {
  const step = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('write' as const), bytes: fc.integer({ min: 1, max: 70_000 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('lend' as const), bytes: fc.integer({ min: 1, max: 70_000 }) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('ack' as const), bytes: fc.integer({ min: 1, max: 90_000 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('answer' as const), bytes: fc.integer({ min: 1, max: 3 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('wait' as const), bytes: fc.integer({ min: 1, max: 600 }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('room' as const), bytes: fc.integer({ min: 0, max: 4 }) }) },
  );

  it('every segment carries its bytes, no packet’s memory is changed before its answer, and all of it comes back', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), fc.nat(4096), (steps, shift) => {
        const t = established();
        const { c, lending } = t;
        /** Memory that is lent, in order, and how much of it is not back. */
        const out: { addr: number; bytes: number; left: number; pages: number; base: number }[] = [];
        let written = 0;
        let lentBefore = 0;
        // What comes back is used for something else at once.
        const reuse = (): void => {
          for (let back = lentBefore - c.snd.lent; back > 0; ) {
            const first = out[0]!;
            const bytes = Math.min(back, first.left);
            const from = first.addr + first.bytes - first.left;
            t.memory.u8.fill(0xee, from, from + bytes);
            first.left -= bytes;
            back -= bytes;
            if (first.left === 0) {
              lending!.free(first.base, first.pages);
              out.shift();
            }
          }
          lentBefore = c.snd.lent;
        };
        let acked = 0;
        let highest = 0;
        const look = (): void => {
          const sent = t.drain();
          expectPattern(sent);
          for (const { relSeq, payload } of sent) highest = Math.max(highest, relSeq - 1 + payload.length);
          reuse();
        };
        const ack = (bytes: number): void => {
          acked = Math.min(highest, acked + bytes);
          t.in(`. 1:1(0) ack ${acked + 1} win 65535`);
          look();
        };
        for (const { kind, bytes } of steps) {
          if (kind === 'write') written += Math.max(0, user.write(c, pattern(written, bytes)));
          if (kind === 'lend') {
            const pages = Math.ceil((bytes + shift) / PAGE_SIZE);
            const base = lending!.alloc(pages);
            if (base === 0) continue;
            t.memory.u8.set(pattern(written, bytes), base + shift);
            const taken = user.lend(c, base + shift, bytes);
            if (taken > 0) out.push({ addr: base + shift, bytes: taken, left: taken, pages, base });
            else lending!.free(base, pages);
            written += taken;
            lentBefore += taken;
          }
          if (kind === 'ack') ack(bytes);
          if (kind === 'answer') {
            lending!.answer(bytes);
            t.tcp.transmitReady();
          }
          if (kind === 'wait') t.wait(bytes);
          if (kind === 'room') t.room = bytes === 0 ? 0 : Number.POSITIVE_INFINITY;
          t.tcp.userDone();
          look();
        }
        t.room = Number.POSITIVE_INFINITY;
        for (let i = 0; i < 200 && acked < written; i++) {
          t.tcp.transmitReady();
          t.wait(10);
          look();
          ack(1e6);
          lending!.answer(1);
          t.tcp.transmitReady();
        }
        lending!.answer();
        t.tcp.transmitReady();
        look();
        expect([acked, c.snd.lent, c.snd.occupied, out.length]).toEqual([written, 0, 0, 0]);
        t.reset();
        expect(lending!.pagesInUse).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});
