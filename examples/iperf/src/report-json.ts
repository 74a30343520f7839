/** One document in the schema of iperf3 (3.16); what only this machine knows stands under `qanat`. */
import { VERSION } from './options.ts';
import type { OffloadCounts, StreamEnd, StreamSample } from './protocol.ts';
import { bitsPerSecond, faults, type IperfResult, pairEnds, type Sum, sum } from './result.ts';

const TCP_IP_HEADER_BYTES = 40;

/** @returns the document of a finished run. */
export function jsonReport(result: IperfResult): object {
  return {
    start: startOf(result),
    intervals: intervalsOf(result),
    end: endOf(result),
    qanat: qanatOf(result),
  };
}

/** @returns the document of a run that failed: what is known, and why. iperf3 does the same. */
export function jsonFailure(result: IperfResult, error: string): object {
  return { start: startOf(result), intervals: intervalsOf(result), end: {}, error };
}

function startOf(result: IperfResult): object {
  const { options, startedAt, connected } = result;
  return {
    connected: connected.map((stream) => ({
      socket: stream.id,
      local_host: stream.localHost,
      local_port: stream.localPort,
      remote_host: stream.remoteHost,
      remote_port: stream.remotePort,
    })),
    version: `iperf (Qanat) ${VERSION}`,
    system_info: `Qanat on ${process.platform} ${process.arch}, Node ${process.versions.node}`,
    timestamp: { time: startedAt.toUTCString(), timesecs: Math.floor(startedAt.getTime() / 1000) },
    connecting_to: { host: options.serverIp, port: options.port },
    cookie: '',
    tcp_mss_default: connected[0]?.mss ?? options.mtu - TCP_IP_HEADER_BYTES,
    target_bitrate: 0,
    fq_rate: 0,
    sock_bufsize: options.window,
    sndbuf_actual: options.window,
    rcvbuf_actual: options.window,
    test_start: {
      protocol: 'TCP',
      num_streams: options.parallel,
      blksize: options.length,
      omit: 0,
      duration: options.bytes > 0 ? 0 : options.seconds,
      bytes: options.bytes,
      blocks: 0,
      reverse: options.direction === 'reverse' ? 1 : 0,
      tos: 0,
      target_bitrate: 0,
      bidir: options.direction === 'bidirectional' ? 1 : 0,
      fqrate: 0,
      interval: options.interval,
    },
  };
}

function intervalsOf(result: IperfResult): object[] {
  return result.clientIntervals.map((samples) => {
    const clientSends = result.options.direction !== 'reverse';
    const main = samples.filter((sample) => sample.sender === clientSends);
    const reverse = samples.filter((sample) => sample.sender !== clientSends);
    const document: Record<string, unknown> = { streams: samples.map(intervalStream) };
    document['sum'] = intervalSum(main, clientSends);
    if (result.options.direction === 'bidirectional')
      document['sum_bidir_reverse'] = intervalSum(reverse, !clientSends);
    return document;
  });
}

function intervalStream(sample: StreamSample): object {
  return {
    socket: sample.id,
    ...spanOf(sample),
    ...(sample.sender
      ? {
          retransmits: sample.retransmits,
          snd_cwnd: sample.cwndBytes,
          snd_wnd: sample.sndWndBytes,
          rtt: sample.rttUs,
          rttvar: sample.rttvarUs,
          pmtu: sample.pmtu,
        }
      : {}),
    omitted: false,
    sender: sample.sender,
  };
}

function intervalSum(samples: readonly StreamSample[], sender: boolean): object {
  const total = sum(samples);
  return { ...spanOf(total), ...(sender ? { retransmits: total.retransmits } : {}), omitted: false, sender };
}

