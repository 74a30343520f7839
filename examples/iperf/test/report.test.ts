import { describe, expect, it } from 'vitest';
import { type IperfOptions, parseOptions } from '../src/options.ts';
import { planStreams, type StreamEnd, type StreamSample } from '../src/protocol.ts';
import { jsonFailure, jsonReport } from '../src/report-json.ts';
import { alignColumns, liveLine, TextReport } from '../src/report-text.ts';
import { emptyResult, faults, type IperfResult } from '../src/result.ts';

function sample(id: number, sender: boolean, startUs: number, bytes: number): StreamSample {
  return {
    id,
    sender,
    startUs,
    endUs: startUs + 1_000_000,
    bytes,
    retransmits: sender ? 3 : 0,
    cwndBytes: 1_310_720,
    sndWndBytes: 2_000_000,
    rttUs: 245,
    rttvarUs: 12,
    pmtu: 1500,
  };
}

function end(id: number, sender: boolean, bytes: number): StreamEnd {
  return {
    ...sample(id, sender, 0, bytes),
    endUs: sender ? 2_000_000 : 2_040_000,
    retransmits: sender ? 6 : 0,
    maxCwndBytes: 1_400_000,
    maxSndWndBytes: 2_000_000,
    maxRttUs: 900,
    minRttUs: 100,
    meanRttUs: 250,
    ssthreshBytes: 1_000_000,
    mss: 1448,
    verifiedBytes: sender ? 0 : bytes,
    wrongBytes: 0,
    firstWrong: -1,
    cut: false,
    error: undefined,
  };
}

const BYTES = 500 * 2 ** 20;

/** A run of two seconds as the two domains would have reported it. */
function result(args: string): IperfResult {
  const options = parseOptions(args.split(' ').filter(Boolean)) as IperfOptions;
  const plans = planStreams(options.direction, options.parallel, options.bytes);
  const found = emptyResult(options, plans, new Date('2024-05-01T12:00:00Z'));
  found.connected = plans.map((plan) => ({
    id: plan.id,
    localHost: '192.168.8.102',
    localPort: plan.localPort,
    remoteHost: '192.168.8.101',
    remotePort: 5001,
    mss: 1448,
  }));
  for (const role of ['client', 'server'] as const) {
    const intervals = role === 'client' ? found.clientIntervals : found.serverIntervals;
    for (const startUs of [0, 1_000_000]) {
      intervals.push(plans.map((plan) => sample(plan.id, plan.sender === role, startUs, BYTES)));
    }
  }
  found.clientEnd = plans.map((plan) => end(plan.id, plan.sender === 'client', 2 * BYTES));
  found.serverEnd = plans.map((plan) => end(plan.id, plan.sender === 'server', 2 * BYTES));
  found.domains = ['Domain-0', 'server', 'client'].map((name, domid) => ({
    name,
    domid,
    loops: 1000,
    sleeps: 100,
    blockedUs: 1_500_000,
    hypercalls: 5000,
    events: 400,
    spuriousWakes: 2,
    ringFullWaits: domid,
    offload: undefined,
  }));
  found.bridge = [{ port: 'vif1.0', forwarded: 700_000, queueDrops: 12, impairmentDrops: 0 }];
  found.cpu = { client: 80, server: 60, systemShare: 0.25 };
  return found;
}

function everything(found: IperfResult): string[] {
  const report = new TextReport(found);
  return [
    ...report.opening(),
    ...report.connected(found.connected),
    ...found.clientIntervals.flatMap((samples) => report.interval(samples)),
    ...report.summary(),
  ];
}

