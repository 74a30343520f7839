import type { Memory } from '@qanat/bytes';
import { Timer, type TimerQueue } from '@qanat/clock';
import type { IcmpConfig } from './config.ts';
import type { IcmpError } from './icmp-error.ts';
import * as wire from './wire.ts';

/** What a session tells its owner. */
export interface EchoHandler {
  /**
   * A reply has come.
   * @param seq of its request. @param addr payload, `bytes` long; good until the call returns.
   */
  onReply(seq: number, rttUs: number, from: number, addr: number, bytes: number, ttl: number): void;
  /** No reply in time. */
  onTimeout?(seq: number): void;
  /** Somebody on the way says that the request will not arrive. The error is reused: copy what shall stay. */
  onError?(seq: number, error: IcmpError): void;
}

/** How a session sends. */
export interface EchoSender {
  /** @returns whether the message could be sent. */
  send(src: number, dst: number, addr: number, bytes: number): boolean;
  close(session: EchoSession): void;
  /** Address with room for `bytes` of message. 0: none. */
  scratch(bytes: number): number;
}

interface Outstanding {
  readonly seq: number;
  readonly dst: number;
  readonly sentUs: number;
}

/** The asking side of ping: one identifier, any destinations (RFC 1122 section 3.2.2.6). */
export class EchoSession {
  readonly id: number;
  readonly #config: IcmpConfig;
  readonly #memory: Memory;
  readonly #timers: TimerQueue;
  readonly #sender: EchoSender;
  readonly #handler: EchoHandler;
  /** In the order of sending, which is that of their deadlines. */
  readonly #outstanding = new Map<number, Outstanding>();
  readonly #timer = new Timer((nowUs) => this.#expire(nowUs));
  #nextSeq = 0;

  constructor(
    id: number,
    config: IcmpConfig,
    memory: Memory,
    timers: TimerQueue,
    sender: EchoSender,
    handler: EchoHandler,
  ) {
    this.id = id;
    this.#config = config;
    this.#memory = memory;
    this.#timers = timers;
    this.#sender = sender;
    this.#handler = handler;
  }

  /** Requests that wait for their reply. */
  get outstanding(): number {
    return this.#outstanding.size;
  }

  /**
   * Sends a request whose payload counts 0, 1, 2 ... 255, 0 ...
   * @param src our address. @param bytes of payload, at most maxEchoBytes.
   * @returns its sequence number, or -1 when it cannot be sent now.
   */
  send(src: number, dst: number, bytes: number, nowUs: number): number {
    if (bytes < 0 || bytes > this.#config.maxEchoBytes) return -1;
    if (this.#outstanding.size >= this.#config.maxOutstandingEchoes) return -1;
    const length = wire.ICMP_HEADER_BYTES + bytes;
    const addr = this.#sender.scratch(length);
    if (addr === 0) return -1;
    const payload = addr + wire.ICMP_HEADER_BYTES;
    for (let i = 0; i < bytes; i++) this.#memory.u8[payload + i] = i;
    const seq = this.#nextSeq;
    wire.writeHeader(this.#memory, addr, wire.ICMP_ECHO_REQUEST, 0, (this.id << 16) | seq, length);
    this.#nextSeq = (seq + 1) & 0xffff;
    // Written down first: a reply may come before `send` returns (loopback).
    this.#outstanding.delete(seq);
    this.#outstanding.set(seq, { seq, dst, sentUs: nowUs });
    if (!this.#timer.armed) this.#timers.arm(this.#timer, nowUs + this.#config.echoTimeoutUs);
    if (this.#sender.send(src, dst, addr, length)) return seq;
    this.#outstanding.delete(seq);
    return -1;
  }

  /** @internal A checked echo reply with our identifier. */
  receive(addr: number, bytes: number, from: number, ttl: number, arrivedUs: number): boolean {
    const seq = wire.getSeq(this.#memory, addr);
    const request = this.#outstanding.get(seq);
    if (request === undefined || request.dst !== from) return false;
    this.#remove(request);
    const payload = addr + wire.ICMP_HEADER_BYTES;
    this.#handler.onReply(seq, arrivedUs - request.sentUs, from, payload, bytes - wire.ICMP_HEADER_BYTES, ttl);
    return true;
  }

  /** @internal An error that quotes an echo request with our identifier. */
  receiveError(error: IcmpError): boolean {
    const seq = wire.getSeq(this.#memory, error.transportAddr);
    const request = this.#outstanding.get(seq);
    if (request === undefined || request.dst !== error.dst) return false;
    this.#remove(request);
    this.#handler.onError?.(seq, error);
    return true;
  }

  close(): void {
    this.#outstanding.clear();
    this.#timers.cancel(this.#timer);
    this.#sender.close(this);
  }

  #remove(request: Outstanding): void {
    this.#outstanding.delete(request.seq);
    if (this.#outstanding.size === 0) this.#timers.cancel(this.#timer);
  }

  #expire(nowUs: number): void {
    for (const request of this.#outstanding.values()) {
      const deadlineUs = request.sentUs + this.#config.echoTimeoutUs;
      if (deadlineUs > nowUs) {
        this.#timers.arm(this.#timer, deadlineUs);
        return;
      }
      this.#outstanding.delete(request.seq);
      this.#handler.onTimeout?.(request.seq);
    }
  }
}
