import { Memory, PAGE_SIZE, type Packet, PageAllocator } from '@qanat/bytes';
import { seededRandom, VirtualTime } from '@qanat/clock';
import { parseAddress } from '@qanat/ipv4';
import { createPipe, type Netif } from '@qanat/link';
import { createStack, type Stack, type StackOptions } from '../src/index.ts';

/** An IPv4 packet as a test looks at it. */
export interface IpSeen {
  readonly src: string;
  readonly dst: string;
  readonly ttl: number;
  readonly tos: number;
  readonly id: number;
  readonly df: boolean;
  readonly protocol: number;
  readonly payload: Uint8Array;
}

/** A TCP segment that was seen, absolute numbers. */
export interface TcpSeen extends IpSeen {
  readonly srcPort: number;
  readonly dstPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: string;
  readonly bytes: number;
}

export interface IpSpec {
  readonly src: string;
  readonly dst: string;
  readonly protocol?: number;
  readonly payload: Uint8Array;
  /** IP options, a multiple of four bytes. */
  readonly options?: readonly number[];
}

const LETTERS = 'FSRP.UEW';

function ones(bytes: Uint8Array, start = 0): number {
  let sum = start;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function dotted(view: DataView, at: number): string {
  return [0, 1, 2, 3].map((i) => view.getUint8(at + i)).join('.');
}

/** A host on a cable whose other end is in the test's hands: it sends and sees packets byte by byte, and answers ARP. */
export class WireHost {
  readonly time = new VirtualTime(1_000_000);
  readonly memory = Memory.create({ bytes: 16 * 1024 * 1024 });
  readonly pages = new PageAllocator(PAGE_SIZE, this.memory.bytes - PAGE_SIZE);
  readonly stack: Stack;
  /** IPv4 packets that the host sent. */
  readonly seen: IpSeen[] = [];
  /** Who was asked for by ARP, unicast or not. */
  readonly arpAsked: { ip: string; unicast: boolean }[] = [];
  /** The other end answers ARP for everybody. */
  answersArp = true;

  constructor(options: Partial<StackOptions> = {}) {
    const { memory, pages } = this;
    const { clock, timers } = this.time;
    this.stack = createStack({ memory, pages, clock, timers, random: seededRandom(7), ...options });
  }

  /** Gives the host a device. @returns what sends to it. */
  plug(address: string, gateway?: string): (spec: IpSpec) => void {
    const { memory, pages } = this;
    const { clock, timers } = this.time;
    const [ours, theirs] = createPipe({ memory, pages, clock, timers });
    theirs.attach({
      receive: (packet) => this.#receive(theirs, ours.mac, packet),
      receiveDone: () => {},
      transmitReady: () => {},
    });
    this.stack.addInterface(ours, gateway === undefined ? { address } : { address, gateway });
    this.run(1);
    return (spec) => {
      this.#send(theirs, ours.mac, 0x0800, ipPacket(spec));
      this.run(0);
    };
  }

  /** Time passes. */
  run(ms: number): void {
    this.time.run(this.time.clock.now() + ms * 1000);
  }

  /** The TCP segments seen since the last call. */
  tcp(): TcpSeen[] {
    return this.seen
      .splice(0)
      .filter((p) => p.protocol === 6)
      .map((p) => {
        const v = new DataView(p.payload.buffer, p.payload.byteOffset, p.payload.byteLength);
        const flags = [...LETTERS].filter((_, bit) => v.getUint8(13) & (1 << bit)).join('');
        return {
          ...p,
          srcPort: v.getUint16(0),
          dstPort: v.getUint16(2),
          seq: v.getUint32(4),
          ack: v.getUint32(8),
          flags,
          bytes: p.payload.length - (v.getUint8(12) >>> 4) * 4,
        };
      });
  }

  #send(netif: Netif, mac: Uint8Array, type: number, bytes: Uint8Array): void {
    const packet = netif.allocate(14 + bytes.length)!;
    packet.set(packet.addr, 14 + bytes.length);
    const { u8, view } = this.memory;
    u8.set(mac, packet.addr);
    u8.set(netif.mac, packet.addr + 6);
    view.setUint16(packet.addr + 12, type);
    u8.set(bytes, packet.addr + 14);
    netif.transmit(packet);
    netif.flush();
  }

  #receive(netif: Netif, mac: Uint8Array, packet: Packet): void {
    const frame = this.memory.u8.slice(packet.addr, packet.addr + packet.len);
    const v = new DataView(frame.buffer);
    if (v.getUint16(12) === 0x0806) {
      if (v.getUint16(20) !== 1) return;
      const unicast = (frame[0]! & 1) === 0;
      // An announcement asks for nobody.
      if (dotted(v, 28) === dotted(v, 38)) return;
      this.arpAsked.push({ ip: dotted(v, 38), unicast });
      if (!this.answersArp) return;
      const reply = Uint8Array.from([0, 1, 8, 0, 6, 4, 0, 2, ...netif.mac, ...frame.subarray(38, 42), ...mac]);
      this.#send(netif, mac, 0x0806, Uint8Array.from([...reply, ...frame.subarray(28, 32)]));
      return;
    }
    const header = (v.getUint8(14) & 15) * 4;
    this.seen.push({
      src: dotted(v, 26),
      dst: dotted(v, 30),
      tos: v.getUint8(15),
      id: v.getUint16(18),
      df: (v.getUint16(20) & 0x4000) !== 0,
      ttl: v.getUint8(22),
      protocol: v.getUint8(23),
      payload: frame.slice(14 + header, 14 + v.getUint16(16)),
    });
  }
}

