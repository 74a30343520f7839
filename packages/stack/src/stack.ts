import type { ArpConfig } from '@qanat/arp';
import type { Memory, Packet, PageAllocator } from '@qanat/bytes';
import { type Clock, type Random, systemRandom, type TimerQueue } from '@qanat/clock';
import type { SourceRecorder } from '@qanat/flowlog';
import {
  contains,
  formatAddress,
  getDst,
  getHeaderBytes,
  getProtocol,
  getSrc,
  Identification,
  IPV4_DEFAULTS,
  type Ipv4Config,
  isMulticast,
  PROTOCOL_TCP,
  parseAddress,
  parseCidr,
} from '@qanat/ipv4';
import type { Netif } from '@qanat/link';
import {
  type Connection,
  type FastOpenKey,
  type SleepOptions,
  SS_HEADER,
  SYN_RECEIVED,
  Tcp,
  type TcpConfig,
  type TcpNetwork,
  type TcpPath,
  type TcpStats,
  TIME_WAIT,
  tcpConfig,
} from '@qanat/tcp';
import { Flow, formatConnection } from './flow.ts';
import { Interface } from './interface.ts';
import { IpInput } from './ip-input.ts';
import { IpOutput } from './ip-output.ts';
import { Listener } from './listener.ts';
import { edge, isNetErrorCode, NetError } from './net-error.ts';
import { Path } from './path.ts';
import { PathMtuCache } from './path-mtu-cache.ts';
import { Ping, type PingOptions } from './ping.ts';
import { Protocols, type ProtocolsHost } from './protocols.ts';
import { type FlowFilter, Recording } from './recording.ts';
import { type Route, RoutingTable } from './routes.ts';
import { UdpSocket, wrap } from './udp-socket.ts';

export interface StackOptions {
  readonly memory: Memory;
  /** Pages for buffers: the domain's own, or all of a memory that the stack has to itself. */
  readonly pages: PageAllocator;
  readonly clock: Clock;
  /** Who owns the queue fires it: the main loop, `hostTimers`, or virtual time. */
  readonly timers: TimerQueue;
  /** Default: the system's. */
  readonly random?: Random;
  readonly name?: string;
  /** Defaults of all flows. */
  readonly tcp?: Partial<TcpConfig>;
  /** Key of the Fast Open cookies that listeners give out; default random. */
  readonly fastOpenKey?: FastOpenKey;
  /** When idle connections are stored away to save memory. Nothing else tells of it. */
  readonly sleep?: SleepOptions;
  readonly ipv4?: Partial<Ipv4Config>;
  readonly arp?: Partial<ArpConfig>;
}

export interface InterfaceOptions {
  /** Address and prefix: 192.168.8.101/24. */
  readonly address: string;
  /** Default router, an address within the prefix. */
  readonly gateway?: string;
  /** Default: the device's. */
  readonly name?: string;
}

export interface ConnectOptions {
  /** IPv4 address. */
  readonly host: string;
  /** 1..65535. */
  readonly port: number;
  readonly localPort?: number;
  readonly localAddress?: string;
  readonly tcp?: Partial<TcpConfig>;
  /**
   * The first data: it goes with the SYN if the host gave a Fast Open cookie before (RFC 7413), else when the handshake
   * is complete. It may reach the application over there twice, so it must be something that bears repetition.
   */
  readonly fastOpenData?: Uint8Array;
}

export interface UdpOptions {
  readonly port?: number;
  readonly host?: string;
}

export interface ListenOptions {
  /** 0 takes a free port. */
  readonly port: number;
  /** Local address; default all. */
  readonly host?: string;
  /** Handshakes that may be under way at once. Default 511, as in Node. */
  readonly backlog?: number;
  readonly tcp?: Partial<TcpConfig>;
  /** Gets each flow when its handshake is complete, or when its SYN brought data (Fast Open); sets its callbacks. */
  readonly onFlow: (flow: Flow) => void;
}

const DEFAULT_BACKLOG = 511;
/** Paths that are remembered, for the connections to one host to share: a power of two. */
const SHARED_PATHS = 256;

