import type { Memory } from '@qanat/bytes';

/**
 * Pages of a device that packets may refer to, so that their payload is not copied: the other side of the device can
 * read them at any time. A packet that refers to memory is answered by the device when nobody will read it any more.
 */
export interface TcpLending {
  /** Packets may refer to pages now. */
  readonly ready: boolean;
  /** Most pieces of pages that a packet may refer to. */
  readonly maxPieces: number;
  /** Number of the last packet that refers to pages (int32, counts up), and the last that it and all before are answered. */
  readonly sent: number;
  readonly done: number;
  /** Whether packets may refer to `bytes` at `addr`. */
  holds(addr: number, bytes: number): boolean;
  /** @returns the address of `count` such pages in a row, or 0. */
  alloc(count: number): number;
  /** Gives pages back; those that packets under way may refer to are not given out again before these are answered. */
  free(addr: number, count: number): void;
  /** Sees which packets are answered. */
  look(): void;
  /** Has `transmitReady` of the layer called when `done` has moved on. */
  watch(): void;
}

/** The way to one remote address, as the layer below gives it; a connection keeps its own. */
export interface TcpPath {
  /** Address that our packets bear (host order, int32). */
  readonly localAddress: number;
  readonly remoteAddress: number;
  /** Largest IPv4 packet in bytes that is known to fit the path. */
  readonly mtu: number;
  /** Largest one that our own device takes: what we can receive. */
  readonly deviceMtu: number;
  /** The device that it sends by: who shares a transmit queue of it waits in turn when that is full. */
  readonly device: object;
  /** Transmit queues of the device, over which flows are spread by `flowQueue`. */
  readonly txQueues: number;
  /** The device computes the checksum: only the pseudo-header sum need be there. */
  readonly checksumOffload: boolean;
  /** Largest IPv4 packet that the device cuts into segments itself, in bytes; 0: it takes single segments only. */
  readonly gsoMaxBytes: number;
  /**
   * Reserves a buffer for one packet with `tcpBytes` of TCP header and payload, up to the MTU or `gsoMaxBytes`.
   * @returns the address where the TCP header goes (4-aligned), or 0 when the device has no room: `transmitReady` of
   * the layer is called when it has. A reserved buffer must be sent before the next is reserved.
   * @param flow the connection's flow hash (@qanat/ipv4): its packets keep their order.
   */
  reserve(tcpBytes: number, flow: number): number;
  /** The device's pages that packets may refer to, if it has any. */
  readonly lending: TcpLending | undefined;
  /**
   * Reserves a packet with `headerBytes` of TCP header whose payload of `pieces` pieces is given by `refer`, in order.
   * @returns as `reserve`.
   */
  reserveHeader(headerBytes: number, pieces: number, flow: number): number;
  /** The payload of the reserved packet goes on with `bytes` at `addr`, which lie in one page of `lending`. */
  refer(addr: number, bytes: number): void;
  /** Acknowledged data shows that the next hop hears us (RFC 1122 section 2.3.2.1: spares ARP a probe). */
  confirm(): void;
  /** Retransmission gets nowhere: the next hop may be dead (negative advice, RFC 9293 section 3.8.3; RFC 1122 3.3.1.4). */
  doubt(): void;
  /**
   * Sends what was reserved.
   * @param tos of the IP header (ECN bits included). @param gsoSize payload of each segment where it holds several, else 0.
   */
  send(tcpBytes: number, tos: number, gsoSize: number): void;
}

/** The layer below TCP. */
export interface TcpNetwork {
  readonly memory: Memory;
  /**
   * The path from a local address (0: choose one) to a remote one.
   * @returns undefined when there is no route.
   */
  path(localAddress: number, remoteAddress: number): TcpPath | undefined;
  /** Ends a batch of output: devices publish what they hold. */
  flush(): void;
}
