/** Snapshots of a flow as iproute2's `ss -tin` prints them, each under a line with its time. */
import { SS_HEADER, SS_WORDS, type SsInfo, type SsSink, writeSs } from '@qanat/tcp';
import {
  EVENT_STATE,
  EVENT_SYN_OPTIONS,
  SYN_RX,
  SYN_SACK_PERMITTED,
  SYN_SHIFT_MASK,
  SYN_TIMESTAMPS,
  SYN_WINDOW_SCALE,
} from '../kinds.ts';
import { isReceived, REASON_NONE, segmentFlags, segmentReason } from '../segment-info.ts';
import type { FlowTrace, Trace } from '../trace.ts';
import { backoff, caState, LIMITED_RWND, limitedBy, reordering } from '../window-info.ts';
import { type Ascii, ascii, ByteWriter } from './byte-writer.ts';
import { flowsToWrite, type WriteOptions } from './format.ts';
import { ROW_EVENT, ROW_SEGMENT, ROW_WINDOW, RowMerge } from './row-merge.ts';
import { formatAddress } from './tcp-probe.ts';

/** Most bytes of a snapshot; the name of a congestion control is cut. */
const MAX_ROW_BYTES = 4096;
const MAX_NAME = 64;
/** Longer texts are not prepared, and not more than these. */
const MAX_TEXT = 24;
const ADDRESS_PLACES = 21;
const MAX_TEXTS = 2048;
const TIME = ascii('# ');
const HEADER = ascii(`\n${SS_HEADER}\n`);
const LINE_FEED = 0x0a;
const ESTABLISHED = 1;
const SYN_SENT = 2;
const SYN_RECEIVED = 3;
const FLAG_ACK = 0x10;
const OPTION_TIMESTAMPS = 1;
const OPTION_SACK = 2;
const OPTION_WSCALE = 4;
/** Linux's threshold while no loss has set it. */
const NO_THRESHOLD = 0x7fff_ffff;

/** Two lines per window update of a flow, at most one in `intervalUs`. */
export function* writeSsLines(trace: Trace, options: WriteOptions = {}): Generator<Uint8Array> {
  const { intervalUs = 0 } = options;
  const flows = flowsToWrite(trace, options);
  const out = new ByteWriter();
  const sink = new SsBytes(out);
  const meters = flows.map((flow) => new Meter(flow));
  const nextUs = new Float64Array(flows.length).fill(Number.NEGATIVE_INFINITY);
  const rows = new RowMerge(flows, (1 << ROW_SEGMENT) | (1 << ROW_WINDOW) | (1 << ROW_EVENT));
  while (rows.next()) {
    const { owner, row } = rows;
    const meter = meters[owner]!;
    const flow = flows[owner]!;
    if (rows.kind === ROW_SEGMENT) meter.segment(row);
    else if (rows.kind === ROW_EVENT) meter.event(row);
    else {
      const timeUs = flow.windows.timeUs[row]!;
      meter.window(row);
      if (timeUs < nextUs[owner]!) continue;
      nextUs[owner] = timeUs + intervalUs;
      if (out.isFull) yield out.take();
      out.reserve(MAX_ROW_BYTES);
      out.copy(TIME);
      out.seconds(timeUs);
      out.copy(HEADER);
      writeSs(sink, meter.info(row), meter.local, meter.remote);
      out.byte(LINE_FEED);
    }
  }
  if (out.used > 0) yield out.take();
}

const WORDS = SS_WORDS.map(ascii);

/** Gives a writer what `writeSs` says; other text that comes again and again is prepared once, too. */
class SsBytes implements SsSink {
  readonly #out: ByteWriter;
  readonly #texts = new Map<string, Ascii>();

  constructor(out: ByteWriter) {
    this.#out = out;
  }

  word(index: number): void {
    this.#out.copy(WORDS[index]!);
  }

  text(text: string): void {
    const known = this.#texts.get(text);
    if (known !== undefined) this.#out.copy(known);
    else if (text.length > MAX_TEXT || this.#texts.size >= MAX_TEXTS) this.#out.ascii(text);
    else {
      this.#texts.set(text, ascii(text));
      this.#out.ascii(text);
    }
  }

  integer(value: number): void {
    this.#out.integer(value);
  }
}

type MutableSsInfo = { -readonly [Name in keyof SsInfo]: SsInfo[Name] };

/** Counts what tcp_info counts, from the rows of a flow. */
class Meter {
  /** Address and port of the two ends. */
  readonly local: string;
  readonly remote: string;
  readonly #flow: FlowTrace;
  /** Filled again for each snapshot. */
  readonly #info: MutableSsInfo;
  #state = ESTABLISHED;
  #segsOut = 0;
  #segsIn = 0;
  #dataSegsOut = 0;
  #dataSegsIn = 0;
  #bytesSent = 0;
  #bytesRetrans = 0;
  #retrans = 0;
  #timestamps = false;
  /** SYN_* of the SYN that was sent last, and of the one that was received first. */
  #sentSyn: number | undefined;
  #receivedSyn: number | undefined;
  #lastSentUs = Number.NaN;
  #lastDataUs = Number.NaN;
  #lastAckUs = Number.NaN;
  #firstUna: number | undefined;
  #firstNxt: number | undefined;
  #acked = 0;
  #received = 0;
  #busyUs = 0;
  #rwndLimitedUs = 0;
  #lastWindowUs = Number.NaN;
  #wasBusy = false;
  #wasRwndLimited = false;

