import { type CongestionName, type FastOpenKey, MAX_BUFFER_BYTES, type TcpConfig } from '@qanat/tcp';
import { UnsupportedError } from '../errors.ts';
import { FAST_OPEN_CLIENT, fastOpenBits, fastOpenKeys } from './fast-open.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
export type MemoryTriple = readonly [least: number, initial: number, most: number];

/** No limit on unsent bytes (tcp_notsent_lowat). */
export const NO_LOWAT = 0xffffffff;

/** The sysctls of the machine under test, as they bear on its sockets. */
export class Settings {
  rmem: MemoryTriple = [4096, 131072, 6291456];
  wmem: MemoryTriple = [4096, 16384, 4194304];
  congestion = 'cubic';
  notsentLowat = NO_LOWAT;
  somaxconn = 4096;
  finTimeoutSeconds = 60;
  synRetries = 6;
  /** Linux since 6.5. */
  synLinearTimeouts = 4;
  keepAliveSeconds = 7200;
  keepAliveIntervalSeconds = 75;
  keepAliveProbes = 9;
  /** FAST_OPEN_* bits. */
  fastOpen = FAST_OPEN_CLIENT;
  /** Keys of cookies, the newest first; none: the stack's own. */
  fastOpenKeys: readonly FastOpenKey[] = [];
  /** Tunables for new connections. */
  readonly tcp: Mutable<Partial<TcpConfig>> = {
    autoTune: false,
    pacing: false,
    mtuProbing: 'off',
    synRetries: 6,
    synLinearTimeouts: 4,
    rfc1337: false,
  };
  /** Tunables that Linux reads from the sysctl each time, so that old connections follow too. */
  readonly live: Mutable<Partial<TcpConfig>> = {};
  readonly #values = new Map<string, string>();

  constructor() {
    this.#applyMemory();
  }

  /**
   * Sets a sysctl by its name without `net.`: ipv4.tcp_timestamps.
   * @throws UnsupportedError for a name that is not known, and for a value whose behaviour is missing here.
   */
  set(name: string, value: string): void {
    const apply = APPLY.get(name);
    if (apply) {
      apply(this, value, name);
    } else {
      const only = ACCEPTED.get(name);
      if (only === undefined) throw new UnsupportedError(`the sysctl ${name} is not known`);
      if (only !== 'any' && !only.includes(value)) {
        throw new UnsupportedError(`the sysctl ${name}=${value} is not supported (only ${only.join(', ')})`);
      }
    }
    this.#values.set(name, value);
  }

  setMemory(kind: 'rmem' | 'wmem', triple: MemoryTriple): void {
    this[kind] = triple;
    this.#applyMemory();
  }

  #applyMemory(): void {
    // The send buffer is bounded by the socket layer here, as Linux does by sk_sndbuf; TCP's own queue never is in the way.
    this.tcp.sndBuf = MAX_BUFFER_BYTES / 4;
    this.tcp.rcvBuf = Math.min(this.rmem[2], MAX_BUFFER_BYTES);
  }
}

type Apply = (settings: Settings, value: string, name: string) => void;

function integer(value: string, name: string): number {
  const number = Number(value);
  if (value.trim() === '' || !Number.isSafeInteger(number))
    throw new UnsupportedError(`the sysctl ${name}=${value} is no integer`);
  return number;
}

function tunable(key: keyof TcpConfig, convert: (number: number) => number | boolean, live = false): Apply {
  return (settings, value, name) => {
    const converted = convert(integer(value, name));
    const part = { [key]: converted };
    Object.assign(settings.tcp, part);
    if (live) Object.assign(settings.live, part);
  };
}

function memory(kind: 'rmem' | 'wmem'): Apply {
  return (settings, value, name) => {
    const parts = value
      .trim()
      .split(/[\s,]+/)
      .map((part) => integer(part, name));
    const [least, initial, most] = parts;
    if (parts.length !== 3 || least === undefined || initial === undefined || most === undefined) {
      throw new UnsupportedError(`the sysctl ${name}=${value} is not three integers`);
    }
    settings.setMemory(kind, [least, initial, most]);
  };
}

