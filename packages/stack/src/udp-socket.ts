import { formatAddress, parseAddress } from '@qanat/ipv4';
import type { UdpSocket as UdpCore } from '@qanat/udp';
import type { Endpoint } from './flow.ts';
import { edge, isNetErrorCode, NetError, type NetErrorCode } from './net-error.ts';

/** A UDP socket with addresses as text. Payloads are copied in and out. */
export class UdpSocket {
  /** A datagram has come. `data` is the callee's to keep. */
  onMessage: ((data: Uint8Array, from: Endpoint) => void) | undefined;
  /** An ICMP error about a datagram of a connected socket, once. */
  onError: ((error: NetError) => void) | undefined;
  readonly #socket: UdpCore;
  readonly #done: () => void;

  /** @internal Sockets are made by `Stack.udp`. */
  constructor(socket: UdpCore, done: () => void) {
    this.#socket = socket;
    this.#done = done;
  }

  get port(): number {
    return this.#socket.localPort;
  }

  get address(): string {
    return formatAddress(this.#socket.localAddress);
  }

  /** Whether it may send to broadcast addresses. */
  set broadcast(allowed: boolean) {
    this.#socket.broadcast = allowed;
  }

  /** Fixes the peer. @throws NetError EINVAL, EACCES, ENETUNREACH. */
  connect(host: string, port: number): void {
    const address = edge('connect', () => parseAddress(host));
    wrap('connect', () => this.#socket.connect(address, port));
  }

  /**
   * Sends one datagram. @param host @param port the destination; needless on a connected socket.
   * @throws NetError EMSGSIZE, ENETUNREACH, EHOSTUNREACH, ENOBUFS, EACCES, or an ICMP error that an earlier one met.
   */
  send(data: Uint8Array, port?: number, host?: string): void {
    const address = host === undefined ? undefined : edge('send', () => parseAddress(host));
    const problem = this.#socket.send(data, address, port);
    this.#done();
    if (problem !== undefined) throw new NetError(codeOf(problem), 'send', host, port);
  }

  /** Joins a multicast group. @throws NetError EINVAL. */
  join(group: string): void {
    const address = edge('join', () => parseAddress(group));
    wrap('join', () => this.#socket.join(address));
  }

  leave(group: string): void {
    this.#socket.leave(edge('leave', () => parseAddress(group)));
  }

  close(): void {
    this.#socket.close();
  }
}

function codeOf(errno: string): NetErrorCode {
  return isNetErrorCode(errno) ? errno : 'EINVAL';
}

/** Runs a call of the UDP layer; its errors become NetErrors. */
export function wrap<T>(syscall: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const code = 'code' in error && typeof error.code === 'string' ? error.code : 'EINVAL';
    throw new NetError(codeOf(code), syscall, undefined, undefined, error.message);
  }
}
