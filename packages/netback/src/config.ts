/** Every tunable of the backend, with its default and where the default comes from. */
export interface NetbackConfig {
  /** Packets taken from one frontend, or given to it from its queue, before the others have their turn. */
  readonly batch: number;
  /** Queue length of a port in packets, for each of its queues, where the vif does not say otherwise. */
  readonly txqueuelen: number;
  /** Pages of Dom0 that the packet buffers leave alone. */
  readonly reservedPages: number;
  /** How long a learned address is believed when nothing is heard from it, in seconds. */
  readonly macAgingS: number;
  /** Most addresses that one bridge learns. */
  readonly macEntries: number;
  /** Most ports of one bridge. */
  readonly bridgePorts: number;
  /** Frontends may send, and are given, frames with the transport checksum blank. */
  readonly checksumOffload: boolean;
  /** Frontends may send, and are given, super-segments of TCP over IPv4. It needs `checksumOffload`. */
  readonly gso: boolean;
  /** Frontends may have an event channel for each ring. */
  readonly splitEventChannels: boolean;
  /** Most queues that a frontend may have (`multi-queue-max-queues`), 1..MAX_QUEUES. */
  readonly maxQueues: number;
  /** The pages of frontends that use the same ones again and again stay mapped. */
  readonly persistentGrants: boolean;
}

export const DEFAULT_NETBACK_CONFIG: NetbackConfig = {
  batch: 64, // NAPI_POLL_WEIGHT, Linux
  txqueuelen: 1000, // an Ethernet device's default in Linux
  reservedPages: 256,
  macAgingS: 300, // IEEE 802.1Q table 8-6
  macEntries: 1024,
  bridgePorts: 1024, // BR_MAX_PORTS, Linux
  checksumOffload: true, // as Linux's netback
  gso: true,
  splitEventChannels: true, // as Linux's netback
  maxQueues: 8, // MAX_QUEUES_DEFAULT, Linux
  persistentGrants: true,
};

/** Most queues that make sense: each takes some 650 grant references of the frontend's 8192. */
export const MAX_QUEUES = 64;

/** Where a frame begins in the receiver's first page, so that the IP header behind Ethernet's is 4-aligned. */
export const RX_OFFSET = 2;
