import { describe, expect, it } from 'vitest';
import {
  EVENT_STATE,
  EVENT_SYN_OPTIONS,
  EVENT_TIMER_FIRED,
  EventTableBuilder,
  type FlowTrace,
  FORMATS,
  flowDescriptor,
  flowTrace,
  formatByContent,
  formatByFileName,
  REASON_FAST,
  REASON_RTO,
  readAny,
  SackTableBuilder,
  SegmentTableBuilder,
  SYN_RX,
  SYN_SACK_PERMITTED,
  SYN_TIMESTAMPS,
  SYN_WINDOW_SCALE,
  segmentInfo,
  sourceTrace,
  TIMER_RTO,
  type Trace,
  WindowTableBuilder,
  windowInfo,
} from '../../src/index.ts';
import { sampleTrace } from '../sample-trace.ts';
import { read, write, writeText } from './pieces.ts';

const SYN = 0x02;
const ACK = 0x10;
const PSH = 0x08;
const ISS = -1000;
const SYN_ALL = SYN_WINDOW_SCALE | SYN_SACK_PERMITTED | SYN_TIMESTAMPS;

/** A flow that crosses 2^32: handshake, two segments, a SACK, one sent again, an RTO after the last segment. */
function story(): Trace {
  const segments = new SegmentTableBuilder();
  const sacks = new SackTableBuilder();
  const windows = new WindowTableBuilder();
  const events = new EventTableBuilder();
  let order = 0;
  const tx = (timeUs: number, seq: number, bytes: number, flags: number, reason = 0) =>
    segments.push(timeUs, order++, seq | 0, 51, bytes, 1000, 7, 8, 3, segmentInfo(false, flags, reason, true, 0));
  const rx = (timeUs: number, ack: number, flags: number, blocks = 0) =>
    segments.push(timeUs, order++, 50, ack | 0, 0, 500, 8, 7, 0, segmentInfo(true, flags, 0, true, blocks));
  const wnd = (timeUs: number, sndNxt: number, sndUna: number, cwnd: number, ssthresh: number, inRecovery = false) =>
    windows.push({
      ...{ timeUs, order: order++, sndNxt: sndNxt | 0, segAck: sndUna | 0, sndUna: sndUna | 0, rcvNxt: 51 },
      ...{ recoveryPoint: 0, sndWnd: 64_000, rcvWnd: 65_535, cwnd, ssthresh, pipe: 0, srttUs: 10_000, rttvarUs: 5000 },
      ...{ rtoUs: 200_000, minRttUs: 9000, pacingRate: 1e6, info: windowInfo(0, inRecovery, 0, 3, 3) },
    });
  tx(1_000_000, ISS, 0, SYN);
  events.push(1_000_000, order++, EVENT_SYN_OPTIONS, 1460, SYN_ALL | 5);
  rx(1_010_000, ISS + 1, SYN | ACK);
  events.push(1_010_000, order++, EVENT_SYN_OPTIONS, 1400, SYN_RX | SYN_ALL | 7);
  wnd(1_010_000, ISS + 1, ISS + 1, 14_480, 2 ** 31 - 1);
  tx(1_010_100, ISS + 1, 1000, ACK);
  tx(1_010_200, ISS + 1001, 1000, ACK | PSH);
  sacks.push(rx(1_020_200.5, ISS + 1, ACK, 1), ISS + 1001, ISS + 2001);
  wnd(1_020_201, ISS + 2001, ISS + 1, 7240, 7240, true);
  tx(1_020_300, ISS + 1, 1000, ACK, REASON_FAST);
  rx(1_030_300, ISS + 2001, ACK);
  wnd(1_030_301, ISS + 2001, ISS + 2001, 7240, 7240);
  tx(1_230_300, ISS + 2001, 65_500, ACK, REASON_RTO);
  events.push(1_430_300, order++, EVENT_TIMER_FIRED, TIMER_RTO, 0);
  const descriptor = flowDescriptor({
    ...{ id: 1, source: 4, localAddress: 0x0a00_0001, localPort: 40_000, remoteAddress: 0x0a00_0002, remotePort: 5001 },
    ...{
      active: true,
      iss: ISS,
      irs: 50,
      sndShift: 7,
      rcvShift: 5,
      mss: 1448,
      congestion: 'cubic',
      startUs: 1_000_000,
    },
  });
  return {
    sources: [sourceTrace({ id: 4, name: 'client', kind: 'domain' })],
    flows: [
      flowTrace(descriptor, {
        ...{ segments: segments.finish(), sacks: sacks.finish(), windows: windows.finish(), events: events.finish() },
      }),
    ],
    clock: { unixEpochUs: undefined, resolutionUs: 1 },
    problems: [],
  };
}

