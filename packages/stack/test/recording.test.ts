import {
  areTwoEnds,
  CHUNK_EVENTS,
  CHUNK_SEGMENTS,
  EVENT_CLOSE,
  EVENT_CONGESTION,
  EVENT_LIMITED,
  EVENT_READ,
  EVENT_STATE,
  EVENT_SYN_OPTIONS,
  EVENT_TIMER_ARMED,
  EVENT_TIMER_FIRED,
  EVENT_WAIT,
  EVENT_WAKE,
  EVENT_WRITE,
  type FlowTrace,
  firstSack,
  isReceived,
  REASON_FAST,
  REASON_LOSS_PROBE,
  readTrace,
  SlotReceiver,
  SlotSink,
  type SlotSinkOptions,
  SourceRecorder,
  SYN_RX,
  sackBlocks,
  segmentReason,
  TIMER_RTO,
  type Trace,
  type TraceMessage,
  TraceWriter,
  WAIT_WRITABLE,
} from '@qanat/flowlog';
import type { PipeOptions } from '@qanat/link';
import { describe, expect, it } from 'vitest';
import { type Flow, NetError, type Stack } from '../src/index.ts';
import { createPair, type Pair } from './pair.ts';

function sourceOf(pair: Pair, id: number, options: Partial<ConstructorParameters<typeof SourceRecorder>[0]> = {}) {
  return new SourceRecorder({
    source: { id, name: `s${id}`, kind: 'host' },
    now: () => pair.time.clock.now(),
    ...options,
  });
}

/** Everything that the other end sends is read and counted; ends are answered. */
function serve(stack: Stack, port: number): { received: number } {
  const counted = { received: 0 };
  stack.listen({
    port,
    onFlow: (flow) => {
      flow.onReadable = () => {
        for (let n = flow.peekBytes; n > 0; n = flow.peekBytes) {
          counted.received += n;
          flow.consume(n);
        }
      };
      flow.onEnd = () => flow.close();
    },
  });
  return counted;
}

function send(stack: Stack, host: string, port: number, bytes: number): Flow {
  const flow = stack.connect({ host, port });
  let left = bytes;
  const chunk = new Uint8Array(100_000);
  const pump = (): void => {
    while (left > 0) {
      const taken = flow.write(left < chunk.length ? chunk.subarray(0, left) : chunk);
      left -= taken;
      if (taken < chunk.length && left > 0) return;
    }
    flow.close();
  };
  flow.onConnect = pump;
  flow.onWritable = pump;
  return flow;
}

function runUntilQuiet(pair: Pair): void {
  while (pair.time.clock.now() < 300e6 && pair.time.step());
}

const kindsOf = (flow: FlowTrace): number[] => [...flow.events.kind];

