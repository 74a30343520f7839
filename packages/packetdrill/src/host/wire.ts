import { type Memory, PAGE_SIZE, Packet, type PageAllocator } from '@qanat/bytes';
import type { Clock } from '@qanat/clock';
import { type Netif, type NetifUp, NO_OFFLOAD } from '@qanat/link';
import { decodePacket, type LivePacket } from '../packet/decode.ts';

const ETHERNET_BYTES = 14;
const ARP_BYTES = 28;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_ARP = 0x0806;
/** Room for the largest IPv4 packet behind an Ethernet header that starts two bytes off, so that IP is aligned. */
const BUFFER_PAGES = Math.ceil((2 + ETHERNET_BYTES + 65535) / PAGE_SIZE);
const LEAD_BYTES = 2;

export const LOCAL_MAC = Uint8Array.of(0x02, 0, 0, 0, 0, 0x01);
export const PEER_MAC = Uint8Array.of(0x02, 0, 0, 0, 0, 0x02);

/**
 * The cable between the stack and the script: what the stack sends is captured with its time, what the script sends
 * is handed up. Behind it stands a router that answers ARP for every address but ours.
 */
export class Wire implements Netif {
  readonly name = 'tun0';
  readonly mac = LOCAL_MAC;
  mtu: number;
  readonly memory: Memory;
  readonly offload = NO_OFFLOAD;
  /** IPv4 packets that went out, oldest first. */
  readonly sent: LivePacket[] = [];
  readonly #pages: PageAllocator;
  readonly #clock: Clock;
  readonly #localAddress: number;
  readonly #free: Packet[] = [];
  /** Frames of the router that wait for the stack to be at rest. */
  #replies: Uint8Array[] = [];
  #up: NetifUp | undefined;

  constructor(memory: Memory, pages: PageAllocator, clock: Clock, mtu: number, localAddress: number) {
    this.memory = memory;
    this.#pages = pages;
    this.#clock = clock;
    this.mtu = mtu;
    this.#localAddress = localAddress;
  }

  allocate(frameBytes: number): Packet | null {
    const packet = this.#free.pop() ?? this.#newBuffer();
    if (!packet || frameBytes > BUFFER_PAGES * PAGE_SIZE - LEAD_BYTES) return null;
    packet.set(packet.token + LEAD_BYTES, frameBytes);
    return packet;
  }

  #newBuffer(): Packet | undefined {
    const addr = this.#pages.allocContiguous(BUFFER_PAGES);
    if (addr === 0) return undefined;
    const packet = new Packet();
    packet.token = addr;
    return packet;
  }

  transmit(packet: Packet): void {
    const frame = this.memory.u8.slice(packet.addr, packet.addr + packet.len);
    this.release(packet);
    const type = (frame[12]! << 8) | frame[13]!;
    if (type === ETHERTYPE_IPV4) {
      const live = decodePacket(frame.subarray(ETHERNET_BYTES), this.#clock.now());
      if (live) this.sent.push(live);
    } else if (type === ETHERTYPE_ARP) {
      const reply = this.#arpReply(frame);
      if (reply) this.#replies.push(reply);
    }
  }

  release(packet: Packet): void {
    this.#free.push(packet);
  }

  flush(): void {}

  attach(up: NetifUp): void {
    this.#up = up;
  }

  close(): void {
    this.#up = undefined;
  }

  /** Hands an IPv4 packet to the stack. */
  deliver(ip: Uint8Array, gsoSize: number): void {
    const frame = new Uint8Array(ETHERNET_BYTES + ip.length);
    frame.set(LOCAL_MAC, 0);
    frame.set(PEER_MAC, 6);
    frame[12] = ETHERTYPE_IPV4 >> 8;
    frame.set(ip, ETHERNET_BYTES);
    this.#deliverFrame(frame, gsoSize);
  }

  #deliverFrame(frame: Uint8Array, gsoSize: number): void {
    const packet = this.allocate(frame.length);
    if (!packet || !this.#up) return;
    this.memory.u8.set(frame, packet.addr);
    packet.gsoSize = gsoSize;
    packet.arrivedUs = this.#clock.now();
    this.#up.receive(packet);
    this.#up.receiveDone();
    this.release(packet);
  }

  /** Delivers what the router has to say. Call while the stack is at rest. */
  settle(): void {
    while (this.#replies.length > 0) {
      const replies = this.#replies;
      this.#replies = [];
      for (const reply of replies) this.#deliverFrame(reply, 0);
    }
  }

  /** RFC 826: the answer to a request for any address but our own. */
  #arpReply(frame: Uint8Array): Uint8Array | undefined {
    if (frame.length < ETHERNET_BYTES + ARP_BYTES) return undefined;
    const view = new DataView(frame.buffer);
    const target = view.getInt32(38);
    if (view.getUint16(20) !== 1 || target === this.#localAddress || target === view.getInt32(28)) return undefined;
    const reply = frame.slice(0, ETHERNET_BYTES + ARP_BYTES);
    reply.set(frame.subarray(6, 12), 0);
    reply.set(PEER_MAC, 6);
    reply[21] = 2;
    reply.set(PEER_MAC, 22);
    reply.set(frame.subarray(38, 42), 28);
    reply.set(frame.subarray(22, 32), 32);
    return reply;
  }
}
