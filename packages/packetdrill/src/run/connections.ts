import { type PacketAction, TCP_FLAG, type TcpBody } from '../ast.ts';
import type { Host } from '../host/host.ts';
import type { LivePacket } from '../packet/decode.ts';
import { ConnectionMap } from '../packet/mapping.ts';

/** Remote ports of the connections that scripts open to us. */
const FIRST_REMOTE_PORT = 53_001;

/**
 * Which connection a script means. Packets carry no ports in scripts: they belong to the socket under test, which is
 * the last that socket() made, or the connection that grew out of it while it was listening.
 */
export class Connections {
  readonly #host: Host;
  readonly #byFd = new Map<number, ConnectionMap>();
  readonly #passive: ConnectionMap[] = [];
  #nextRemotePort = FIRST_REMOTE_PORT;
  #current: ConnectionMap | undefined;

  constructor(host: Host) {
    this.#host = host;
  }

  get current(): ConnectionMap | undefined {
    return this.#current;
  }

  /** bind() returned. */
  bound(fd: number, localPort: number): void {
    const map = this.#byFd.get(fd);
    if (map && map.localPort === 0) map.localPort = localPort;
  }

  /** socket() returned. @param fd the script's descriptor, as in all these. */
  created(fd: number, protocol: number): void {
    this.#current = new ConnectionMap(protocol);
    this.#byFd.set(fd, this.#current);
  }

  listening(fd: number, port: number): void {
    const map = this.#byFd.get(fd);
    if (!map) return;
    map.state = 'listening';
    map.localPort = port;
  }

  /** A call has given a descriptor a peer: connect(), or a first write with Fast Open. */
  connecting(fd: number, localPort: number, remotePort: number): void {
    const map = this.#byFd.get(fd);
    if (!map || map.state === 'passive' || map.state === 'listening') return;
    // A second connect() asks how the first is doing.
    if (map.state === 'active' && map.localPort === localPort && map.remotePort === remotePort) return;
    map.restart();
    map.state = 'active';
    map.localPort = localPort;
    map.remotePort = remotePort;
  }

  /** connect(AF_UNSPEC) has dissolved a connection. */
  disconnected(fd: number): void {
    const map = this.#byFd.get(fd);
    if (map) map.state = 'dissolved';
  }

  /** accept() returned a descriptor whose peer has that port. */
  accepted(fd: number, remotePort: number): void {
    const map = this.#passive.find((candidate) => candidate.remotePort === remotePort);
    if (map) this.#byFd.set(fd, map);
  }

  closed(fd: number): void {
    this.#byFd.delete(fd);
  }

  /**
   * The connection that an inbound packet belongs to: it opens one while the socket under test listens.
   * @param bindPort the local port when no socket tells. @param connectPort the remote port for datagrams to a socket
   * without a peer.
   */
  inbound(action: PacketAction, bindPort: number, connectPort: number): ConnectionMap {
    let map = this.#current;
    const tcp = action.body.kind === 'tcp' ? action.body : undefined;
    if (!map || (map.state === 'listening' && tcp)) {
      const child = new ConnectionMap();
      child.state = 'passive';
      child.localPort = action.ports?.destination ?? map?.localPort ?? bindPort;
      child.remotePort = action.ports?.source ?? this.#nextRemotePort++;
      this.#passive.push(child);
      this.#current = child;
      map = child;
      map.remoteIsn = tcp && tcp.flags & TCP_FLAG.SYN ? tcp.seq : 0;
    }
    if (tcp && tcp.flags & TCP_FLAG.SYN) {
      map.remoteIsn ??= tcp.seq;
      map.newestSyn = tcp.seq;
    }
    if (action.body.kind === 'udp' && map.remotePort === 0) map.remotePort = action.ports?.source ?? connectPort;
    return map;
  }

  /** Whether an outbound packet is the socket under test's. */
  owns(packet: LivePacket): boolean {
    const map = this.#current;
    if (!map || packet.ip.source !== this.#host.localAddress || packet.ip.destination !== this.#host.remoteAddress)
      return false;
    const { tcp, udp, icmp } = packet;
    if (icmp) return true;
    const local = tcp?.sourcePort ?? udp?.sourcePort;
    const remote = tcp?.destinationPort ?? udp?.destinationPort;
    if (udp && map.remotePort === 0) return map.localPort === 0 || local === map.localPort;
    return local === map.localPort && remote === map.remotePort;
  }

  /** Learns the initial sequence numbers from an outbound packet before it is compared with its line. */
  learnFrom(packet: LivePacket, body: TcpBody): void {
    const map = this.#current;
    const { tcp } = packet;
    if (!map || !tcp || !(tcp.flags & TCP_FLAG.SYN) || !(body.flags & TCP_FLAG.SYN)) return;
    if (map.localIsn?.live === tcp.seq) return;
    // The first SYN, or a new incarnation on the same ports.
    map.localIsn = { live: tcp.seq, script: body.seq };
    if (tcp.flags & TCP_FLAG.ACK) map.remoteIsn = map.newestSyn;
  }
}
