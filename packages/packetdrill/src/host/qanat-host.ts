import { Memory, PageAllocator } from '@qanat/bytes';
import { seededRandom, TimerQueue, VirtualClock } from '@qanat/clock';
import { parseAddress } from '@qanat/ipv4';
import { type Flow, Stack } from '@qanat/stack';
import type { Value } from '../code/ast.ts';
import { UnsupportedError } from '../errors.ts';
import type { LivePacket } from '../packet/decode.ts';
import { type Effect, SUITE_DEFAULTS } from '../shell/effects.ts';
import type { FourTuple, Host, HostOptions } from './host.ts';
import { SocketTable } from './socket-table.ts';
import { Settings } from './sysctl.ts';
import { PEER_MAC, Wire } from './wire.ts';

/** Enough for the buffers of a few connections; untouched pages cost nothing. */
const MEMORY_BYTES = 256 * 1024 * 1024;
/** Scripts run one after the other, so one memory serves all of them. */
let sharedMemory: Memory | undefined;
/** The machine has been up for a while when a script starts: no time stamp is 0, no timer is at the origin. */
const BOOT_US = 1_000_000_000;
const CENTURY_US = 1e15;
const IP_AND_TCP_BYTES = 40;
const TIMERS_PER_INSTANT = 100_000;

/** The router on the local network, when the remote side is elsewhere: the last address of the network. */
function gatewayOf(options: HostOptions): string {
  const parts = options.localAddress.split('.');
  return [...parts.slice(0, 3), parts[3] === '2' ? '3' : '2'].join('.');
}

/** The machine under test: Qanat's stack on virtual time. */
export class QanatHost implements Host {
  readonly calls: SocketTable;
  readonly localAddress: number;
  readonly remoteAddress: number;
  readonly #clock = new VirtualClock(BOOT_US);
  readonly #timers = new TimerQueue();
  readonly #stack: Stack;
  readonly #wire: Wire;
  readonly #settings = new Settings();
  readonly #flows = new Map<string, Flow>();

