import {
  addSum,
  type Memory,
  PACKET_CSUM_BLANK,
  PACKET_DATA_VALIDATED,
  type Packet,
  type PageAllocator,
} from '@qanat/bytes';
import type { Random } from '@qanat/clock';
import * as ipv4 from '@qanat/ipv4';
import { UDP_DEFAULTS, type UdpConfig } from './config.ts';
import { UdpDemux } from './demux.ts';
import { type UdpErrno, UdpError } from './errors.ts';
import { type UdpHandler, UdpSocket } from './socket.ts';
import { newUdpStats, type UdpStats } from './stats.ts';
import * as wire from './wire.ts';

/** What UDP needs of the stack. */
export interface UdpPort {
  /**
   * Sends a datagram as the payload of an IP packet, in fragments where it must; nothing comes back within the call
   * (loopback queues). It lies in memory until the call
   * returns; UDP_HEADROOM bytes in front of it may be overwritten with a header.
   * @param ttl 0: the stack's default. @param broadcast whether the socket may send to broadcasts.
   * @returns undefined when it was sent (or waits for ARP), else why not.
   */
  sendUdp(
    src: number,
    dst: number,
    addr: number,
    bytes: number,
    ttl: number,
    tos: number,
    broadcast: boolean,
  ): UdpErrno | undefined;
  /** @returns the address of ours that talks to `dst`: `bound` unless it is 0; 0 when there is no route. */
  sourceFor(bound: number, dst: number): number;
  /** @returns whether a socket may bind to that address: it is ours, or a group, or a broadcast. */
  isLocal(address: number): boolean;
}

/** Bytes in front of a datagram in `sendUdp` that are free to be overwritten: an IP header without options. */
export const UDP_HEADROOM = ipv4.IPV4_HEADER_BYTES;

export const UDP_DELIVERED = 0;
/** Malformed, or its checksum is wrong: say nothing. */
export const UDP_DROPPED = 1;
/** Nobody listens: ICMP port unreachable, if it was sent to one of our addresses alone. */
export const UDP_NO_PORT = 2;

export interface UdpOptions {
  readonly memory: Memory;
  readonly pages: PageAllocator;
  readonly random: Random;
  readonly port: UdpPort;
  readonly config?: Partial<UdpConfig>;
}

export interface UdpOpenOptions {
  /** Address to bind to; 0 (default): any. */
  readonly address?: number;
  /** Port to bind to; 0 (default): an ephemeral one. */
  readonly port?: number;
  /** Share address and port with others that say so too (SO_REUSEADDR): each hears what is sent to a group. */
  readonly shared?: boolean;
  readonly handler: UdpHandler;
}

/** UDP of one host (RFC 768, RFC 1122 section 4.1). */
export class Udp {
  readonly config: UdpConfig;
  readonly stats: UdpStats = newUdpStats();
  /** @internal */
  readonly port: UdpPort;
  readonly #memory: Memory;
  readonly #demux: UdpDemux;
  /** Two: an answer may be put together while the datagram is still being read. */
  readonly #outgoing: ipv4.Scratch;
  readonly #incoming: ipv4.Scratch;

  constructor(options: UdpOptions) {
    this.config = { ...UDP_DEFAULTS, ...options.config };
    this.#memory = options.memory;
    this.#outgoing = new ipv4.Scratch(options.pages);
    this.#incoming = new ipv4.Scratch(options.pages);
    this.port = options.port;
    this.#demux = new UdpDemux(this.config, options.random);
  }

  get sockets(): number {
    return this.#demux.size;
  }

