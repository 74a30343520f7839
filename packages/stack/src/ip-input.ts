import type { Packet } from '@qanat/bytes';
import {
  ADDRESS_BROADCAST,
  checkAddresses,
  checkHeader,
  getDst,
  getHeaderBytes,
  getProtocol,
  getSrc,
  getTotalLength,
  HEADER_OK,
  type Ipv4Config,
  isFragment,
  isMulticast,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  Reassembler,
} from '@qanat/ipv4';
import type { Interface, InterfaceHost } from './interface.ts';

/** Who gets the datagrams; `packet` stands at the IP header, whose checks are done, trimmed to its length. */
export interface IpHandlers {
  tcp(via: Interface, packet: Packet, headerBytes: number, src: number, dst: number): void;
  udp(via: Interface, packet: Packet, headerBytes: number, src: number, dst: number): void;
  icmp(via: Interface, packet: Packet, headerBytes: number, src: number, dst: number): void;
  /** No such protocol here: time for an ICMP protocol unreachable. */
  unknownProtocol(via: Interface, packet: Packet): void;
  /** A datagram was not complete in time (RFC 1122 section 3.3.2): its first fragment. */
  reassemblyTimeout(addr: number, bytes: number): void;
}

/** The IPv4 module's receiving side: checks, reassembly, and the choice of the protocol above. */
export class IpInput {
  readonly reassembler: Reassembler;
  readonly #handlers: IpHandlers;
  readonly #host: InterfaceHost;

  constructor(host: InterfaceHost, handlers: IpHandlers, config: Ipv4Config) {
    this.#host = host;
    this.#handlers = handlers;
    this.reassembler = new Reassembler({
      memory: host.memory,
      pages: host.pages,
      timers: host.timers,
      config,
      onTimeExceeded: (addr, bytes) => handlers.reassemblyTimeout(addr, bytes),
    });
  }

  /** A packet from a device, at its IP header. Whatever is wrong with it is counted; then it is dropped. */
  receive(via: Interface, packet: Packet): void {
    const { memory } = this.#host;
    const { stats, network } = via;
    const addr = packet.addr;
    if (checkHeader(memory, addr, packet.headLen, packet.len) !== HEADER_OK) {
      stats.ipHeaderErrors++;
      return;
    }
    const src = getSrc(memory, addr);
    const dst = getDst(memory, addr);
    if (src !== via.lastSrc || src === 0 || dst !== network.address) {
      if (checkAddresses(src, dst, network.address, network.broadcast) !== HEADER_OK) {
        stats.ipAddressErrors++;
        return;
      }
      if (dst === network.address) via.lastSrc = src;
      else if (dst !== ADDRESS_BROADCAST && dst !== network.broadcast && !isMulticast(dst)) {
        stats.ipNotForUs++;
        return;
      }
    }
    const total = getTotalLength(memory, addr);
    if (total < packet.len) packet.trim(total);
    if (isFragment(memory, addr)) {
      stats.ipFragments++;
      const whole = this.reassembler.receive(packet, this.#host.nowUs);
      if (whole !== undefined) this.#deliver(via, whole, src, dst);
      return;
    }
    this.#deliver(via, packet, src, dst);
  }

  close(): void {
    this.reassembler.close();
  }

  #deliver(via: Interface, packet: Packet, src: number, dst: number): void {
    const { memory } = this.#host;
    const headerBytes = getHeaderBytes(memory, packet.addr);
    via.stats.ipDelivered++;
    switch (getProtocol(memory, packet.addr)) {
      case PROTOCOL_TCP:
        this.#handlers.tcp(via, packet, headerBytes, src, dst);
        break;
      case PROTOCOL_UDP:
        this.#handlers.udp(via, packet, headerBytes, src, dst);
        break;
      case PROTOCOL_ICMP:
        this.#handlers.icmp(via, packet, headerBytes, src, dst);
        break;
      default:
        via.stats.ipUnknownProtocol++;
        this.#handlers.unknownProtocol(via, packet);
    }
  }
}