function ipPacket(spec: IpSpec): Uint8Array {
  const { options = [], payload } = spec;
  const header = 20 + options.length;
  const bytes = new Uint8Array(header + payload.length);
  const v = new DataView(bytes.buffer);
  v.setUint8(0, 0x40 | (header / 4));
  v.setUint16(2, bytes.length);
  v.setUint8(8, 64);
  v.setUint8(9, spec.protocol ?? 6);
  v.setInt32(12, parseAddress(spec.src));
  v.setInt32(16, parseAddress(spec.dst));
  bytes.set(options, 20);
  v.setUint16(10, ones(bytes.subarray(0, header)));
  bytes.set(payload, header);
  return bytes;
}

/** The start of an IPv4 packet, as an ICMP error quotes it. */
export function quote(seen: IpSeen): Uint8Array {
  const { src, dst } = seen;
  return ipPacket({ src, dst, protocol: seen.protocol, payload: seen.payload.subarray(0, 8) });
}

/** An ICMP message with a quotation. */
export function icmpError(type: number, code: number, quoted: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + quoted.length);
  bytes[0] = type;
  bytes[1] = code;
  bytes.set(quoted, 8);
  new DataView(bytes.buffer).setUint16(2, ones(bytes));
  return bytes;
}

/** A TCP segment without options. `flags` in the letters of tcpdump. */
export function tcpSegment(
  addresses: { readonly src: string; readonly dst: string },
  o: { srcPort: number; dstPort: number; seq: number; ack?: number; flags: string; payload?: Uint8Array },
): Uint8Array {
  const payload = o.payload ?? new Uint8Array(0);
  const bytes = new Uint8Array(20 + payload.length);
  const v = new DataView(bytes.buffer);
  v.setUint16(0, o.srcPort);
  v.setUint16(2, o.dstPort);
  v.setUint32(4, o.seq);
  v.setUint32(8, o.ack ?? 0);
  v.setUint8(12, 0x50);
  v.setUint8(
    13,
    [...o.flags].reduce((bits, letter) => bits | (1 << LETTERS.indexOf(letter)), 0),
  );
  v.setUint16(14, 65535);
  bytes.set(payload, 20);
  const [src, dst] = [parseAddress(addresses.src), parseAddress(addresses.dst)];
  const pseudo = (src >>> 16) + (src & 0xffff) + (dst >>> 16) + (dst & 0xffff) + 6 + bytes.length;
  v.setUint16(16, ones(bytes, pseudo));
  return bytes;
}
