import { StampClock, type TimedState } from '@qanat/tcp';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EVENT_READ, type FlowRecorder, flowDescriptor, SourceRecorder, type Trace } from '../src/index.ts';
import { NO_OPTIONS, WINDOW } from './observed.ts';

/** Time goes on by a microsecond with every reading, and by what is added. */
class PassingClock {
  readonly resolutionUs = 1;
  us = 1000;

  now(): number {
    return ++this.us;
  }
}

interface Row {
  readonly order: number;
  readonly timeUs: number;
  readonly what: string;
}

/** @returns all rows of the trace of one source, in their order. */
function rowsOf({ sources, flows }: Trace): Row[] {
  const rows: Row[] = [];
  const take = (what: string, table: { rows: number; order: Uint32Array; timeUs: Float64Array }): void => {
    for (let i = 0; i < table.rows; i++) rows.push({ order: table.order[i]!, timeUs: table.timeUs[i]!, what });
  };
  for (const { machine } of sources) take('machine', machine);
  for (const { id, segments, windows, events } of flows) {
    take(`segment ${id}`, segments);
    take(`window ${id}`, windows);
    take(`event ${id}`, events);
  }
  return rows.sort((a, b) => a.order - b.order);
}

/** A source with two flows, as a stack would drive it. */
class Host {
  readonly clock = new PassingClock();
  readonly source = new SourceRecorder({
    source: { id: 1, name: 'd1', kind: 'domain' },
    now: () => this.clock.now(),
  });
  batchUs = this.clock.now();
  readonly stamps = this.source.shareStamps(new StampClock(this.clock));
  readonly flows = [this.#flow(), this.#flow()];
  readonly #state: TimedState = {
    ...WINDOW,
    state: 1,
    stamps: (count) => this.stamps.stamps(this.batchUs, count),
    stampMark: () => this.stamps.mark(this.batchUs),
  };
  readonly #seq = [0, 0];

  #flow(): FlowRecorder {
    return this.source.flow((id) => flowDescriptor({ id, source: 1 }))!;
  }

  batch(): void {
    this.batchUs = this.clock.now();
  }

  expected(flow: number, count: number): void {
    for (let i = 0; i < count; i++) {
      const seq = (this.#seq[flow]! += 1000);
      const { batchUs: arrivedUs } = this;
      const segment = { seq, ack: 1, flags: 0x10, bytes: 1000, window: 10, arrivedUs, options: NO_OPTIONS };
      this.flows[flow]!.segmentExpected(segment, this.#state);
    }
  }

  sent(flow: number, count: number): void {
    const seq = (this.#seq[flow]! += 1000 * count);
    this.flows[flow]!.dataSent(seq, 1, 0x10, 1000, 10, false, 0, 0, count, this.#state);
  }

  single(flow: number): void {
    this.flows[flow]!.segmentReceived(1, 1, 0x10, 0, 10, this.batchUs, this.stamps.stamp(this.batchUs), NO_OPTIONS);
    this.flows[flow]!.windowUpdated(this.stamps.stamp(this.batchUs), WINDOW);
  }

  read(flow: number): void {
    this.flows[flow]!.happened(this.stamps.mark(this.batchUs), EVENT_READ, 7, 0);
  }

  pushed(): void {
    this.source.machine.pushed(1, 200, 0);
  }

  sleeps(): void {
    this.source.machine.sleeps(this.clock.now(), Number.POSITIVE_INFINITY);
  }

  rows(): Row[] {
    return rowsOf(this.source.trace());
  }
}

function expectOneClock(rows: readonly Row[]): void {
  for (const [i, row] of rows.entries()) {
    expect(row.order).toBe(i);
    if (i > 0)
      expect(row.timeUs, `${rows[i - 1]!.what} ${i - 1}, then ${row.what}`).toBeGreaterThanOrEqual(rows[i - 1]!.timeUs);
  }
}

describe('the rows of one source, by order', () => {
  it('go on from what was read for the machine: a row after it is not before it', () => {
    const host = new Host();
    host.single(0);
    host.clock.us += 5000;
    host.pushed();
    host.single(0);
    const rows = host.rows();
    expectOneClock(rows);
    expect(rows.at(-1)!.timeUs).toBeGreaterThan(6000);
  });

  it('keep what came as expected before the row of the machine that follows it', () => {
    const host = new Host();
    host.expected(0, 9);
    host.pushed();
    const pushedUs = host.clock.us;
    host.clock.us += 3000;
    host.expected(0, 9);
    const rows = host.rows();
    expectOneClock(rows);
    expect(rows.filter(({ what }) => what === 'segment 65536')).toHaveLength(18);
    for (const { timeUs } of rows.slice(0, 9)) expect(timeUs).toBeLessThanOrEqual(pushedUs);
  });

  it('keep what came as expected of one flow before what another flow did then', () => {
    const host = new Host();
    host.expected(0, 9);
    host.single(1);
    host.clock.us += 3000;
    host.expected(0, 30);
    expectOneClock(host.rows());
  });

  it('give the window after a run the time at which it is noted', () => {
    const host = new Host();
    host.expected(0, 9);
    host.clock.us += 100;
    host.sleeps();
    host.read(0);
    expectOneClock(host.rows());
  });

  it('never go back in time, whatever happens in whatever order', () => {
    const step = fc.record({
      what: fc.constantFrom('batch', 'expected', 'sent', 'single', 'read', 'pushed', 'sleeps', 'look'),
      flow: fc.integer({ min: 0, max: 1 }),
      count: fc.integer({ min: 1, max: 40 }),
      us: fc.oneof(fc.nat(30), fc.nat(6000)),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const host = new Host();
        for (const { what, flow, count, us } of steps) {
          host.clock.us += us;
          if (what === 'batch') host.batch();
          else if (what === 'expected') host.expected(flow, count);
          else if (what === 'sent') host.sent(flow, count);
          else if (what === 'single') host.single(flow);
          else if (what === 'read') host.read(flow);
          else if (what === 'pushed') host.pushed();
          else if (what === 'sleeps') host.sleeps();
          else expect(host.flows[flow]!.count).toBeGreaterThanOrEqual(0);
        }
        expectOneClock(host.rows());
      }),
    );
  });
});
