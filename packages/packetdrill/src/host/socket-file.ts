import { failed, OpenFile } from './open-file.ts';
import type { Address, OptionValue, PendingCall } from './system-calls.ts';

/** A descriptor that is a socket, of whatever protocol. */
export abstract class SocketFile extends OpenFile {
  /** SO_REUSEADDR, SO_REUSEPORT. */
  abstract readonly reuse: { readonly address: boolean; readonly port: boolean };
  /** IPPROTO_*: ports of different protocols do not clash. */
  abstract readonly protocol: number;
  get listening(): boolean {
    return false;
  }
  abstract get localPort(): number;
  abstract get remotePort(): number;
  /** The port of bind(), 0 without. */
  abstract get boundPort(): number;
  abstract bind(address: Address): PendingCall;
  abstract connect(address: Address): PendingCall;
  abstract sendTo(bytes: number, flags: number, to: Address | undefined): PendingCall;
  abstract shutdown(how: number): PendingCall;
  abstract setOption(level: number, name: number, value: OptionValue): PendingCall;
  abstract getOption(level: number, name: number): PendingCall;
  abstract ioctl(request: number): PendingCall;

  listen(_backlog: number): PendingCall {
    return failed('EOPNOTSUPP');
  }

  /** @param _install gives the new socket a descriptor. */
  accept(_install: (socket: SocketFile) => number): PendingCall {
    return failed('EOPNOTSUPP');
  }
}