describe('the text', () => {
  it('has the lines of iperf3', () => {
    expect(everything(result(''))).toEqual([
      'Connecting to host 192.168.8.101, port 5001',
      '[  5] local 192.168.8.102 port 49152 connected to 192.168.8.101 port 5001',
      '[ ID] Interval           Transfer     Bitrate         Retr  Cwnd',
      '[  5]   0.00-1.00   sec   500 MBytes  4.19 Gbits/sec    3   1.25 MBytes       ',
      '[  5]   1.00-2.00   sec   500 MBytes  4.19 Gbits/sec    3   1.25 MBytes       ',
      '- - - - - - - - - - - - - - - - - - - - - - - - -',
      '[ ID] Interval           Transfer     Bitrate         Retr',
      '[  5]   0.00-2.00   sec  1000 MBytes  4.19 Gbits/sec    6             sender',
      '[  5]   0.00-2.04   sec  1000 MBytes  4.11 Gbits/sec                  receiver',
      '',
      '[  5] cubic, MSS 1448, cwnd 1.25 MBytes (max 1.34 MBytes), srtt 245 us (min 100 us, max 900 us)',
      '',
      'Domain    Loops  Sleeps  Blocked  Hypercalls  Events  Spurious  Ring full',
      'Domain-0   1000     100   1.50 s        5000     400         2          0',
      'server     1000     100   1.50 s        5000     400         2          1',
      'client     1000     100   1.50 s        5000     400         2          2',
      'Bridge to vif1.0: 700000 frames forwarded, 12 dropped by a full queue, 0 lost by the link',
      '',
      'iperf Done.',
    ]);
  });

  it('adds several flows up', () => {
    const lines = everything(result('-P 2'));
    expect(lines).toContain('[SUM]   0.00-1.00   sec  1000 MBytes  8.39 Gbits/sec    6');
    expect(lines).toContain('[SUM]   0.00-2.00   sec  1.95 GBytes  8.39 Gbits/sec   12             sender');
    expect(lines).toContain('[SUM]   0.00-2.04   sec  1.95 GBytes  8.22 Gbits/sec                  receiver');
    expect(lines.filter((line) => line.startsWith('- - -')).length).toBe(2);
  });

  it('says what a receiver sees in reverse mode', () => {
    const lines = everything(result('-R'));
    expect(lines[1]).toBe('Reverse mode, remote host 192.168.8.101 is sending');
    expect(lines).toContain('[ ID] Interval           Transfer     Bitrate');
    expect(lines).toContain('[  5]   0.00-1.00   sec   500 MBytes  4.19 Gbits/sec');
  });

  it('marks the role in both directions at once', () => {
    const lines = everything(result('--bidir'));
    expect(lines).toContain('[ ID][Role] Interval           Transfer     Bitrate         Retr  Cwnd');
    expect(lines).toContain('[  5][TX-C]   0.00-1.00   sec   500 MBytes  4.19 Gbits/sec    3   1.25 MBytes       ');
    expect(lines).toContain('[  7][RX-C]   0.00-1.00   sec   500 MBytes  4.19 Gbits/sec');
    expect(lines).toContain('[  7][RX-C]   0.00-2.00   sec  1000 MBytes  4.19 Gbits/sec    6             sender');
  });

  it('says more with -V, less with -i 0, and what --verify and --flow-log found', () => {
    const verbose = everything(result('-V'));
    expect(verbose[0]).toMatch(/^iperf \(Qanat\)/);
    expect(verbose.some((line) => /^Starting Test: .*131072 byte blocks, 10 second test/.test(line))).toBe(true);
    expect(verbose).toContain('CPU Utilization: local/sender 80.0%, remote/receiver 60.0%');
    expect(everything(result('-i 0')).some((line) => line.includes('1.00-2.00'))).toBe(false);
    const checked = result('--verify');
    checked.flowLogs.push({ id: 5, path: 'run.log', records: 9, overwritten: 4 });
    expect(everything(checked)).toContain(`Verified ${2 * BYTES} bytes, none wrong`);
    expect(everything(checked)).toContain('Flow log of stream 5: 9 records in run.log, 4 older ones overwritten');
  });

  it('aligns columns and shows a live line', () => {
    expect(
      alignColumns([
        ['a', 'bb'],
        ['ccc', 'd'],
      ]),
    ).toEqual(['a    bb', 'ccc   d']);
    expect(alignColumns([])).toEqual([]);
    expect(liveLine(1_000_000, 1_250_000, 125_000_000)).toBe('  ... 1.3 sec  4.00 Gbits/sec');
  });
});

