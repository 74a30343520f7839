import { formatAddress } from '@qanat/ipv4';
import { NetError, type Stack, type UdpSocket as StackUdpSocket } from '@qanat/stack';
import { CONSTANTS } from '../constants.ts';
import { UnsupportedError } from '../errors.ts';
import { done, failed, failure, waiting } from './open-file.ts';
import { SocketFile } from './socket-file.ts';
import { unsupported } from './socket-options.ts';
import type { Address, OptionValue, Outcome, PendingCall } from './system-calls.ts';

const C = CONSTANTS as Readonly<Record<string, number>>;
/** Datagrams that wait to be read; more are dropped, as by a full receive buffer. */
const MAX_QUEUE = 1000;

/** A UDP socket with Linux's manners above the stack's. */
export class UdpSocket extends SocketFile {
  readonly protocol = C['IPPROTO_UDP']!;
  readonly reuse = { address: false, port: false };
  readonly #stack: Stack;
  #socket: StackUdpSocket | undefined;
  #bound = 0;
  #remotePort = 0;
  /** Lengths of the datagrams that wait. */
  readonly #queue: number[] = [];
  #error = 0;
  #readShut = false;

  constructor(stack: Stack) {
    super();
    this.#stack = stack;
  }

  get localPort(): number {
    return this.#socket?.port ?? 0;
  }

  get remotePort(): number {
    return this.#remotePort;
  }

  get boundPort(): number {
    return this.#bound;
  }

  /** The stack's socket; it comes into being when it needs a port. @throws NetError. */
  #open(address: Address | undefined): StackUdpSocket {
    if (this.#socket) return this.#socket;
    const host = address?.address;
    const socket = this.#stack.udp({ port: address?.port ?? 0, ...(host ? { host: formatAddress(host) } : {}) });
    socket.onMessage = (data) => {
      if (this.#readShut || this.#queue.length >= MAX_QUEUE) return;
      this.#queue.push(data.length);
      this.wakes++;
    };
    socket.onError = (error) => {
      this.#error = -error.errno;
      this.wakes++;
    };
    this.#socket = socket;
    return socket;
  }

  #try(use: () => void): PendingCall {
    try {
      use();
      return done(0);
    } catch (error) {
      if (error instanceof NetError) return failed(-error.errno);
      throw error;
    }
  }

  bind(address: Address): PendingCall {
    if (this.#socket) return failed('EINVAL');
    return this.#try(() => {
      this.#bound = this.#open(address).port;
    });
  }

  connect(address: Address): PendingCall {
    if (address.family === C['AF_UNSPEC'])
      throw new UnsupportedError('connect(AF_UNSPEC) of a UDP socket is not supported');
    return this.#try(() => {
      this.#open(undefined).connect(formatAddress(address.address ?? 0), address.port);
      this.#remotePort = address.port;
    });
  }

  override write(bytes: number, flags: number): PendingCall {
    return this.sendTo(bytes, flags, undefined);
  }

  sendTo(bytes: number, flags: number, to: Address | undefined): PendingCall {
    if (flags & C['MSG_MORE']!) throw new UnsupportedError('MSG_MORE on UDP sockets is not supported');
    if (this.#error !== 0) return done(failure(this.#takeError()));
    if (!to && this.#remotePort === 0) return failed('EDESTADDRREQ');
    try {
      const socket = this.#open(undefined);
      const data = new Uint8Array(bytes);
      if (to) socket.send(data, to.port, formatAddress(to.address ?? 0));
      else socket.send(data);
      return done(bytes);
    } catch (error) {
      if (error instanceof NetError) return failed(-error.errno);
      throw error;
    }
  }

  #takeError(): number {
    const error = this.#error;
    this.#error = 0;
    return error;
  }

  override read(bytes: number, flags: number): PendingCall {
    if (flags & C['MSG_ERRQUEUE']!) throw new UnsupportedError('MSG_ERRQUEUE is not supported');
    const attempt = (): Outcome | undefined => {
      if (this.#error !== 0) return failure(this.#takeError());
      const length = flags & C['MSG_PEEK']! ? this.#queue[0] : this.#queue.shift();
      if (length === undefined) return this.#readShut ? { value: 0, errno: 0 } : undefined;
      const cut = length > bytes;
      const value = cut && !(flags & C['MSG_TRUNC']!) ? bytes : length;
      return { value, errno: 0, message: { flags: cut ? C['MSG_TRUNC']! : 0, control: [] } };
    };
    return waiting(attempt, this.nonBlocking || (flags & C['MSG_DONTWAIT']!) !== 0);
  }

  shutdown(how: number): PendingCall {
    if (this.#remotePort === 0) return failed('ENOTCONN');
    if (how !== C['SHUT_WR']) this.#readShut = true;
    return done(0);
  }

  override release(): PendingCall {
    this.#socket?.close();
    return done(0);
  }

  setOption(level: number, name: number, value: OptionValue): PendingCall {
    if (level === C['SOL_SOCKET'] && name === C['SO_BROADCAST'] && typeof value === 'number') {
      this.#open(undefined).broadcast = value !== 0;
      return done(0);
    }
    if (level === C['SOL_SOCKET'] && (name === C['SO_SNDBUF'] || name === C['SO_RCVBUF'])) return done(0);
    throw unsupported('setsockopt', level, name);
  }

  getOption(level: number, name: number): PendingCall {
    if (level === C['SOL_SOCKET'] && name === C['SO_ERROR'])
      return done({ value: 0, errno: 0, option: this.#takeError() });
    throw unsupported('getsockopt', level, name);
  }

  ioctl(request: number): PendingCall {
    if (request === C['SIOCINQ']) return done({ value: 0, errno: 0, option: this.#queue[0] ?? 0 });
    throw new UnsupportedError(`ioctl 0x${request.toString(16)} is not supported`);
  }

  override pollMask(): number {
    let mask = C['POLLOUT']! | C['POLLWRNORM']!;
    if (this.#queue.length > 0 || this.#readShut) mask |= C['POLLIN']! | C['POLLRDNORM']!;
    if (this.#error !== 0) mask |= C['POLLERR']!;
    return mask;
  }
}