describe('Stack.record', () => {
  it('gives both ends of a lossy flow: segments, why they went again, SACK blocks, windows, timers, waits', () => {
    const impair: NonNullable<PipeOptions['impair']> = { delayUs: 5000, lossRate: 0.02 };
    const pair = createPair({ impair });
    const [client, server] = [sourceOf(pair, 1), sourceOf(pair, 2)];
    pair.a.record(client);
    pair.b.record(server);
    const { received } = { received: serve(pair.b, 80) };
    send(pair.a, pair.addressB, 80, 3_000_000);
    runUntilQuiet(pair);
    expect(received.received).toBe(3_000_000);
    const [sender] = client.trace().flows as [FlowTrace];
    const [receiver] = server.trace().flows as [FlowTrace];
    expect(areTwoEnds(sender, receiver)).toBe(true);
    expect([sender.active, receiver.active]).toEqual([true, false]);
    expect([sender.iss, sender.irs, sender.sndShift]).toEqual([receiver.irs, receiver.iss, receiver.rcvShift]);

    // What one end sent again is what its counters say, each with its reason.
    const reasons = [...sender.segments.info].map(segmentReason);
    const again = reasons.filter((reason) => reason !== 0);
    expect(again.length).toBe(pair.a.stats().RetransSegs);
    expect(again.filter((reason) => reason === REASON_FAST).length).toBeGreaterThan(10);
    expect(new Set(again)).toEqual(
      new Set(again.filter((r) => r === REASON_FAST || r === REASON_LOSS_PROBE || r <= 4)),
    );

    // Every SACK block that the sender got is one that the receiver sent.
    const blocks = (flow: FlowTrace, rx: boolean): string[] => {
      const list: string[] = [];
      for (let row = 0; row < flow.segments.rows; row++) {
        const info = flow.segments.info[row]!;
        if (isReceived(info) !== rx) continue;
        const first = firstSack(flow, row);
        for (let i = first; i < first + sackBlocks(info); i++)
          list.push(`${flow.sacks.left[i]} ${flow.sacks.right[i]}`);
      }
      return list;
    };
    const got = blocks(sender, true);
    expect(got.length).toBeGreaterThan(20);
    expect(new Set(blocks(receiver, false))).toEqual(new Set([...blocks(receiver, false), ...got]));

    const kinds = new Set(kindsOf(sender));
    for (const kind of [EVENT_STATE, EVENT_SYN_OPTIONS, EVENT_CONGESTION, EVENT_LIMITED]) expect(kinds).toContain(kind);
    for (const kind of [EVENT_TIMER_ARMED, EVENT_WRITE, EVENT_WAIT, EVENT_WAKE, EVENT_CLOSE])
      expect(kinds).toContain(kind);
    expect(kindsOf(receiver)).toContain(EVENT_READ);
    expect(new Set(sender.windows.cwnd).size).toBeGreaterThan(5);
    expect(Math.min(...sender.windows.minRttUs.filter((us) => us > 0))).toBeGreaterThanOrEqual(10_000);

    // Rows of all tables of a source have numbers of their own, and time does not go back with them.
    const { segments, windows, events } = sender;
    const rows = [segments, windows, events].flatMap(({ order, timeUs }) =>
      [...order].map((n, i) => [n, timeUs[i]!] as const),
    );
    rows.sort(([a], [b]) => a - b);
    expect(new Set(rows.map(([n]) => n)).size).toBe(rows.length);
    expect(rows.every(([, us], i) => i === 0 || us >= rows[i - 1]![1])).toBe(true);
  });

  it('changes nothing of what a flow does', () => {
    const run = (watched: boolean): string => {
      const pair = createPair({ impair: { delayUs: 3000, lossRate: 0.01, reorderRate: 0.01 } });
      if (watched) for (const stack of [pair.a, pair.b]) stack.record(sourceOf(pair, 1));
      serve(pair.b, 80);
      send(pair.a, pair.addressB, 80, 500_000);
      runUntilQuiet(pair);
      return JSON.stringify([pair.time.clock.now(), pair.a.stats(), pair.b.stats()]);
    };
    expect(run(true)).toBe(run(false));
  });

  it('tells why a sender waits: a peer that does not read', () => {
    const pair = createPair();
    const source = sourceOf(pair, 1);
    pair.a.record(source);
    pair.b.listen({ port: 80, onFlow: () => {} });
    send(pair.a, pair.addressB, 80, 8_000_000);
    for (let i = 0; i < 20_000 && pair.time.clock.now() < 3e6 && pair.time.step(); i++);
    const [trace] = source.trace().flows as [FlowTrace];
    const { kind, a, b } = trace.events;
    const limits = [...kind].flatMap((k, i) => (k === EVENT_LIMITED ? [b[i]] : []));
    expect(limits.at(-1)).toBe(2);
    const waits = [...kind].flatMap((k, i) => (k === EVENT_WAIT ? [a[i]] : []));
    expect(waits).toContain(WAIT_WRITABLE);
    expect([...kind].some((k, i) => k === EVENT_TIMER_FIRED && a[i] !== TIMER_RTO)).toBe(true);
  });

  it('takes the flows that the filter names, and changes while they run', () => {
    const pair = createPair();
    const source = sourceOf(pair, 1);
    const recording = pair.a.record(source, { port: 81 });
    serve(pair.b, 80);
    serve(pair.b, 81);
    serve(pair.a, 82);
    const ports = () => source.trace().flows.map((flow) => (flow.active ? flow.remotePort : flow.localPort));
    const first = pair.a.connect({ host: pair.addressB, port: 80 });
    pair.a.connect({ host: pair.addressB, port: 81 });
    for (let i = 0; i < 100 && pair.time.step(); i++);
    expect(ports()).toEqual([81]);
    recording.setFilter({ address: '10.0.0.0/30', direction: 'out' });
    expect(recording.flows).toBe(2);
    expect(ports()).toEqual([81, 80]);
    pair.b.connect({ host: pair.addressA, port: 82 });
    for (let i = 0; i < 100 && pair.time.step(); i++);
    expect(ports()).toEqual([81, 80]);
    recording.setFilter({ direction: 'in' });
    expect(ports()).toEqual([81, 80, 82]);
    const before = source.trace().flows[1]!.segments.rows;
    first.write(new Uint8Array(10));
    for (let i = 0; i < 100 && pair.time.step(); i++);
    expect(source.trace().flows[1]!.segments.rows).toBe(before);
    expect(() => recording.setFilter({ address: '300.1.1.1' })).toThrow(NetError);
    recording.stop();
    pair.b.connect({ host: pair.addressA, port: 82 });
    for (let i = 0; i < 100 && pair.time.step(); i++);
    expect(ports()).toHaveLength(3);
  });

  it('keeps no more rows than it was told, and counts the others', () => {
    const pair = createPair();
    const source = sourceOf(pair, 1, { records: 4 });
    pair.a.record(source);
    serve(pair.b, 80);
    send(pair.a, pair.addressB, 80, 1_000_000);
    runUntilQuiet(pair);
    const [flow] = source.trace().flows as [FlowTrace];
    expect(flow.windows.rows).toBe(4);
    expect(flow.overwritten.windows).toBeGreaterThan(4);
    // A run of segments that are alike takes one place.
    expect(flow.segments.rows).toBeGreaterThanOrEqual(4);
    expect(flow.overwritten.segments + flow.segments.rows).toBe(pair.a.stats().OutSegs + pair.a.stats().InSegs);
    expect(flow.overwritten.segments).toBeGreaterThan(100);
    expect(flow.firstSegment).toBe(flow.overwritten.segments);
  });
});