function endOf(result: IperfResult): object {
  const { options, cpu } = result;
  const pairs = pairEnds(result);
  const clientSends = options.direction !== 'reverse';
  const main = pairs.filter(({ plan }) => (plan.sender === 'client') === clientSends);
  const reverse = pairs.filter(({ plan }) => (plan.sender === 'client') !== clientSends);
  const document: Record<string, unknown> = {
    streams: pairs.map(({ plan, sender, receiver }) => {
      const fromClient = plan.sender === 'client';
      return { sender: endSender(sender, fromClient), receiver: endReceiver(receiver, fromClient) };
    }),
    sum_sent: endSum(sum(main.map((pair) => pair.sender)), true, clientSends),
    sum_received: endSum(sum(main.map((pair) => pair.receiver)), false, clientSends),
  };
  if (options.direction === 'bidirectional') {
    document['sum_sent_bidir_reverse'] = endSum(sum(reverse.map((pair) => pair.sender)), true, false);
    document['sum_received_bidir_reverse'] = endSum(sum(reverse.map((pair) => pair.receiver)), false, false);
  }
  document['cpu_utilization_percent'] = {
    host_total: cpu.client,
    host_user: cpu.client * (1 - cpu.systemShare),
    host_system: cpu.client * cpu.systemShare,
    remote_total: cpu.server,
    remote_user: cpu.server * (1 - cpu.systemShare),
    remote_system: cpu.server * cpu.systemShare,
  };
  document['sender_tcp_congestion'] = options.congestion;
  document['receiver_tcp_congestion'] = options.congestion;
  return document;
}

function endSender(end: StreamEnd, sender: boolean): object {
  return {
    socket: end.id,
    ...spanOf(end),
    retransmits: end.retransmits,
    max_snd_cwnd: end.maxCwndBytes,
    max_snd_wnd: end.maxSndWndBytes,
    max_rtt: end.maxRttUs,
    min_rtt: end.minRttUs,
    mean_rtt: end.meanRttUs,
    sender,
  };
}

function endReceiver(end: StreamEnd, sender: boolean): object {
  return { socket: end.id, ...spanOf(end), sender };
}

function endSum(total: Sum, sent: boolean, sender: boolean): object {
  return { ...spanOf(total), ...(sent ? { retransmits: total.retransmits } : {}), sender };
}

function spanOf(span: { startUs: number; endUs: number; bytes: number }): object {
  return {
    start: span.startUs / 1e6,
    end: span.endUs / 1e6,
    seconds: (span.endUs - span.startUs) / 1e6,
    bytes: span.bytes,
    bits_per_second: bitsPerSecond(span),
  };
}

/** What a domain's frontends did with offloads, in packets. */
function offloadOf(counts: OffloadCounts): object {
  return {
    blank_checksums_sent: counts.blankChecksumsSent,
    blank_checksums_received: counts.blankChecksumsReceived,
    gso_sent: counts.gsoSent,
    referring_sent: counts.referringSent,
    gso_received: counts.gsoReceived,
    gro_joined: counts.groJoined,
    queues: counts.queues,
  };
}

function qanatOf(result: IperfResult): object {
  const { options } = result;
  const pairs = pairEnds(result);
  return {
    version: VERSION,
    machine: options.machine,
    mtu: options.mtu,
    txqueuelen: options.txqueuelen,
    seed: options.seed,
    link: { delay_us: options.delayUs, loss: options.loss, rate_bits_per_second: options.rate },
    offload: { checksum: options.checksumOffload, gso: options.gso, gro: options.gro, queues: options.queues },
    send: options.send,
    interrupted: result.interrupted,
    streams: pairs.map(({ plan, sender, receiver }) => ({
      socket: plan.id,
      mss: sender.mss,
      snd_cwnd: sender.cwndBytes,
      ssthresh: sender.ssthreshBytes,
      srtt: sender.rttUs,
      rttvar: sender.rttvarUs,
      cut: sender.cut || receiver.cut,
    })),
    verify: options.verify
      ? {
          bytes: pairs.reduce((bytes, pair) => bytes + pair.receiver.verifiedBytes, 0),
          wrong_bytes: pairs.reduce((bytes, pair) => bytes + pair.receiver.wrongBytes, 0),
        }
      : null,
    domains: result.domains.map((domain) => ({
      name: domain.name,
      domid: domain.domid,
      loops: domain.loops,
      sleeps: domain.sleeps,
      blocked_us: domain.blockedUs,
      hypercalls: domain.hypercalls,
      events: domain.events,
      spurious_wakes: domain.spuriousWakes,
      ring_full_waits: domain.ringFullWaits,
      ...(domain.offload === undefined ? {} : { offload: offloadOf(domain.offload) }),
    })),
    bridge: result.bridge.map((port) => ({
      port: port.port,
      forwarded: port.forwarded,
      queue_drops: port.queueDrops,
      impairment_drops: port.impairmentDrops,
    })),
    server_intervals: result.serverIntervals.map((samples) => ({
      streams: samples.map(intervalStream),
      sum: spanOf(sum(samples)),
    })),
    flow_logs: result.flowLogs,
    faults: faults(result),
  };
}
