/** Every tunable of TCP, with Linux's default where Linux has one (its sysctl in brackets). Times in microseconds. */
export interface TcpConfig {
  /** Send buffer in bytes, up to MAX_BUFFER_BYTES. */
  readonly sndBuf: number;
  /** Receive buffer in bytes, up to MAX_BUFFER_BYTES; the window never exceeds it. */
  readonly rcvBuf: number;
  /**
   * Begin with small buffers and let them grow to `sndBuf` and `rcvBuf` with the flow [tcp_moderate_rcvbuf]; else they
   * are in force from the start (as after SO_SNDBUF, SO_RCVBUF).
   */
  readonly autoTune: boolean;
  /** Largest MSS to announce and to send, before options; 0 takes it from the path (MTU - 40). */
  readonly mss: number;
  /** RFC 7323 timestamps [tcp_timestamps]. */
  readonly timestamps: boolean;
  /** RFC 7323 window scaling [tcp_window_scaling]. */
  readonly windowScaling: boolean;
  /** RFC 2018 selective acknowledgments [tcp_sack]. */
  readonly sack: boolean;
  /** Congestion control by name [tcp_congestion_control]. */
  readonly congestion: CongestionName;
  /**
   * CUBIC grows at least as fast as Reno would, RFC 9438 section 4.3 [tcp_friendliness of tcp_cubic]. Reno's growth is by
   * round trips, so flows share in inverse proportion to them; without it they share more evenly.
   */
  readonly renoFriendly: boolean;
  /**
   * Spread data over round trips of 2 ms and more instead of sending as acknowledgments come [fq]: bursts of many flows
   * overflow shallow queues. BBR always does.
   */
  readonly pacing: boolean;
  /** Most bytes per second to send (SO_MAX_PACING_RATE); below Infinity data is paced. */
  readonly maxPacingBytesPerSecond: number;
  /** Initial congestion window in segments, RFC 6928. */
  readonly initialCwnd: number;
  /** No Nagle (TCP_NODELAY). */
  readonly noDelay: boolean;
  /** Longest an acknowledgment is held back, below the 500 ms of RFC 9293 [40 ms]. */
  readonly delayedAckUs: number;
  /** Segments that are acknowledged at once at the start of a connection [16]. */
  readonly quickAcks: number;
  /** RTO before the first measurement, RFC 6298 (2.1). */
  readonly initialRtoUs: number;
  /** Least variance term: RTO = SRTT + max(4 RTTVAR, minRto), as Linux has it [200 ms]. */
  readonly minRtoUs: number;
  /** Upper bound of the RTO, RFC 6298 (2.5) [120 s]. */
  readonly maxRtoUs: number;
  /** Retransmissions of a SYN: 4 min, as MUST-23 wants at least 3 min [tcp_syn_retries is 6, 2 min]. */
  readonly synRetries: number;
  /** SYN timeouts without backoff before the exponential ones [tcp_syn_linear_timeouts, 4 there]. */
  readonly synLinearTimeouts: number;
  /** Retransmissions of a SYN-ACK [tcp_synack_retries]. */
  readonly synAckRetries: number;
  /**
   * SYN-ACK timeouts during which a listener takes no bare ACK for the end of a handshake: it hands a connection over when
   * its first data is there, 0 for at once [TCP_DEFER_ACCEPT, in timeouts as Linux counts it].
   */
  readonly deferAccept: number;
  /** R1 as retransmissions: after them IP is advised to look for another way, and the application is told [tcp_retries1]. */
  readonly retries1: number;
  /** R2 as retransmissions of data [tcp_retries2]: the connection is given up after them. */
  readonly retries2: number;
  /** Doublings of the RTO, or of the interval of probes, after which a closed connection is given up [tcp_orphan_retries]. */
  readonly orphanRetries: number;
  /** RFC 5482 user timeout, 0 for none (R2 rules). */
  readonly userTimeoutUs: number;
  /** Duplicate acknowledgments that mean loss [tcp_reordering]. */
  readonly dupThresh: number;
  /** RACK loss detection, RFC 8985 [tcp_recovery & 1]; without it RFC 6675. */
  readonly rack: boolean;
  /** Tail loss probes, RFC 8985 section 7 [tcp_early_retrans]. */
  readonly lossProbe: boolean;
  /** F-RTO, RFC 5682 [tcp_frto]. */
  readonly frto: boolean;
  /** Report duplicates by D-SACK, RFC 2883 [tcp_dsack]. */
  readonly dsack: boolean;
  /** ECN, RFC 3168: ask for it (on), take it when asked (passive), never (off) [tcp_ecn 1, 2, 0]. */
  readonly ecn: 'off' | 'passive' | 'on';
  /** Accurate ECN, RFC 9768, where ECN is asked for or taken; else the classic kind [tcp_ecn 3 and 5]. */
  readonly accurateEcn: boolean;
  /**
   * Heed ICMP "fragmentation needed", RFC 1191; else segments are as large as the device takes, whatever routers say
   * [IP_MTU_DISCOVER: WANT and DO, or the others].
   */
  readonly pathMtuDiscovery: boolean;
  /** Send data with the SYN where `connect` is given some and a cookie is known, RFC 7413 [tcp_fastopen & 1]. */
  readonly fastOpenClient: boolean;
  /** Give out Fast Open cookies, and take data that comes with them in a SYN [tcp_fastopen & 2]. */
  readonly fastOpenServer: boolean;
  /** Send data with the SYN to hosts that never gave a cookie: for networks that are closed [tcp_fastopen & 4]. */
  readonly fastOpenClientNoCookie: boolean;
  /** Take data in a SYN without a cookie: for networks where nobody lies about his address [tcp_fastopen & 0x200]. */
  readonly fastOpenServerNoCookie: boolean;
  /** Connections of a listener that may have come by Fast Open and not be established yet (TCP_FASTOPEN). */
  readonly fastOpenBacklog: number;
  /** Answer SYNs beyond the backlog with cookies [tcp_syncookies]. */
  readonly synCookies: boolean;
  /** RFC 4821: search for the path's MTU always, after a black hole was met, or never [tcp_mtu_probing 2, 1, 0]. */
  readonly mtuProbing: 'off' | 'blackhole' | 'always';
  /** Where the search begins, payload bytes [tcp_base_mss]. */
  readonly baseMss: number;
  /** Hold small segments back until uncorked (TCP_CORK). */
  readonly cork: boolean;
  /** Unsent bytes beyond which a write takes no more (TCP_NOTSENT_LOWAT) [tcp_notsent_lowat]. */
  readonly notsentLowat: number;
  /** TOS byte of what is sent; its two ECN bits are TCP's (IP_TOS). */
  readonly tos: number;
  /** Keepalive probes (off by default: MUST-25). */
  readonly keepAlive: boolean;
  readonly keepAliveIdleUs: number;
  readonly keepAliveIntervalUs: number;
  readonly keepAliveProbes: number;
  /** 2 MSL: how long TIME-WAIT lasts [60 s]. */
  readonly timeWaitUs: number;
  /** A RST does not end TIME-WAIT, RFC 1337 [tcp_rfc1337; off in Linux]. */
  readonly rfc1337: boolean;
  /** How long a fully closed connection waits in FIN-WAIT-2 [tcp_fin_timeout]. */
  readonly finTimeoutUs: number;
  /** Least time between challenge ACKs that carry no data, RFC 5961 section 7 [tcp_invalid_ratelimit]. */
  readonly challengeAckIntervalUs: number;
  /** Slow start again after an idle RTO, RFC 2861 [tcp_slow_start_after_idle]. */
  readonly slowStartAfterIdle: boolean;
}