  constructor(flow: FlowTrace) {
    this.#flow = flow;
    // Padded as they are shown, so that they are the same strings every time.
    this.local = `${formatAddress(flow.localAddress)}:${flow.localPort}`.padStart(ADDRESS_PLACES);
    this.remote = `${formatAddress(flow.remoteAddress)}:${flow.remotePort}`.padStart(ADDRESS_PLACES);
    // ASCII, as all of a line is.
    const congestion = flow.congestion.slice(0, MAX_NAME).replaceAll(/[^!-~]/g, '_');
    this.#info = unknownInfo(congestion);
  }

  segment(row: number): void {
    const { segments } = this.#flow;
    const info = segments.info[row]!;
    const bytes = segments.bytes[row]!;
    const timeUs = segments.timeUs[row]!;
    this.#timestamps ||= (info & 2) !== 0;
    if (isReceived(info)) {
      this.#segsIn++;
      if (bytes > 0) {
        this.#dataSegsIn++;
        this.#lastDataUs = timeUs;
      }
      if (segmentFlags(info) & FLAG_ACK) this.#lastAckUs = timeUs;
      return;
    }
    this.#segsOut++;
    if (bytes === 0) return;
    this.#dataSegsOut++;
    this.#bytesSent += bytes;
    this.#lastSentUs = timeUs;
    if (segmentReason(info) === REASON_NONE) return;
    this.#retrans++;
    this.#bytesRetrans += bytes;
  }

  event(row: number): void {
    const { events } = this.#flow;
    const b = events.b[row]!;
    if (events.kind[row] === EVENT_STATE) this.#state = b;
    if (events.kind[row] !== EVENT_SYN_OPTIONS) return;
    if ((b & SYN_RX) === 0) this.#sentSyn = b;
    else this.#receivedSyn ??= b;
  }