describe('pcapng of a flow log', () => {
  it('is read back: segments, options, SACK blocks, times to the nanosecond', () => {
    const trace = story();
    const file = write('pcapng', trace);
    const back = read('pcapng', file);
    expect(back.problems).toEqual([]);
    const [flow] = back.flows;
    const [from] = trace.flows;
    expect(flow).toMatchObject({ localPort: 40_000, active: true, iss: ISS, sndShift: 7, rcvShift: 5, mss: 1388 });
    for (const column of ['timeUs', 'seq', 'ack', 'bytes', 'window', 'tsVal', 'tsEcr'] as const) {
      expect([column, ...flow!.segments[column]]).toEqual([column, ...from!.segments[column]]);
    }
    expect([...flow!.sacks.left, ...flow!.sacks.right]).toEqual([ISS + 1001, ISS + 2001]);
    expect([flow!.sacks.segment[0], flow!.events.rows]).toEqual([4, 2]);
  });

  it('has right checksums, and lengths that are true', () => {
    const file = write('pcapng', story());
    const { frames } = read('pcapng', file);
    const sum = (from: number, to: number, start = 0) => {
      let total = start;
      for (let at = from; at < to; at += 2) total += (file[at]! << 8) | (file[at + 1] ?? 0);
      while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
      return total;
    };
    for (let row = 0; row < frames!.rows; row++) {
      const ip = frames!.offset[row]! + 14;
      const end = frames!.offset[row]! + frames!.capturedBytes[row]!;
      const payload = frames!.originalBytes[row]! - frames!.capturedBytes[row]!;
      const total = (file[ip + 2]! << 8) | file[ip + 3]!;
      expect(sum(ip, ip + 20)).toBe(0xffff);
      // 65500 bytes and the headers are more than IPv4 can say.
      expect(total).toBe(payload === 65_500 ? 0 : end - ip + payload);
      const pseudo = sum(ip + 12, ip + 20) + 6 + (end - ip - 20) + payload;
      expect(sum(ip + 20, end, pseudo)).toBe(0xffff);
    }
    expect([...frames!.originalBytes].map((bytes, row) => bytes - frames!.capturedBytes[row]!)).toEqual([
      ...[0, 0, 1000, 1000, 0, 1000, 0, 65_500],
    ]);
  });

  it('tells in comments why a segment was sent again and what happened before, at the end also after it', () => {
    const text = new TextDecoder('latin1').decode(write('pcapng', story()));
    expect(text).toContain('retransmission (fast); cwnd 14480 -> 7240; ssthresh 2147483647 -> 7240');
    expect(text).toContain('retransmission (RTO); RTO fired');
    expect(text.match(/retransmission/g)).toHaveLength(2);
  });

  it('shows one end of a connection whose two ends were recorded, unless both are chosen', () => {
    const trace = story();
    const [flow] = trace.flows;
    const mirrored = flowTrace(
      flowDescriptor({
        ...{ id: 2, source: 5, localAddress: 0x0a00_0002, localPort: 5001, remoteAddress: 0x0a00_0001 },
        ...{ remotePort: 40_000 },
      }),
      { segments: { ...flow!.segments, info: flow!.segments.info.map((info) => info ^ 1) } },
    );
    const both: Trace = {
      ...trace,
      sources: [...trace.sources, sourceTrace({ id: 5, name: 'server', kind: 'domain' })],
      flows: [mirrored, flow!],
    };
    expect(read('pcapng', write('pcapng', both)).frames!.rows).toBe(8);
    expect(read('pcapng', write('pcapng', both, { flows: [1, 2] })).frames!.rows).toBe(16);
  });
});

describe('tcp_probe', () => {
  it('has a line per window update, in its columns', () => {
    expect(writeText('csv', story()).split('\n')).toEqual([
      'time,src,dst,length,snd_nxt,snd_una,snd_cwnd,ssthresh,snd_wnd,srtt,rcv_wnd',
      '0.010000,10.0.0.1:40000,10.0.0.2:5001,0,0xfffffc19,0xfffffc19,10,2147483647,64000,10000,65535',
      '0.020201,10.0.0.1:40000,10.0.0.2:5001,0,0x3e9,0xfffffc19,5,5,64000,10000,65535',
      '0.030301,10.0.0.1:40000,10.0.0.2:5001,0,0x3e9,0x3e9,5,5,64000,10000,65535',
      '',
    ]);
  });
});

describe('tcp_probe of a log of 2013', () => {
  it('leaves empty what that does not say: lengths, round trips, and windows in segments', () => {
    const line = writeText('csv', read('2013', write('2013', story()))).split('\n')[1]!;
    expect(line).toBe('0.010000,0.0.0.0:0,0.0.0.0:0,,0xfffffc19,0xfffffc19,,2147483647,64000,,65535');
  });
});