function figure(
  key:
    | 'notsentLowat'
    | 'somaxconn'
    | 'finTimeoutSeconds'
    | 'synRetries'
    | 'synLinearTimeouts'
    | 'keepAliveSeconds'
    | 'keepAliveIntervalSeconds'
    | 'keepAliveProbes',
  also?: Apply,
): Apply {
  return (settings, value, name) => {
    settings[key] = integer(value, name);
    also?.(settings, value, name);
  };
}

function ecn(settings: Settings, value: string, name: string): void {
  // 4 asks for classic ECN and takes the accurate kind: a mixture that we do not have.
  const mode = (['off', 'on', 'passive', 'on', undefined, 'passive'] as const)[integer(value, name)];
  if (mode === undefined) throw new UnsupportedError(`the sysctl ${name}=${value} is not supported`);
  settings.tcp.ecn = mode;
  settings.tcp.accurateEcn = integer(value, name) > 2;
}

function synCookies(settings: Settings, value: string, name: string): void {
  const mode = integer(value, name);
  if (mode !== 0 && mode !== 1) throw new UnsupportedError(`the sysctl ${name}=${value} is not supported`);
  settings.tcp.synCookies = mode === 1;
}

function mtuProbing(settings: Settings, value: string, name: string): void {
  const mode = (['off', 'blackhole', 'always'] as const)[integer(value, name)];
  if (mode === undefined) throw new UnsupportedError(`the sysctl ${name}=${value} is not supported`);
  settings.tcp.mtuProbing = mode;
}

const truth = (number: number): boolean => number !== 0;
const same = (number: number): number => number;
const seconds = (number: number): number => number * 1e6;
const milliseconds = (number: number): number => number * 1000;

const APPLY: ReadonlyMap<string, Apply> = new Map<string, Apply>([
  ['ipv4.tcp_rmem', memory('rmem')],
  ['ipv4.tcp_wmem', memory('wmem')],
  ['ipv4.tcp_timestamps', tunable('timestamps', truth)],
  ['ipv4.tcp_sack', tunable('sack', truth)],
  ['ipv4.tcp_window_scaling', tunable('windowScaling', truth)],
  ['ipv4.tcp_slow_start_after_idle', tunable('slowStartAfterIdle', truth, true)],
  ['ipv4.tcp_reordering', tunable('dupThresh', same)],
  ['ipv4.tcp_syn_linear_timeouts', figure('synLinearTimeouts', tunable('synLinearTimeouts', same))],
  ['ipv4.tcp_syn_retries', figure('synRetries', tunable('synRetries', same))],
  ['ipv4.tcp_synack_retries', tunable('synAckRetries', same)],
  ['ipv4.tcp_retries2', tunable('retries2', same, true)],
  ['ipv4.tcp_orphan_retries', tunable('orphanRetries', (number) => number || 8, true)],
  ['ipv4.tcp_fin_timeout', figure('finTimeoutSeconds', tunable('finTimeoutUs', seconds, true))],
  ['ipv4.tcp_keepalive_time', figure('keepAliveSeconds', tunable('keepAliveIdleUs', seconds, true))],
  ['ipv4.tcp_keepalive_intvl', figure('keepAliveIntervalSeconds', tunable('keepAliveIntervalUs', seconds, true))],
  ['ipv4.tcp_keepalive_probes', figure('keepAliveProbes', tunable('keepAliveProbes', same, true))],
  ['ipv4.tcp_rto_min_us', tunable('minRtoUs', same)],
  ['ipv4.tcp_rto_max_ms', tunable('maxRtoUs', milliseconds)],
  ['ipv4.tcp_invalid_ratelimit', tunable('challengeAckIntervalUs', milliseconds, true)],
  ['ipv4.tcp_recovery', tunable('rack', (number) => (number & 1) !== 0)],
  ['ipv4.tcp_early_retrans', tunable('lossProbe', (number) => number === 3 || number === 4)],
  ['ipv4.tcp_frto', tunable('frto', truth)],
  ['ipv4.tcp_dsack', tunable('dsack', truth)],
  ['ipv4.tcp_ecn', ecn],
  ['ipv4.tcp_rfc1337', tunable('rfc1337', truth)],
  ['ipv4.tcp_syncookies', synCookies],
  [
    'ipv4.tcp_fastopen',
    (settings, value) => {
      settings.fastOpen = fastOpenBits(value);
    },
  ],
  [
    'ipv4.tcp_fastopen_key',
    (settings, value) => {
      settings.fastOpenKeys = fastOpenKeys(value);
    },
  ],
  ['ipv4.tcp_mtu_probing', mtuProbing],
  ['ipv4.tcp_base_mss', tunable('baseMss', same)],
  ['ipv4.tcp_notsent_lowat', figure('notsentLowat')],
  ['core.somaxconn', figure('somaxconn')],
  [
    'ipv4.tcp_congestion_control',
    (settings, value) => {
      congestionName(value);
      settings.congestion = value;
    },
  ],
]);

