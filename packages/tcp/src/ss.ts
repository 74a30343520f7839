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

/** By number of state. */
const STATES = [
  ...['UNKNOWN', 'ESTAB', 'SYN-SENT', 'SYN-RECV', 'FIN-WAIT-1', 'FIN-WAIT-2', 'TIME-WAIT'],
  ...['UNCONN', 'CLOSE-WAIT', 'LAST-ACK', 'LISTEN', 'CLOSING'],
];

/** The head of a table of `formatSs`. */
export const SS_HEADER = line('State', 'Recv-Q', 'Send-Q', 'Local Address:Port', 'Peer Address:Port');

/** Takes text piece by piece. */
export interface SsSink {
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
  sink.text(PADDED_STATES[info.tcpi_state] ?? PADDED_STATES[0]!);
  column(sink, info.recvQ);
  column(sink, info.sendQ);
  sink.text(' ');
  sink.text(local.padStart(ADDRESS_PLACES));
  sink.text(' ');
  sink.text(remote.padStart(ADDRESS_PLACES));
  sink.text('\n\t');
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

  text(text: string): void {
    this.all += text;
  }

  integer(value: number): void {
    this.all += value;
  }
}

const PADDED_STATES = STATES.map((state) => state.padEnd(10));
const ADDRESS_PLACES = 21;

/** A number of six places behind a blank. */
function column(sink: SsSink, value: number): void {
  sink.text(' ');
  sink.integer(value);
  for (let least = 10; least <= 100_000; least *= 10) if (value < least) sink.text(' ');
}

function line(state: string, recvQ: string, sendQ: string, local: string, remote: string): string {
  return `${state.padEnd(10)} ${recvQ.padEnd(6)} ${sendQ.padEnd(6)} ${local.padStart(21)} ${remote.padStart(21)}`;
}

/** Each part behind a blank. */
function writeTcpInfo(sink: SsSink, info: SsInfo): void {
  for (const [bit, word] of OPTIONS) if (info.tcpi_options & bit) sink.text(word);
  sink.text(' ');
  sink.text(info.congestion);
  if (info.tcpi_options & OPT_WSCALE) pair(sink, ' wscale:', info.tcpi_snd_wscale, ',', info.tcpi_rcv_wscale);
  // ss leaves the figure out that stood for "not known" once.
  if (info.tcpi_rto !== 3_000_000) ms(sink, ' rto:', info.tcpi_rto);
  figure(sink, ' backoff:', info.tcpi_backoff);
  if (info.tcpi_rtt > 0) {
    sink.text(' rtt:');
    milliseconds(sink, info.tcpi_rtt);
    sink.text('/');
    milliseconds(sink, info.tcpi_rttvar);
  }
  ms(sink, ' ato:', info.tcpi_ato);
  figure(sink, ' mss:', info.tcpi_snd_mss);
  figure(sink, ' pmtu:', info.tcpi_pmtu);
  figure(sink, ' rcvmss:', info.tcpi_rcv_mss);
  figure(sink, ' advmss:', info.tcpi_advmss);
  figure(sink, ' cwnd:', info.tcpi_snd_cwnd);
  if (info.tcpi_snd_ssthresh < 0xffff) figure(sink, ' ssthresh:', info.tcpi_snd_ssthresh);
  figure(sink, ' bytes_sent:', info.tcpi_bytes_sent);
  figure(sink, ' bytes_retrans:', info.tcpi_bytes_retrans);
  figure(sink, ' bytes_acked:', info.tcpi_bytes_acked);
  figure(sink, ' bytes_received:', info.tcpi_bytes_received);
  figure(sink, ' segs_out:', info.tcpi_segs_out);
  figure(sink, ' segs_in:', info.tcpi_segs_in);
  figure(sink, ' data_segs_out:', info.tcpi_data_segs_out);
  figure(sink, ' data_segs_in:', info.tcpi_data_segs_in);
  if (info.tcpi_rtt > 0) rate(sink, ' send ', (info.tcpi_snd_cwnd * info.tcpi_snd_mss * 1e6) / info.tcpi_rtt);
  figure(sink, ' lastsnd:', info.tcpi_last_data_sent);
  figure(sink, ' lastrcv:', info.tcpi_last_data_recv);
  figure(sink, ' lastack:', info.tcpi_last_ack_recv);
  rate(sink, ' pacing_rate ', info.tcpi_pacing_rate, info.tcpi_max_pacing_rate);
  rate(sink, ' delivery_rate ', info.tcpi_delivery_rate);
  figure(sink, ' delivered:', info.tcpi_delivered);
  figure(sink, ' delivered_ce:', info.tcpi_delivered_ce);
  if (info.tcpi_delivery_rate_app_limited > 0) sink.text(' app_limited');
  if (info.tcpi_busy_time > 0) {
    sink.text(' busy:');
    sink.integer(Math.floor(info.tcpi_busy_time / 1000));
    sink.text('ms');
    share(sink, ' rwnd_limited:', info.tcpi_rwnd_limited, info.tcpi_busy_time);
    share(sink, ' sndbuf_limited:', info.tcpi_sndbuf_limited, info.tcpi_busy_time);
  }
  figure(sink, ' unacked:', info.tcpi_unacked);
  if (info.tcpi_retrans > 0 || info.tcpi_total_retrans > 0) {
    pair(sink, ' retrans:', info.tcpi_retrans, '/', info.tcpi_total_retrans);
  }
  figure(sink, ' lost:', info.tcpi_lost);
  figure(sink, ' sacked:', info.tcpi_sacked);
  figure(sink, ' dsack_dups:', info.tcpi_dsack_dups);
  if (info.tcpi_reordering !== 3) pair(sink, ' reordering:', info.tcpi_reordering);
  figure(sink, ' reord_seen:', info.tcpi_reord_seen);
  ms(sink, ' rcv_rtt:', info.tcpi_rcv_rtt);
  figure(sink, ' rcv_space:', info.tcpi_rcv_space);
  figure(sink, ' rcv_ssthresh:', info.tcpi_rcv_ssthresh);
  figure(sink, ' notsent:', info.tcpi_notsent_bytes);
  ms(sink, ' minrtt:', info.tcpi_min_rtt);
  figure(sink, ' rcv_ooopack:', info.tcpi_rcv_ooopack);
  figure(sink, ' snd_wnd:', info.tcpi_snd_wnd);
  figure(sink, ' rcv_wnd:', info.tcpi_rcv_wnd);
}