describe('xplot', () => {
  it('draws segments, acknowledgments, the window, SACK blocks and what was sent again', () => {
    const text = writeText('xplot', story());
    expect(text.split('\n').slice(0, 3)).toEqual([
      'timeval double',
      'title',
      '10.0.0.1:40000_==>_10.0.0.2:5001 (time sequence graph)',
    ]);
    // Beyond 2^32 the numbers go on.
    expect(text).toContain('line 1.010200 1001 1.010200 2001 white\n');
    expect(text).toContain('diamond 1.010200 2001 white\n');
    expect(text).toContain('line 1.020300 1 1.020300 1001 red\n');
    expect(text).toContain('atext 1.020300 1001 red\nR\n');
    expect(text).toContain('line 1.020201 1001 1.020201 2001 purple\n');
    expect(text).toContain('line 1.020201 1 1.030300 1 green\nline 1.030300 1 1.030300 2001 green\n');
    // The window is 500 << 7; the one of the SYN-ACK is not shifted.
    expect(text).toContain('line 1.020201 501 1.020201 64001 yellow\n');
    expect(text.endsWith('go\n')).toBe(true);
    const commands = new Set(
      text
        .split('\n')
        .slice(7)
        .map((line) => line.split(' ')[0]),
    );
    const known = ['line', 'darrow', 'uarrow', 'diamond', 'dtick', 'atext', 'btext', 'SYN', 'R', 'S', 'go', ''];
    expect([...commands].filter((command) => !known.includes(command!))).toEqual([]);
  });
});

describe('qlog', () => {
  interface Document {
    readonly qlog_version: string;
    readonly traces: readonly {
      readonly event_fields: string[];
      readonly events: [number, string, string, object][];
    }[];
  }

  it('is JSON with packets by number, acknowledged ranges, losses and metrics', () => {
    const document = JSON.parse(writeText('qlog', story())) as Document;
    expect(document.qlog_version).toBe('draft-01');
    const [trace] = document.traces;
    expect(trace).toMatchObject({ common_fields: { protocol_type: 'TCP_HTTP2' } });
    expect(trace!.event_fields).toEqual(['time', 'category', 'event', 'data']);
    const { events } = trace!;
    expect(events[0]).toMatchObject([0, 'transport', 'packet_sent', { header: { packet_number: 0 } }]);
    const of = (name: string) => events.filter((event) => event[2] === name);
    expect(of('packet_sent').map((event) => (event[3] as { header: { payload_length: number } }).header)).toMatchObject(
      [...[0, 1000, 1000, 1000, 65_500].map((payload_length, packet_number) => ({ payload_length, packet_number }))],
    );
    expect(of('packet_received').map((event) => (event[3] as { frames: object[] }).frames)).toEqual([
      [{ frame_type: 'ack', acked_ranges: [[0, 0]] }],
      [],
      [{ frame_type: 'ack', acked_ranges: [[2, 3]] }],
    ]);
    expect(of('packet_lost').map((event) => event[3])).toMatchObject([{ packet_number: 1 }]);
    expect(of('metrics_updated')[1]![3]).toMatchObject({ congestion_window: 7240, ssthresh: 7240, smoothed_rtt: 10 });
    expect(of('congestion_state_updated').map((event) => event[3])).toEqual([
      { new: 'slow_start' },
      { old: 'slow_start', new: 'recovery' },
      { old: 'recovery', new: 'congestion_avoidance' },
    ]);
  });

  it('as JSON text sequences has a record per line, each behind a separator', () => {
    const records = writeText('sqlog', story()).split('\u001e').slice(1);
    const [head, ...events] = records.map((record) => JSON.parse(record) as Record<string, unknown>);
    expect(head).toMatchObject({ qlog_version: '0.3', qlog_format: 'JSON-SEQ', trace: { vantage_point: {} } });
    expect(events.length).toBe(15);
    expect(events.every((event) => typeof event['time'] === 'number' && typeof event['name'] === 'string')).toBe(true);
  });
});

