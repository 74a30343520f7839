/**
 * qlog, in the mapping of TCP that qvis makes of captures (protocol_type TCP_HTTP2; packets under `transport`) with the
 * metrics of `recovery`. Two files: `.qlog`, one JSON document with a trace per flow (qlog_version draft-01, whose fields qvis
 * reads by position), and `.sqlog`, JSON text sequences (RFC 7464) of one flow. Times are milliseconds since the first event.
 * Sent and received packets are numbered apart, and acknowledgments name the numbers that they cover, so that qvis draws them
 * as it draws QUIC's.
 */
import type { FlowTrace, Trace } from '../trace.ts';
import { ascii, ByteWriter } from './byte-writer.ts';
import { busiestFlow, flowsToWrite, type WriteOptions } from './format.ts';
import { MAX_ROW_BYTES, QlogEvents, type QlogStyle } from './qlog-events.ts';
import { ROW_SEGMENT, ROW_WINDOW, RowMerge } from './row-merge.ts';
import { formatAddress } from './tcp-probe.ts';

const RECORD_SEPARATOR = '\u001e';

/** An array per event: time, category, event, data. */
const BY_POSITION: QlogStyle = {
  begin: ascii('['),
  names: (category, event) => ascii(`,"${category}","${event}",`),
  end: ascii(']'),
  separator: ascii(',\n'),
};

/** A record per event. */
const BY_NAME: QlogStyle = {
  begin: ascii(`${RECORD_SEPARATOR}{"time":`),
  names: (category, event) => ascii(`,"name":"${category}:${event}","data":`),
  end: ascii('}\n'),
  separator: ascii(''),
};

/** One JSON document with a trace per flow. A flow without events has none: qvis looks for the first event of each trace. */
export function* writeQlog(trace: Trace, options: WriteOptions = {}): Generator<Uint8Array> {
  const out = new ByteWriter();
  out.text('{"qlog_version":"draft-01","qlog_format":"JSON","title":"Qanat flow log","traces":[');
  let separator = '\n';
  for (const flow of flowsToWrite(trace, options)) {
    if (flow.segments.rows + flow.windows.rows === 0) continue;
    const head = JSON.stringify({
      ...describe(flow),
      event_fields: ['time', 'category', 'event', 'data'],
      configuration: { time_units: 'ms' },
    });
    out.text(`${separator}${head.slice(0, -1)},"events":[\n`);
    separator = ',\n';
    yield* events(out, flow, BY_POSITION);
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
  yield* events(out, flow, BY_NAME);
  yield out.take();
}

function* events(out: ByteWriter, flow: FlowTrace, style: QlogStyle): Generator<Uint8Array> {
  const rows = new RowMerge([flow], (1 << ROW_SEGMENT) | (1 << ROW_WINDOW));
  const writer = new QlogEvents(out, flow, style);
  while (rows.next()) {
    if (out.isFull) yield out.take();
    out.reserve(MAX_ROW_BYTES);
    if (rows.kind === ROW_SEGMENT) writer.segment(rows.row);
    else writer.window(rows.row);
  }
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
