import type { Connection } from './connection.ts';
import { type TcpInfo, tcpInfo } from './info.ts';

/** What `ss` shows beside tcp_info. */
export interface SsInfo extends TcpInfo {
  /** Name of the congestion control. */
  readonly congestion: string;
  /** Bytes that the application has not read. */
  readonly recvQ: number;
  /** Bytes that the peer has not acknowledged. */
  readonly sendQ: number;
}

/** A snapshot of a connection for `formatSs`. */
export function ssInfo(c: Connection, nowUs: number): SsInfo {
  return { ...tcpInfo(c, nowUs), congestion: c.cc.name, recvQ: c.rcv.readable, sendQ: c.snd.bytes };
}

const words: string[] = [];

/** What is printed again and again, by number: a sink prepares it once. */
export const SS_WORDS: readonly string[] = words;

function word(text: string): number {
  return words.push(text) - 1;
}

/** By number of state, padded. */
const STATES = [
  ...['UNKNOWN', 'ESTAB', 'SYN-SENT', 'SYN-RECV', 'FIN-WAIT-1', 'FIN-WAIT-2', 'TIME-WAIT'],
  ...['UNCONN', 'CLOSE-WAIT', 'LAST-ACK', 'LISTEN', 'CLOSING'],
].map((state) => word(state.padEnd(10)));

const W = {
  blank: word(' '),
  newline: word('\n\t'),
  rtt: word(' rtt:'),
  slash: word('/'),
  appLimited: word(' app_limited'),
  busy: word(' busy:'),
  ms: word('ms'),
  bps: word('bps'),
  msOpen: word('ms('),
  percentClose: word('%)'),
  wscale: word(' wscale:'),
  rto: word(' rto:'),
  backoff: word(' backoff:'),
  ato: word(' ato:'),
  mss: word(' mss:'),
  pmtu: word(' pmtu:'),
  rcvmss: word(' rcvmss:'),
  advmss: word(' advmss:'),
  cwnd: word(' cwnd:'),
  ssthresh: word(' ssthresh:'),
  bytesSent: word(' bytes_sent:'),
  bytesRetrans: word(' bytes_retrans:'),
  bytesAcked: word(' bytes_acked:'),
  bytesReceived: word(' bytes_received:'),
  segsOut: word(' segs_out:'),
  segsIn: word(' segs_in:'),
  dataSegsOut: word(' data_segs_out:'),
  dataSegsIn: word(' data_segs_in:'),
  send: word(' send '),
  lastsnd: word(' lastsnd:'),
  lastrcv: word(' lastrcv:'),
  lastack: word(' lastack:'),
  pacingRate: word(' pacing_rate '),
  deliveryRate: word(' delivery_rate '),
  delivered: word(' delivered:'),
  deliveredCe: word(' delivered_ce:'),
  rwndLimited: word(' rwnd_limited:'),
  sndbufLimited: word(' sndbuf_limited:'),
  unacked: word(' unacked:'),
  retrans: word(' retrans:'),
  lost: word(' lost:'),
  sacked: word(' sacked:'),
  dsackDups: word(' dsack_dups:'),
  reordering: word(' reordering:'),
  reordSeen: word(' reord_seen:'),
  rcvRtt: word(' rcv_rtt:'),
  rcvSpace: word(' rcv_space:'),
  rcvSsthresh: word(' rcv_ssthresh:'),
  notsent: word(' notsent:'),
  minrtt: word(' minrtt:'),
  rcvOoopack: word(' rcv_ooopack:'),
  sndWnd: word(' snd_wnd:'),
  rcvWnd: word(' rcv_wnd:'),
  comma: word(','),
} as const;

/** The head of a table of `formatSs`. */
export const SS_HEADER = line('State', 'Recv-Q', 'Send-Q', 'Local Address:Port', 'Peer Address:Port');

/** Takes text piece by piece. */
export interface SsSink {
  /** The text SS_WORDS[index]: ASCII. */
  word(index: number): void;
  /** ASCII. */
  text(text: string): void;
  /** A whole number of up to 2^53. */
  integer(value: number): void;
}

/**
 * The two lines that iproute2's `ss -tin` prints for a connection: state, queues and addresses, then tcp_info in its
 * notation (times in milliseconds, rates in bits per second, nothing that is zero).
 * @param local @param remote as address:port.
 */
export function formatSs(info: SsInfo, local: string, remote: string): string {
  const gathered = new GatheredText();
  writeSs(gathered, info, local, remote);
  return gathered.all;
}