describe('ss', () => {
  it('prints a snapshot per window update, or per interval', () => {
    const text = writeText('ss', story());
    expect(text.match(/^ESTAB/gm)).toHaveLength(3);
    expect(text).toContain('# 1.020201\n');
    expect(text).toMatch(
      /ESTAB +0 +2000 +10.0.0.1:40000 +10.0.0.2:5001\n\t ts sack cubic wscale:7,5 rto:200 rtt:10\/5 /,
    );
    expect(text).toMatch(/cwnd:5 ssthresh:5 bytes_sent:3000 bytes_retrans:1000 bytes_acked:2001 /);
    expect(text).toMatch(/retrans:0\/1 /);
    expect(writeText('ss', story(), { intervalUs: 15_000 }).match(/^ESTAB/gm)).toHaveLength(2);
  });

  /** What stands before the RTO, of each snapshot. @param syns options that were sent (without SYN_RX) or received. */
  function optionsOf(syns: readonly number[], changes: Partial<FlowTrace> = {}, state = 1): string[] {
    const trace = story();
    const events = new EventTableBuilder();
    syns.forEach((bits, index) => {
      events.push(1_000_000 + index, index, EVENT_SYN_OPTIONS, 1460, bits);
    });
    events.push(1_000_900, 9, EVENT_STATE, 7, state);
    const plain = { sacks: new SackTableBuilder().finish(), events: events.finish() };
    const flow = { ...trace.flows[0]!, ...plain, ...changes };
    const info = flow.segments.info.map((value) => value & ~0x0700_0002);
    const segments = { ...flow.segments, info };
    const text = writeText('ss', { ...trace, flows: [{ ...flow, segments }] });
    return text.match(/(?<=\n\t)[^\n]*(?= rto:)/g)!;
  }

  it('shows the options that both SYNs agree on, whatever came of them', () => {
    const all = (options: string) => [options, options, options];
    const sent = SYN_ALL;
    const received = SYN_RX | SYN_ALL;
    // No SACK block, and no segment with timestamps, is in this log.
    expect(optionsOf([sent | 5, received | 7])).toEqual(all(' ts sack cubic wscale:7,5'));
    const unscaled = { sndShift: 0, rcvShift: 0 };
    expect(optionsOf([sent, received], unscaled)).toEqual(all(' ts sack cubic wscale:0,0'));
    expect(optionsOf([sent, SYN_RX | SYN_SACK_PERMITTED], unscaled)).toEqual(all(' sack cubic'));
    expect(optionsOf([SYN_WINDOW_SCALE | 5, received | 7])).toEqual(all(' cubic wscale:7,5'));
    expect(optionsOf([sent, SYN_RX], unscaled)).toEqual(all(' cubic'));
    // The SYN that was sent last counts, and the answer that came first.
    expect(optionsOf([sent, 0, received], unscaled)).toEqual(all(' cubic'));
    expect(optionsOf([sent, SYN_RX, received], unscaled)).toEqual(all(' cubic'));
    // The answer alone says what was agreed on; the question does not.
    expect(optionsOf([received | 7])).toEqual(all(' ts sack cubic wscale:7,5'));
    expect(optionsOf([sent | 5], { active: false })).toEqual(all(' ts sack cubic wscale:7,5'));
    expect(optionsOf([sent, received], { active: undefined, ...unscaled })).toEqual(all(' ts sack cubic wscale:0,0'));
    const SYN_SENT = 2;
    expect(optionsOf([sent], {}, SYN_SENT)).toEqual(all(' cubic'));
  });

  it('of a log that began later, shows what rows and the description tell', () => {
    expect(optionsOf([])).toEqual([' cubic wscale:7,5', ' cubic wscale:7,5', ' cubic wscale:7,5']);
    const { sacks } = story().flows[0]!;
    expect(optionsOf([], { sacks, sndShift: 0, rcvShift: 0 })[2]).toBe(' sack cubic');
  });

  it('prints nothing that a log of 2013 does not know', () => {
    const [line] = writeText('ss', read('2013', write('2013', story()))).match(/(?<=\n\t)[^\n]*/)!;
    expect(line).toBe(' segs_out:1 segs_in:1 snd_wnd:64000 rcv_wnd:65535');
  });
});

describe('formats', () => {
  it('are found by file name and by content, and read whatever the name says', () => {
    const trace = sampleTrace(1, 20);
    for (const { name, extensions, read: reads, write: writes } of FORMATS) {
      for (const extension of extensions) expect(formatByFileName(`A${extension.toUpperCase()}`)?.name).toBe(name);
      if (reads === undefined || writes === undefined) continue;
      const bytes = write(name, trace);
      expect(formatByContent(bytes)?.name).toBe(name);
      expect(readAny(bytes, 'something.else').flows.length).toBeGreaterThan(0);
    }
    expect(() => readAny(new Uint8Array(9), 'a.bin')).toThrow('a.bin is of no known format');
    expect(() => readAny(new Uint8Array(9), 'a.xpl')).toThrow(/a.xpl is time-sequence graph.* only written/);
    expect(formatByFileName('a.b')).toBeUndefined();
  });

  it('say nothing about a trace without flows, and do not fail', () => {
    const empty: Trace = { sources: [], flows: [], clock: { unixEpochUs: undefined, resolutionUs: 1 }, problems: [] };
    for (const { name, write: writes } of FORMATS) if (writes !== undefined) write(name, empty);
  });
});
