import {
  EVENT_CLOSE,
  EVENT_TIMER_ARMED,
  EVENT_TIMER_FIRED,
  EVENT_WAIT,
  EVENT_WAKE,
  type FlowTrace,
  SourceRecorder,
  TIMER_DELAYED_ACK,
  TIMER_KEEPALIVE,
  TIMER_RTO,
  TIMER_TIME_WAIT,
  WAIT_CLOSE,
  WAIT_CONNECT,
  WAIT_READABLE,
} from '@qanat/flowlog';
import { describe, expect, it } from 'vitest';
import type { Flow } from '../src/index.ts';
import { createPair, type Pair } from './pair.ts';

/** A pair whose first end is recorded. */
function recorded(pair = createPair()): { pair: Pair; trace: () => FlowTrace } {
  const source = new SourceRecorder({
    source: { id: 1, name: 'a', kind: 'host' },
    now: () => pair.time.clock.now(),
  });
  pair.a.record(source);
  return { pair, trace: () => source.trace().flows[0]! };
}

function run(pair: Pair, us: number): void {
  const untilUs = pair.time.clock.now() + us;
  while (pair.time.clock.now() < untilUs && pair.time.step());
}

/** Rows of some kinds, as kind and `a`. */
function rows({ events }: FlowTrace, kinds: readonly number[]): number[][] {
  return [...events.kind].flatMap((kind, i) => (kinds.includes(kind) ? [[kind, events.a[i]!]] : []));
}

/** When a timer was armed, when it was to fire, and when it fired. */
function timer({ events }: FlowTrace, which: number): { armedUs: number; dueUs: number; firedUs?: number }[] {
  const list: { armedUs: number; dueUs: number; firedUs?: number }[] = [];
  for (let i = 0; i < events.rows; i++) {
    if (events.a[i] !== which) continue;
    const timeUs = events.timeUs[i]!;
    if (events.kind[i] === EVENT_TIMER_ARMED) list.push({ armedUs: timeUs, dueUs: timeUs + events.b[i]! });
    else if (events.kind[i] === EVENT_TIMER_FIRED) list.at(-1)!.firedUs = timeUs;
  }
  return list;
}

describe('a timer that is armed again when it has fired', () => {
  it('is told of each time: data that nobody acknowledges', () => {
    const { pair, trace } = recorded();
    pair.b.listen({ port: 80, onFlow: () => {} });
    const flow = pair.a.connect({ host: pair.addressB, port: 80 });
    run(pair, 100_000);
    pair.b.close();
    const fromUs = pair.time.clock.now();
    flow.write(new Uint8Array(10));
    run(pair, 8e6);
    const times = timer(trace(), TIMER_RTO).filter(({ armedUs }) => armedUs >= fromUs);
    expect(times.length).toBeGreaterThan(3);
    times.slice(0, -1).forEach(({ dueUs, firedUs }, i) => {
      expect(Math.abs(firedUs! - dueUs)).toBeLessThan(10);
      expect(Math.abs(times[i + 1]!.armedUs - firedUs!)).toBeLessThan(10);
    });
    expect(times.at(-1)!.firedUs).toBeUndefined();
  });

  it('is told of each time: keep-alives, and acknowledgments that wait', () => {
    const { pair, trace } = recorded();
    const flows: Flow[] = [];
    pair.b.listen({ port: 80, onFlow: (flow) => void flows.push(flow) });
    const config = { keepAlive: true, keepAliveIdleUs: 1_000_000, keepAliveIntervalUs: 500_000 };
    pair.a.connect({ host: pair.addressB, port: 80, tcp: config });
    run(pair, 3.5e6);
    const probes = timer(trace(), TIMER_KEEPALIVE);
    expect(probes.length).toBeGreaterThanOrEqual(4);
    for (const { dueUs, firedUs } of probes.slice(0, -1)) expect(Math.abs(firedUs! - dueUs)).toBeLessThan(10);
    for (let i = 0; i < 40; i++) {
      flows[0]!.write(new Uint8Array(10));
      run(pair, 100_000);
    }
    const delayed = timer(trace(), TIMER_DELAYED_ACK);
    expect(delayed.length).toBeGreaterThan(10);
    expect(delayed.every(({ firedUs }) => firedUs !== undefined)).toBe(true);
  });

  it('says nothing of one that an acknowledgment only pushes on', () => {
    const { pair, trace } = recorded(createPair({ impair: { delayUs: 5000 } }));
    pair.b.listen({ port: 80, onFlow: (flow) => void (flow.onReadable = () => flow.consume(flow.peekBytes)) });
    const flow = pair.a.connect({ host: pair.addressB, port: 80 });
    const pump = (): void => {
      while (flow.write(new Uint8Array(100_000)) === 100_000);
    };
    flow.onConnect = pump;
    flow.onWritable = pump;
    run(pair, 1e6);
    expect(trace().segments.rows).toBeGreaterThan(1000);
    expect(timer(trace(), TIMER_RTO).length).toBeLessThan(200);
  });
});