/** Sysctls that change nothing here: any value, or only those values at which Linux behaves as we do. */
const ACCEPTED: ReadonlyMap<string, 'any' | readonly string[]> = new Map<string, 'any' | readonly string[]>([
  ['ipv4.tcp_fack', 'any'],
  ['ipv4.tcp_ecn_fallback', 'any'],
  ['ipv4.tcp_ecn_option', 'any'],
  ['ipv4.tcp_fastopen_blackhole_timeout_sec', 'any'],
  ['ipv4.tcp_min_tso_segs', 'any'],
  ['ipv4.tcp_tso_win_divisor', 'any'],
  ['ipv4.tcp_tso_rtt_log', 'any'],
  ['ipv4.tcp_limit_output_bytes', 'any'],
  ['ipv4.tcp_pacing_ss_ratio', 'any'],
  ['ipv4.tcp_pacing_ca_ratio', 'any'],
  ['ipv4.tcp_no_metrics_save', 'any'],
  ['ipv4.tcp_no_ssthresh_metrics_save', 'any'],
  ['ipv4.tcp_moderate_rcvbuf', 'any'],
  ['ipv4.tcp_adv_win_scale', 'any'],
  ['ipv4.tcp_app_win', 'any'],
  ['ipv4.tcp_autocorking', 'any'],
  ['ipv4.tcp_challenge_ack_limit', 'any'],
  ['ipv4.tcp_comp_sack_delay_ns', 'any'],
  ['ipv4.tcp_comp_sack_slack_ns', 'any'],
  ['ipv4.tcp_comp_sack_nr', 'any'],
  ['ipv4.tcp_max_reordering', 'any'],
  ['ipv4.tcp_max_syn_backlog', 'any'],
  ['ipv4.tcp_max_orphans', 'any'],
  ['ipv4.tcp_max_tw_buckets', 'any'],
  ['ipv4.tcp_mem', 'any'],
  ['ipv4.tcp_min_rtt_wlen', 'any'],
  ['ipv4.tcp_min_snd_mss', 'any'],
  ['ipv4.tcp_retrans_collapse', 'any'],
  ['ipv4.tcp_retries1', 'any'],
  ['ipv4.tcp_reflect_tos', ['0']],
  ['ipv4.tcp_abort_on_overflow', ['0']],
  ['ipv4.tcp_stdurg', 'any'],
  ['ipv4.tcp_shrink_window', ['0']],
  ['ipv4.tcp_thin_linear_timeouts', ['0']],
  ['ipv4.tcp_plb_enabled', ['0']],
  ['ipv4.tcp_tw_reuse', 'any'],
  ['ipv4.tcp_workaround_signed_windows', 'any'],
  ['ipv4.ip_no_pmtu_disc', ['0']],
  ['ipv4.ip_local_port_range', 'any'],
  ['ipv4.icmp_ratelimit', 'any'],
  ['ipv4.icmp_ratemask', 'any'],
  ['core.rmem_max', 'any'],
  ['core.wmem_max', 'any'],
  ['core.rmem_default', 'any'],
  ['core.wmem_default', 'any'],
  ['core.optmem_max', 'any'],
  ['core.default_qdisc', 'any'],
  ['core.netdev_max_backlog', 'any'],
]);

/** Linux's name of a congestion control as ours. @throws UnsupportedError for one that we do not have. */
export function congestionName(name: string): CongestionName {
  if (name === 'reno') return 'newreno';
  if (name === 'cubic' || name === 'bbr') return name;
  throw new UnsupportedError(`the congestion control ${name} is not supported`);
}
