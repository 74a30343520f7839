/**
 * qlog, in the mapping of TCP that qvis makes of captures (protocol_type TCP_HTTP2; packets under `transport`) with the
 * metrics of `recovery`. Two files: `.qlog`, one JSON document with a trace per flow (qlog_version draft-01, whose fields qvis
 * reads by position), and `.sqlog`, JSON text sequences (RFC 7464) of one flow. Sent and received packets are numbered
 * apart, and acknowledgments name the numbers that they cover, so that qvis draws them as it draws QUIC's.
 */
import {
  hasTimestamps,
  isReceived,
  REASON_NONE,
  REASON_PROBE,
  sackBlocks,
  segmentFlags,
  segmentReason,
} from '../segment-info.ts';
import type { FlowTrace, Trace } from '../trace.ts';
import { caState, isInRecovery } from '../window-info.ts';
import { ByteWriter } from './byte-writer.ts';
import { busiestFlow, flowsToWrite, type WriteOptions } from './format.ts';
import { ROW_SEGMENT, ROW_WINDOW, RowMerge } from './row-merge.ts';
import { formatAddress } from './tcp-probe.ts';

const FLAG_FIN = 0x01;
const FLAG_SYN = 0x02;
const FLAG_ACK = 0x10;
const FLAG_NAMES = ['fin', 'syn', 'reset', 'push', 'ack', 'urgent', 'ece', 'cwr'];
/** JSON of what each byte of flags says. */
const FLAG_DETAILS = Array.from({ length: 256 }, (_, flags) => {
  const set = FLAG_NAMES.filter((_name, bit) => flags & (1 << bit));
  return `{"type":"flags"${set.map((name) => `,"${name}":true`).join('')}}`;
});
const TCP_BYTES = 20;
/** Linux's threshold while no loss has set it. */
const NO_THRESHOLD = 0x7fff_ffff;
const RECORD_SEPARATOR = '\u001e';

/** One JSON document with a trace per flow. */
export function* writeQlog(trace: Trace, options: WriteOptions = {}): Generator<Uint8Array> {
  const out = new ByteWriter();
  out.text('{"qlog_version":"draft-01","qlog_format":"JSON","title":"Qanat flow log","traces":[');
  let first = true;
  for (const flow of flowsToWrite(trace, options)) {
    const head = JSON.stringify({
      ...describe(flow),
      event_fields: ['time', 'category', 'event', 'data'],
      configuration: { time_units: 'ms' },
    });
    out.text(`${first ? '' : ','}\n${head.slice(0, -1)},"events":[`);
    first = false;
    let separator = '\n';
    for (const { timeUs, category, event, data } of qlogEvents(flow)) {
      out.text(`${separator}[${timeUs / 1000},"${category}","${event}",${data}]`);
      separator = ',\n';
      if (out.isFull) yield out.take();
    }
    out.text('\n]}');
  }
  out.text('\n]}\n');
  yield out.take();
}

/** JSON text sequences of one flow. */
export function* writeSqlog(trace: Trace, options: WriteOptions = {}): Generator<Uint8Array> {
  const flow = busiestFlow(flowsToWrite(trace, options));
  if (flow === undefined) return;
  const out = new ByteWriter();
  const head = { qlog_version: '0.3', qlog_format: 'JSON-SEQ', title: 'Qanat flow log', trace: describe(flow) };
  out.text(`${RECORD_SEPARATOR}${JSON.stringify(head)}\n`);
  for (const { timeUs, category, event, data } of qlogEvents(flow)) {
    out.text(`${RECORD_SEPARATOR}{"time":${timeUs / 1000},"name":"${category}:${event}","data":${data}}\n`);
    if (out.isFull) yield out.take();
  }
  yield out.take();
}

function describe(flow: FlowTrace): object {
  const { localAddress, localPort, remoteAddress, remotePort, active } = flow;
  const title = `${formatAddress(localAddress)}:${localPort} -> ${formatAddress(remoteAddress)}:${remotePort}`;
  return {
    title,
    vantage_point: { type: active === false ? 'server' : 'client' },
    common_fields: { protocol_type: 'TCP_HTTP2', time_format: 'relative', reference_time: 0 },
  };
}

interface QlogEvent {
  readonly timeUs: number;
  readonly category: string;
  readonly event: string;
  /** JSON. */
  readonly data: string;
}

/** Segments in flight: where each ends, and its number. */
interface InFlight {
  readonly seq: number;
  readonly end: number;
  readonly number: number;
}

const STATE_NAMES = ['slow_start', 'congestion_avoidance', 'application_limited', 'recovery', 'recovery'];

