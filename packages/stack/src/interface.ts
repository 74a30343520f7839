import {
  ARP_FRAME_BYTES,
  ARP_QUEUED,
  ARP_UNREACHABLE,
  Arp,
  type ArpConfig,
  type ArpEntry,
  type ArpPort,
  writeFrame as writeArpFrame,
} from '@qanat/arp';
import { type Memory, PACKET_CSUM_BLANK, type Packet, type PageAllocator } from '@qanat/bytes';
import type { Random, TimerQueue } from '@qanat/clock';
import {
  BROADCAST_HI,
  BROADCAST_LO,
  ETH_HEADER_BYTES,
  ETH_TYPE_ARP,
  ETH_TYPE_IPV4,
  macHi,
  macLo,
  multicastLo,
  writeHeader as writeEthernetHeader,
} from '@qanat/ethernet';
import { ADDRESS_BROADCAST, type Cidr, type Identification, isMulticast, NO_FLOW, packetFlowHash } from '@qanat/ipv4';
import { finishIpChecksum, type Netif, type NetifUp, TcpSegmenter } from '@qanat/link';
import type { PathMtuCache } from './path-mtu-cache.ts';
import { InterfaceStats } from './stack-stats.ts';

/** The part of the stack that an interface reports to. */
export interface InterfaceHost {
  readonly memory: Memory;
  readonly pages: PageAllocator;
  readonly timers: TimerQueue;
  readonly random: Random;
  readonly identification: Identification;
  readonly pathMtus: PathMtuCache;
  /** Time of the current batch, in microseconds. */
  readonly nowUs: number;
  beginBatch(): void;
  endBatch(): void;
  /** An IPv4 packet has come; `packet` stands at its header, nothing is checked. */
  receiveIp(via: Interface, packet: Packet): void;
  /** The device has room again. */
  transmitReady(): void;
  /** Nobody answers for a next hop. */
  unreachable(via: Interface, nextHop: number): void;
  /** An IPv4 packet of `bytes` at `addr` was dropped because nobody answers for its next hop. */
  dropped(via: Interface, addr: number, bytes: number): void;
  addressConflict(via: Interface, mac: Uint8Array | undefined, lost: boolean): void;
}

const MULTICAST_MAC_HI = 0x0100;

/** One device with one address: Ethernet and ARP on it, IPv4 above. */
export class Interface implements NetifUp, ArpPort {
  readonly name: string;
  readonly netif: Netif;
  readonly memory: Memory;
  readonly mtu: number;
  readonly network: Cidr;
  readonly identification: Identification;
  readonly arp: Arp;
  readonly stats = new InterfaceStats();
  readonly #host: InterfaceHost;
  readonly #macHi: number;
  readonly #macLo: number;
  /** Whether the frame in hand came to our MAC alone: only such packets are answered with ICMP errors. */
  toUs = false;
  /** The last host whose packet for us alone had passed the checks of addresses, 0 before. */
  lastSrc = 0;
  #batch = false;
  /** Something was queued in the device since the last flush. */
  #dirty = false;
  /** The neighbour of the last packet: bulk flows have one. */
  #neighbour: ArpEntry | undefined;

  constructor(host: InterfaceHost, netif: Netif, network: Cidr, name: string, arp?: Partial<ArpConfig>) {
    this.name = name;
    this.netif = netif;
    this.memory = netif.memory;
    this.mtu = netif.mtu;
    this.network = network;
    this.identification = host.identification;
    this.#host = host;
    this.#macHi = macHi(netif.mac);
    this.#macLo = macLo(netif.mac);
    this.arp = new Arp({
      memory: host.memory,
      pages: host.pages,
      timers: host.timers,
      random: host.random,
      port: this,
      mac: netif.mac,
      maxPacketBytes: netif.mtu,
      ...(arp === undefined ? {} : { config: arp }),
    });
  }

  /** Largest IPv4 packet that is known to reach `dst`. */
  pathMtu(dst: number): number {
    return this.#host.pathMtus.get(dst, this.mtu, this.#host.nowUs);
  }

  /** Our address (int32). */
  get address(): number {
    return this.network.address;
  }