/** A host: the layers put together over its devices. It reads no clock but the one it was given, and never waits. */
export class Stack implements ProtocolsHost, TcpNetwork {
  readonly name: string;
  readonly memory: Memory;
  readonly pages: PageAllocator;
  readonly timers: TimerQueue;
  readonly random: Random;
  readonly identification: Identification;
  readonly pathMtus = new PathMtuCache();
  readonly tcp: Tcp;
  /** Another host uses the address of an interface (RFC 5227); `lost` when ours is given up. */
  onAddressConflict: ((name: string, lost: boolean) => void) | undefined;
  readonly #config: TcpConfig;
  readonly #ttl: number;
  readonly #arpConfig: Partial<ArpConfig> | undefined;
  readonly #interfaces: Interface[] = [];
  readonly #routes = new RoutingTable();
  readonly #input: IpInput;
  readonly #output: IpOutput;
  readonly #protocols: Protocols;
  readonly #flows = new Set<Flow>();
  #recording: Recording | undefined;
  /** The newest path for each of some hashes of the remote address. */
  readonly #paths: (Path | undefined)[] = new Array<undefined>(SHARED_PATHS).fill(undefined);

  /** @throws RangeError for a TCP default that is out of range. */
  constructor(options: StackOptions) {
    this.name = options.name ?? 'stack';
    this.memory = options.memory;
    this.pages = options.pages;
    this.timers = options.timers;
    this.random = options.random ?? systemRandom();
    this.#config = tcpConfig(options.tcp);
    this.#arpConfig = options.arp;
    const ipv4 = { ...IPV4_DEFAULTS, ...options.ipv4 };
    this.#ttl = ipv4.ttl;
    this.identification = new Identification(this.random, ipv4.idCounters);
    const { pages, timers, random } = this;
    const { clock, fastOpenKey, sleep } = options;
    const key = fastOpenKey === undefined ? {} : { fastOpenKey };
    this.tcp = new Tcp({
      network: this,
      pages,
      clock,
      timers,
      random,
      ...key,
      ...(sleep === undefined ? {} : { sleep }),
    });
    this.#output = new IpOutput(this, this.#routes, ipv4.ttl);
    this.#protocols = new Protocols(this, this.#output);
    this.#input = new IpInput(this, this.#protocols, ipv4);
  }

  get nowUs(): number {
    return this.tcp.nowUs;
  }

  /** Every TCP flow that is not closed. */
  get flows(): Iterable<Flow> {
    return this.#flows;
  }

  get interfaces(): readonly Interface[] {
    return this.#interfaces;
  }

  get routes(): Iterable<Route> {
    return this.#routes;
  }

  /** Counters of TCP, with the names of Linux's MIB. */
  stats(): TcpStats {
    return this.tcp.stats;
  }

  /** What `ss -tin` would print: every TCP connection but those that are half open or in TIME-WAIT. */
  ss(): string {
    const nowUs = this.tcp.readClock();
    const lines = [SS_HEADER];
    for (const c of this.tcp.snapshots) {
      if (c.state !== SYN_RECEIVED && c.state !== TIME_WAIT) lines.push(formatConnection(c, nowUs));
    }
    return lines.join('\n');
  }

