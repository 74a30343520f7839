/** Every tunable of the frontend, with its default and where the default comes from. */
export interface NetfrontConfig {
  /** Packets taken from the RX ring before the stack is told `receiveDone` and the loop has its turn. */
  readonly rxBatch: number;
  /** RX requests collected before they are published, so that the backend does not run dry during a long batch. */
  readonly rxRefillBatch: number;
  /** TX slots that may wait for `flush` before they are published anyway, so that the backend can begin. */
  readonly txPushBatch: number;
  /** Checksum offload, both ways: frames go out with the transport checksum blank, and may come so. */
  readonly checksumOffload: boolean;
  /** Segmentation offload of TCP over IPv4, both ways. It needs `checksumOffload`. */
  readonly gso: boolean;
  /**
   * An event channel for each ring (`feature-split-event-channels`). One serves both in a single pass, and fewer events are
   * needed: so the default is off.
   */
  readonly splitEventChannels: boolean;
  /**
   * Queues wanted (`multi-queue-num-queues`), 1..MAX_QUEUES; the backend may offer fewer, and so may the domain's memory. A
   * domain has one CPU, which serves them in turn, so the default is 1.
   */
  readonly queues: number;
  /** Puts segments of one flow together that come one behind the other, before the stack sees them (GRO). */
  readonly gro: boolean;
  /** Tells the backend that our pages stay granted as they are, so that it may keep them mapped. */
  readonly persistentGrants: boolean;
  /**
   * Pages granted for packets to refer to in place of a copy (`LentPages`), in pages; taken when a flow in bulk or an
   * application that lends first asks for some, and no more than a quarter of the domain's memory then. 0: every byte is
   * copied into the transmit buffers.
   */
  readonly lentPages: number;
  /** How long a grant that the backend still uses is left alone before it is tried again, in milliseconds. */
  readonly revokeRetryMs: number;
  /** Pause before a second attempt to connect again; it doubles up to `reconnectMaxMs`. In milliseconds. */
  readonly reconnectMs: number;
  readonly reconnectMaxMs: number;
  /** What all ring indices begin with. 0; others are for tests of the wrap. */
  readonly ringStartIndex: number;
}

export const DEFAULT_NETFRONT_CONFIG: NetfrontConfig = {
  rxBatch: 64, // NAPI_POLL_WEIGHT, Linux
  rxRefillBatch: 32,
  txPushBatch: 32,
  checksumOffload: true, // as Linux's netfront
  gso: true,
  splitEventChannels: false,
  queues: 1,
  gro: true,
  persistentGrants: true,
  lentPages: 1024,
  revokeRetryMs: 1000,
  reconnectMs: 1000,
  reconnectMaxMs: 30_000,
  ringStartIndex: 0,
};

/** Most queues that make sense: each takes some 650 grant references of 8192. */
export const MAX_QUEUES = 64;

/** Longest frame that a netif packet can be: the size field of its first slot has 16 bits (netif.h). */
export const MAX_FRAME_BYTES = 0xffff;

/** Longest super-segment's frame: as long as 16 pages hold, so that it takes 16 slots and one for its extra info. */
export const GSO_FRAME_BYTES = 16 * 4096 - 2;

/** Smallest MTU that IPv4 allows (RFC 791). */
export const MIN_MTU = 68;

/** MTU where nobody says otherwise. */
export const DEFAULT_MTU = 1500;

/** Bytes left free in front of an Ethernet header, so that the IP header behind it is 4-aligned. */
export const ETHERNET_ALIGN = 2;

/** Octets of every received packet that are contiguous (or the whole packet): all headers up to TCP's with options. */
export const RX_HEAD_BYTES = 128;
