export { ICMP_DEFAULTS, type IcmpConfig } from './config.ts';
export { type EchoHandler, EchoSession } from './echo-session.ts';
export { ICMP_HEADROOM, Icmp, type IcmpOptions, type IcmpPort } from './icmp.ts';
export { type IcmpErrno, IcmpError } from './icmp-error.ts';
export { RateLimit, TokenBucket } from './rate-limit.ts';
export type { IcmpStats } from './stats.ts';
export * from './wire.ts';
