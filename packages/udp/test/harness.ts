import { Memory, PAGE_SIZE, Packet, PageAllocator } from '@qanat/bytes';
import { seededRandom } from '@qanat/clock';
import * as ipv4 from '@qanat/ipv4';
import * as udp from '../src/index.ts';

export const ME = ipv4.parseAddress('10.0.0.1');
export const ME2 = ipv4.parseAddress('10.0.1.1');
export const PEER = ipv4.parseAddress('10.0.0.2');
export const OTHER = ipv4.parseAddress('10.0.0.3');
export const GROUP = ipv4.parseAddress('224.0.0.251');
const IN = 1 << 12;

export interface Got {
  text: string;
  from: number;
  fromPort: number;
  to: number;
}

/** UDP of one host with two addresses, and everything that it sent. */
export class Harness implements udp.UdpPort {
  readonly memory = Memory.create({ bytes: 1 << 20, kernel: 'typescript' });
  readonly pages = new PageAllocator(PAGE_SIZE * 64, PAGE_SIZE * 128);
  readonly packet = new Packet();
  readonly sent: { src: number; dst: number; datagram: Uint8Array; ttl: number; tos: number; broadcast: boolean }[] =
    [];
  problem: udp.UdpErrno | undefined;
  readonly udp: udp.Udp;

  constructor(config: Partial<udp.UdpConfig> = {}) {
    const { memory, pages } = this;
    this.udp = new udp.Udp({ memory, pages, random: seededRandom(1), port: this, config });
  }

  sendUdp(src: number, dst: number, addr: number, bytes: number, ttl: number, tos: number, broadcast: boolean) {
    if (this.problem !== undefined) return this.problem;
    this.sent.push({ src, dst, datagram: this.memory.u8.slice(addr, addr + bytes), ttl, tos, broadcast });
    this.memory.u8.fill(0xbb, addr - udp.UDP_HEADROOM, addr);
    return undefined;
  }

  sourceFor(bound: number, dst: number): number {
    if (dst >>> 24 === 99) return 0;
    return bound !== 0 ? bound : ME;
  }

  isLocal(address: number): boolean {
    return address === ME || address === ME2 || ipv4.isMulticast(address);
  }

  /** A socket that notes what it gets. */
  open(port: number, address = 0, more: Partial<udp.UdpHandler> = {}, shared = false) {
    const got: Got[] = [];
    const socket = this.udp.open({
      address,
      port,
      shared,
      handler: {
        onDatagram: (addr, bytes, from, fromPort, to) => {
          const text = String.fromCharCode(...this.memory.u8.subarray(addr, addr + bytes));
          got.push({ text, from, fromPort, to });
        },
        ...more,
      },
    });
    return { socket, got };
  }

  /** A datagram as PEER would send it. */
  datagram(payload: Uint8Array | string, srcPort: number, dstPort: number, src = PEER, dst = ME): Uint8Array {
    const bytes = typeof payload === 'string' ? Uint8Array.from(payload, (c) => c.charCodeAt(0)) : payload;
    this.memory.u8.set(bytes, IN + 8);
    const sum = this.memory.kernel.sum(IN + 8, bytes.length);
    udp.writeHeader(this.memory, IN, src, srcPort, dst, dstPort, bytes.length, sum);
    return this.memory.u8.slice(IN, IN + 8 + bytes.length);
  }

  receive(datagram: Uint8Array, o: { src?: number; dst?: number; unicast?: boolean; cut?: number } = {}): number {
    const { src = PEER, dst = ME, unicast = true, cut } = o;
    this.memory.u8.fill(0xcc, IN - 64, IN + datagram.length + 64);
    this.memory.u8.set(datagram, IN);
    this.packet.set(IN, datagram.length);
    if (cut !== undefined && cut < datagram.length) {
      this.packet.headLen = cut;
      this.packet.fragCount = 1;
      this.packet.fragAddr[0] = 3 << 16;
      this.packet.fragLen[0] = datagram.length - cut;
      this.memory.u8.set(datagram.subarray(cut), 3 << 16);
      this.memory.u8.fill(0xcc, IN + cut, IN + datagram.length);
    }
    return this.udp.receive(this.packet, src, dst, unicast);
  }
}
