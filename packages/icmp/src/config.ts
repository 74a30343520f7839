/** Every tunable of ICMP. A rate of Infinity is no limit. */
export interface IcmpConfig {
  /** Errors sent in all. Linux icmp_msgs_per_sec and icmp_msgs_burst. */
  readonly errorsPerSecond: number;
  readonly errorBurst: number;
  /** Errors sent to one destination. Linux icmp_ratelimit (one a second) and its burst of 6. */
  readonly errorsPerSecondPerDestination: number;
  readonly errorBurstPerDestination: number;
  /** Destinations whose rate is remembered. Ours. */
  readonly maxDestinations: number;
  /** Echo replies sent in all. No limit, as in Linux: a reply is no larger than its request. */
  readonly echoRepliesPerSecond: number;
  readonly echoReplyBurst: number;
  /** Payload of the largest echo request that is answered. What fits in a datagram (RFC 1122 section 3.2.2.6). */
  readonly maxEchoBytes: number;
  /** Bytes of an error with its IP header: as much of the packet is quoted as fits. RFC 1812 section 4.3.2.3. */
  readonly maxErrorBytes: number;
  /** How long an echo request waits for its reply. Ours; iputils waits for 10 s at its end. */
  readonly echoTimeoutUs: number;
  /** Echo requests of one session that wait. Ours. */
  readonly maxOutstandingEchoes: number;
}

export const ICMP_DEFAULTS: IcmpConfig = {
  errorsPerSecond: 1000,
  errorBurst: 50,
  errorsPerSecondPerDestination: 1,
  errorBurstPerDestination: 6,
  maxDestinations: 1024,
  echoRepliesPerSecond: Number.POSITIVE_INFINITY,
  echoReplyBurst: 1000,
  maxEchoBytes: 65507,
  maxErrorBytes: 576,
  echoTimeoutUs: 10_000_000,
  maxOutstandingEchoes: 1024,
};