/** As `formatSs`, for whoever writes many. */
export function writeSs(sink: SsSink, info: SsInfo, local: string, remote: string): void {
  sink.word(STATES[info.tcpi_state] ?? STATES[0]!);
  column(sink, info.recvQ);
  column(sink, info.sendQ);
  sink.word(W.blank);
  sink.text(local.padStart(ADDRESS_PLACES));
  sink.word(W.blank);
  sink.text(remote.padStart(ADDRESS_PLACES));
  sink.word(W.newline);
  writeTcpInfo(sink, info);
}

/** What `ss -i` prints of tcp_info. */
export function formatTcpInfo(info: SsInfo): string {
  const gathered = new GatheredText();
  writeTcpInfo(gathered, info);
  return gathered.all.slice(1);
}

class GatheredText implements SsSink {
  all = '';

  word(index: number): void {
    this.all += words[index];
  }

  text(text: string): void {
    this.all += text;
  }

  integer(value: number): void {
    this.all += value;
  }
}

const ADDRESS_PLACES = 21;

/** A number of six places behind a blank. */
function column(sink: SsSink, value: number): void {
  sink.word(W.blank);
  sink.integer(value);
  for (let least = 10; least <= 100_000; least *= 10) if (value < least) sink.word(W.blank);
}

function line(state: string, recvQ: string, sendQ: string, local: string, remote: string): string {
  return `${state.padEnd(10)} ${recvQ.padEnd(6)} ${sendQ.padEnd(6)} ${local.padStart(21)} ${remote.padStart(21)}`;
}

/** Each part behind a blank. */
function writeTcpInfo(sink: SsSink, info: SsInfo): void {
  for (const [bit, word] of OPTIONS) if (info.tcpi_options & bit) sink.word(word);
  if (info.congestion !== '') {
    sink.word(W.blank);
    sink.text(info.congestion);
  }
  if (info.tcpi_options & OPT_WSCALE) pair(sink, W.wscale, info.tcpi_snd_wscale, W.comma, info.tcpi_rcv_wscale);
  // ss leaves the figure out that stood for "not known" once.
  if (info.tcpi_rto !== 3_000_000) ms(sink, W.rto, info.tcpi_rto);
  figure(sink, W.backoff, info.tcpi_backoff);
  if (info.tcpi_rtt > 0) {
    sink.word(W.rtt);
    milliseconds(sink, info.tcpi_rtt);
    sink.word(W.slash);
    milliseconds(sink, info.tcpi_rttvar);
  }
  ms(sink, W.ato, info.tcpi_ato);
  figure(sink, W.mss, info.tcpi_snd_mss);
  figure(sink, W.pmtu, info.tcpi_pmtu);
  figure(sink, W.rcvmss, info.tcpi_rcv_mss);
  figure(sink, W.advmss, info.tcpi_advmss);
  figure(sink, W.cwnd, info.tcpi_snd_cwnd);
  if (info.tcpi_snd_ssthresh < 0xffff) figure(sink, W.ssthresh, info.tcpi_snd_ssthresh);
  figure(sink, W.bytesSent, info.tcpi_bytes_sent);
  figure(sink, W.bytesRetrans, info.tcpi_bytes_retrans);
  figure(sink, W.bytesAcked, info.tcpi_bytes_acked);
  figure(sink, W.bytesReceived, info.tcpi_bytes_received);
  figure(sink, W.segsOut, info.tcpi_segs_out);
  figure(sink, W.segsIn, info.tcpi_segs_in);
  figure(sink, W.dataSegsOut, info.tcpi_data_segs_out);
  figure(sink, W.dataSegsIn, info.tcpi_data_segs_in);
  if (info.tcpi_rtt > 0) rate(sink, W.send, (info.tcpi_snd_cwnd * info.tcpi_snd_mss * 1e6) / info.tcpi_rtt);
  figure(sink, W.lastsnd, info.tcpi_last_data_sent);
  figure(sink, W.lastrcv, info.tcpi_last_data_recv);
  figure(sink, W.lastack, info.tcpi_last_ack_recv);
  rate(sink, W.pacingRate, info.tcpi_pacing_rate, info.tcpi_max_pacing_rate);
  rate(sink, W.deliveryRate, info.tcpi_delivery_rate);
  figure(sink, W.delivered, info.tcpi_delivered);
  figure(sink, W.deliveredCe, info.tcpi_delivered_ce);
  if (info.tcpi_delivery_rate_app_limited > 0) sink.word(W.appLimited);
  if (info.tcpi_busy_time > 0) {
    sink.word(W.busy);
    sink.integer(Math.floor(info.tcpi_busy_time / 1000));
    sink.word(W.ms);
    share(sink, W.rwndLimited, info.tcpi_rwnd_limited, info.tcpi_busy_time);
    share(sink, W.sndbufLimited, info.tcpi_sndbuf_limited, info.tcpi_busy_time);
  }
  figure(sink, W.unacked, info.tcpi_unacked);
  if (info.tcpi_retrans > 0 || info.tcpi_total_retrans > 0) {
    pair(sink, W.retrans, info.tcpi_retrans, W.slash, info.tcpi_total_retrans);
  }
  figure(sink, W.lost, info.tcpi_lost);
  figure(sink, W.sacked, info.tcpi_sacked);
  figure(sink, W.dsackDups, info.tcpi_dsack_dups);
  if (info.tcpi_reordering !== 3) pair(sink, W.reordering, info.tcpi_reordering);
  figure(sink, W.reordSeen, info.tcpi_reord_seen);
  ms(sink, W.rcvRtt, info.tcpi_rcv_rtt);
  figure(sink, W.rcvSpace, info.tcpi_rcv_space);
  figure(sink, W.rcvSsthresh, info.tcpi_rcv_ssthresh);
  figure(sink, W.notsent, info.tcpi_notsent_bytes);
  ms(sink, W.minrtt, info.tcpi_min_rtt);
  figure(sink, W.rcvOoopack, info.tcpi_rcv_ooopack);
  figure(sink, W.sndWnd, info.tcpi_snd_wnd);
  figure(sink, W.rcvWnd, info.tcpi_rcv_wnd);
}