describe('what the application waits for', () => {
  const WAITS = [EVENT_WAIT, EVENT_WAKE, EVENT_CLOSE];

  it('is the connection, then what it reads, then the end', () => {
    const { pair, trace } = recorded();
    pair.b.listen({
      port: 80,
      onFlow: (flow) => {
        flow.write(new Uint8Array(100));
        flow.onEnd = () => flow.close();
      },
    });
    const flow = pair.a.connect({ host: pair.addressB, port: 80 });
    flow.onReadable = () => flow.consume(flow.peekBytes);
    run(pair, 1e6);
    flow.close();
    run(pair, 1e6);
    expect(rows(trace(), WAITS)).toEqual([
      [EVENT_WAIT, WAIT_CONNECT],
      [EVENT_WAKE, WAIT_CONNECT],
      [EVENT_WAKE, WAIT_READABLE],
      [EVENT_WAIT, WAIT_READABLE],
      [EVENT_CLOSE, 0],
      [EVENT_WAIT, WAIT_CLOSE],
      [EVENT_WAKE, WAIT_CLOSE],
    ]);
    const { events } = trace();
    const at = (kind: number, a: number): number =>
      events.timeUs[[...events.kind].findIndex((k, i) => k === kind && events.a[i] === a)]!;
    expect(at(EVENT_WAIT, WAIT_CONNECT)).toBeLessThanOrEqual(trace().segments.timeUs[0]!);
    expect(timer(trace(), TIMER_TIME_WAIT).length).toBe(1);
  });

  it('is told of a close that follows a shutdown, and of one that has nothing to wait for', () => {
    const { pair, trace } = recorded();
    pair.b.listen({ port: 80, onFlow: (flow) => void (flow.onEnd = () => flow.close()) });
    const flow = pair.a.connect({ host: pair.addressB, port: 80 });
    flow.onConnect = () => {
      flow.shutdown();
      flow.close();
    };
    run(pair, 1e6);
    expect(rows(trace(), WAITS).slice(2)).toEqual([
      [EVENT_CLOSE, 1],
      [EVENT_CLOSE, 0],
      [EVENT_WAIT, WAIT_CLOSE],
      [EVENT_WAKE, WAIT_CLOSE],
    ]);
    // It is over for the user: TIME-WAIT is nobody's wait.
    const second = recorded();
    second.pair.b.listen({ port: 80, onFlow: (peer) => void (peer.onEnd = () => peer.close()) });
    const shut = second.pair.a.connect({ host: second.pair.addressB, port: 80 });
    shut.onConnect = () => shut.shutdown();
    run(second.pair, 1e6);
    shut.close();
    expect(rows(second.trace(), WAITS).slice(2)).toEqual([
      [EVENT_CLOSE, 1],
      [EVENT_WAKE, WAIT_CLOSE],
      [EVENT_CLOSE, 0],
    ]);
  });

  it('ends with the connection where nobody answers', () => {
    const { pair, trace } = recorded();
    pair.a.connect({ host: pair.addressB, port: 81 });
    run(pair, 1e6);
    expect(rows(trace(), WAITS)).toEqual([
      [EVENT_WAIT, WAIT_CONNECT],
      [EVENT_WAKE, WAIT_CLOSE],
    ]);
  });
});
