import {
  type FlowRowCounts,
  type FlowTrace,
  isReceived,
  otherFrames,
  REASON_NONE,
  reasonName,
  type SourceTrace,
  segmentFlags,
  segmentReason,
  type Trace,
} from '@qanat/flowlog';
import type { Command } from 'commander';
import type { Output } from '../output.ts';
import { formatBytes } from '../progress.ts';
import { readTraceFile, type TraceFile } from '../read-file.ts';

/** `info IN`: what a file holds. */
export function registerInfo(program: Command, output: Output): void {
  program
    .command('info')
    .description('say what a file holds: flows, rows, time, problems')
    .argument('<in>', 'a flow log or a capture')
    .option('--from <format>', 'format of <in> (default: what its content, then its name says)')
    .option('--json', 'print one JSON document')
    .action((path: string, options: { from?: string; json?: boolean }) => {
      const file = readTraceFile(path, options.from);
      output.out(options.json ? `${JSON.stringify(jsonOf(file), undefined, 2)}\n` : textOf(file));
    });
}

/** First and last time of a trace in microseconds; undefined when it has no rows. */
function span(trace: Trace): { readonly firstUs: number; readonly lastUs: number } | undefined {
  let firstUs = Number.POSITIVE_INFINITY;
  let lastUs = Number.NEGATIVE_INFINITY;
  const tables = [
    ...trace.flows.flatMap(({ segments, windows, events }) => [segments, windows, events]),
    ...trace.sources.map(({ machine }) => machine),
  ];
  for (const { rows, timeUs } of tables) {
    if (rows === 0) continue;
    firstUs = Math.min(firstUs, timeUs[0]!);
    lastUs = Math.max(lastUs, timeUs[rows - 1]!);
  }
  return firstUs <= lastUs ? { firstUs, lastUs } : undefined;
}

interface Traffic {
  readonly segments: number;
  /** Undefined when the log does not tell: one of 2013 has neither flags nor lengths. */
  readonly bytes: number | undefined;
  /** How often for which reason, by name. */
  readonly retransmissions: Readonly<Record<string, number>>;
}

function traffic({ segments }: FlowTrace, received: boolean): Traffic {
  const tellsBytes = segments.rows === 0 || segments.info.some((info) => segmentFlags(info) !== 0);
  let count = 0;
  let bytes = 0;
  const retransmissions: Record<string, number> = {};
  for (let row = 0; row < segments.rows; row++) {
    const info = segments.info[row]!;
    if (isReceived(info) !== received) continue;
    count++;
    bytes += segments.bytes[row]!;
    const reason = segmentReason(info);
    if (reason === REASON_NONE) continue;
    const name = reasonName(reason);
    retransmissions[name] = (retransmissions[name] ?? 0) + 1;
  }
  return { segments: count, bytes: tellsBytes ? bytes : undefined, retransmissions };
}

function rowCounts(flow: FlowTrace): FlowRowCounts {
  const { segments, sacks, windows, events } = flow;
  return { segments: segments.rows, sacks: sacks.rows, windows: windows.rows, events: events.rows };
}

function jsonOf({ path, bytes, format, trace }: TraceFile): object {
  return {
    path,
    bytes,
    format: format.name,
    clock: trace.clock,
    ...span(trace),
    sources: trace.sources.map(({ id, name, kind, machine, overwritten, dropped }) => {
      return { id, name, kind, machineRows: machine.rows, overwritten, dropped };
    }),
    flows: trace.flows.map((flow) => {
      const { segments, sacks, windows, events, ...descriptor } = flow;
      const [sent, received] = [traffic(flow, false), traffic(flow, true)];
      return { ...descriptor, rows: rowCounts(flow), sent, received };
    }),
    ...(trace.frames === undefined ? {} : { frames: trace.frames.rows, otherFrames: otherFrames(trace) }),
    problems: trace.problems,
  };
}

function textOf({ path, bytes, format, trace }: TraceFile): string {
  const lines = [`${path}: ${format.title}, ${formatBytes(bytes)}`];
  const time = span(trace);
  if (time !== undefined) {
    const { unixEpochUs } = trace.clock;
    const began = unixEpochUs === undefined ? '' : `, began ${date(unixEpochUs + time.firstUs)}`;
    lines.push(`  time: ${((time.lastUs - time.firstUs) / 1e6).toFixed(6)} s${began}`);
  }
  if (trace.frames !== undefined) {
    lines.push(`  packets: ${trace.frames.rows}, of which ${otherFrames(trace)} are of no TCP connection over IPv4`);
  }
  for (const source of trace.sources) lines.push(`  ${sourceLine(source)}`);
  for (const flow of trace.flows) lines.push(...flowLines(flow));
  if (trace.flows.length === 0) lines.push('  no flows');
  lines.push(...trace.problems.map((problem) => `  problem: ${problem}`));
  return `${lines.join('\n')}\n`;
}

function date(unixUs: number): string {
  const ms = Math.floor(unixUs / 1000);
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : 'at no date';
}

function sourceLine({ id, name, kind, machine, overwritten, dropped }: SourceTrace): string {
  const rows = machine.rows > 0 ? `, ${machine.rows} machine rows` : '';
  return `source ${id}: ${name || 'no name'} (${kind})${rows}${losses(overwritten, dropped)}`;
}

function flowLines(flow: FlowTrace): string[] {
  const { id, source, active, congestion, mss, overwritten, dropped } = flow;
  const facts = [
    `source ${source}`,
    ...(active === undefined ? [] : [active ? 'opened here' : 'opened by the peer']),
    ...(congestion === '' ? [] : [congestion]),
    ...(mss > 0 ? [`mss ${mss}`] : []),
  ];
  const rows = rowCounts(flow);
  const tables = (['segments', 'windows', 'events', 'sacks'] as const)
    .filter((table) => rows[table] > 0 || overwritten[table] > 0 || dropped[table] > 0)
    .map((table) => `${rows[table]} ${table}${losses(overwritten[table], dropped[table])}`);
  return [
    `  flow ${id}: ${ends(flow)} (${facts.join(', ')})`,
    `    rows: ${tables.join(', ') || 'none'}`,
    `    sent ${trafficText(traffic(flow, false))}; received ${trafficText(traffic(flow, true))}`,
  ];
}

function losses(overwritten: number, dropped: number): string {
  const parts = [
    ...(overwritten > 0 ? [`${overwritten} overwritten`] : []),
    ...(dropped > 0 ? [`${dropped} lost`] : []),
  ];
  return parts.length > 0 ? ` (${parts.join(', ')})` : '';
}

function ends(flow: FlowTrace): string {
  if (flow.localPort === 0 && flow.remotePort === 0) return 'addresses not known';
  const address = (value: number, port: number) =>
    `${[24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.')}:${port}`;
  return `${address(flow.localAddress, flow.localPort)} - ${address(flow.remoteAddress, flow.remotePort)}`;
}

function trafficText({ segments, bytes, retransmissions }: Traffic): string {
  const reasons = Object.entries(retransmissions).map(([name, count]) => `${count} ${name}`);
  const again = reasons.length > 0 ? `, sent again: ${reasons.join(', ')}` : '';
  return `${bytes === undefined ? '' : `${formatBytes(bytes)} in `}${segments} segments${again}`;
}
