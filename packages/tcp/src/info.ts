import { NEVER } from '@qanat/clock';
import { settleChrono } from './chrono.ts';
import type { Connection } from './connection.ts';
import { announcedMssFor } from './control-output.ts';
import { pacingRate } from './pacing.ts';
import { deliveryRate } from './rate.ts';

/** Linux's struct tcp_info as far as it makes sense here, with Linux's names and units (times in us unless named). */
export interface TcpInfo {
  readonly tcpi_state: number;
  readonly tcpi_ca_state: number;
  readonly tcpi_retransmits: number;
  readonly tcpi_probes: number;
  readonly tcpi_backoff: number;
  /** TCPI_OPT_*: 1 timestamps, 2 SACK, 4 window scaling, 8 ECN, 32 data of a SYN was taken (Fast Open). */
  readonly tcpi_options: number;
  /** Why data did not go with the SYN: 1 no cookie; or went twice: 2 not acknowledged, 3 the SYN had to be sent again. */
  readonly tcpi_fastopen_client_fail: number;
  readonly tcpi_snd_wscale: number;
  readonly tcpi_rcv_wscale: number;
  readonly tcpi_rto: number;
  /** How long an acknowledgment may be held back; 0 before data has come. */
  readonly tcpi_ato: number;
  readonly tcpi_snd_mss: number;
  readonly tcpi_rcv_mss: number;
  readonly tcpi_unacked: number;
  readonly tcpi_sacked: number;
  readonly tcpi_lost: number;
  readonly tcpi_retrans: number;
  /** Milliseconds. */
  readonly tcpi_last_data_sent: number;
  readonly tcpi_last_data_recv: number;
  readonly tcpi_last_ack_recv: number;
  readonly tcpi_pmtu: number;
  readonly tcpi_rtt: number;
  readonly tcpi_rttvar: number;
  readonly tcpi_min_rtt: number;
  /** Segments. */
  readonly tcpi_snd_ssthresh: number;
  readonly tcpi_snd_cwnd: number;
  readonly tcpi_advmss: number;
  /** Most that is advertised for now, bytes. */
  readonly tcpi_rcv_ssthresh: number;
  /** Round trip as the receiver measures it; 0 before it could. */
  readonly tcpi_rcv_rtt: number;
  /** What the application read in the round trip in which it read most, bytes. */
  readonly tcpi_rcv_space: number;
  /** Segments that came ahead of missing ones. */
  readonly tcpi_rcv_ooopack: number;
  /** Retransmission timeouts. */
  readonly tcpi_total_rto: number;
  readonly tcpi_total_retrans: number;
  readonly tcpi_bytes_acked: number;
  readonly tcpi_bytes_received: number;
  readonly tcpi_bytes_sent: number;
  readonly tcpi_bytes_retrans: number;
  readonly tcpi_segs_out: number;
  readonly tcpi_segs_in: number;
  readonly tcpi_data_segs_out: number;
  readonly tcpi_data_segs_in: number;
  readonly tcpi_delivered: number;
  readonly tcpi_delivered_ce: number;
  readonly tcpi_dsack_dups: number;
  /** Whether reordering was seen. */
  readonly tcpi_reord_seen: number;
  readonly tcpi_reordering: number;
  /** Bytes per second; without a limit 2^64 - 1, as in Linux. */
  readonly tcpi_pacing_rate: number;
  readonly tcpi_max_pacing_rate: number;
  /** Bytes per second, and whether the application held it down. */
  readonly tcpi_delivery_rate: number;
  readonly tcpi_delivery_rate_app_limited: number;
  readonly tcpi_busy_time: number;
  readonly tcpi_rwnd_limited: number;
  readonly tcpi_sndbuf_limited: number;
  readonly tcpi_notsent_bytes: number;
  readonly tcpi_snd_wnd: number;
  readonly tcpi_rcv_wnd: number;
}

const OPT_TIMESTAMPS = 1;
const OPT_SACK = 2;
const OPT_WSCALE = 4;
const OPT_ECN = 8;
const OPT_SYN_DATA = 32;

/** Linux's ~0 of 64 bits. */
const NO_PACING = 2 ** 64;

