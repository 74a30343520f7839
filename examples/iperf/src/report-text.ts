/** The lines of iperf3, and below them what only this machine knows. */
import { VERSION } from './options.ts';
import type { ConnectedStream, QueueCounts, StreamEnd, StreamSample } from './protocol.ts';
import { bitsPerSecond, type IperfResult, pairEnds, type Sum, sum, WHOLE_RUN } from './result.ts';
import { formatBytes, formatRate, formatUs } from './units.ts';

const RULE = '- - - - - - - - - - - - - - - - - - - - - - - - -';

/** Makes the lines of one run; who calls it writes them. */
export class TextReport {
  readonly #result: IperfResult;
  readonly #bidirectional: boolean;
  #spans = 0;

  constructor(result: IperfResult) {
    this.#result = result;
    this.#bidirectional = result.options.direction === 'bidirectional';
  }

  /** Before anything happens. */
  opening(): string[] {
    const { options, startedAt } = this.#result;
    const lines: string[] = [];
    if (options.verbose) {
      lines.push(`iperf (Qanat) ${VERSION}, machine ${options.machine}, seed ${options.seed}`);
      lines.push(`Time: ${startedAt.toUTCString()}`);
    }
    lines.push(`Connecting to host ${options.serverIp}, port ${options.port}`);
    if (options.direction === 'reverse') lines.push(`Reverse mode, remote host ${options.serverIp} is sending`);
    return lines;
  }