  /** TCPI_OPT_* that the handshake agreed on; of a log that has not seen it, what the rows tell. */
  #options(): number {
    const { active, sndShift = 0, rcvShift = 0, sacks } = this.#flow;
    const sent = this.#sentSyn;
    const received = this.#receivedSyn;
    const hasBoth = sent !== undefined && received !== undefined;
    // Whoever answers has only what both can do.
    const hasAnswer = active !== undefined && (active ? received : sent) !== undefined;
    if (hasBoth || hasAnswer) {
      const agreed = (sent ?? -1) & (received ?? -1);
      const stamps = agreed & SYN_TIMESTAMPS ? OPTION_TIMESTAMPS : 0;
      const sack = agreed & SYN_SACK_PERMITTED ? OPTION_SACK : 0;
      return stamps | sack | (agreed & SYN_WINDOW_SCALE ? OPTION_WSCALE : 0);
    }
    if (this.#state === SYN_SENT || this.#state === SYN_RECEIVED) return 0;
    const told = (this.#timestamps ? OPTION_TIMESTAMPS : 0) | (sacks.rows > 0 ? OPTION_SACK : 0);
    return told | (sndShift > 0 || rcvShift > 0 ? OPTION_WSCALE : 0);
  }

  window(row: number): void {
    const { windows } = this.#flow;
    const timeUs = windows.timeUs[row]!;
    this.#firstUna ??= this.#flow.iss ?? windows.sndUna[row]!;
    this.#firstNxt ??= this.#flow.irs ?? windows.rcvNxt[row]!;
    this.#acked += (windows.sndUna[row]! - this.#firstUna - this.#acked) | 0;
    this.#received += (windows.rcvNxt[row]! - this.#firstNxt - this.#received) | 0;
    if (!Number.isNaN(this.#lastWindowUs)) {
      const gapUs = timeUs - this.#lastWindowUs;
      if (this.#wasBusy) this.#busyUs += gapUs;
      if (this.#wasBusy && this.#wasRwndLimited) this.#rwndLimitedUs += gapUs;
    }
    this.#lastWindowUs = timeUs;
    this.#wasBusy = windows.sndNxt[row] !== windows.sndUna[row];
    this.#wasRwndLimited = limitedBy(windows.info[row]!) === LIMITED_RWND;
  }

  /** @returns one object for all. */
  info(row: number): SsInfo {
    const { windows, mss, sndShift, rcvShift } = this.#flow;
    const timeUs = windows.timeUs[row]!;
    const info = windows.info[row]!;
    // Without the length of a segment nothing is known in segments.
    const segment = mss > 0 ? mss : Number.POSITIVE_INFINITY;
    const unacked = (windows.sndNxt[row]! - windows.sndUna[row]!) >>> 0;
    const ssthresh = windows.ssthresh[row]!;
    const sinceMs = (us: number) => (Number.isNaN(us) ? 0 : Math.max(0, Math.floor((timeUs - us) / 1000)));
    const shown = this.#info;
    shown.sendQ = unacked;
    shown.tcpi_state = this.#state;
    shown.tcpi_ca_state = caState(info);
    shown.tcpi_backoff = backoff(info);
    shown.tcpi_options = this.#options();
    shown.tcpi_snd_wscale = sndShift ?? (this.#receivedSyn ?? 0) & SYN_SHIFT_MASK;
    shown.tcpi_rcv_wscale = rcvShift ?? (this.#sentSyn ?? 0) & SYN_SHIFT_MASK;
    shown.tcpi_rto = windows.rtoUs[row]!;
    shown.tcpi_snd_mss = mss;
    shown.tcpi_unacked = mss > 0 ? Math.ceil(unacked / mss) : 0;
    shown.tcpi_last_data_sent = sinceMs(this.#lastSentUs);
    shown.tcpi_last_data_recv = sinceMs(this.#lastDataUs);
    shown.tcpi_last_ack_recv = sinceMs(this.#lastAckUs);
    shown.tcpi_rtt = windows.srttUs[row]!;
    shown.tcpi_rttvar = windows.rttvarUs[row]!;
    shown.tcpi_min_rtt = windows.minRttUs[row]!;
    shown.tcpi_snd_cwnd = Math.floor(windows.cwnd[row]! / segment);
    shown.tcpi_snd_ssthresh = ssthresh >= NO_THRESHOLD ? NO_THRESHOLD : Math.floor(ssthresh / segment);
    shown.tcpi_bytes_sent = this.#bytesSent;
    shown.tcpi_bytes_retrans = this.#bytesRetrans;
    shown.tcpi_bytes_acked = Math.max(0, this.#acked);
    shown.tcpi_bytes_received = Math.max(0, this.#received - 1);
    shown.tcpi_segs_out = this.#segsOut;
    shown.tcpi_segs_in = this.#segsIn;
    shown.tcpi_data_segs_out = this.#dataSegsOut;
    shown.tcpi_data_segs_in = this.#dataSegsIn;
    shown.tcpi_total_retrans = this.#retrans;
    shown.tcpi_reordering = reordering(info) || 3;
    shown.tcpi_pacing_rate = windows.pacingRate[row]!;
    shown.tcpi_busy_time = this.#busyUs;
    shown.tcpi_rwnd_limited = this.#rwndLimitedUs;
    shown.tcpi_snd_wnd = windows.sndWnd[row]!;
    shown.tcpi_rcv_wnd = windows.rcvWnd[row]!;
    return shown;
  }
}

/** What a log does not tell. */
function unknownInfo(congestion: string): MutableSsInfo {
  // One literal: made by spreading, its fields take longer to read and write (a third of all, in `bench convert ss`).
  return {
    congestion,
    recvQ: 0,
    sendQ: 0,
    tcpi_state: 0,
    tcpi_ca_state: 0,
    tcpi_retransmits: 0,
    tcpi_probes: 0,
    tcpi_backoff: 0,
    tcpi_options: 0,
    tcpi_fastopen_client_fail: 0,
    tcpi_snd_wscale: 0,
    tcpi_rcv_wscale: 0,
    tcpi_rto: 0,
    tcpi_ato: 0,
    tcpi_snd_mss: 0,
    tcpi_rcv_mss: 0,
    tcpi_unacked: 0,
    tcpi_sacked: 0,
    tcpi_lost: 0,
    tcpi_retrans: 0,
    tcpi_last_data_sent: 0,
    tcpi_last_data_recv: 0,
    tcpi_last_ack_recv: 0,
    tcpi_pmtu: 0,
    tcpi_rtt: 0,
    tcpi_rttvar: 0,
    tcpi_min_rtt: 0,
    tcpi_snd_ssthresh: 0,
    tcpi_snd_cwnd: 0,
    tcpi_advmss: 0,
    tcpi_rcv_ssthresh: 0,
    tcpi_rcv_rtt: 0,
    tcpi_rcv_space: 0,
    tcpi_rcv_ooopack: 0,
    tcpi_total_rto: 0,
    tcpi_total_retrans: 0,
    tcpi_bytes_acked: 0,
    tcpi_bytes_received: 0,
    tcpi_bytes_sent: 0,
    tcpi_bytes_retrans: 0,
    tcpi_segs_out: 0,
    tcpi_segs_in: 0,
    tcpi_data_segs_out: 0,
    tcpi_data_segs_in: 0,
    tcpi_delivered: 0,
    tcpi_delivered_ce: 0,
    tcpi_dsack_dups: 0,
    tcpi_reord_seen: 0,
    tcpi_reordering: 3,
    tcpi_pacing_rate: 0,
    tcpi_max_pacing_rate: 0,
    tcpi_delivery_rate: 0,
    tcpi_delivery_rate_app_limited: 0,
    tcpi_busy_time: 0,
    tcpi_rwnd_limited: 0,
    tcpi_sndbuf_limited: 0,
    tcpi_notsent_bytes: 0,
    tcpi_snd_wnd: 0,
    tcpi_rcv_wnd: 0,
  };
}
