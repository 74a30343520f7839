import type { Memory, Packet } from '@qanat/bytes';
import { PACKET_CSUM_BLANK } from '@qanat/bytes';
import { ETH_HEADER_BYTES } from '@qanat/ethernet';
import { FLAG_DF, IPV4_HEADER_BYTES, writeHeader } from '@qanat/ipv4';
import type { TcpLending, TcpPath } from '@qanat/tcp';
import type { Interface } from './interface.ts';

const HEADERS_BYTES = ETH_HEADER_BYTES + IPV4_HEADER_BYTES;
const PROTOCOL_TCP = 6;

/**
 * The way of connections between two hosts: interface, next hop and addresses. Frames are built where the device sends
 * from.
 */
export class Path implements TcpPath {
  readonly localAddress: number;
  readonly remoteAddress: number;
  readonly deviceMtu: number;
  readonly checksumOffload: boolean;
  readonly #interface: Interface;
  readonly #memory: Memory;
  readonly #nextHop: number;
  readonly #ttl: number;
  #packet: Packet | undefined;
  /** Pieces of memory that the packet refers to, and their bytes. */
  #pieces = 0;
  #referred = 0;

  constructor(via: Interface, localAddress: number, remoteAddress: number, nextHop: number, ttl: number) {
    this.#interface = via;
    this.#memory = via.memory;
    this.#nextHop = nextHop;
    this.#ttl = ttl;
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
    this.deviceMtu = via.mtu;
    this.checksumOffload = via.netif.offload.txChecksum;
  }

  /** Whether it is the way that these say. */
  leads(via: Interface, localAddress: number, remoteAddress: number, nextHop: number): boolean {
    return (
      this.#interface === via &&
      this.localAddress === localAddress &&
      this.remoteAddress === remoteAddress &&
      this.#nextHop === nextHop
    );
  }

  get device(): object {
    return this.#interface;
  }

  get txQueues(): number {
    return this.#interface.netif.txQueues ?? 1;
  }

  get gsoMaxBytes(): number {
    return this.#interface.netif.offload.gsoMaxBytes;
  }

  get mtu(): number {
    return this.#interface.pathMtu(this.remoteAddress);
  }

  reserve(tcpBytes: number, flow: number): number {
    const via = this.#interface;
    // What waits there met a full device, and may be older segments of the same connection.
    if (via.arp.isBlocked) return 0;
    const packet = via.netif.allocate(HEADERS_BYTES + tcpBytes, flow);
    if (packet === null) return 0;
    this.#packet = packet;
    return packet.addr + HEADERS_BYTES;
  }

  get lending(): TcpLending | undefined {
    return this.#interface.netif.lending;
  }

  reserveHeader(headerBytes: number, pieces: number, flow: number): number {
    const via = this.#interface;
    if (via.arp.isBlocked) return 0;
    const packet = via.netif.lending!.allocate(HEADERS_BYTES + headerBytes, pieces, flow);
    if (packet === null) return 0;
    this.#packet = packet;
    return packet.addr + HEADERS_BYTES;
  }

  refer(addr: number, bytes: number): void {
    const packet = this.#packet!;
    packet.fragAddr[this.#pieces] = addr;
    packet.fragLen[this.#pieces++] = bytes;
    this.#referred += bytes;
  }

  confirm(): void {
    this.#interface.confirmNeighbour(this.#nextHop);
  }

  doubt(): void {
    this.#interface.doubtNeighbour(this.#nextHop);
  }

  send(tcpBytes: number, tos: number, gsoSize: number): void {
    const packet = this.#packet!;
    this.#packet = undefined;
    const via = this.#interface;
    packet.set(packet.addr, HEADERS_BYTES + tcpBytes);
    if (this.#pieces > 0) {
      packet.headLen -= this.#referred;
      packet.fragCount = this.#pieces;
      this.#pieces = 0;
      this.#referred = 0;
    }
    if (this.checksumOffload) packet.flags |= PACKET_CSUM_BLANK;
    packet.gsoSize = gsoSize;
    writeHeader(
      this.#memory,
      packet.addr + ETH_HEADER_BYTES,
      IPV4_HEADER_BYTES + tcpBytes,
      via.identification.atomic(),
      FLAG_DF,
      this.#ttl,
      PROTOCOL_TCP,
      this.localAddress,
      this.remoteAddress,
      tos,
    );
    via.sendIp(packet, this.#nextHop);
  }
}
