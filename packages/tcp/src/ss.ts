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

/**
 * The two lines that iproute2's `ss -tin` prints for a connection: state, queues and addresses, then tcp_info in its
 * notation (times in milliseconds, rates in bits per second, nothing that is zero).
 * @param local @param remote as address:port.
 */
export function formatSs(info: SsInfo, local: string, remote: string): string {
  const state = STATES[info.tcpi_state] ?? STATES[0]!;
  return `${line(state, String(info.recvQ), String(info.sendQ), local, remote)}\n\t ${formatTcpInfo(info)}`;
}

function line(state: string, recvQ: string, sendQ: string, local: string, remote: string): string {
  return `${state.padEnd(10)} ${recvQ.padEnd(6)} ${sendQ.padEnd(6)} ${local.padStart(21)} ${remote.padStart(21)}`;
}

/** What `ss -i` prints of tcp_info. */
export function formatTcpInfo(info: SsInfo): string {
  const parts: string[] = [];
  /** A figure, unless it is zero. */
  const figure = (name: string, value: number) => {
    if (value > 0) parts.push(`${name}:${value}`);
  };
  const ms = (name: string, us: number) => {
    if (us > 0) parts.push(`${name}:${general(us / 1000)}`);
  };
  /** Bytes per second, shown as bits. */
  const rate = (name: string, bytes: number, most = 0) => {
    if (bytes > 0 && bytes < UNLIMITED) {
      parts.push(
        `${name} ${(bytes * 8).toFixed(0)}bps${most > 0 && most < UNLIMITED ? `/${(most * 8).toFixed(0)}bps` : ''}`,
      );
    }
  };
  for (const [bit, word] of OPTIONS) if (info.tcpi_options & bit) parts.push(word);
  parts.push(info.congestion);
  if (info.tcpi_options & OPT_WSCALE) parts.push(`wscale:${info.tcpi_snd_wscale},${info.tcpi_rcv_wscale}`);
  // ss leaves the figure out that stood for "not known" once.
  if (info.tcpi_rto !== 3_000_000) ms('rto', info.tcpi_rto);
  figure('backoff', info.tcpi_backoff);
  if (info.tcpi_rtt > 0) parts.push(`rtt:${general(info.tcpi_rtt / 1000)}/${general(info.tcpi_rttvar / 1000)}`);
  ms('ato', info.tcpi_ato);
  figure('mss', info.tcpi_snd_mss);
  figure('pmtu', info.tcpi_pmtu);
  figure('rcvmss', info.tcpi_rcv_mss);
  figure('advmss', info.tcpi_advmss);
  figure('cwnd', info.tcpi_snd_cwnd);
  if (info.tcpi_snd_ssthresh < 0xffff) figure('ssthresh', info.tcpi_snd_ssthresh);
  figure('bytes_sent', info.tcpi_bytes_sent);
  figure('bytes_retrans', info.tcpi_bytes_retrans);
  figure('bytes_acked', info.tcpi_bytes_acked);
  figure('bytes_received', info.tcpi_bytes_received);
  figure('segs_out', info.tcpi_segs_out);
  figure('segs_in', info.tcpi_segs_in);
  figure('data_segs_out', info.tcpi_data_segs_out);
  figure('data_segs_in', info.tcpi_data_segs_in);
  if (info.tcpi_rtt > 0) rate('send', (info.tcpi_snd_cwnd * info.tcpi_snd_mss * 1e6) / info.tcpi_rtt);
  figure('lastsnd', info.tcpi_last_data_sent);
  figure('lastrcv', info.tcpi_last_data_recv);
  figure('lastack', info.tcpi_last_ack_recv);
  rate('pacing_rate', info.tcpi_pacing_rate, info.tcpi_max_pacing_rate);
  rate('delivery_rate', info.tcpi_delivery_rate);
  figure('delivered', info.tcpi_delivered);
  figure('delivered_ce', info.tcpi_delivered_ce);
  if (info.tcpi_delivery_rate_app_limited > 0) parts.push('app_limited');
  if (info.tcpi_busy_time > 0) {
    parts.push(`busy:${Math.floor(info.tcpi_busy_time / 1000)}ms`);
    share('rwnd_limited', info.tcpi_rwnd_limited);
    share('sndbuf_limited', info.tcpi_sndbuf_limited);
  }
  figure('unacked', info.tcpi_unacked);
  if (info.tcpi_retrans > 0 || info.tcpi_total_retrans > 0) {
    parts.push(`retrans:${info.tcpi_retrans}/${info.tcpi_total_retrans}`);
  }
  figure('lost', info.tcpi_lost);
  figure('sacked', info.tcpi_sacked);
  figure('dsack_dups', info.tcpi_dsack_dups);
  if (info.tcpi_reordering !== 3) parts.push(`reordering:${info.tcpi_reordering}`);
  figure('reord_seen', info.tcpi_reord_seen);
  ms('rcv_rtt', info.tcpi_rcv_rtt);
  figure('rcv_space', info.tcpi_rcv_space);
  figure('rcv_ssthresh', info.tcpi_rcv_ssthresh);
  figure('notsent', info.tcpi_notsent_bytes);
  ms('minrtt', info.tcpi_min_rtt);
  figure('rcv_ooopack', info.tcpi_rcv_ooopack);
  figure('snd_wnd', info.tcpi_snd_wnd);
  figure('rcv_wnd', info.tcpi_rcv_wnd);
  return parts.join(' ');

  function share(name: string, us: number): void {
    if (us > 0) parts.push(`${name}:${Math.floor(us / 1000)}ms(${((100 * us) / info.tcpi_busy_time).toFixed(1)}%)`);
  }
}

/** TCPI_OPT_* bits that are shown as words, in that order. */
const OPT_WSCALE = 4;
const OPTIONS: readonly (readonly [number, string])[] = [
  [1, 'ts'],
  [2, 'sack'],
  [8, 'ecn'],
  [16, 'ecnseen'],
  [32, 'fastopen'],
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
