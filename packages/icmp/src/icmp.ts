import {
  addSum,
  finishSum,
  type Memory,
  PACKET_CSUM_BLANK,
  PACKET_DATA_VALIDATED,
  type Packet,
  type PageAllocator,
} from '@qanat/bytes';
import type { Random, TimerQueue } from '@qanat/clock';
import * as ipv4 from '@qanat/ipv4';
import { ICMP_DEFAULTS, type IcmpConfig } from './config.ts';
import { type EchoHandler, type EchoSender, EchoSession } from './echo-session.ts';
import { IcmpError } from './icmp-error.ts';
import { RateLimit, TokenBucket } from './rate-limit.ts';
import { type IcmpStats, newIcmpStats } from './stats.ts';
import * as wire from './wire.ts';

/** What ICMP needs of the stack. */
export interface IcmpPort {
  /**
   * Sends an ICMP message as the payload of an IP packet; nothing comes back within the call (loopback queues). It lies in memory until the call returns; ICMP_HEADROOM bytes
   * in front of it may be overwritten with a header.
   * @param src our address, or 0: the stack chooses.
   * @returns whether it was sent (or waits for ARP).
   */
  sendIcmp(src: number, dst: number, addr: number, bytes: number, tos: number): boolean;
  /**
   * An error about a packet of ours, for its transport to check (RFC 5927). Errors about echo requests do not come
   * here, nor do source quench (RFC 6633) and redirects. The object is reused.
   */
  icmpError(error: IcmpError, nowUs: number): void;
}

/** Bytes in front of a message in `sendIcmp` that are free to be overwritten: an IP header without options. */
export const ICMP_HEADROOM = ipv4.IPV4_HEADER_BYTES;

export interface IcmpOptions {
  readonly memory: Memory;
  readonly pages: PageAllocator;
  readonly timers: TimerQueue;
  readonly random: Random;
  readonly port: IcmpPort;
  readonly config?: Partial<IcmpConfig>;
}

/** ICMP of one host (RFC 792, RFC 1122 section 3.2.2). */
export class Icmp {
  readonly config: IcmpConfig;
  readonly stats: IcmpStats = newIcmpStats();
  readonly #memory: Memory;
  readonly #timers: TimerQueue;
  readonly #random: Random;
  readonly #port: IcmpPort;
  readonly #errorLimit: RateLimit;
  readonly #echoLimit: TokenBucket;
  readonly #sessions = new Map<number, EchoSession>();
  readonly #error = new IcmpError();
  readonly #sender: EchoSender;
  /** Two: a handler may send while it reads a reply. */
  readonly #outgoing: ipv4.Scratch;
  readonly #incoming: ipv4.Scratch;

