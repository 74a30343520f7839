import { Memory, type Packet } from '@qanat/bytes';
import { Timer, VirtualClock } from '@qanat/clock';
import { macHi, macLo, writeHeader } from '@qanat/ethernet';
import type { Netif, NetifUp } from '@qanat/link';
import { createNetfront, type Netfront, type NetfrontOptions } from '@qanat/netfront';
import { type Image, type Kernel, VirtualScheduler } from '@qanat/os';
import { type DomainExit, Hypervisor, type LaunchedDomain, XenbusState, Xenstored } from '@qanat/xen';
import { Netback, type NetbackOptions } from '../src/index.ts';

const MIB = 1 << 20;

export interface VifOptions {
  readonly bridge?: string;
  readonly mtu?: number;
  readonly txqueuelen?: number;
  readonly impair?: object;
}

/** A machine on virtual time with a Dom0 whose xenstored and netback are the real ones; the test is the toolstack. */
export class TestMachine {
  readonly clock = new VirtualClock(1000);
  readonly hypervisor: Hypervisor;
  readonly scheduler: VirtualScheduler;
  readonly exits: DomainExit[] = [];
  readonly errors: string[] = [];
  /** Paths and values of every state node as it changed. */
  readonly trace: string[] = [];
  dom0!: Kernel;
  netback!: Netback;
  readonly #launched = new Map<number, LaunchedDomain>();

  private constructor(memoryMiB: number) {
    const memory = Memory.create({ bytes: memoryMiB * MIB });
    this.hypervisor = Hypervisor.create(memory, { clockOriginUs: 0, clock: this.clock });
    this.scheduler = new VirtualScheduler({ hypervisor: this.hypervisor, seed: 1, audit: true });
  }

  /** @param options.backend runs in Dom0 instead of netback. */
  static async create(
    options: NetbackOptions & { memoryMiB?: number; dom0MiB?: number; backend?: (kernel: Kernel) => void } = {},
  ): Promise<TestMachine> {
    const machine = new TestMachine(options.memoryMiB ?? 64);
    machine.#launch('Domain-0', options.dom0MiB ?? 16, {
      main: (kernel) => {
        machine.dom0 = kernel;
        Xenstored.start(kernel);
        if (options.backend !== undefined) options.backend(kernel);
        else machine.netback = new Netback(kernel, { ...options, onError: (message) => machine.errors.push(message) });
        // Virtual time needs a timer to go on when all wait for nothing.
        const heartbeat = new Timer((nowUs) => kernel.loop.timers.arm(heartbeat, nowUs + 1e6));
        kernel.loop.timers.arm(heartbeat, kernel.clock.now() + 1e6);
      },
    });
    await machine.until(() => machine.dom0 !== undefined);
    return machine;
  }

  #launch(name: string, mib: number, image: Image): number {
    const domid = this.hypervisor.createDomain({ name, bytes: mib * MIB });
    const launched = this.scheduler.launch({
      domid,
      config: { name, memoryMiB: mib, vifs: [] },
      image,
      args: undefined,
      onMessage: () => {},
      onExit: (exit) => this.exits.push(exit),
    });
    this.#launched.set(domid, launched);
    return domid;
  }

  /** Runs until `done`; throws when the machine goes idle for `limitMs` of virtual time without it. */
  async until(done: () => boolean, limitMs = 10_000): Promise<void> {
    const endUs = this.clock.now() + limitMs * 1000;
    await this.scheduler.runUntil(() => {
      const crashed = this.exits.find(({ error }) => error !== undefined);
      if (crashed !== undefined) throw new Error(`${crashed.name}: ${crashed.error?.stack}`);
      if (done()) return true;
      if (this.clock.now() > endUs) throw new Error(`nothing came in ${limitMs} ms of virtual time`);
      return false;
    });
  }

  /** Lets virtual time pass. */
  async pass(ms: number): Promise<void> {
    const endUs = this.clock.now() + ms * 1000;
    const timer = new Timer(() => {});
    this.dom0.loop.timers.arm(timer, endUs);
    await this.until(() => this.clock.now() >= endUs, ms + 2000);
  }

  /** Creates and starts a domain that runs `main`. @returns its kernel. */
  async domain(name: string, main: (kernel: Kernel) => void = () => {}, mib = 8): Promise<Kernel> {
    let guest: Kernel | undefined;
    const domid = this.#launch(name, mib, {
      main: (kernel) => {
        guest = kernel;
        main(kernel);
      },
    });
    const record = this.hypervisor.domain(domid)!;
    this.dom0.xenstore.introduce(domid, record.xenstoreAddr >>> 12, record.xenstorePort);
    await this.until(() => guest !== undefined);
    return guest!;
  }

  /** Plugs a vif, as the toolstack does. */
  plug(domid: number, index: number, options: VifOptions = {}): void {
    const frontend = `/local/domain/${domid}/device/vif/${index}`;
    const backend = `/local/domain/0/backend/vif/${domid}/${index}`;
    const mac = testMacText(domid, index);
    const { bridge = 'xenbr0', mtu = 1500, txqueuelen = 1000, impair } = options;
    this.dom0.xenstore.transaction((tx) => {
      tx.mkdir(frontend);
      tx.setPerms(frontend, [
        { access: 'n', domid },
        { access: 'r', domid: 0 },
      ]);
      tx.mkdir(backend);
      tx.setPerms(backend, [
        { access: 'n', domid: 0 },
        { access: 'r', domid },
      ]);
      tx.writeAll(frontend, { backend, 'backend-id': 0, handle: index, mac, mtu, state: XenbusState.Initialising });
      tx.writeAll(backend, {
        frontend,
        'frontend-id': domid,
        online: 1,
        bridge,
        handle: index,
        mac,
        txqueuelen,
        ...(impair === undefined ? {} : { impair: JSON.stringify(impair) }),
        state: XenbusState.Initialising,
      });
    });
    for (const [who, path] of [
      ['front', frontend],
      ['back', backend],
    ]) {
      this.dom0.xenstore.watch(`${path}/state`, () =>
        this.dom0.xenstore.read(`${path}/state`, (error, value) => {
          const entry = `${who}${domid} ${error === undefined ? value : 'gone'}`;
          const isFirst = !this.trace.some((other) => other.startsWith(`${who}${domid} `));
          if (this.trace.at(-1) !== entry && !(isFirst && error !== undefined)) this.trace.push(entry);
        }),
      );
    }
  }

  /** A domain with one vif and a `Station` on it, connected. */
  async station(name: string, options: VifOptions = {}, netfront: NetfrontOptions = {}): Promise<Station> {
    const station = new Station();
    const kernel = await this.domain(
      name,
      (guest) => station.boot(guest, netfront),
      stationMiB(options.mtu, netfront.queues),
    );
    this.plug(kernel.domid, 0, options);
    await this.until(() => station.netif !== undefined);
    return station;
  }

  /** Stops a domain and takes it apart, as the toolstack does. */
  destroy(domid: number): void {
    this.#launched.get(domid)!.kill();
    this.hypervisor.destroyDomain(domid);
    this.dom0.xenstore.rm(`/local/domain/0/backend/vif/${domid}`);
    this.dom0.xenstore.rm(`/local/domain/${domid}`);
  }
}