  /** The client's flows are up. */
  connected(streams: readonly ConnectedStream[]): string[] {
    const { options } = this.#result;
    const lines = streams.map((s) => {
      const ends = `local ${s.localHost} port ${s.localPort} connected to ${s.remoteHost} port ${s.remotePort}`;
      return `[${pad(s.id)}] ${ends}`;
    });
    if (options.verbose) {
      const end = options.bytes > 0 ? `${options.bytes} bytes to send` : `${options.seconds} second test`;
      const flows = `${options.parallel} streams, ${options.length} byte blocks`;
      lines.push(`Starting Test: protocol: TCP, ${flows}, ${end}, MSS ${streams[0]?.mss ?? 0}`);
    }
    if (options.interval > 0) lines.push(this.#header(this.#clientSends, true));
    return lines;
  }

  /** One span as the client saw it. */
  interval(samples: readonly StreamSample[]): string[] {
    if (this.#result.options.interval === 0) return [];
    const lines: string[] = [];
    if (this.#spans++ > 0 && this.#result.plans.length > 1) lines.push(RULE);
    for (const sample of samples) lines.push(this.#sampleLine(sample));
    for (const sender of [true, false]) {
      const part = samples.filter((sample) => sample.sender === sender);
      if (part.length > 1) lines.push(this.#sumLine(sum(part), sender, this.#role(sender)));
    }
    return lines;
  }

  /** The end of the run. */
  summary(): string[] {
    const pairs = pairEnds(this.#result);
    if (pairs.length === 0) return ['iperf was interrupted before its flows were up.'];
    const lines = [RULE, this.#header(true, false)];
    for (const { plan, sender, receiver } of pairs) {
      const role = this.#role(plan.sender === 'client');
      lines.push(this.#endLine(sender, true, role), this.#endLine(receiver, false, role));
    }
    for (const from of ['client', 'server'] as const) {
      const part = pairs.filter((pair) => pair.plan.sender === from);
      if (part.length < 2) continue;
      const role = this.#role(from === 'client');
      lines.push(this.#sumLine(sum(part.map((pair) => pair.sender)), true, role, 'sender'));
      lines.push(this.#sumLine(sum(part.map((pair) => pair.receiver)), false, role, 'receiver'));
    }
    lines.push('', ...this.#flowLines(), ...this.#machineLines(), '', 'iperf Done.');
    return lines;
  }

  get #clientSends(): boolean {
    return this.#result.options.direction !== 'reverse';
  }

  #role(clientSends: boolean): string {
    return this.#bidirectional ? (clientSends ? '[TX-C]' : '[RX-C]') : '';
  }

  #header(retransmits: boolean, cwnd: boolean): string {
    const role = this.#bidirectional ? '[Role]' : '';
    const more = retransmits ? (cwnd ? '         Retr  Cwnd' : '         Retr') : '';
    return `[ ID]${role} Interval           Transfer     Bitrate${more}`;
  }

  #sampleLine(sample: StreamSample): string {
    const line = `[${pad(sample.id)}]${this.#role(sample.sender)} ${span(sample)}`;
    return sample.sender ? `${line}  ${pad(sample.retransmits)}   ${formatBytes(sample.cwndBytes)}       ` : line;
  }

  #sumLine(total: Sum, sender: boolean, role: string, who = ''): string {
    return `[SUM]${role} ${span(total)}  ${sender ? pad(total.retransmits) : '   '}             ${who}`.trimEnd();
  }

  #endLine(end: StreamEnd, sender: boolean, role: string): string {
    const retransmits = sender ? pad(end.retransmits) : '   ';
    const line = `[${pad(end.id)}]${role} ${span(end)}  ${retransmits}             ${sender ? 'sender' : 'receiver'}`;
    return end.cut ? `${line} (cut)` : line;
  }

  #flowLines(): string[] {
    const lines: string[] = [];
    const { options, flowLogs } = this.#result;
    for (const { plan, sender } of pairEnds(this.#result)) {
      const rtt = `srtt ${formatUs(sender.rttUs)} (min ${formatUs(sender.minRttUs)}, max ${formatUs(sender.maxRttUs)})`;
      const cwnd = `cwnd ${formatBytes(sender.cwndBytes)} (max ${formatBytes(sender.maxCwndBytes)})`;
      lines.push(`[${pad(plan.id)}] ${options.congestion}, MSS ${sender.mss}, ${cwnd}, ${rtt}`);
    }
    if (options.verify) {
      const ends = pairEnds(this.#result).map((pair) => pair.receiver);
      const checked = ends.reduce((bytes, end) => bytes + end.verifiedBytes, 0);
      const wrong = ends.reduce((bytes, end) => bytes + end.wrongBytes, 0);
      lines.push(`Verified ${checked} bytes, ${wrong === 0 ? 'none' : wrong} wrong`);
    }
    for (const log of flowLogs) {
      const how = log.id === WHOLE_RUN ? 'more found no room' : 'older ones overwritten';
      const lost = log.overwritten > 0 ? `, ${log.overwritten} ${how}` : '';
      const what = log.id === WHOLE_RUN ? 'both ends and the machine' : `stream ${log.id}`;
      lines.push(`Flow log of ${what}: ${log.records} records in ${log.path}${lost}`);
    }
    return lines;
  }

  #machineLines(): string[] {
    const { domains, bridge, options, cpu } = this.#result;
    const table: string[][] = [
      ['Domain', 'Loops', 'Sleeps', 'Blocked', 'Hypercalls', 'Events', 'Spurious', 'Ring full'],
      ...domains.map((domain) => [
        domain.name,
        `${domain.loops}`,
        `${domain.sleeps}`,
        formatUs(domain.blockedUs),
        `${domain.hypercalls}`,
        `${domain.events}`,
        `${domain.spuriousWakes}`,
        `${domain.ringFullWaits}`,
      ]),
    ];
    const lines = ['', ...alignColumns(table)];
    for (const port of bridge) {
      const dropped = `${port.queueDrops} dropped by a full queue, ${port.impairmentDrops} lost by the link`;
      lines.push(`Bridge to ${port.port}: ${port.forwarded} frames forwarded, ${dropped}`);
    }
    if (options.verbose) {
      const [local, remote] = this.#clientSends
        ? ['local/sender', 'remote/receiver']
        : ['local/receiver', 'remote/sender'];
      lines.push(`CPU Utilization: ${local} ${cpu.client.toFixed(1)}%, ${remote} ${cpu.server.toFixed(1)}%`);
      for (const { name, offload } of domains) {
        if (offload !== undefined) lines.push(queueLine(name, offload.queues));
      }
      lines.push(`snd_tcp_congestion ${options.congestion}`, `rcv_tcp_congestion ${options.congestion}`);
    }
    return lines;
  }
}

/** How many queues a domain has, and what went through each. */
function queueLine(name: string, queues: readonly QueueCounts[]): string {
  const packets = queues.map(({ sent, received }) => `${sent}/${received}`).join(', ');
  return `Queues of ${name}: ${queues.length}, packets sent/received ${packets}`;
}

/** The line that a terminal shows between two reports. */
export function liveLine(startUs: number, endUs: number, bytes: number): string {
  const rate = formatRate(bitsPerSecond({ startUs, endUs, bytes }));
  return `  ... ${(endUs / 1e6).toFixed(1)} sec  ${rate}`;
}

/** @returns the columns side by side: the first to the left, the others to the right. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  '),
  );
}

function span(of: { startUs: number; endUs: number; bytes: number }): string {
  const from = (of.startUs / 1e6).toFixed(2).padStart(6);
  const to = (of.endUs / 1e6).toFixed(2).padEnd(6);
  return `${from}-${to} sec  ${formatBytes(of.bytes)}  ${formatRate(bitsPerSecond(of))}`;
}

function pad(value: number): string {
  return `${value}`.padStart(3);
}