  constructor(options: IcmpOptions) {
    const config = { ...ICMP_DEFAULTS, ...options.config };
    this.config = config;
    this.#memory = options.memory;
    this.#outgoing = new ipv4.Scratch(options.pages);
    this.#incoming = new ipv4.Scratch(options.pages);
    this.#timers = options.timers;
    this.#random = options.random;
    this.#port = options.port;
    this.#errorLimit = new RateLimit(
      new TokenBucket(config.errorsPerSecond, config.errorBurst),
      config.errorsPerSecondPerDestination,
      config.errorBurstPerDestination,
      config.maxDestinations,
    );
    this.#echoLimit = new TokenBucket(config.echoRepliesPerSecond, config.echoReplyBurst);
    this.#sender = {
      send: (src, dst, addr, bytes) => {
        const sent = this.#port.sendIcmp(src, dst, addr, bytes, 0);
        if (sent) this.stats.outEchos++;
        return sent;
      },
      close: (session) => this.#sessions.delete(session.id),
      scratch: (bytes) => this.#outgoing.room(bytes),
    };
  }

  /**
   * Takes in a received message; its packet may be overwritten.
   * @param packet at the ICMP header, trimmed to the datagram. @param ip address of its IP header, which was checked.
   * @param unicast whether it came to one of our own addresses, and to nobody else.
   */
  receive(packet: Packet, ip: number, unicast: boolean, nowUs: number): void {
    const memory = this.#memory;
    this.stats.inMsgs++;
    if (packet.headLen < wire.ICMP_HEADER_BYTES || packet.len < wire.ICMP_HEADER_BYTES) {
      this.stats.inErrors++;
      return;
    }
    const checked = (packet.flags & (PACKET_CSUM_BLANK | PACKET_DATA_VALIDATED)) !== 0;
    if (!checked && ipv4.sumPacket(memory, packet) !== 0xffff) {
      this.stats.inCsumErrors++;
      return;
    }
    const type = wire.getType(memory, packet.addr);
    if (type === wire.ICMP_ECHO_REQUEST) this.#answerEcho(packet, ip, unicast, nowUs);
    else if (type === wire.ICMP_ECHO_REPLY) this.#receiveReply(packet, ip);
    else if (type === wire.ICMP_SOURCE_QUENCH || type === wire.ICMP_REDIRECT) this.stats.ignored++;
    else if (wire.isError(type)) this.#receiveError(packet, ip, unicast, nowUs);
    else this.stats.ignored++;
  }

  /**
   * Answers a packet with an error, if RFC 1122 section 3.2.2 and the rate limits allow it. The error goes out from
   * the address that the packet was sent to.
   * @param info the second word: 0, the next-hop MTU, or the pointer << 24.
   * @param ip the packet with its IP header, which was checked. @param bytes contiguous at `ip`.
   * @param linkUnicast whether the frame came to our MAC alone.
   * @param src 0: answer from the packet's destination; else from this address (who forwards, or whom it timed out on).
   * @returns whether an error was sent.
   */
  sendError(
    type: number,
    code: number,
    info: number,
    ip: number,
    bytes: number,
    linkUnicast: boolean,
    nowUs: number,
    src = 0,
  ): boolean {
    const memory = this.#memory;
    if (!linkUnicast || !this.#mayAnswer(ip, bytes)) {
      this.stats.outSuppressed++;
      return false;
    }
    const to = ipv4.getSrc(memory, ip);
    if (!this.#errorLimit.take(to, nowUs)) {
      this.stats.outRateLimited++;
      return false;
    }
    const room = this.config.maxErrorBytes - ipv4.IPV4_HEADER_BYTES - wire.ICMP_HEADER_BYTES;
    const quoted = Math.min(bytes, ipv4.getTotalLength(memory, ip), room);
    const addr = this.#outgoing.room(wire.ICMP_HEADER_BYTES + quoted);
    if (addr === 0) return false;
    memory.kernel.copy(addr + wire.ICMP_HEADER_BYTES, ip, quoted);
    wire.writeHeader(memory, addr, type, code, info, wire.ICMP_HEADER_BYTES + quoted);
    const from = src !== 0 ? src : ipv4.getDst(memory, ip);
    // RFC 1812 section 4.3.2.5: errors go with precedence 6 or 7.
    if (!this.#port.sendIcmp(from, to, addr, wire.ICMP_HEADER_BYTES + quoted, ERROR_TOS)) return false;
    this.stats.outErrors++;
    return true;
  }

  /**
   * Opens the asking side of ping.
   * @returns undefined when all identifiers are taken.
   */
  openEcho(handler: EchoHandler): EchoSession | undefined {
    if (this.#sessions.size >= 0x10000) return undefined;
    let id = this.#random.u32() & 0xffff;
    while (this.#sessions.has(id)) id = (id + 1) & 0xffff;
    const session = new EchoSession(id, this.config, this.#memory, this.#timers, this.#sender, handler);
    this.#sessions.set(id, session);
    return session;
  }

  close(): void {
    for (const session of [...this.#sessions.values()]) session.close();
    this.#outgoing.close();
    this.#incoming.close();
  }

  #answerEcho(packet: Packet, ip: number, unicast: boolean, nowUs: number): void {
    const memory = this.#memory;
    this.stats.inEchos++;
    // RFC 1122 section 3.2.2.6 allows silence to broadcasts (and Linux keeps it): no smurf.
    if (!unicast || packet.len - wire.ICMP_HEADER_BYTES > this.config.maxEchoBytes) {
      this.stats.ignored++;
      return;
    }
    if (!this.#echoLimit.take(nowUs)) {
      this.stats.outRateLimited++;
      return;
    }
    let addr = packet.addr;
    if (packet.fragCount > 0) {
      addr = this.#incoming.room(packet.len);
      if (addr === 0) return;
      ipv4.copyFromPacket(memory, packet, 0, addr, packet.len);
    }
    const src = ipv4.getSrc(memory, ip);
    const dst = ipv4.getDst(memory, ip);
    const tos = ipv4.getTos(memory, ip) & ~ipv4.ECN_MASK;
    // A blank checksum field says nothing about the message; else only the type changes (RFC 1624, equation 3).
    const blank = (packet.flags & PACKET_CSUM_BLANK) !== 0;
    const sum = finishSum(wire.getChecksum(memory, addr));
    memory.u8[addr + wire.OFFSET_TYPE] = wire.ICMP_ECHO_REPLY;
    const changed = finishSum(addSum(sum, ~(wire.ICMP_ECHO_REQUEST << 8) & 0xffff));
    // Of a message that is nothing but zeros now, 0xffff is the checksum and 0 is none; of any other the two are equal.
    memory.view.setUint16(addr + wire.OFFSET_CHECKSUM, blank ? 0 : changed || 0xffff);
    if (blank) memory.view.setUint16(addr + wire.OFFSET_CHECKSUM, finishSum(memory.kernel.sum(addr, packet.len)));
    if (this.#port.sendIcmp(dst, src, addr, packet.len, tos)) this.stats.outEchoReps++;
  }

  #receiveReply(packet: Packet, ip: number): void {
    const memory = this.#memory;
    this.stats.inEchoReps++;
    const session = this.#sessions.get(wire.getId(memory, packet.addr));
    const from = ipv4.getSrc(memory, ip);
    const ttl = ipv4.getTtl(memory, ip);
    if (session === undefined) {
      this.stats.ignored++;
      return;
    }
    let addr = packet.addr;
    if (packet.fragCount > 0) {
      addr = this.#incoming.room(packet.len);
      if (addr === 0) return;
      ipv4.copyFromPacket(memory, packet, 0, addr, packet.len);
    }
    if (!session.receive(addr, packet.len, from, ttl, packet.arrivedUs)) this.stats.ignored++;
  }

  #receiveError(packet: Packet, ip: number, unicast: boolean, nowUs: number): void {
    const memory = this.#memory;
    const error = this.#error;
    const bytes = Math.min(packet.headLen, packet.len);
    if (!unicast || !error.parse(memory, packet.addr, bytes, ipv4.getSrc(memory, ip), ipv4.getDst(memory, ip))) {
      this.stats.inErrors++;
      return;
    }
    if (error.type === wire.ICMP_UNREACHABLE) this.stats.inDestUnreachs++;
    if (error.type === wire.ICMP_TIME_EXCEEDED) this.stats.inTimeExcds++;
    if (error.protocol !== ipv4.PROTOCOL_ICMP) {
      this.#port.icmpError(error, nowUs);
      return;
    }
    const session = this.#sessions.get(wire.getId(memory, error.transportAddr));
    const aboutEcho = wire.getType(memory, error.transportAddr) === wire.ICMP_ECHO_REQUEST;
    if (!aboutEcho || session === undefined || !session.receiveError(error)) this.stats.ignored++;
  }

  /** RFC 1122 section 3.2.2: what is never answered by an error. */
  #mayAnswer(ip: number, bytes: number): boolean {
    const memory = this.#memory;
    const headerBytes = ipv4.getHeaderBytes(memory, ip);
    if (bytes < headerBytes || headerBytes < ipv4.IPV4_HEADER_BYTES) return false;
    if (ipv4.getFragmentOffset(memory, ip) !== 0) return false;
    const src = ipv4.getSrc(memory, ip);
    if (src >>> 24 === 0 || ipv4.isLoopback(src) || src >>> 24 >= 224) return false;
    const dst = ipv4.getDst(memory, ip);
    if (dst >>> 24 >= 224) return false;
    if (ipv4.getProtocol(memory, ip) !== ipv4.PROTOCOL_ICMP) return true;
    return bytes > headerBytes && wire.isQuery(wire.getType(memory, ip + headerBytes));
  }
}

/** Precedence 6, internetwork control. */
const ERROR_TOS = 0xc0;