  /**
   * Opens a socket and binds it.
   * @throws UdpError EINVAL (no such port), EADDRNOTAVAIL (not our address), EADDRINUSE, EMFILE (too many sockets).
   */
  open(options: UdpOpenOptions): UdpSocket {
    const { address = 0, port = 0, shared = false, handler } = options;
    if (!Number.isInteger(port) || port < 0 || port > 0xffff) {
      throw new UdpError('EINVAL', 'bind', `port ${port} is not in 0..65535`);
    }
    if (this.#demux.size >= this.config.maxSockets) throw new UdpError('EMFILE', 'socket', 'too many sockets');
    if (address !== 0 && !this.port.isLocal(address)) {
      throw new UdpError('EADDRNOTAVAIL', 'bind', `${ipv4.formatAddress(address)} is not an address of ours`);
    }
    const localPort = port === 0 ? this.#demux.freePort(address) : port;
    if (localPort === 0) throw new UdpError('EADDRINUSE', 'bind', 'no ephemeral port is free');
    if (port !== 0 && this.#demux.isTaken(address, port, shared)) {
      throw new UdpError('EADDRINUSE', 'bind', `port ${port} is in use`);
    }
    const socket = new UdpSocket(this, address, localPort, shared, handler);
    this.#demux.add(socket);
    return socket;
  }

  /**
   * Takes in a received datagram.
   * @param packet at the UDP header, trimmed to the IP datagram; it may be overwritten.
   * @param src, dst addresses of the IP packet, which were checked (no martian source).
   * @param unicast whether `dst` is one of our own addresses, not a group or a broadcast.
   * @returns UDP_DELIVERED, UDP_DROPPED or UDP_NO_PORT.
   */
  receive(packet: Packet, src: number, dst: number, unicast: boolean): number {
    const memory = this.#memory;
    this.stats.inDatagrams++;
    if (packet.headLen < wire.UDP_HEADER_BYTES || packet.len < wire.UDP_HEADER_BYTES) return this.#drop();
    const length = wire.getLength(memory, packet.addr);
    if (!wire.isLengthValid(length, packet.len)) return this.#drop();
    if (length < packet.len) packet.trim(length);
    if (!this.#isChecksumRight(packet, src, dst)) {
      this.stats.inCsumErrors++;
      return UDP_DROPPED;
    }
    // RFC 1122 section 4.1.3.6; the IP layer drops it first where it is ours.
    if (ipv4.isMulticast(src) || src === ipv4.ADDRESS_BROADCAST) return this.#drop();
    const srcPort = wire.getSrcPort(memory, packet.addr);
    const dstPort = wire.getDstPort(memory, packet.addr);
    if (!unicast) return this.#receiveForMany(packet, src, srcPort, dst, dstPort);
    const socket = this.#demux.find(dst, dstPort, src, srcPort);
    if (socket === undefined) {
      this.stats.noPorts++;
      return UDP_NO_PORT;
    }
    const addr = this.#linear(packet);
    if (addr === 0) return this.#drop();
    this.#deliver(socket, addr, packet, src, srcPort, dst);
    return UDP_DELIVERED;
  }

  /**
   * An ICMP error quotes a datagram of ours (its ports are at `transportAddr` of the quote).
   * @param errno what to report. @param hard whether it is final: the others are dropped, as in Linux, except that
   * EMSGSIZE is for the path MTU to learn from.
   */
  icmpError(src: number, srcPort: number, dst: number, dstPort: number, errno: string, hard: boolean): void {
    const socket = this.#demux.find(src, srcPort, dst, dstPort);
    // Who is not connected could not tell which datagram is meant.
    if (!hard || socket === undefined || !socket.connected) {
      this.stats.errorsIgnored++;
      return;
    }
    socket.reportError(errno);
  }

  /** Whether a socket has joined the group: the stack asks before it lets a multicast packet in. */
  isJoined(group: number): boolean {
    for (const socket of this.#demux.sockets()) if (socket.groups.has(group)) return true;
    return false;
  }

  close(): void {
    for (const socket of [...this.#demux.sockets()]) this.closeSocket(socket);
    this.#outgoing.close();
    this.#incoming.close();
  }

  /** @internal */
  closeSocket(socket: UdpSocket): void {
    socket.closed = true;
    this.#demux.remove(socket);
  }

  /** @internal */
  sendBytes(socket: UdpSocket, data: Uint8Array, dst: number, dstPort: number): string | undefined {
    const addr = this.#outgoing.room(wire.UDP_HEADER_BYTES + data.length);
    if (addr === 0) return 'ENOBUFS';
    const payload = addr + wire.UDP_HEADER_BYTES;
    this.#memory.u8.set(data, payload);
    return this.#send(socket, addr, data.length, this.#memory.kernel.sum(payload, data.length), dst, dstPort);
  }

  /** @internal */
  sendMemory(socket: UdpSocket, from: number, bytes: number, dst: number, dstPort: number): string | undefined {
    const addr = this.#outgoing.room(wire.UDP_HEADER_BYTES + bytes);
    if (addr === 0) return 'ENOBUFS';
    const sum = this.#memory.kernel.copySum(addr + wire.UDP_HEADER_BYTES, from, bytes);
    return this.#send(socket, addr, bytes, sum, dst, dstPort);
  }

  #send(socket: UdpSocket, addr: number, bytes: number, sum: number, dst: number, dstPort: number): string | undefined {
    // Bound to a group or a broadcast: the answer to what came in does not come from there.
    const bound = socket.localAddress >>> 24 >= 224 ? 0 : socket.localAddress;
    const src = this.port.sourceFor(bound, dst);
    if (src === 0 && dst !== ipv4.ADDRESS_BROADCAST) {
      this.stats.outErrors++;
      return 'ENETUNREACH';
    }
    wire.writeHeader(this.#memory, addr, src, socket.localPort, dst, dstPort, bytes, sum);
    const length = wire.UDP_HEADER_BYTES + bytes;
    const problem = this.port.sendUdp(src, dst, addr, length, socket.ttl, socket.tos, socket.broadcast);
    if (problem === undefined) this.stats.outDatagrams++;
    else this.stats.outErrors++;
    return problem;
  }

  #receiveForMany(packet: Packet, src: number, srcPort: number, dst: number, dstPort: number): number {
    const multicast = ipv4.isMulticast(dst);
    const sockets = this.#demux.onPort(dstPort).filter((socket) => {
      if (multicast && !socket.groups.has(dst)) return false;
      if (!isForMany(socket.boundAddress, dst)) return false;
      return !socket.connected || (socket.remoteAddress === src && socket.remotePort === srcPort);
    });
    if (sockets.length === 0) {
      this.stats.noPorts++;
      return UDP_NO_PORT;
    }
    const addr = this.#linear(packet);
    if (addr === 0) return this.#drop();
    // A socket may close another from its callback.
    for (const socket of sockets) if (!socket.closed) this.#deliver(socket, addr, packet, src, srcPort, dst);
    return UDP_DELIVERED;
  }

  #deliver(socket: UdpSocket, addr: number, packet: Packet, src: number, srcPort: number, dst: number): void {
    this.stats.delivered++;
    const bytes = packet.len - wire.UDP_HEADER_BYTES;
    socket.handler.onDatagram(addr + wire.UDP_HEADER_BYTES, bytes, src, srcPort, dst, packet.arrivedUs);
  }

  #isChecksumRight(packet: Packet, src: number, dst: number): boolean {
    if ((packet.flags & (PACKET_CSUM_BLANK | PACKET_DATA_VALIDATED)) !== 0) return true;
    if (wire.getChecksum(this.#memory, packet.addr) === 0) return true;
    const pseudo = ipv4.pseudoHeaderSum(src, dst, ipv4.PROTOCOL_UDP, packet.len);
    return addSum(ipv4.sumPacket(this.#memory, packet), pseudo) === 0xffff;
  }

  #drop(): number {
    this.stats.inErrors++;
    return UDP_DROPPED;
  }

  /** The datagram in one piece. @returns its address, 0: no memory. */
  #linear(packet: Packet): number {
    if (packet.fragCount === 0) return packet.addr;
    const addr = this.#incoming.room(packet.len);
    if (addr !== 0) ipv4.copyFromPacket(this.#memory, packet, 0, addr, packet.len);
    return addr;
  }
}

/** @returns whether a socket bound to `bound` hears what is sent to a group or broadcast `dst`. */
function isForMany(bound: number, dst: number): boolean {
  return bound === 0 || bound === dst;
}