/** A figure, unless it is zero. */
function figure(sink: SsSink, name: number, value: number): void {
  if (value > 0) pair(sink, name, value);
}

function pair(sink: SsSink, name: number, value: number, separator?: number, second = 0): void {
  sink.word(name);
  sink.integer(value);
  if (separator === undefined) return;
  sink.word(separator);
  sink.integer(second);
}

function ms(sink: SsSink, name: number, us: number): void {
  if (us <= 0) return;
  sink.word(name);
  milliseconds(sink, us);
}

/** Bytes per second, shown as bits. */
function rate(sink: SsSink, name: number, bytes: number, most = 0): void {
  if (!(bytes > 0 && bytes < UNLIMITED)) return;
  sink.word(name);
  bits(sink, bytes);
  if (most <= 0 || most >= UNLIMITED) return;
  sink.word(W.slash);
  bits(sink, most);
}

function bits(sink: SsSink, bytes: number): void {
  if (8 * bytes < Number.MAX_SAFE_INTEGER) sink.integer(Math.round(8 * bytes));
  else sink.text((8 * bytes).toFixed(0));
  sink.word(W.bps);
}

function share(sink: SsSink, name: number, us: number, ofUs: number): void {
  if (us <= 0) return;
  sink.word(name);
  sink.integer(Math.floor(us / 1000));
  sink.word(W.msOpen);
  sink.text(((100 * us) / ofUs).toFixed(1));
  sink.word(W.percentClose);
}

/** Microseconds as milliseconds with six significant digits (C's %g). */
function milliseconds(sink: SsSink, us: number): void {
  if (!Number.isInteger(us) || us < 1 || us >= 1_000_000) {
    sink.text(general(us / 1000));
    return;
  }
  sink.integer(Math.floor(us / 1000));
  sink.word(THOUSANDTHS[us % 1000]!);
}

/** The digits of 0..999 behind a point, without zeros at the end. */
const THOUSANDTHS = Array.from({ length: 1000 }, (_, value) => word(String(value / 1000).slice(1)));

/** TCPI_OPT_* bits that are shown as words, in that order. */
const OPT_WSCALE = 4;
const OPTIONS: readonly (readonly [number, number])[] = [
  [1, word(' ts')],
  [2, word(' sack')],
  [8, word(' ecn')],
  [16, word(' ecnseen')],
  [32, word(' fastopen')],
];

/** Linux's ~0 of 64 bits: no limit. */
const UNLIMITED = 2 ** 64;

/** C's %g: six significant digits, no zeros behind. */
function general(value: number): string {
  if (value !== 0 && (value < 1e-4 || value >= 999_999.5)) {
    const [mantissa, exponent] = value.toExponential(5).split('e') as [string, string];
    const digits = exponent.slice(1).padStart(2, '0');
    return `${mantissa.replace(/\.?0+$/, '')}e${exponent[0]}${digits}`;
  }
  return String(Number(value.toPrecision(6)));
}
