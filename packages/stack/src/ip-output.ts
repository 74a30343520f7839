import { ETH_HEADER_BYTES } from '@qanat/ethernet';
import {
  ADDRESS_BROADCAST,
  FLAG_DF,
  fragmentCount,
  IPV4_HEADER_BYTES,
  IPV4_MAX_TOTAL_BYTES,
  isMulticast,
  NO_FLOW,
  writeFragment,
  writeHeader,
} from '@qanat/ipv4';
import type { Interface, InterfaceHost } from './interface.ts';
import type { Route, RoutingTable } from './routes.ts';

/** Why a datagram was not sent. */
export type IpSendProblem = 'ENETUNREACH' | 'EHOSTUNREACH' | 'ENOBUFS' | 'EMSGSIZE' | 'EACCES';

/** The IPv4 module's sending side for all but TCP (which builds its packets in place): header, fragments, next hop. */
export class IpOutput {
  readonly #host: InterfaceHost;
  readonly #routes: RoutingTable;
  readonly #defaultTtl: number;

  constructor(host: InterfaceHost, routes: RoutingTable, defaultTtl: number) {
    this.#host = host;
    this.#routes = routes;
    this.#defaultTtl = defaultTtl;
  }

  /** @returns the address of ours that would talk to `dst`: `bound` unless it is 0; 0 when there is no route. */
  sourceFor(bound: number, dst: number): number {
    const route = this.#find(dst);
    if (route === undefined) return 0;
    return bound === 0 ? route.via.address : bound;
  }

  /**
   * Sends a payload of `bytes` at `addr`; the IPV4_HEADER_BYTES in front of it are overwritten with a header.
   * @param src our address, 0 to choose. @param ttl 0 for the default. @param broadcast whether that is allowed.
   * @returns undefined when it went (or waits for ARP).
   */
  send(
    src: number,
    dst: number,
    protocol: number,
    addr: number,
    bytes: number,
    ttl: number,
    tos: number,
    broadcast: boolean,
  ): IpSendProblem | undefined {
    const total = IPV4_HEADER_BYTES + bytes;
    if (total > IPV4_MAX_TOTAL_BYTES) return 'EMSGSIZE';
    const route = this.#find(dst);
    if (route === undefined) return 'ENETUNREACH';
    const { via } = route;
    if (!broadcast && (dst === ADDRESS_BROADCAST || dst === via.network.broadcast)) return 'EACCES';
    const from = src === 0 ? via.address : src;
    const ip = addr - IPV4_HEADER_BYTES;
    const { identification, memory } = this.#host;
    const whole = total <= via.mtu;
    const id = whole ? identification.atomic() : identification.next(from, dst, protocol);
    const flags = whole ? FLAG_DF : 0;
    const hops = ttl !== 0 ? ttl : isMulticast(dst) ? 1 : this.#defaultTtl;
    writeHeader(memory, ip, total, id, flags, hops, protocol, from, dst, tos);
    const nextHop = route.gateway === 0 ? dst : route.gateway;
    const count = whole ? 1 : fragmentCount(memory, ip, via.mtu);
    if (count === 0) return 'EMSGSIZE';
    for (let i = 0; i < count; i++) {
      const problem = this.#sendFragment(via, nextHop, ip, whole ? total : -1, i);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  /** One packet: the whole datagram when `total` is not -1, else fragment `index`. */
  #sendFragment(via: Interface, nextHop: number, ip: number, total: number, index: number): IpSendProblem | undefined {
    const { memory } = this.#host;
    const flow = total < 0 ? NO_FLOW : via.flowOf(ip, total);
    const packet = via.netif.allocate(ETH_HEADER_BYTES + (total < 0 ? via.mtu : total), flow);
    if (packet === null) {
      via.stats.txFull++;
      return 'ENOBUFS';
    }
    const to = packet.addr + ETH_HEADER_BYTES;
    let bytes = total;
    if (total < 0) bytes = writeFragment(memory, ip, via.mtu, index, to);
    else memory.kernel.copy(to, ip, total);
    packet.set(packet.addr, ETH_HEADER_BYTES + bytes);
    return via.sendIp(packet, nextHop) ? undefined : 'EHOSTUNREACH';
  }

  #find(dst: number): Route | undefined {
    if (dst === ADDRESS_BROADCAST || isMulticast(dst)) return this.#routes.first;
    return this.#routes.find(dst);
  }
}