describe('rows of the machine among those of flows', () => {
  /** @returns times of all rows, by order. */
  function timesOf({ sources, flows }: Trace): number[] {
    const machines = sources.map(({ machine }) => machine);
    const tables = [...machines, ...flows.flatMap(({ segments, windows, events }) => [segments, windows, events])];
    const rows = tables.flatMap(({ timeUs, order }) => [...timeUs].map((us, i) => [order[i]!, us] as const));
    return rows.sort(([a], [b]) => a - b).map(([, us]) => us);
  }

  it('have times of one clock: by order none goes back', () => {
    const pair = createPair();
    const source = sourceOf(pair, 1);
    pair.a.record(source);
    const { clock } = pair.time;
    // Within a batch time passes, and something happens to the machine; then the flow is answered.
    const onReadable = (flow: Flow): void => {
      flow.consume(flow.peekBytes);
      clock.advanceTo(clock.now() + 700);
      source.machine.pushed(1, 3, 0);
    };
    pair.a.listen({ port: 80, onFlow: (flow) => void (flow.onReadable = () => onReadable(flow)) });
    send(pair.b, pair.addressA, 80, 200_000);
    runUntilQuiet(pair);
    const trace = source.trace();
    expect(trace.sources[0]!.machine.rows).toBeGreaterThan(2);
    const times = timesOf(trace);
    expect(times.length).toBeGreaterThan(100);
    for (let i = 1; i < times.length; i++) expect(times[i]).toBeGreaterThanOrEqual(times[i - 1]!);
  });
});

describe('two recordings of one flow', () => {
  it("the flow's own and that of the stack see the same, and each ends for itself", () => {
    const pair = createPair();
    const source = sourceOf(pair, 1);
    const recording = pair.a.record(source);
    serve(pair.b, 80);
    const flow = pair.a.connect({ host: pair.addressB, port: 80 });
    flow.startLogging();
    flow.onConnect = () => void flow.write(new Uint8Array(100_000));
    runUntilQuiet(pair);
    const [trace] = source.trace().flows as [FlowTrace];
    const own = flow.getLogDumpCopy().filter(({ kind }) => kind === 'SEG');
    expect(own.length).toBeGreaterThan(60);
    // The flow's own began after the SYN.
    expect(trace.segments.rows - own.length).toBeLessThanOrEqual(1);
    recording.stop();
    flow.write(new Uint8Array(10));
    runUntilQuiet(pair);
    expect(source.trace().flows[0]!.segments.rows).toBe(trace.segments.rows);
    const later = flow.getLogDumpCopy().filter(({ kind }) => kind === 'SEG').length;
    expect(later).toBeGreaterThan(own.length);
    const again = sourceOf(pair, 2);
    pair.a.record(again);
    expect(flow.stopLogging()).toBe(true);
    flow.write(new Uint8Array(10));
    runUntilQuiet(pair);
    expect(again.trace().flows[0]!.segments.rows).toBeGreaterThan(0);
    expect(flow.getLogDumpCopy().filter(({ kind }) => kind === 'SEG')).toHaveLength(later);
  });
});