  /** Begins traffic: takes the address, tells the link of it (gratuitous ARP). */
  up(): void {
    this.netif.attach(this);
    this.arp.setAddress(this.network.address, this.network.mask, this.#host.nowUs);
    this.flush();
  }

  close(): void {
    this.arp.close();
    this.netif.close();
  }

  /** Flow hash of an IPv4 packet, for `netif.allocate`; NO_FLOW where nobody asks, which is on most devices. */
  flowOf(ip: number, bytes: number): number {
    const { txQueues } = this.netif;
    return txQueues === undefined || txQueues === 1 ? NO_FLOW : packetFlowHash(this.memory, ip, bytes);
  }

  /** Publishes what was sent since the last time. */
  flush(): void {
    if (this.#dirty) {
      this.#dirty = false;
      this.netif.flush();
    }
  }

  /**
   * Sends an IPv4 packet that stands behind room for an Ethernet header at `packet.addr`. Takes the packet over.
   * @returns false when the next hop is known not to answer.
   */
  sendIp(packet: Packet, nextHop: number): boolean {
    let entry = this.#neighbour;
    if (entry === undefined || entry.ip !== nextHop || !entry.valid) {
      if (nextHop === ADDRESS_BROADCAST || nextHop === this.network.broadcast) {
        this.#transmit(packet, BROADCAST_HI, BROADCAST_LO);
        return true;
      }
      if (isMulticast(nextHop)) {
        this.#transmit(packet, MULTICAST_MAC_HI, multicastLo(nextHop));
        return true;
      }
      entry = this.arp.lookup(nextHop, this.#host.nowUs);
      this.#neighbour = entry;
      if (entry === undefined) return this.#waitForNeighbour(packet, nextHop);
    }
    this.#transmit(packet, entry.macHi, entry.macLo);
    return true;
  }

  /** Progress of a flow shows that the neighbour hears us. */
  confirmNeighbour(nextHop: number): void {
    const entry = this.#neighbour;
    if (entry !== undefined && entry.ip === nextHop) this.arp.confirm(entry, this.#host.nowUs);
  }

  /** A flow over it gets nowhere: the neighbour may be dead. */
  doubtNeighbour(nextHop: number): void {
    const entry = this.arp.lookup(nextHop, this.#host.nowUs);
    if (entry !== undefined) this.arp.doubt(entry);
  }

  #transmit(packet: Packet, dstHi: number, dstLo: number): void {
    writeEthernetHeader(this.memory, packet.addr, dstHi, dstLo, this.#macHi, this.#macLo, ETH_TYPE_IPV4);
    this.stats.txFrames++;
    this.stats.txBytes += packet.len;
    this.#dirty = true;
    this.netif.transmit(packet);
  }

  #waitForNeighbour(packet: Packet, nextHop: number): boolean {
    const whole = packet.fragCount > 0 ? this.#gather(packet) : packet;
    const result = whole === null ? ARP_QUEUED : this.#enqueue(whole, nextHop);
    if (whole !== null) this.netif.release(whole);
    if (whole !== packet) this.netif.release(packet);
    if (result === ARP_QUEUED) return true;
    this.stats.txUnreachable++;
    if (result === ARP_UNREACHABLE) this.#host.unreachable(this, nextHop);
    return false;
  }

  /** A packet that refers to memory, in one piece; null when the device has no room for it: it is lost as any may be. */
  #gather(packet: Packet): Packet | null {
    const whole = this.netif.allocate(packet.len);
    if (whole === null) {
      this.stats.txFull++;
      return null;
    }
    const { kernel } = this.memory;
    whole.set(whole.addr, packet.len);
    whole.flags = packet.flags;
    whole.gsoSize = packet.gsoSize;
    kernel.copy(whole.addr, packet.addr, packet.headLen);
    let at = whole.addr + packet.headLen;
    for (let i = 0; i < packet.fragCount; i++) {
      kernel.copy(at, packet.fragAddr[i]!, packet.fragLen[i]!);
      at += packet.fragLen[i]!;
    }
    return whole;
  }

  /** What waits is ordinary packets with checksums: offloads are done here. @returns ARP_*, of the last. */
  #enqueue(packet: Packet, nextHop: number): number {
    const { nowUs } = this.#host;
    const ip = packet.addr + ETH_HEADER_BYTES;
    const bytes = packet.len - ETH_HEADER_BYTES;
    if (packet.gsoSize === 0) {
      if (packet.flags & PACKET_CSUM_BLANK) finishIpChecksum(this.memory, ip, bytes);
      return this.arp.enqueue(nextHop, ip, bytes, nowUs);
    }
    let result = ARP_QUEUED;
    const segmenter = new TcpSegmenter(this.memory);
    if (!segmenter.begin(ip, bytes, packet.gsoSize, 0, false)) return result;
    while (segmenter.next()) result = this.arp.enqueue(nextHop, segmenter.addr, segmenter.len, nowUs);
    return result;
  }

  // --- NetifUp -------------------------------------------------------------------------------------------------

  receive(packet: Packet): void {
    if (!this.#batch) {
      this.#batch = true;
      this.#host.beginBatch();
    }
    const { stats, memory } = this;
    stats.rxFrames++;
    stats.rxBytes += packet.len;
    if (packet.headLen < ETH_HEADER_BYTES) {
      stats.rxShort++;
      return;
    }
    const addr = packet.addr;
    const view = memory.view;
    const dstHi = view.getUint16(addr);
    if ((dstHi & 0x100) === 0 && (dstHi !== this.#macHi || view.getInt32(addr + 2) !== this.#macLo)) {
      stats.rxOtherHost++;
      return;
    }
    this.toUs = (dstHi & 0x100) === 0;
    const type = view.getUint16(addr + 12);
    packet.pull(ETH_HEADER_BYTES);
    if (type === ETH_TYPE_IPV4) this.#host.receiveIp(this, packet);
    else if (type === ETH_TYPE_ARP) this.arp.receive(packet.addr, packet.headLen, this.#host.nowUs);
    else stats.rxUnknownType++;
  }

  receiveDone(): void {
    this.#batch = false;
    this.#host.endBatch();
  }

  transmitReady(): void {
    this.arp.transmitReady();
    this.#host.transmitReady();
    this.flush();
  }

  // --- ArpPort -------------------------------------------------------------------------------------------------

  sendArp(
    dstHi: number,
    dstLo: number,
    operation: number,
    senderIp: number,
    targetHi: number,
    targetLo: number,
    targetIp: number,
  ): boolean {
    const packet = this.netif.allocate(ARP_FRAME_BYTES);
    if (packet === null) {
      this.stats.txFull++;
      return false;
    }
    packet.set(packet.addr, ARP_FRAME_BYTES);
    writeArpFrame(
      this.memory,
      packet.addr,
      dstHi,
      dstLo,
      this.#macHi,
      this.#macLo,
      operation,
      senderIp,
      targetHi,
      targetLo,
      targetIp,
    );
    this.stats.txFrames++;
    this.stats.txBytes += ARP_FRAME_BYTES;
    this.#dirty = true;
    this.netif.transmit(packet);
    // ARP's own timers run outside of batches.
    if (!this.#batch) this.flush();
    return true;
  }

  sendPending(entry: ArpEntry, addr: number, bytes: number): boolean {
    const packet = this.netif.allocate(ETH_HEADER_BYTES + bytes, this.flowOf(addr, bytes));
    if (packet === null) return false;
    packet.set(packet.addr, ETH_HEADER_BYTES + bytes);
    this.memory.kernel.copy(packet.addr + ETH_HEADER_BYTES, addr, bytes);
    this.#transmit(packet, entry.macHi, entry.macLo);
    if (!this.#batch) this.flush();
    return true;
  }

  unreachable(ip: number): void {
    this.#host.unreachable(this, ip);
  }

  dropPending(_ip: number, addr: number, bytes: number): void {
    this.stats.txUnreachable++;
    this.#host.dropped(this, addr, bytes);
  }

  addressReady(): void {}

  addressConflict(_macHi: number, _macLo: number, lost: boolean): void {
    this.#host.addressConflict(this, undefined, lost);
  }
}