/** A snapshot of a connection. */
export function tcpInfo(c: Connection, nowUs: number): TcpInfo {
  settleChrono(c, nowUs);
  const advMss = announcedMssFor(c.config, c.path);
  const sinceMs = (us: number) => Math.max(0, Math.floor((nowUs - us) / 1000));
  return {
    tcpi_state: c.state,
    tcpi_ca_state: c.caState,
    tcpi_retransmits: c.persisting ? 0 : c.retries,
    tcpi_probes: c.persisting ? c.retries : c.keepAliveSent,
    tcpi_backoff: c.backoff,
    tcpi_options:
      (c.timestampsOk ? OPT_TIMESTAMPS : 0) |
      (c.sackOk ? OPT_SACK : 0) |
      (c.windowScaleOk ? OPT_WSCALE : 0) |
      (c.ecnOk ? OPT_ECN : 0) |
      (c.synDataAcked ? OPT_SYN_DATA : 0),
    tcpi_fastopen_client_fail: c.fastOpenFail,
    tcpi_snd_wscale: c.sndWndShift,
    tcpi_rcv_wscale: c.rcvWndShift,
    tcpi_rto: Math.round(c.rtoUs),
    tcpi_ato: c.dataSegsIn > 0 ? c.config.delayedAckUs : 0,
    tcpi_snd_mss: c.mss,
    tcpi_rcv_mss: c.rcvMss,
    tcpi_unacked: c.rtx.packetsOut,
    tcpi_sacked: c.rtx.sackedOut,
    tcpi_lost: c.rtx.lostOut,
    tcpi_retrans: c.rtx.retransOut,
    tcpi_last_data_sent: sinceMs(c.lastSentUs),
    tcpi_last_data_recv: sinceMs(Math.max(c.dataReceivedUs, c.establishedUs)),
    tcpi_last_ack_recv: sinceMs(c.lastReceivedUs),
    tcpi_pmtu: c.pathMtu,
    tcpi_rtt: Math.round(c.rtt.srttUs),
    tcpi_rttvar: Math.round(c.rtt.rttvarUs),
    tcpi_min_rtt: c.rtt.minRttUs === NEVER ? 0 : Math.round(c.rtt.minRttUs),
    tcpi_snd_ssthresh: c.ssthresh,
    tcpi_snd_cwnd: c.cwnd,
    tcpi_advmss: advMss,
    tcpi_rcv_ssthresh: Math.min(c.rcvGrown, c.rcvClamp, c.rcv.limit),
    tcpi_rcv_rtt: Math.round(c.rcvRttUs),
    tcpi_rcv_space: c.rcvSpace > 0 ? c.rcvSpace : Math.min(c.rcv.limit, c.config.initialCwnd * advMss),
    tcpi_rcv_ooopack: c.counters?.TCPOFOQueue ?? 0,
    tcpi_total_rto: c.counters?.TCPTimeouts ?? 0,
    tcpi_total_retrans: c.totalRetrans,
    tcpi_bytes_acked: c.bytesAcked,
    tcpi_bytes_received: c.bytesReceived,
    tcpi_bytes_sent: c.bytesSent,
    tcpi_bytes_retrans: c.bytesRetransmitted,
    tcpi_segs_out: c.segsOut,
    tcpi_segs_in: c.segsIn,
    tcpi_data_segs_out: c.dataSegsOut,
    tcpi_data_segs_in: c.dataSegsIn,
    tcpi_delivered: c.delivered,
    tcpi_delivered_ce: c.deliveredCe,
    tcpi_dsack_dups: c.dsackDups,
    tcpi_reord_seen: c.rack.reorderingSeen ? 1 : 0,
    tcpi_reordering: c.config.dupThresh,
    tcpi_pacing_rate: Math.min(Math.floor(pacingRate(c)), NO_PACING),
    tcpi_max_pacing_rate: Math.min(c.config.maxPacingBytesPerSecond, NO_PACING),
    tcpi_delivery_rate: deliveryRate(c),
    tcpi_delivery_rate_app_limited: c.rateAppLimited ? 1 : 0,
    tcpi_busy_time: c.busyUs,
    tcpi_rwnd_limited: c.rwndLimitedUs,
    tcpi_sndbuf_limited: c.sndbufLimitedUs,
    tcpi_notsent_bytes: Math.max(0, (c.snd.end - c.sndNxt) | 0),
    tcpi_snd_wnd: c.sndWnd,
    tcpi_rcv_wnd: c.rcvWnd,
  };
}
