/**
 * What Linux's tcp_probe printed of a connection, as comma-separated values with a line of names: time (seconds since the
 * first row), source, destination, payload of the segment received last, SND.NXT, SND.UNA, congestion window and threshold
 * in segments, send window, smoothed round trip in microseconds, receive window. A line per window update. What the log does
 * not know is empty.
 */
import { isReceived, segmentFlags } from '../segment-info.ts';
import type { FlowTrace, Trace } from '../trace.ts';
import { ascii, ByteWriter } from './byte-writer.ts';
import { flowsToWrite, type WriteOptions } from './format.ts';
import { ROW_SEGMENT, ROW_WINDOW, RowMerge } from './row-merge.ts';

const HEAD = ascii('time,src,dst,length,snd_nxt,snd_una,snd_cwnd,ssthresh,snd_wnd,srtt,rcv_wnd\n');
const MAX_LINE_BYTES = 256;
const COMMA = 0x2c;
const LINE_FEED = 0x0a;
/** Linux shows an unset threshold so. */
const NO_THRESHOLD = 0x7fff_ffff;

export function* writeTcpProbe(trace: Trace, options: WriteOptions = {}): Generator<Uint8Array> {
  const flows = flowsToWrite(trace, options);
  const out = new ByteWriter();
  out.copy(HEAD);
  const ends = flows.map((flow) => ascii(`,${end(flow, true)},${end(flow, false)},`));
  const lengths = new Float64Array(flows.length);
  const rows = new RowMerge(flows, (1 << ROW_SEGMENT) | (1 << ROW_WINDOW));
  let startUs = Number.NaN;
  while (rows.next()) {
    const { owner, row } = rows;
    const { segments, windows, mss } = flows[owner]!;
    if (rows.kind === ROW_SEGMENT) {
      if (Number.isNaN(startUs)) startUs = segments.timeUs[row]!;
      const info = segments.info[row]!;
      // A log of 2013 has neither flags nor lengths.
      if (isReceived(info)) lengths[owner] = segmentFlags(info) === 0 ? Number.NaN : segments.bytes[row]!;
      continue;
    }
    if (out.isFull) yield out.take();
    out.reserve(MAX_LINE_BYTES);
    if (Number.isNaN(startUs)) startUs = windows.timeUs[row]!;
    const ssthresh = windows.ssthresh[row]!;
    out.seconds(windows.timeUs[row]! - startUs);
    out.copy(ends[owner]!);
    if (lengths[owner]! >= 0) out.integer(lengths[owner]!);
    out.byte(COMMA);
    out.hex(windows.sndNxt[row]!);
    out.byte(COMMA);
    out.hex(windows.sndUna[row]!);
    out.byte(COMMA);
    if (mss > 0) out.integer(Math.floor(windows.cwnd[row]! / mss));
    out.byte(COMMA);
    if (ssthresh >= NO_THRESHOLD) out.integer(NO_THRESHOLD);
    else if (mss > 0) out.integer(Math.floor(ssthresh / mss));
    out.byte(COMMA);
    out.integer(windows.sndWnd[row]!);
    out.byte(COMMA);
    if (windows.srttUs[row]! > 0) out.integer(windows.srttUs[row]!);
    out.byte(COMMA);
    out.integer(windows.rcvWnd[row]!);
    out.byte(LINE_FEED);
  }
  if (out.used > 0) yield out.take();
}

function end(flow: FlowTrace, local: boolean): string {
  return local
    ? `${formatAddress(flow.localAddress)}:${flow.localPort}`
    : `${formatAddress(flow.remoteAddress)}:${flow.remotePort}`;
}

/** @returns an IPv4 address as people write it. */
export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}
