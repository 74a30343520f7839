import { ADDRESS_BROADCAST, isMulticast } from '@qanat/ipv4';
import { type UdpErrno, UdpError } from './errors.ts';
import type { Udp } from './udp.ts';
import { UDP_MAX_PAYLOAD_BYTES } from './wire.ts';

/** What a socket tells its owner. */
export interface UdpHandler {
  /**
   * A datagram has come.
   * @param addr payload, `bytes` long; good until the call returns.
   * @param from, fromPort who sent it. @param to address it was sent to.
   */
  onDatagram(addr: number, bytes: number, from: number, fromPort: number, to: number, arrivedUs: number): void;
  /** An ICMP error about a connected socket's datagram, reported once. Without it the next `send` returns the error. */
  onError?(errno: string): void;
}

/** A UDP socket. Made by `Udp.open`. */
export class UdpSocket {
  /** The address it was bound to; 0: any. */
  readonly boundAddress: number;
  readonly localPort: number;
  /** Whether others may bind to the same address and port. */
  readonly shared: boolean;
  /** Multicast groups it has joined. */
  readonly groups = new Set<number>();
  /** Address of ours that a connected socket uses; else `boundAddress`. */
  localAddress: number;
  /** Peer of a connected socket; 0 while not connected. */
  remoteAddress = 0;
  remotePort = 0;
  /** Whether it may send to 255.255.255.255 and directed broadcasts (SO_BROADCAST). */
  broadcast = false;
  /** TTL of what it sends; 0: the stack's default. */
  ttl = 0;
  /** TOS of what it sends. */
  tos = 0;
  closed = false;
  readonly handler: UdpHandler;
  readonly #udp: Udp;
  #pendingError: string | undefined;

  /** @internal */
  constructor(udp: Udp, boundAddress: number, localPort: number, shared: boolean, handler: UdpHandler) {
    this.#udp = udp;
    this.boundAddress = boundAddress;
    this.localAddress = boundAddress;
    this.localPort = localPort;
    this.shared = shared;
    this.handler = handler;
  }

  get connected(): boolean {
    return this.remotePort !== 0;
  }

  /**
   * Fixes the peer: only its datagrams come in, and ICMP errors about it are reported.
   * @throws UdpError EINVAL, EACCES (broadcast without leave), ENETUNREACH (no route).
   */
  connect(address: number, port: number): void {
    this.#checkPeer(address, port);
    const local = this.#udp.port.sourceFor(this.boundAddress, address);
    if (local === 0) throw new UdpError('ENETUNREACH', 'connect', 'there is no route');
    this.localAddress = local;
    this.remoteAddress = address;
    this.remotePort = port;
    this.#pendingError = undefined;
  }

  disconnect(): void {
    this.localAddress = this.boundAddress;
    this.remoteAddress = 0;
    this.remotePort = 0;
    this.#pendingError = undefined;
  }

  /**
   * Sends one datagram. @param address, port the destination; needless on a connected socket.
   * @returns undefined, or why it was not sent (it may be an ICMP error that an earlier one met: reported once).
   */
  send(data: Uint8Array, address = this.remoteAddress, port = this.remotePort): string | undefined {
    const problem = this.#problem(data.length, address, port);
    if (problem !== undefined) return problem;
    return this.#udp.sendBytes(this, data, address, port);
  }

  /** `send` for a payload in machine memory. */
  sendFrom(addr: number, bytes: number, address = this.remoteAddress, port = this.remotePort): string | undefined {
    const problem = this.#problem(bytes, address, port);
    if (problem !== undefined) return problem;
    return this.#udp.sendMemory(this, addr, bytes, address, port);
  }

  /** Listens to a multicast group. @throws UdpError EINVAL when it is none. */
  join(group: number): void {
    if (!isMulticast(group)) throw new UdpError('EINVAL', 'join', 'not a multicast address');
    this.groups.add(group);
  }

  leave(group: number): void {
    this.groups.delete(group);
  }

  close(): void {
    this.#udp.closeSocket(this);
  }

  /** @internal */
  reportError(errno: string): void {
    if (this.handler.onError !== undefined) this.handler.onError(errno);
    else this.#pendingError = errno;
  }

  #problem(bytes: number, address: number, port: number): string | undefined {
    if (this.closed) return 'EBADF';
    const pending = this.#pendingError;
    if (pending !== undefined) {
      this.#pendingError = undefined;
      return pending;
    }
    if (port === 0) return this.connected || address !== 0 ? 'EINVAL' : 'EDESTADDRREQ';
    return problemOf(this, bytes, address, port);
  }

  #checkPeer(address: number, port: number): void {
    const problem: UdpErrno | undefined = this.closed ? 'EBADF' : problemOf(this, 0, address, port);
    if (problem !== undefined) throw new UdpError(problem, 'connect', 'the destination is not possible');
  }
}

function problemOf(socket: UdpSocket, bytes: number, address: number, port: number): UdpErrno | undefined {
  if (!Number.isInteger(port) || port < 1 || port > 0xffff || address === 0) return 'EINVAL';
  if (bytes > UDP_MAX_PAYLOAD_BYTES) return 'EMSGSIZE';
  if (address === ADDRESS_BROADCAST && !socket.broadcast) return 'EACCES';
  return undefined;
}