  /**
   * Brings up a device with an address.
   * @throws NetError EINVAL for an impossible address or gateway, or a device in another memory.
   */
  addInterface(netif: Netif, options: InterfaceOptions): Interface {
    const network = edge('addInterface', () => parseCidr(options.address));
    const { address, prefixBits } = network;
    if (address === 0 || isMulticast(address) || address >>> 24 === 127 || address === network.broadcast) {
      throw new NetError('EINVAL', 'addInterface', options.address, undefined, 'a host cannot have this address');
    }
    if (prefixBits < 31 && address === network.network) {
      throw new NetError('EINVAL', 'addInterface', options.address, undefined, 'this is the address of the network');
    }
    if (netif.memory.buffer !== this.memory.buffer) {
      throw new NetError('EINVAL', 'addInterface', undefined, undefined, 'the device lies in another memory');
    }
    const via = new Interface(this, netif, network, options.name ?? netif.name, this.#arpConfig);
    let gateway = 0;
    if (options.gateway !== undefined) {
      gateway = edge('addInterface', () => parseAddress(options.gateway!));
      if (!contains(network, gateway) || gateway === address) {
        throw new NetError('EINVAL', 'addInterface', options.gateway, undefined, 'the gateway is no neighbour');
      }
    }
    this.#interfaces.push(via);
    this.#routes.add({ network, gateway: 0, via });
    if (gateway !== 0) this.#routes.add({ network: parseCidr('0.0.0.0/0'), gateway, via });
    this.beginBatch();
    via.up();
    this.endBatch();
    return via;
  }

  /**
   * Opens a connection; `onConnect` or `onClose` of the flow tells how it went.
   * @throws NetError EINVAL (bad address, port or tunable), ENETUNREACH, EADDRNOTAVAIL, EADDRINUSE; for first data
   * EMSGSIZE (larger than the send buffer), ENOBUFS.
   */
  connect(options: ConnectOptions): Flow {
    const { host, port, localPort = 0 } = options;
    const remote = edge('connect', () => parseAddress(host));
    checkPort('connect', port, 1);
    checkPort('connect', localPort, 0);
    const local = options.localAddress === undefined ? 0 : edge('connect', () => parseAddress(options.localAddress!));
    if (remote === 0 || isMulticast(remote) || remote >>> 24 >= 240) {
      throw new NetError('EINVAL', 'connect', host, port, 'TCP connects to single hosts only');
    }
    const config = edge('connect', () => tcpConfig(options.tcp, this.#config));
    if (local !== 0 && !this.#interfaces.some((via) => via.address === local)) {
      throw new NetError('EADDRNOTAVAIL', 'connect', options.localAddress);
    }
    const path = this.path(local, remote);
    if (path === undefined) throw new NetError('ENETUNREACH', 'connect', host, port);
    if (remote === path.localAddress || this.isBroadcast(remote)) {
      throw new NetError('EINVAL', 'connect', host, port, 'this is a broadcast address or our own');
    }
    const connection = this.tcp.connect(path, localPort, port, config, options.fastOpenData);
    if (typeof connection === 'string') throw new NetError(connection, 'connect', host, port);
    return this.#track(connection);
  }

  /**
   * Accepts connections on a port.
   * @throws NetError EINVAL (bad address, port or tunable), EADDRINUSE, EADDRNOTAVAIL.
   */
  listen(options: ListenOptions): Listener {
    const { host, backlog = DEFAULT_BACKLOG, onFlow } = options;
    const address = host === undefined ? 0 : edge('listen', () => parseAddress(host));
    checkPort('listen', options.port, 0);
    if (address !== 0 && !this.#interfaces.some((via) => via.address === address)) {
      throw new NetError('EADDRNOTAVAIL', 'listen', host, options.port);
    }
    const config = edge('listen', () => tcpConfig(options.tcp, this.#config));
    const port = options.port === 0 ? this.tcp.freeListenPort() : options.port;
    if (port === 0) throw new NetError('EADDRNOTAVAIL', 'listen', host, options.port);
    const listener = this.tcp.listen(address, port, backlog, config, (connection) => onFlow(this.#track(connection)));
    if (listener === undefined) throw new NetError('EADDRINUSE', 'listen', host ?? '0.0.0.0', port);
    return new Listener(this.tcp, listener);
  }

  /**
   * Opens a UDP socket. @param options `port` 0 (default) takes a free one; `host` default all addresses.
   * @throws NetError EINVAL, EADDRINUSE, EADDRNOTAVAIL, EMFILE.
   */
  udp(options: UdpOptions = {}): UdpSocket {
    const { host, port = 0 } = options;
    const address = host === undefined ? 0 : edge('bind', () => parseAddress(host));
    const { u8 } = this.memory;
    const core = wrap('bind', () =>
      this.#protocols.udpLayer.open({
        address,
        port,
        handler: {
          onDatagram: (addr, bytes, from, fromPort) =>
            socket.onMessage?.(u8.slice(addr, addr + bytes), { address: formatAddress(from), port: fromPort }),
          onError: (errno) => socket.onError?.(new NetError(isNetErrorCode(errno) ? errno : 'EHOSTUNREACH', 'send')),
        },
      }),
    );
    const socket = new UdpSocket(core, () => this.tcp.userDone());
    return socket;
  }

  /**
   * Records flows, those that are there and those that come, from now on: instead of what recorded them before, one recording
   * of a stack at a time.
   * @param source keeps what is recorded, or hands it on. @param filter default all flows.
   * @throws NetError EINVAL for an impossible address.
   */
  record(source: SourceRecorder, filter: FlowFilter = {}): Recording {
    this.#recording?.stop();
    this.#recording = new Recording(this.tcp, source, filter);
    return this.#recording;
  }

  /** Opens the asking side of ping to a host. @throws NetError EINVAL, ENETUNREACH. */
  ping(host: string, options: PingOptions): Ping {
    const address = edge('ping', () => parseAddress(host));
    if (this.#routes.find(address) === undefined) throw new NetError('ENETUNREACH', 'ping', host);
    return new Ping(this.#protocols.icmpLayer, address, options, (send) => {
      this.beginBatch();
      const seq = send(this.nowUs);
      this.endBatch();
      return seq;
    });
  }

  /** Ends all flows and listeners without a word to their peers, and gives devices and memory back. */
  close(): void {
    this.tcp.close();
    this.#flows.clear();
    this.#input.close();
    this.#protocols.close();
    for (const via of this.#interfaces) via.close();
    this.#interfaces.length = 0;
  }

  #track(connection: Connection): Flow {
    return new Flow(this.tcp, connection, this.#flows);
  }

  isBroadcast(address: number): boolean {
    return this.#interfaces.some((via) => via.network.broadcast === address);
  }

  deviceMtu(dst: number): number {
    return this.#routes.find(dst)?.via.mtu ?? 0xffff;
  }

  isOurs(address: number): boolean {
    return this.#interfaces.some((via) => via.address === address);
  }

  // --- InterfaceHost -------------------------------------------------------------------------------------------

  beginBatch(): void {
    this.tcp.beginBatch();
  }

  endBatch(): void {
    this.tcp.endBatch();
  }

  receiveIp(via: Interface, packet: Packet): void {
    this.#input.receive(via, packet);
  }

  transmitReady(): void {
    this.tcp.transmitReady();
  }

  unreachable(_via: Interface, _nextHop: number): void {}

  dropped(_via: Interface, addr: number, bytes: number): void {
    this.#hostUnreachable(addr, bytes);
  }

  addressConflict(via: Interface, _mac: Uint8Array | undefined, lost: boolean): void {
    this.onAddressConflict?.(via.name, lost);
  }

  /** A packet of ours was dropped because its next hop does not answer: its flow learns of it (EHOSTUNREACH). */
  #hostUnreachable(addr: number, bytes: number): void {
    const { view } = this.memory;
    if (bytes < 28 || getProtocol(this.memory, addr) !== PROTOCOL_TCP) return;
    const tcp = addr + getHeaderBytes(this.memory, addr);
    const [src, dst] = [getSrc(this.memory, addr), getDst(this.memory, addr)];
    this.tcp.icmpError(
      src,
      view.getUint16(tcp),
      dst,
      view.getUint16(tcp + 2),
      view.getInt32(tcp + 4),
      'EHOSTUNREACH',
      false,
    );
  }

  // --- TcpNetwork ----------------------------------------------------------------------------------------------

  path(localAddress: number, remoteAddress: number): TcpPath | undefined {
    const route = this.#routes.find(remoteAddress);
    if (route === undefined) return undefined;
    const local = localAddress === 0 ? route.via.address : localAddress;
    const nextHop = route.gateway === 0 ? remoteAddress : route.gateway;
    const at = (remoteAddress ^ (remoteAddress >>> 8) ^ (remoteAddress >>> 16)) & (SHARED_PATHS - 1);
    const shared = this.#paths[at];
    if (shared?.leads(route.via, local, remoteAddress, nextHop) === true) return shared;
    return (this.#paths[at] = new Path(route.via, local, remoteAddress, nextHop, this.#ttl));
  }

  flush(): void {
    for (let i = 0; i < this.#interfaces.length; i++) this.#interfaces[i]!.flush();
  }
}

function checkPort(syscall: string, port: number, least: number): void {
  if (!(Number.isInteger(port) && port >= least && port <= 65535)) {
    throw new NetError('EINVAL', syscall, undefined, undefined, `port ${port} must be in ${least}..65535`);
  }
}

/** Makes a host. @throws RangeError for a TCP default that is out of range. */
export function createStack(options: StackOptions): Stack {
  return new Stack(options);
}