function stationMiB(mtu = 1500, queues = 1): number {
  return (mtu > 2000 ? 12 : 8) + 4 * (queues - 1);
}

export function testMacText(domid: number, index: number): string {
  return `00:16:3e:00:${domid.toString(16).padStart(2, '0')}:${index.toString(16).padStart(2, '0')}`;
}

export function testMac(domid: number, index = 0): Uint8Array {
  return new Uint8Array([0x00, 0x16, 0x3e, 0, domid, index]);
}

const ETH_TYPE_TEST = 0x88b5;
const HEADER_BYTES = 14;

/** What a station keeps of a frame. */
export interface SeenFrame {
  readonly bytes: Uint8Array;
  readonly atUs: number;
}

/** A stack of sorts: sends patterned frames, keeps or checks what comes. */
export class Station implements NetifUp {
  kernel!: Kernel;
  netfront!: Netfront;
  netif: Netif | undefined;
  readonly frames: SeenFrame[] = [];
  received = 0;
  batches = 0;
  ready = 0;
  /** Called in the domain for each frame. */
  onFrame: ((packet: Packet) => void) | undefined;
  onReady: (() => void) | undefined;
  onBatch: (() => void) | undefined;
  /** Whether frames are kept. */
  keeps = true;

  boot(kernel: Kernel, options: NetfrontOptions): void {
    this.kernel = kernel;
    this.netfront = createNetfront(
      kernel,
      0,
      (netif) => {
        this.netif = netif;
        netif.attach(this);
      },
      options,
    );
  }

  get mac(): Uint8Array {
    return this.netif!.mac;
  }

  receive(packet: Packet): void {
    this.received++;
    if (this.keeps) this.frames.push({ bytes: flatten(this.kernel.memory, packet), atUs: packet.arrivedUs });
    this.onFrame?.(packet);
  }

  receiveDone(): void {
    this.batches++;
    this.onBatch?.();
  }

  transmitReady(): void {
    this.ready++;
    this.onReady?.();
  }

  /** Queues a frame of `bytes` bytes to a MAC with a pattern made from `seed`. @returns false when the device is full. */
  send(to: Uint8Array, bytes: number, seed = 0): boolean {
    const netif = this.netif!;
    const packet = netif.allocate(bytes);
    if (packet === null) return false;
    const { memory } = this.kernel;
    writeHeader(memory, packet.addr, macHi(to), macLo(to), macHi(netif.mac), macLo(netif.mac), ETH_TYPE_TEST);
    memory.u8.set(pattern(bytes - HEADER_BYTES, seed), packet.addr + HEADER_BYTES);
    netif.transmit(packet);
    return true;
  }

  /** Runs something in the domain, in its loop. */
  run(task: () => void): void {
    this.kernel.loop.defer(task);
  }
}

export function pattern(bytes: number, seed: number): Uint8Array {
  const out = new Uint8Array(bytes);
  let x = (seed * 2654435761 + 12345) >>> 0;
  for (let i = 0; i < bytes; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    out[i] = x >>> 24;
  }
  return out;
}

/** @returns the frame that `Station.send` makes. */
export function testFrame(to: Uint8Array, from: Uint8Array, bytes: number, seed: number): Uint8Array {
  const out = new Uint8Array(bytes);
  out.set(to, 0);
  out.set(from, 6);
  out[12] = ETH_TYPE_TEST >>> 8;
  out[13] = ETH_TYPE_TEST & 0xff;
  out.set(pattern(bytes - HEADER_BYTES, seed), HEADER_BYTES);
  return out;
}

export function flatten(memory: Memory, packet: Packet): Uint8Array {
  const out = new Uint8Array(packet.len);
  out.set(memory.u8.subarray(packet.addr, packet.addr + packet.headLen));
  let at = packet.headLen;
  for (let i = 0; i < packet.fragCount; i++) {
    const addr = packet.fragAddr[i]!;
    out.set(memory.u8.subarray(addr, addr + packet.fragLen[i]!), at);
    at += packet.fragLen[i]!;
  }
  return out;
}

export const BROADCAST = new Uint8Array([255, 255, 255, 255, 255, 255]);
