import type { Memory, Packet } from '@qanat/bytes';
import type { TcpLending } from '@qanat/tcp';

/** Offloads that were agreed on with the other side of the device. */
export interface Offload {
  /** The stack may leave the transport checksum blank (PACKET_CSUM_BLANK). */
  readonly txChecksum: boolean;
  /**
   * Largest TCP super-segment the device takes (GSO) as an IP packet in bytes, 0 for none. It is longer than the MTU, has
   * `gsoSize` set, a blank checksum, and headers that are right for the whole.
   */
  readonly gsoMaxBytes: number;
}

/**
 * Sending without a copy. A packet of `allocate` has its headers in a buffer of the device, and its payload in fragments
 * (`fragAddr`, `fragLen`, `fragCount`), each within one page that `holds` is true of. After `transmit` its number is
 * `sent`, and what it refers to must not be changed until `done` has come as far.
 */
export interface Lending extends TcpLending {
  /**
   * A packet for `headBytes` of headers (Ethernet's included) and `pieces` fragments, at most `maxPieces`; the checksum must
   * be left blank. `ready` must be true. `flow` as for `Netif.allocate`.
   * @returns null when the device has no room, as `Netif.allocate`.
   */
  allocate(headBytes: number, pieces: number, flow?: number): Packet | null;
}

/**
 * A network device: Ethernet frames in machine memory, no promises, no queues of its own beyond its ring.
 *
 * Sending: `allocate`, fill the frame from `packet.addr` on, `transmit`, and `flush` once per batch. When `allocate`
 * returns null the device is full; it calls `transmitReady` when there is room again.
 * Receiving: the device calls `receive` for each frame of a batch, then `receiveDone` once.
 */
export interface Netif {
  readonly name: string;
  /** Six bytes. */
  readonly mac: Uint8Array;
  /** Largest IP packet in bytes. */
  readonly mtu: number;
  readonly memory: Memory;
  readonly offload: Offload;
  /** Transmit queues that flows are spread over; undefined is one. It may change while the device has no backend. */
  readonly txQueues?: number;
  /** Pages of the device that packets may refer to in place of a copy; devices that copy have none. */
  readonly lending?: Lending | undefined;
  /**
   * A buffer for a frame of at most `frameBytes` (Ethernet header included, up to mtu + 14, or gsoMaxBytes + 14),
   * contiguous. `packet.addr` is even and points to where the Ethernet header goes. Never fails for want of
   * anything but room in the device. The packet is the caller's until `transmit` or `release`.
   * @param flow hash of the flow that the frame belongs to (`flowHash` of @qanat/ipv4), default none. Frames of one flow keep
   * their order, so whoever sends them all says it with each; a device with one queue does not look at it.
   */
  allocate(frameBytes: number, flow?: number): Packet | null;
  /** Queues a frame of `packet.len` bytes at `packet.addr`. Cannot fail; ownership goes to the device. */
  transmit(packet: Packet): void;
  /** Gives back an allocated packet that shall not be sent. */
  release(packet: Packet): void;
  /** Publishes what was queued, and notifies the other side if it asked for it. */
  flush(): void;
  /** Says who gets the frames. Called once, before traffic. */
  attach(up: NetifUp): void;
  close(): void;
}

/** The stack as a device sees it. */
export interface NetifUp {
  /** A frame has come. It may be used (and overwritten) until the call returns. `packet.arrivedUs` is set. */
  receive(packet: Packet): void;
  /** A batch of frames ends: time for acknowledgements and output. */
  receiveDone(): void;
  /** A device that was full has room again. */
  transmitReady(): void;
}

/** No offloads at all. */
export const NO_OFFLOAD: Offload = { txChecksum: false, gsoMaxBytes: 0 };