describe('connections that sleep', () => {
  it('are taken in by a filter, stay awake while they are recorded, and sleep again after that', () => {
    const pair = createPair({}, { sleep: { mostAwake: 0, sleepAfterUs: 2000 } });
    for (const port of [80, 81]) serve(pair.b, port);
    const flows = [80, 81].map((port) => pair.a.connect({ host: pair.addressB, port }));
    const idle = (): void => {
      const untilUs = pair.time.clock.now() + 1e6;
      while (pair.time.clock.now() < untilUs && pair.time.step());
    };
    idle();
    expect(pair.a.tcp.awakeCount).toBe(0);
    const source = sourceOf(pair, 1);
    const recording = pair.a.record(source, { port: 80 });
    // The other one was only looked at.
    expect([recording.flows, pair.a.tcp.awakeCount]).toEqual([1, 1]);
    idle();
    expect([recording.flows, pair.a.tcp.awakeCount]).toEqual([1, 1]);
    recording.setFilter({ port: 82 });
    idle();
    expect([recording.flows, pair.a.tcp.awakeCount]).toEqual([0, 0]);
    recording.setFilter({ port: 83 });
    expect([recording.flows, pair.a.tcp.awakeCount]).toEqual([0, 0]);
    recording.setFilter({ port: 81 });
    expect([recording.flows, pair.a.tcp.awakeCount]).toEqual([1, 1]);
    idle();
    expect([recording.flows, pair.a.tcp.awakeCount]).toEqual([1, 1]);
    flows[1]!.write(new Uint8Array(10));
    idle();
    const traces = source.trace().flows;
    expect(traces.map(({ remotePort, segments }) => [remotePort, segments.rows > 0])).toEqual([
      [80, false],
      [81, true],
    ]);
    recording.stop();
    idle();
    expect(pair.a.tcp.awakeCount).toBe(0);
  });

  it('in TIME-WAIT are left alone, however often the filter changes', () => {
    const pair = createPair();
    serve(pair.b, 80);
    send(pair.a, pair.addressB, 80, 1000);
    for (let i = 0; i < 300 && pair.time.clock.now() < 5e6 && pair.time.step(); i++);
    const source = sourceOf(pair, 1);
    const recording = pair.a.record(source);
    for (let i = 0; i < 5; i++) recording.setFilter({});
    expect([pair.a.tcp.connectionCount, recording.flows, source.trace().flows.length]).toEqual([1, 0, 0]);
  });
});

