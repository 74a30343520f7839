import type { Memory } from '@qanat/bytes';

/** The way to one remote address, as the layer below gives it; a connection keeps its own. */
export interface TcpPath {
  /** Address that our packets bear (host order, int32). */
  readonly localAddress: number;
  readonly remoteAddress: number;
  /** Largest IPv4 packet in bytes that is known to fit the path. */
  readonly mtu: number;
  /** Largest one that our own device takes: what we can receive. */
  readonly deviceMtu: number;
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