function* qlogEvents(flow: FlowTrace): Generator<QlogEvent> {
  const rows = new RowMerge([flow], (1 << ROW_SEGMENT) | (1 << ROW_WINDOW));
  const { segments, windows } = flow;
  let inFlight: InFlight[] = [];
  let sent = 0;
  let received = 0;
  let startUs = Number.NaN;
  let state = '';
  let metrics = '';
  while (rows.next()) {
    const { row } = rows;
    const table = rows.kind === ROW_SEGMENT ? segments : windows;
    if (Number.isNaN(startUs)) startUs = table.timeUs[row]!;
    const timeUs = Math.round((table.timeUs[row]! - startUs) * 1000) / 1000;
    if (rows.kind === ROW_WINDOW) {
      const next = congestionState(flow, row);
      if (next !== state) {
        const data = state === '' ? `{"new":"${next}"}` : `{"old":"${state}","new":"${next}"}`;
        yield { timeUs, category: 'recovery', event: 'congestion_state_updated', data };
        state = next;
      }
      const data = metricsOf(flow, row);
      if (data !== metrics) yield { timeUs, category: 'recovery', event: 'metrics_updated', data };
      metrics = data;
      continue;
    }
    const info = segments.info[row]!;
    const flags = segmentFlags(info);
    const seq = segments.seq[row]!;
    const end = (seq + segments.bytes[row]! + (flags & FLAG_SYN ? 1 : 0) + (flags & FLAG_FIN ? 1 : 0)) | 0;
    if (isReceived(info)) {
      let acked = -1;
      let from = -1;
      if (flags & FLAG_ACK || flags === 0) {
        const ack = segments.ack[row]!;
        let covered = 0;
        while (covered < inFlight.length && ((ack - inFlight[covered]!.end) | 0) >= 0) covered++;
        if (covered > 0) {
          from = inFlight[0]!.number;
          acked = from;
          for (let i = 0; i < covered; i++) {
            from = Math.min(from, inFlight[i]!.number);
            acked = Math.max(acked, inFlight[i]!.number);
          }
          inFlight = inFlight.slice(covered);
        }
      }
      const frames = from < 0 ? '' : `{"frame_type":"ack","acked_ranges":[[${from},${acked}]]}`;
      yield packet(flow, row, timeUs, 'packet_received', received++, frames);
      continue;
    }
    const reason = segmentReason(info);
    if (reason !== REASON_NONE && reason !== REASON_PROBE) {
      const at = inFlight.findIndex((one) => one.seq === seq);
      const lost = inFlight[at];
      if (lost !== undefined) {
        const data = `{"packet_number":${lost.number},"header":{"packet_number":${lost.number}}}`;
        yield { timeUs, category: 'recovery', event: 'packet_lost', data };
        inFlight.splice(at, 1, { seq, end, number: sent });
      }
    } else if (end !== seq) inFlight.push({ seq, end, number: sent });
    yield packet(flow, row, timeUs, 'packet_sent', sent++, '');
  }
}

/** @param frames JSON of what the packet acknowledges, '' when nothing. */
function packet(
  flow: FlowTrace,
  row: number,
  timeUs: number,
  event: string,
  number: number,
  frames: string,
): QlogEvent {
  const { segments } = flow;
  const info = segments.info[row]!;
  const blocks = sackBlocks(info);
  const headerBytes = TCP_BYTES + (hasTimestamps(info) ? 12 : 0) + (blocks > 0 ? 4 + 8 * blocks : 0);
  const bytes = segments.bytes[row]!;
  const all = headerBytes + bytes;
  const numbers = `"packet_number":${number},"sequence_number":${segments.seq[row]! >>> 0}`;
  const lengths = `"payload_length":${bytes},"header_length":${headerBytes},"packet_size":${all}`;
  const header = `{${numbers},"acknowledgement_number":${segments.ack[row]! >>> 0},${lengths}}`;
  const raw = `{"length":${all},"payload_length":${bytes}}`;
  const details = FLAG_DETAILS[segmentFlags(info)]!;
  const data = `{"packet_type":"1RTT","header":${header},"raw":${raw},"frames":[${frames}],"details":[${details}]}`;
  return { timeUs, category: 'transport', event, data };
}

function congestionState({ windows }: FlowTrace, row: number): string {
  const info = windows.info[row]!;
  if (isInRecovery(info) || caState(info) >= 3) return STATE_NAMES[3]!;
  return STATE_NAMES[windows.cwnd[row]! < windows.ssthresh[row]! ? 0 : 1]!;
}

/** JSON; times in milliseconds, as qvis wants them; what the log does not know is left out. */
function metricsOf({ windows }: FlowTrace, row: number): string {
  const ssthresh = windows.ssthresh[row]!;
  const pacing = windows.pacingRate[row]!;
  const inFlight = windows.pipe[row]! || (windows.sndNxt[row]! - windows.sndUna[row]!) >>> 0;
  const cwnd = windows.cwnd[row]!;
  // The names of draft-01 and of later drafts.
  let data = `{"cwnd":${cwnd},"congestion_window":${cwnd},"bytes_in_flight":${inFlight}`;
  if (ssthresh < NO_THRESHOLD) data += `,"ssthresh":${ssthresh}`;
  if (windows.srttUs[row]! > 0) data += `,"smoothed_rtt":${windows.srttUs[row]! / 1000}`;
  if (windows.minRttUs[row]! > 0) data += `,"min_rtt":${windows.minRttUs[row]! / 1000}`;
  if (windows.rttvarUs[row]! > 0) data += `,"rtt_variance":${windows.rttvarUs[row]! / 1000}`;
  if (pacing > 0) data += `,"pacing_rate":${Math.round(pacing * 8)}`;
  return `${data},"receive_window":${windows.sndWnd[row]!}}`;
}
