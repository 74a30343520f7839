export { AddressClaim, type ClaimPort, type ClaimState } from './address-claim.ts';
export {
  ARP_DROPPED,
  ARP_QUEUED,
  ARP_UNREACHABLE,
  Arp,
} from './arp.ts';
export { ARP_DEFAULTS, type ArpConfig } from './config.ts';
export {
  ARP_FAILED,
  ARP_FORGOTTEN,
  ARP_INCOMPLETE,
  ARP_PROBE,
  ARP_REACHABLE,
  ARP_STALE,
  ARP_STATE_NAMES,
  ArpEntry,
} from './entry.ts';
export type { ArpOptions, ArpPort } from './port.ts';
export type { ArpStats } from './stats.ts';
export * from './wire.ts';
