import { describe, expect, it } from 'vitest';
import {
  areTwoEnds,
  backoff,
  caState,
  EventTableBuilder,
  firstSack,
  flowDescriptor,
  flowTrace,
  hasTimestamps,
  isBefore,
  isInRecovery,
  isReceived,
  limitedBy,
  reordering,
  SackTableBuilder,
  SegmentTableBuilder,
  sackBlocks,
  segmentFlags,
  segmentInfo,
  segmentReason,
  windowInfo,
} from '../src/index.ts';

describe('table builders', () => {
  it('grow and keep every row', () => {
    const builder = new SegmentTableBuilder(1);
    for (let i = 0; i < 1000; i++) builder.push(i + 0.5, i, -i, i, 2 * i, 3, 4, 5, 6, 0xffff_ffff);
    const table = builder.finish();
    expect(table.rows).toBe(1000);
    expect(table.timeUs).toHaveLength(1000);
    expect([table.timeUs[999], table.seq[999], table.bytes[999], table.info[999]]).toEqual([
      999.5,
      -999,
      1998,
      2 ** 32 - 1,
    ]);
  });

  it('append tables of the same schema', () => {
    const one = new EventTableBuilder(1);
    one.push(1, 1, 2, 3, 4);
    const two = new EventTableBuilder(1);
    two.push(5, 6, 7, 8, 9);
    two.append(one.finish());
    two.append(two.finish());
    expect([...two.finish().timeUs]).toEqual([5, 1, 5, 1]);
    expect([...two.finish().b]).toEqual([9, 4, 9, 4]);
  });
});

describe('info columns', () => {
  it('of a segment give back what went in', () => {
    const info = segmentInfo(true, 0xc2, 15, true, 4);
    expect(isReceived(info)).toBe(true);
    expect(hasTimestamps(info)).toBe(true);
    expect([segmentFlags(info), segmentReason(info), sackBlocks(info)]).toEqual([0xc2, 15, 4]);
    expect(segmentInfo(false, 0, 0, false, 0)).toBe(0);
  });

  it('of a window update give back what went in, also after they were stored as uint32', () => {
    const [info] = new Uint32Array([windowInfo(300, true, 4, 6, 100_000)]);
    expect([backoff(info!), isInRecovery(info!), caState(info!)]).toEqual([255, true, 4]);
    expect([limitedBy(info!), reordering(info!)]).toEqual([6, 65_535]);
  });
});

describe('trace', () => {
  it('finds the SACK blocks of a segment', () => {
    const sacks = new SackTableBuilder();
    for (const segment of [10, 12, 12, 12, 15]) sacks.push(segment, segment, segment + 1);
    const flow = flowTrace(flowDescriptor({ id: 1, source: 0 }), { sacks: sacks.finish(), firstSegment: 10 });
    expect([0, 1, 2, 5].map((row) => firstSack(flow, row))).toEqual([0, 1, 1, 4]);
  });

  it('knows the two ends of a connection', () => {
    const a = flowDescriptor({ id: 1, source: 0, localAddress: 1, localPort: 2, remoteAddress: 3, remotePort: 4 });
    const b = flowDescriptor({ id: 2, source: 1, localAddress: 3, localPort: 4, remoteAddress: 1, remotePort: 2 });
    expect(areTwoEnds(a, b)).toBe(true);
    expect(areTwoEnds(a, { ...b, source: 0 })).toBe(false);
    expect(areTwoEnds(a, { ...b, localPort: 5 })).toBe(false);
  });

  it('orders rows by time, then by a counter that wraps', () => {
    expect(isBefore(1, 9, 2, 3)).toBe(true);
    expect(isBefore(1, 0xffff_ffff, 1, 0)).toBe(true);
    expect(isBefore(1, 0, 1, 0xffff_ffff)).toBe(false);
  });
});
