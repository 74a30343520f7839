/** Every tunable of IPv4. */
export interface Ipv4Config {
  /** TTL of what we send. IANA's recommendation, and Linux ip_default_ttl. */
  readonly ttl: number;
  /** How long the fragments of a datagram are kept. Linux ipfrag_time (30 s); RFC 1122 section 3.3.2 says 60-120 s. */
  readonly reassemblyTimeoutUs: number;
  /** Pages (4 KiB) for fragments in all. Linux ipfrag_high_thresh is 4 MiB; a domain is smaller: 1 MiB. */
  readonly reassemblyPages: number;
  /** Of these, pages for one source: a quarter, so that one sender cannot starve the others. Ours. */
  readonly reassemblyPagesPerSource: number;
  /** Datagrams in reassembly, those given up included. Ours. */
  readonly maxReassemblies: number;
  /** Fragments of one datagram: 64 KiB at an MTU of 576 are 119. Ours. */
  readonly maxFragments: number;
  /** Counters of IP IDs, a power of two. Linux has 2048. */
  readonly idCounters: number;
}

export const IPV4_DEFAULTS: Ipv4Config = {
  ttl: 64,
  reassemblyTimeoutUs: 30_000_000,
  reassemblyPages: 256,
  reassemblyPagesPerSource: 64,
  maxReassemblies: 256,
  maxFragments: 512,
  idCounters: 1024,
};
