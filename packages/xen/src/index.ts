export { BackRing } from './back-ring.ts';
export * from './console/index.ts';
export type { DomainRecord } from './domain-record.ts';
export * from './errno.ts';
export * from './event-channel-layout.ts';
export type { EventChannelStatus } from './event-channels.ts';
export { FrontRing } from './front-ring.ts';
export * from './grant-layout.ts';
export type { GrantMapping } from './grant-operations.ts';
export { type HypercallCounters, Hypercalls } from './hypercalls.ts';
export { type CreateDomainOptions, Hypervisor, type HypervisorOptions } from './hypervisor.ts';
export {
  BLOCKED,
  BLOCKED_WAITING,
  DOM_STATS_COUNT,
  GRANT_ENTRIES,
  MAPTRACK_ENTRIES,
  MAX_DOMAINS,
  RUNNING,
} from './machine-layout.ts';
export * from './netif-layout.ts';
export * from './ring-layout.ts';
export { TIMER_AHEAD_MAX_NS, TIMER_MISTAKE_NS, type VirtualCpu } from './scheduler.ts';
export * from './shared-info.ts';
export * from './toolstack/index.ts';
export { XenbusState } from './xenbus.ts';
export * from './xenstore/index.ts';