  constructor(options: HostOptions) {
    const memory = (sharedMemory ??= Memory.create({ bytes: MEMORY_BYTES, kernel: 'typescript' }));
    const pages = new PageAllocator(0, MEMORY_BYTES);
    this.localAddress = parseAddress(options.localAddress);
    this.remoteAddress = parseAddress(options.remoteAddress);
    this.#wire = new Wire(memory, pages, this.#clock, options.mtu, this.localAddress);
    this.#stack = new Stack({
      memory,
      pages,
      clock: this.#clock,
      timers: this.#timers,
      random: seededRandom(options.seed),
      arp: { reachableUs: CENTURY_US, forgetUs: CENTURY_US },
    });
    this.#stack.addInterface(this.#wire, {
      address: `${options.localAddress}/${options.prefixBits}`,
      gateway: gatewayOf(options),
    });
    const via = this.#stack.interfaces[0]!;
    via.arp.add(parseAddress(gatewayOf(options)), PEER_MAC, this.#clock.now());
    this.calls = new SocketTable({
      stack: this.#stack,
      clock: this.#clock,
      settings: this.#settings,
      onFlow: (flow) => this.#flows.set(flowKey(flow.local.port, flow.remote.port), flow),
    });
    this.#settle();
  }

  get nowUs(): number {
    return this.#clock.now();
  }

  get sent(): LivePacket[] {
    return this.#wire.sent;
  }

  nextDeadlineUs(): number {
    return this.#timers.next();
  }

  advanceTo(us: number): void {
    if (us > this.#clock.now()) this.#clock.advanceTo(us);
    for (let i = 0; this.#timers.next() <= this.#clock.now(); i++) {
      if (i > TIMERS_PER_INSTANT)
        throw new Error(`timers keep re-arming for ${this.#clock.now()} us: time stands still`);
      this.#timers.fire(this.#clock.now(), 1);
      this.#settle();
    }
    this.#settle();
  }

  inject(packet: Uint8Array, gsoSize: number): void {
    this.#wire.deliver(packet, gsoSize);
    this.#settle();
  }

  #settle(): void {
    this.#wire.settle();
    this.calls?.refresh();
  }

  apply(effect: Effect): void {
    switch (effect.kind) {
      case 'sysctl':
        this.#setSysctl(effect.name, effect.value);
        break;
      case 'defaults':
        for (const [name, value] of SUITE_DEFAULTS) this.#setSysctl(name, value);
        break;
      case 'restore':
      case 'offload':
        // A restore is the end of a script; segments are never joined here, offload or not.
        break;
      case 'sleep':
        this.#sleep(effect.us);
        break;
      case 'file':
        this.calls.addFile(effect.path, effect.bytes);
        break;
      case 'mtu':
        if (effect.bytes !== this.#wire.mtu)
          throw new UnsupportedError('the MTU of the interface cannot change in a script');
        break;
      case 'qdisc':
        // fq paces every flow by the rate that TCP gives it.
        this.#settings.tcp.pacing = effect.name === 'fq';
        if (effect.name === 'refuse')
          throw new UnsupportedError(`the queueing discipline ${effect.name} is not supported`);
        break;
      case 'parameter':
        this.#setParameter(effect.module, effect.name, effect.value);
        break;
      case 'route':
        for (const [name, value] of effect.attributes) this.#setRouteAttribute(name, value);
        break;
    }
  }

  #setSysctl(name: string, value: string): void {
    if (name.startsWith('ipv6.')) return;
    this.#settings.set(name, value);
    // The key set last is the one that new cookies are made with.
    if (name === 'ipv4.tcp_fastopen_key') {
      for (const key of [...this.#settings.fastOpenKeys].reverse()) this.#stack.tcp.setFastOpenKey(key);
    }
  }

  /** HyStart here looks at delay; Linux's 1 (ACK trains only) is what we lack. */
  #setParameter(module: string, name: string, value: string): void {
    if (module === 'tcp_cubic' && name === 'hystart_detect' && (value === '2' || value === '3')) return;
    if (module === 'tcp_cubic' && name === 'tcp_friendliness' && (value === '0' || value === '1')) {
      this.#settings.tcp.renoFriendly = value === '1';
      return;
    }
    throw new UnsupportedError(`the parameter ${name}=${value} of ${module} is not supported`);
  }

  /** What new connections learn from their route. */
  #setRouteAttribute(name: string, value: string): void {
    const { tcp } = this.#settings;
    const number = Number(value);
    if (name === 'initcwnd' && number >= 1) tcp.initialCwnd = number;
    else if (name === 'advmss' && number >= 88) tcp.mss = number;
    else if ((name === 'mtu' || name === 'mtu lock') && number >= 128) tcp.mss = number - IP_AND_TCP_BYTES;
    else if (name === 'rto_min' && /^\d+(ms)?$/.test(value)) tcp.minRtoUs = Number.parseInt(value, 10) * 1000;
    else if (name === 'congctl') this.#settings.set('ipv4.tcp_congestion_control', value);
    else throw new UnsupportedError(`the route attribute ${name} ${value} is not supported`);
  }

  #sleep(us: number): void {
    const endUs = this.#clock.now() + us;
    for (let next = this.nextDeadlineUs(); next <= endUs; next = this.nextDeadlineUs()) this.advanceTo(next);
    this.advanceTo(endUs);
  }

  tcpInfo(tuple: FourTuple): Readonly<Record<string, Value>> | undefined {
    const flow = this.#flows.get(flowKey(tuple.localPort, tuple.remotePort));
    return flow === undefined ? undefined : { ...flow.info() };
  }

  close(): void {
    this.#stack.close();
  }
}

export const createQanatHost = (options: HostOptions): Host => new QanatHost(options);

function flowKey(localPort: number, remotePort: number): string {
  return `${localPort}:${remotePort}`;
}
