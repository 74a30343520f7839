import { Memory, PAGE_SIZE, Packet, PageAllocator } from '@qanat/bytes';
import { seededRandom, VirtualTime } from '@qanat/clock';
import * as ipv4 from '@qanat/ipv4';
import * as icmp from '../src/index.ts';

export const SECOND = 1_000_000;
export const ME = ipv4.parseAddress('10.0.0.1');
export const PEER = ipv4.parseAddress('10.0.0.2');
export const ROUTER = ipv4.parseAddress('10.0.0.254');
const IN = 1 << 12;
const HEADERS = 20;

export interface Sent {
  src: number;
  dst: number;
  tos: number;
  message: Uint8Array;
}

/** ICMP of one host on virtual time, with everything it did written down. */
export class Harness implements icmp.IcmpPort {
  readonly memory = Memory.create({ bytes: 1 << 20, kernel: 'typescript' });
  readonly pages = new PageAllocator(PAGE_SIZE * 64, PAGE_SIZE * 128);
  readonly time = new VirtualTime();
  readonly sent: Sent[] = [];
  readonly errors: Record<string, unknown>[] = [];
  readonly packet = new Packet();
  full = false;
  readonly icmp: icmp.Icmp;

  constructor(config: Partial<icmp.IcmpConfig> = {}) {
    this.icmp = new icmp.Icmp({
      memory: this.memory,
      pages: this.pages,
      timers: this.time.timers,
      random: seededRandom(1),
      port: this,
      config,
    });
  }

  get now(): number {
    return this.time.clock.now();
  }

  run(us: number): void {
    this.time.run(this.now + us);
  }

  sendIcmp(src: number, dst: number, addr: number, bytes: number, tos: number): boolean {
    if (this.full) return false;
    this.sent.push({ src, dst, tos, message: this.memory.u8.slice(addr, addr + bytes) });
    // The headroom is free to be overwritten.
    this.memory.u8.fill(0xbb, addr - icmp.ICMP_HEADROOM, addr);
    return true;
  }

  icmpError(error: icmp.IcmpError): void {
    const { type, code, mtu, from, protocol, src, dst, errno, hard, transportBytes } = error;
    const transport = [...this.memory.u8.slice(error.transportAddr, error.transportAddr + 8)];
    this.errors.push({ type, code, mtu, from, protocol, src, dst, errno, hard, transportBytes, transport });
  }

  /** Puts an IP packet into memory. @returns its address; `last` holds its length. */
  ip(payload: Uint8Array, o: IpOptions = {}): number {
    const { src = PEER, dst = ME, protocol = 1, flags = 0, ttl = 64, tos = 0 } = o;
    // What lies beyond the packet looks like an echo request.
    this.memory.u8.fill(icmp.ICMP_ECHO_REQUEST, IN - 64, IN + payload.length + 256);
    ipv4.writeHeader(this.memory, IN, HEADERS + payload.length, 7, flags, ttl, protocol, src, dst, tos);
    this.memory.u8.set(payload, IN + HEADERS);
    this.last = HEADERS + payload.length;
    return IN;
  }
  last = 0;

  /** An ICMP message with a right checksum. */
  message(type: number, code: number, info: number, body: Uint8Array): Uint8Array {
    this.memory.u8.set(body, 1024 + 8);
    icmp.writeHeader(this.memory, 1024, type, code, info, 8 + body.length);
    return this.memory.u8.slice(1024, 1024 + 8 + body.length);
  }

  /** Receives an ICMP message, in one piece or cut in two. */
  receive(message: Uint8Array, o: IpOptions & { unicast?: boolean; cut?: number } = {}): void {
    const ip = this.ip(message, o);
    this.packet.set(ip + HEADERS, message.length);
    this.packet.arrivedUs = this.now;
    if (o.cut !== undefined && o.cut < message.length) {
      this.packet.headLen = o.cut;
      this.packet.fragCount = 1;
      this.packet.fragAddr[0] = IN + 0x8000;
      this.packet.fragLen[0] = message.length - o.cut;
      this.memory.u8.set(message.subarray(o.cut), IN + 0x8000);
      this.memory.u8.fill(0xcc, ip + HEADERS + o.cut, ip + HEADERS + message.length);
    }
    this.icmp.receive(this.packet, ip, o.unicast ?? true, this.now);
  }

  /** Answers the packet with port unreachable. */
  refuse(payload: Uint8Array, o: IpOptions & { linkUnicast?: boolean } = {}): boolean {
    const ip = this.ip(payload, { protocol: 17, ...o });
    return this.icmp.sendError(3, 3, 0, ip, this.last, o.linkUnicast ?? true, this.now);
  }

  checksumOk(message: Uint8Array): boolean {
    this.memory.u8.set(message, 2048);
    return this.memory.kernel.sum(2048, message.length) === 0xffff;
  }
}

export interface IpOptions {
  src?: number;
  dst?: number;
  protocol?: number;
  flags?: number;
  ttl?: number;
  tos?: number;
}
