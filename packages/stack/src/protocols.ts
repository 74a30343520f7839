import type { Packet } from '@qanat/bytes';
import {
  ICMP_TIME_EXCEEDED,
  ICMP_UNREACHABLE,
  Icmp,
  type IcmpError,
  type IcmpPort,
  TIME_EXCEEDED_REASSEMBLY,
  UNREACHABLE_PORT,
  UNREACHABLE_PROTOCOL,
} from '@qanat/icmp';
import { getTos, isMulticast, isUnicast, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from '@qanat/ipv4';
import { reportedMtu, type Tcp, type TcpErrorCode } from '@qanat/tcp';
import { UDP_NO_PORT, Udp, type UdpErrno, type UdpPort } from '@qanat/udp';
import type { Interface, InterfaceHost } from './interface.ts';
import type { IpHandlers } from './ip-input.ts';
import type { IpOutput } from './ip-output.ts';

/** The parts of a stack that the protocols above IP work with. */
export interface ProtocolsHost extends InterfaceHost {
  readonly tcp: Tcp;
  /** Whether an address is one of ours. */
  isOurs(address: number): boolean;
  isBroadcast(address: number): boolean;
  /** MTU of the device that leads to `dst`. */
  deviceMtu(dst: number): number;
}

/** The protocols above IPv4 of a host: hands them what comes in, and sends what they want sent. */
export class Protocols implements IpHandlers, IcmpPort, UdpPort {
  readonly udpLayer: Udp;
  readonly icmpLayer: Icmp;
  readonly #host: ProtocolsHost;
  readonly #output: IpOutput;

  constructor(host: ProtocolsHost, output: IpOutput) {
    const { memory, pages, timers, random } = host;
    this.#host = host;
    this.#output = output;
    this.udpLayer = new Udp({ memory, pages, random, port: this });
    this.icmpLayer = new Icmp({ memory, pages, timers, random, port: this });
  }

  close(): void {
    this.udpLayer.close();
    this.icmpLayer.close();
  }

  // --- IpHandlers ----------------------------------------------------------------------------------------------

  tcp(via: Interface, packet: Packet, headerBytes: number, src: number, dst: number): void {
    // TCP talks to single hosts only (RFC 9293 MUST-57, MUST-63).
    const { network } = via;
    if (dst !== network.address && !isUnicast(dst, network.broadcast)) {
      via.stats.ipAddressErrors++;
      return;
    }
    const tos = getTos(this.#host.memory, packet.addr);
    packet.pull(headerBytes);
    this.#host.tcp.input(packet, src, dst, tos);
  }

  udp(via: Interface, packet: Packet, headerBytes: number, src: number, dst: number): void {
    const ip = packet.addr;
    const bytes = packet.headLen;
    const unicast = isUnicast(dst, via.network.broadcast);
    if (isMulticast(dst) && !this.udpLayer.isJoined(dst)) return;
    packet.pull(headerBytes);
    if (this.udpLayer.receive(packet, src, dst, unicast) !== UDP_NO_PORT || !unicast) return;
    this.icmpLayer.sendError(ICMP_UNREACHABLE, UNREACHABLE_PORT, 0, ip, bytes, via.toUs, this.#host.nowUs);
  }

  icmp(via: Interface, packet: Packet, headerBytes: number, _src: number, dst: number): void {
    const ip = packet.addr;
    packet.pull(headerBytes);
    this.icmpLayer.receive(packet, ip, isUnicast(dst, via.network.broadcast), this.#host.nowUs);
  }

  unknownProtocol(via: Interface, packet: Packet): void {
    const { nowUs } = this.#host;
    this.icmpLayer.sendError(ICMP_UNREACHABLE, UNREACHABLE_PROTOCOL, 0, packet.addr, packet.headLen, via.toUs, nowUs);
  }

  reassemblyTimeout(addr: number, bytes: number): void {
    this.#host.beginBatch();
    this.icmpLayer.sendError(ICMP_TIME_EXCEEDED, TIME_EXCEEDED_REASSEMBLY, 0, addr, bytes, true, this.#host.nowUs);
    this.#host.endBatch();
  }

  // --- IcmpPort ------------------------------------------------------------------------------------------------

  sendIcmp(src: number, dst: number, addr: number, bytes: number, tos: number): boolean {
    return this.#output.send(src, dst, PROTOCOL_ICMP, addr, bytes, 0, tos, false) === undefined;
  }

  /** Path MTU discovery, RFC 1191: believed only about a segment that is in flight (RFC 5927 section 7.2). */
  #tooBig(error: IcmpError, srcPort: number, dstPort: number, seq: number): void {
    const { tcp, pathMtus, nowUs } = this.#host;
    if (!tcp.believesTooBig(error.src, srcPort, error.dst, dstPort, seq)) return;
    const deviceMtu = this.#host.deviceMtu(error.dst);
    if (pathMtus.learn(error.dst, reportedMtu(error.mtu, error.totalLength), deviceMtu, nowUs)) {
      tcp.pathMtuChanged(error.dst);
    }
  }

  icmpError(error: IcmpError): void {
    const { view } = this.#host.memory;
    const at = error.transportAddr;
    const srcPort = view.getUint16(at);
    const dstPort = view.getUint16(at + 2);
    if (error.protocol === PROTOCOL_UDP) {
      this.udpLayer.icmpError(error.src, srcPort, error.dst, dstPort, error.errno, error.hard);
    } else if (error.protocol === PROTOCOL_TCP && error.errno === 'EMSGSIZE') {
      this.#tooBig(error, srcPort, dstPort, view.getInt32(at + 4));
    } else if (error.protocol === PROTOCOL_TCP) {
      const code = tcpCode(error.errno);
      this.#host.tcp.icmpError(error.src, srcPort, error.dst, dstPort, view.getInt32(at + 4), code, error.hard);
    }
  }

  // --- UdpPort -------------------------------------------------------------------------------------------------

  sendUdp(
    src: number,
    dst: number,
    addr: number,
    bytes: number,
    ttl: number,
    tos: number,
    broadcast: boolean,
  ): UdpErrno | undefined {
    return this.#output.send(src, dst, PROTOCOL_UDP, addr, bytes, ttl, tos, broadcast);
  }

  sourceFor(bound: number, dst: number): number {
    return this.#output.sourceFor(bound, dst);
  }

  isLocal(address: number): boolean {
    return isMulticast(address) || this.#host.isOurs(address) || this.#host.isBroadcast(address);
  }
}

/** ICMP's words for what a connection that is being opened reports. */
function tcpCode(errno: IcmpError['errno']): TcpErrorCode {
  switch (errno) {
    case 'ENETUNREACH':
    case 'ENOPROTOOPT':
    case 'ECONNREFUSED':
    case 'EPROTO':
      return errno;
    default:
      return 'EHOSTUNREACH';
  }
}
