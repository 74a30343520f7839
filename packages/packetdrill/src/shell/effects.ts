/** What a command of a script does to the machine under test. */
export type Effect =
  | { readonly kind: 'sysctl'; readonly name: string; readonly value: string }
  /** The suite's defaults: a list of sysctls in one name. */
  | { readonly kind: 'defaults' }
  /** Sets back what `set_sysctls.py` changed. */
  | { readonly kind: 'restore' }
  /** A parameter of a kernel module, as tcp_cubic's hystart_detect. */
  | { readonly kind: 'parameter'; readonly module: string; readonly name: string; readonly value: string }
  | { readonly kind: 'sleep'; readonly us: number }
  /** Segmentation offload on or off. */
  | { readonly kind: 'offload'; readonly on: boolean }
  /** The queueing discipline of the interface: `refuse` drops everything, `fq` paces. */
  | { readonly kind: 'qdisc'; readonly name: 'fifo' | 'fq' | 'refuse' }
  | { readonly kind: 'mtu'; readonly bytes: number }
  /** Attributes of the route to the remote side: advmss, mtu, mtu lock, initcwnd, ... */
  | { readonly kind: 'route'; readonly attributes: ReadonlyMap<string, string> }
  /** A file of zeros. */
  | { readonly kind: 'file'; readonly path: string; readonly bytes: number };

/** The defaults that the public suite's scripts start from. */
export const SUITE_DEFAULTS: readonly (readonly [name: string, value: string])[] = [
  ['ipv4.tcp_rmem', '4096 540000 15728640'],
  ['ipv4.tcp_wmem', '4096 262144 4194304'],
  ['ipv4.tcp_timestamps', '1'],
  ['ipv4.tcp_syn_retries', '5'],
  ['ipv4.tcp_synack_retries', '5'],
  ['ipv4.tcp_frto', '2'],
  ['ipv4.tcp_sack', '1'],
  ['ipv4.tcp_dsack', '1'],
  ['ipv4.tcp_fack', '0'],
  ['ipv4.tcp_reordering', '3'],
  ['ipv4.tcp_congestion_control', 'cubic'],
  ['ipv4.tcp_slow_start_after_idle', '0'],
  ['ipv4.tcp_early_retrans', '4'],
  ['ipv4.tcp_recovery', '1'],
  ['ipv4.tcp_tso_win_divisor', '3'],
  ['ipv4.tcp_ecn', '0'],
  ['ipv4.tcp_pacing_ss_ratio', '200'],
  ['ipv4.tcp_pacing_ca_ratio', '120'],
  ['ipv4.tcp_notsent_lowat', '4294967295'],
  ['ipv4.tcp_syncookies', '1'],
  ['ipv4.tcp_fastopen', '0x70403'],
  ['ipv4.tcp_fastopen_key', 'a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4'],
];