export type CongestionName = 'cubic' | 'newreno' | 'bbr' | 'none';

export const MAX_BUFFER_BYTES = 16 * 1024 * 1024;

export const DEFAULT_TCP_CONFIG: TcpConfig = {
  sndBuf: 1024 * 1024,
  rcvBuf: 1024 * 1024,
  autoTune: true,
  mss: 0,
  timestamps: true,
  windowScaling: true,
  sack: true,
  congestion: 'cubic',
  renoFriendly: true,
  pacing: true,
  maxPacingBytesPerSecond: Number.POSITIVE_INFINITY,
  initialCwnd: 10,
  noDelay: false,
  delayedAckUs: 40_000,
  quickAcks: 16,
  initialRtoUs: 1_000_000,
  minRtoUs: 200_000,
  maxRtoUs: 120_000_000,
  synRetries: 7,
  synLinearTimeouts: 0,
  synAckRetries: 5,
  deferAccept: 0,
  retries1: 3,
  retries2: 15,
  orphanRetries: 8,
  userTimeoutUs: 0,
  dupThresh: 3,
  rack: true,
  lossProbe: true,
  frto: true,
  dsack: true,
  ecn: 'passive',
  accurateEcn: false,
  pathMtuDiscovery: true,
  fastOpenClient: true,
  fastOpenServer: false,
  fastOpenClientNoCookie: false,
  fastOpenServerNoCookie: false,
  fastOpenBacklog: 128,
  synCookies: true,
  mtuProbing: 'blackhole',
  baseMss: 1024,
  cork: false,
  notsentLowat: Number.POSITIVE_INFINITY,
  tos: 0,
  keepAlive: false,
  keepAliveIdleUs: 7_200_000_000,
  keepAliveIntervalUs: 75_000_000,
  keepAliveProbes: 9,
  timeWaitUs: 60_000_000,
  rfc1337: true,
  finTimeoutUs: 60_000_000,
  challengeAckIntervalUs: 500_000,
  slowStartAfterIdle: true,
};

/**
 * Fills in defaults and checks ranges.
 * @throws RangeError naming the tunable, its value and its range.
 */
export function tcpConfig(partial?: Partial<TcpConfig>, base: TcpConfig = DEFAULT_TCP_CONFIG): TcpConfig {
  // Connections that ask for nothing of their own share one.
  if (partial === undefined) return base;
  // Who names a buffer size means it: it is in force from the start, as after SO_SNDBUF or SO_RCVBUF.
  const fixed = partial.sndBuf !== undefined || partial.rcvBuf !== undefined;
  const config = { ...base, autoTune: base.autoTune && !fixed, ...partial };
  range(config, 'sndBuf', 1, MAX_BUFFER_BYTES);
  range(config, 'rcvBuf', 1, MAX_BUFFER_BYTES);
  if (config.mss !== 0) range(config, 'mss', 48, 65495);
  range(config, 'initialCwnd', 1, 1000);
  range(config, 'maxPacingBytesPerSecond', 1, Number.POSITIVE_INFINITY);
  range(config, 'delayedAckUs', 0, 499_999);
  range(config, 'dupThresh', 1, 300);
  range(config, 'initialRtoUs', 1, config.maxRtoUs);
  if (!CONGESTION_NAMES.includes(config.congestion)) {
    throw new RangeError(`congestion '${config.congestion}' is unknown: use ${CONGESTION_NAMES.join(', ')}`);
  }
  return config;
}

export const CONGESTION_NAMES: readonly CongestionName[] = ['cubic', 'newreno', 'bbr', 'none'];

function range(config: TcpConfig, key: keyof TcpConfig, least: number, most: number): void {
  const value = config[key];
  if (typeof value !== 'number' || !(value >= least && value <= most)) {
    throw new RangeError(`${key} ${String(value)} must be in ${least}..${most}`);
  }
}
