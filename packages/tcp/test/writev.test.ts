import { describe, expect, it } from 'vitest';
import { user } from '../src/index.ts';
import { Harness, pattern } from './harness.ts';

const established = (config = {}, o = {}) => new Harness({ lossProbe: false, ...config }, o).connect('mss 1000');

/** Writes the pattern from `at` on in parts of these lengths. */
function writev(t: Harness, lengths: readonly number[], at = 0, flags = 0): number {
  let from = at;
  const parts = lengths.map((length) => pattern((from += length) - length, length));
  const taken = user.writev(t.c, parts, flags);
  t.tcp.userDone();
  return taken;
}

describe('writev', () => {
  it('of many small parts is one segment, PSH on it', () => {
    const t = established({ noDelay: true });
    expect(writev(t, [10, 0, 20, 1, 69])).toBe(100);
    const sent = t.out('P. 1:101(100) ack 1');
    expect(sent.payload).toEqual(pattern(0, 100));
    t.quiet();
  });

  it('is cut where segments are full, not where parts end; PSH once', () => {
    const t = established({ noDelay: true });
    expect(writev(t, [300, 900, 1, 1299])).toBe(2500);
    t.outAll('. 1:1001(1000) ack 1', '. 1001:2001(1000) ack 1', 'P. 2001:2501(500) ack 1');
  });

  it('takes what there is room for, from the first part on, and tells when there is more', () => {
    const t = established({ sndBuf: 2500, autoTune: false });
    expect(writev(t, [1000, 1000, 1000, 1000])).toBe(2500);
    expect(writev(t, [1], 2500)).toBe(0);
    t.drain();
    t.in('. 1:1(0) ack 2001');
    t.told('writable');
    expect(writev(t, [500, 1000], 2500)).toBe(1500);
    for (const { relSeq, payload } of t.drain()) {
      expect(Buffer.compare(payload, pattern(relSeq - 1, payload.length))).toBe(0);
    }
  });

  it('that begins with a part that does not fit at all takes no later one', () => {
    const t = established({ sndBuf: 1000, autoTune: false });
    expect(writev(t, [1000])).toBe(1000);
    expect(writev(t, [5, 0, 5], 1000)).toBe(0);
    expect(t.c.snd.bytes).toBe(1000);
  });

  it('of nothing is nothing', () => {
    const t = established();
    expect([writev(t, []), writev(t, [0, 0])]).toEqual([0, 0]);
    t.quiet();
    t.told();
  });

  it('ends a record at its own end, and holds back with more to come', () => {
    const t = established();
    writev(t, [100, 100], 0, user.WRITE_MORE);
    t.quiet();
    writev(t, [100, 100], 200, user.WRITE_END_OF_RECORD);
    t.outAll('P. 1:401(400) ack 1');
  });

  it('is refused after the end, and where there is no memory for the first byte', () => {
    const t = established({}, { memoryBytes: 0x50000 });
    while (t.pages.alloc() !== 0);
    expect(writev(t, [1])).toBe(-2);
    t.shutdown();
    expect(writev(t, [1])).toBe(-1);
  });
});