/** The shape of a value: keys in order and the types of leaves; of a list, the shape of its first element. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.length > 0 ? [shape(value[0])] : [];
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shape(inner)]));
}

const SPAN = { start: 'number', end: 'number', seconds: 'number', bytes: 'number', bits_per_second: 'number' };

describe('the JSON', () => {
  it('has the schema of iperf3', () => {
    const document = jsonReport(result('-P 2'));
    expect(shape(JSON.parse(JSON.stringify(document)))).toMatchObject({
      start: {
        connected: [
          {
            socket: 'number',
            local_host: 'string',
            local_port: 'number',
            remote_host: 'string',
            remote_port: 'number',
          },
        ],
        version: 'string',
        system_info: 'string',
        timestamp: { time: 'string', timesecs: 'number' },
        connecting_to: { host: 'string', port: 'number' },
        cookie: 'string',
        tcp_mss_default: 'number',
        target_bitrate: 'number',
        fq_rate: 'number',
        sock_bufsize: 'number',
        sndbuf_actual: 'number',
        rcvbuf_actual: 'number',
        test_start: {
          protocol: 'string',
          num_streams: 'number',
          blksize: 'number',
          omit: 'number',
          duration: 'number',
          bytes: 'number',
          blocks: 'number',
          reverse: 'number',
          tos: 'number',
          target_bitrate: 'number',
          bidir: 'number',
          fqrate: 'number',
          interval: 'number',
        },
      },
      intervals: [
        {
          streams: [
            {
              socket: 'number',
              ...SPAN,
              retransmits: 'number',
              snd_cwnd: 'number',
              snd_wnd: 'number',
              rtt: 'number',
              rttvar: 'number',
              pmtu: 'number',
              omitted: 'boolean',
              sender: 'boolean',
            },
          ],
          sum: { ...SPAN, retransmits: 'number', omitted: 'boolean', sender: 'boolean' },
        },
      ],
      end: {
        streams: [
          {
            sender: {
              socket: 'number',
              ...SPAN,
              retransmits: 'number',
              max_snd_cwnd: 'number',
              max_snd_wnd: 'number',
              max_rtt: 'number',
              min_rtt: 'number',
              mean_rtt: 'number',
              sender: 'boolean',
            },
            receiver: { socket: 'number', ...SPAN, sender: 'boolean' },
          },
        ],
        sum_sent: { ...SPAN, retransmits: 'number', sender: 'boolean' },
        sum_received: { ...SPAN, sender: 'boolean' },
        cpu_utilization_percent: {
          host_total: 'number',
          host_user: 'number',
          host_system: 'number',
          remote_total: 'number',
          remote_user: 'number',
          remote_system: 'number',
        },
        sender_tcp_congestion: 'string',
        receiver_tcp_congestion: 'string',
      },
      qanat: {
        machine: 'string',
        domains: [{ name: 'string', loops: 'number', sleeps: 'number', blocked_us: 'number', hypercalls: 'number' }],
        bridge: [{ port: 'string', queue_drops: 'number' }],
        server_intervals: [{ sum: SPAN }],
      },
    });
  });

  it('says the same as the run', () => {
    expect(jsonReport(result('-P 2'))).toMatchObject({
      start: { connecting_to: { host: '192.168.8.101', port: 5001 }, test_start: { num_streams: 2, duration: 10 } },
      intervals: [
        { sum: { start: 0, end: 1, seconds: 1, bytes: 2 * BYTES, bits_per_second: 16 * BYTES, retransmits: 6 } },
        { sum: { start: 1, end: 2, seconds: 1 } },
      ],
      end: {
        sum_sent: { bytes: 4 * BYTES, seconds: 2, bits_per_second: 16 * BYTES, retransmits: 12, sender: true },
        sum_received: { bytes: 4 * BYTES, seconds: 2.04, sender: true },
        cpu_utilization_percent: { host_total: 80, host_user: 60, host_system: 20, remote_total: 60 },
      },
      qanat: { verify: null, faults: [], streams: [{ socket: 5, mss: 1448, srtt: 245 }, { socket: 7 }] },
    });
  });

  it('keeps the directions apart', () => {
    expect(jsonReport(result('-R'))).toMatchObject({
      intervals: [{ sum: { sender: false, bytes: BYTES } }, {}],
      end: { sum_sent: { sender: false }, streams: [{ sender: { sender: false }, receiver: { sender: false } }] },
    });
    const both = jsonReport(result('--bidir'));
    expect(both).toMatchObject({
      intervals: [{ sum: { sender: true, bytes: BYTES }, sum_bidir_reverse: { sender: false, bytes: BYTES } }, {}],
      end: {
        sum_sent: { bytes: 2 * BYTES, sender: true },
        sum_sent_bidir_reverse: { bytes: 2 * BYTES, sender: false },
        sum_received_bidir_reverse: { sender: false },
      },
    });
  });

  it('of a failed run holds the error, as iperf3 has it', () => {
    expect(jsonFailure(result(''), 'domain client: boom')).toMatchObject({ error: 'domain client: boom', end: {} });
  });
});

describe('faults', () => {
  const faultsOf = (args: string, sender: Partial<StreamEnd>, receiver: Partial<StreamEnd>, interrupted = false) => {
    const found = result(args);
    found.clientEnd = found.clientEnd.map((whole) => ({ ...whole, ...sender }));
    found.serverEnd = found.serverEnd.map((whole) => ({ ...whole, ...receiver }));
    found.interrupted = interrupted;
    return faults(found);
  };

  it('finds none in a good run', () => {
    expect(faultsOf('', {}, {})).toEqual([]);
  });

  it('finds wrong, missing and too many bytes, and flows that died', () => {
    expect(faultsOf('', {}, { wrongBytes: 2, firstWrong: 77 })).toEqual([
      'stream 5: 2 wrong bytes, the first at offset 77',
    ]);
    expect(faultsOf('', {}, { bytes: 1 })[0]).toMatch(/bytes were sent and 1 came/);
    expect(faultsOf('-n 2000M', {}, {})[0]).toMatch(/1048576000 of 2097152000 bytes came/);
    expect(faultsOf('', { error: 'ETIMEDOUT' }, {})[0]).toMatch(/sender's flow died: ETIMEDOUT/);
    expect(faultsOf('', {}, { error: 'ECONNRESET', bytes: 1 })).toEqual([
      "stream 5: the receiver's flow died: ECONNRESET",
    ]);
  });

  it('excuses what was cut or interrupted', () => {
    expect(faultsOf('', { cut: true }, { error: 'ECONNRESET', bytes: 1 })).toEqual([]);
    expect(faultsOf('', {}, { cut: true, bytes: 1 })).toEqual([]);
    expect(faultsOf('-n 2000M', {}, {}, true)).toEqual([]);
  });
});
