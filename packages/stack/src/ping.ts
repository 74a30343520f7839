import type { EchoSession, Icmp } from '@qanat/icmp';
import { formatAddress } from '@qanat/ipv4';
import { NetError } from './net-error.ts';

/** A reply to a ping. */
export interface PingReply {
  readonly seq: number;
  readonly rttUs: number;
  readonly from: string;
  readonly bytes: number;
  readonly ttl: number;
}

export interface PingOptions {
  /** Payload bytes. Default 56, as in ping(8). */
  readonly bytes?: number;
  readonly onReply: (reply: PingReply) => void;
  /** No reply came within the time limit. */
  readonly onTimeout?: (seq: number) => void;
  /** Somebody on the way reported an error. */
  readonly onError?: (seq: number, code: string) => void;
}

/** The asking side of ICMP echo to one host. */
export class Ping {
  readonly #session: EchoSession;
  readonly #address: number;
  readonly #bytes: number;
  readonly #run: (send: (nowUs: number) => number) => number;

  /** @internal Made by `Stack.ping`. @throws NetError ENOBUFS when all identifiers are taken. */
  constructor(icmp: Icmp, address: number, options: PingOptions, run: (send: (nowUs: number) => number) => number) {
    const { onReply, onTimeout, onError } = options;
    const session = icmp.openEcho({
      onReply: (seq, rttUs, from, _addr, bytes, ttl) => onReply({ seq, rttUs, from: formatAddress(from), bytes, ttl }),
      onTimeout: (seq) => onTimeout?.(seq),
      onError: (seq, error) => onError?.(seq, error.errno),
    });
    if (session === undefined) throw new NetError('ENOBUFS', 'ping');
    this.#session = session;
    this.#address = address;
    this.#bytes = options.bytes ?? 56;
    this.#run = run;
  }

  /** Sends one request. @returns its sequence number. @throws NetError EHOSTUNREACH when it cannot be sent. */
  send(): number {
    const seq = this.#run((nowUs) => this.#session.send(0, this.#address, this.#bytes, nowUs));
    if (seq < 0) throw new NetError('EHOSTUNREACH', 'ping', formatAddress(this.#address));
    return seq;
  }

  close(): void {
    this.#session.close();
  }
}