/** A figure, unless it is zero. */
function figure(sink: SsSink, name: string, value: number): void {
  if (value > 0) pair(sink, name, value);
}

function pair(sink: SsSink, name: string, value: number, separator?: string, second = 0): void {
  sink.text(name);
  sink.integer(value);
  if (separator === undefined) return;
  sink.text(separator);
  sink.integer(second);
}

function ms(sink: SsSink, name: string, us: number): void {
  if (us <= 0) return;
  sink.text(name);
  milliseconds(sink, us);
}

/** Bytes per second, shown as bits. */
function rate(sink: SsSink, name: string, bytes: number, most = 0): void {
  if (!(bytes > 0 && bytes < UNLIMITED)) return;
  sink.text(name);
  bits(sink, bytes);
  if (most <= 0 || most >= UNLIMITED) return;
  sink.text('/');
  bits(sink, most);
}

function bits(sink: SsSink, bytes: number): void {
  if (8 * bytes < Number.MAX_SAFE_INTEGER) sink.integer(Math.round(8 * bytes));
  else sink.text((8 * bytes).toFixed(0));
  sink.text('bps');
}

function share(sink: SsSink, name: string, us: number, ofUs: number): void {
  if (us <= 0) return;
  sink.text(name);
  sink.integer(Math.floor(us / 1000));
  sink.text('ms(');
  sink.text(((100 * us) / ofUs).toFixed(1));
  sink.text('%)');
}

/** Microseconds as milliseconds with six significant digits (C's %g). */
function milliseconds(sink: SsSink, us: number): void {
  if (!Number.isInteger(us) || us < 1 || us >= 1_000_000) {
    sink.text(general(us / 1000));
    return;
  }
  sink.integer(Math.floor(us / 1000));
  sink.text(THOUSANDTHS[us % 1000]!);
}

/** The digits of 0..999 behind a point, without zeros at the end. */
const THOUSANDTHS = Array.from({ length: 1000 }, (_, value) => String(value / 1000).slice(1));

/** TCPI_OPT_* bits that are shown as words, in that order. */
const OPT_WSCALE = 4;
const OPTIONS: readonly (readonly [number, string])[] = [
  [1, ' ts'],
  [2, ' sack'],
  [8, ' ecn'],
  [16, ' ecnseen'],
  [32, ' fastopen'],
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