describe('a streamed recording', () => {
  /** Streams both ends of a flow into one file. @param drain whether the writer keeps up. */
  function stream(options: SlotSinkOptions, drain: (message: TraceMessage) => boolean) {
    const pair = createPair({ impair: { delayUs: 1000, lossRate: 0.005 } });
    const pieces: Uint8Array[] = [];
    const clock = { unixEpochUs: undefined, resolutionUs: 1 };
    const writer = new TraceWriter((bytes) => pieces.push(bytes.slice()), { clock });
    const rings: SourceRecorder[] = [];
    const receivers = [pair.a, pair.b].map((stack, index) => {
      const receiver = new SlotReceiver(writer);
      const sink = new SlotSink((message) => drain(message) && receiver.receive(structuredClone(message)), options);
      const source = sourceOf(pair, index + 1, { sink, records: 256 });
      stack.record(source);
      rings.push(source);
      return receiver;
    });
    serve(pair.b, 80);
    send(pair.a, pair.addressB, 80, 2_000_000);
    runUntilQuiet(pair);
    for (const source of rings) source.flush();
    writer.end();
    return { trace: readTrace(Buffer.concat(pieces)), receivers, pair };
  }

  it('has every row, though memory holds few at a time', () => {
    const { trace, receivers, pair } = stream({ slots: 4 }, () => true);
    expect(trace.problems).toEqual([]);
    const [sender, receiver] = trace.flows as [FlowTrace, FlowTrace];
    const rows = (flow: FlowTrace, rx: boolean) =>
      [...flow.segments.info].filter((info) => isReceived(info) === rx).length;
    expect(rows(sender, false)).toBe(pair.a.stats().OutSegs);
    expect(rows(sender, true)).toBe(pair.a.stats().InSegs);
    expect(rows(receiver, true)).toBe(pair.b.stats().InSegs);
    expect(sender.segments.rows).toBeGreaterThan(1000);
    for (const flow of trace.flows) expect(flow.dropped).toEqual({ segments: 0, sacks: 0, windows: 0, events: 0 });
    expect(receivers.map(({ lost }) => lost)).toEqual([0, 0]);
  });

  it('loses and counts what a writer that hangs does not take, and grows nowhere', () => {
    let taken = 0;
    const { trace, receivers } = stream(
      { slots: 2, copyBytes: 0 },
      (message) => message.what !== 'rows' || taken++ < 3,
    );
    const [sender] = trace.flows as [FlowTrace];
    expect(sender.dropped.segments).toBeGreaterThan(500);
    expect(receivers[0]!.lost + receivers[1]!.lost).toBe(
      trace.flows
        .map(({ dropped }) => dropped.segments + dropped.sacks + dropped.windows + dropped.events)
        .reduce((a, b) => a + b),
    );
  });

  it('takes what finds no slot with its message, up to a bound, which the writer makes room in', () => {
    const messages: TraceMessage[] = [];
    const sink = new SlotSink((message) => messages.push(message), { slots: 1, slotBytes: 64, copyBytes: 100 });
    const rows = (bytes: number, fill: number): boolean =>
      sink.rows(CHUNK_EVENTS, 1, 0, 1, new Uint8Array(bytes).fill(fill), 1);
    // A slot, two that go along (one too long for any slot), and one too many.
    expect([rows(64, 1), rows(24, 2), rows(72, 3), rows(8, 4)]).toEqual([true, true, true, false]);
    const payloads: number[][] = [];
    const receiver = new SlotReceiver({
      payload: (_kind, _id, _first, _rows, payload) => payloads.push([payload.length, payload[0]!]),
    } as TraceWriter);
    for (const message of messages) receiver.receive(message);
    expect(payloads).toEqual([
      [64, 1],
      [24, 2],
      [72, 3],
    ]);
    expect([rows(64, 5), rows(96, 6), rows(8, 7)]).toEqual([true, true, false]);
  });

  it('is read up to where a run was torn', () => {
    const { trace } = stream({ slots: 4 }, () => true);
    expect(trace.flows[0]!.segments.rows).toBeGreaterThan(0);
    const pieces: Uint8Array[] = [];
    const writer = new TraceWriter((bytes) => pieces.push(bytes.slice()), { clock: trace.clock });
    writer.flow(trace.flows[0]!);
    writer.table(CHUNK_SEGMENTS, trace.flows[0]!.id, 0, trace.flows[0]!.segments);
    const back = readTrace(Buffer.concat(pieces));
    expect(back.problems).toEqual(['the file is torn: it has no end']);
    expect(back.flows[0]!.segments.rows).toBe(trace.flows[0]!.segments.rows);
  });
});

it('names the direction of SYN options', () => {
  const pair = createPair();
  const source = sourceOf(pair, 1);
  pair.a.record(source);
  serve(pair.b, 80);
  pair.a.connect({ host: pair.addressB, port: 80 });
  runUntilQuiet(pair);
  const [{ events }] = source.trace().flows as [FlowTrace];
  const syns = [...events.kind].flatMap((kind, i) =>
    kind === EVENT_SYN_OPTIONS ? [[events.a[i], events.b[i]! & SYN_RX]] : [],
  );
  expect(syns).toEqual([
    [1460, 0],
    [1460, SYN_RX],
  ]);
});
