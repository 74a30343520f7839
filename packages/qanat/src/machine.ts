import { type Clock, seededRandom, systemRandom } from '@qanat/clock';
import type { TraceMessage } from '@qanat/flowlog';
import type { PcapngOptions } from '@qanat/link';
import type { BridgeStats } from '@qanat/netback';
import * as dom0 from '@qanat/netback/dom0';
import type { Image, KernelStats } from '@qanat/os';
import {
  ConfigError,
  type ConsoleReader,
  type DomainExit,
  type DomainInfo,
  type Hypervisor,
  Toolstack,
  type XenstoreClient,
} from '@qanat/xen';
import { type CaptureEnd, Dom0Client } from './dom0-client.ts';
import { type DomainConfig, toXlConfig } from './domain-config.ts';
import { DomainHandle } from './domain-handle.ts';
import { MachineError } from './machine-error.ts';
import {
  type Cpus,
  createHypervisor,
  createLauncher,
  type MachineOptions,
  type ResolvedMachineOptions,
  resolveMachineOptions,
} from './machine-options.ts';

/**
 * An emulated Xen machine: Dom0 with its bridges, and the domains that are created in it. With threads it runs by
 * itself; else it moves only inside of `run` and of the other calls that return a promise.
 */
export class Machine {
  readonly cpus: Cpus;
  readonly hypervisor: Hypervisor;
  /** Output on the consoles of all domains, Dom0's too. */
  onConsole: ((name: string, text: string) => void) | undefined;
  /** Something that Dom0 complains of: a vif that cannot be used. */
  onError: ((message: string) => void) | undefined;
  readonly #toolstack: Toolstack<Image>;
  readonly #dom0: Dom0Client;
  readonly #handles: DomainHandle[] = [];
  #running = false;
  #closed: Promise<void> | undefined;
  /** A domain threw: the others are being shut down. */
  #failed = false;

  private constructor(cpus: Cpus, hypervisor: Hypervisor, toolstack: Toolstack<Image>, early: EarlyDom0) {
    this.cpus = cpus;
    this.hypervisor = hypervisor;
    this.#toolstack = toolstack;
    this.#dom0 = new Dom0Client(
      (request) => toolstack.domain(0).post(request),
      (done) => this.#until(done),
      (message) => this.onError?.(message),
    );
    early.forward(
      (message) => this.#dom0.receive(message),
      (text) => this.onConsole?.('Domain-0', text),
    );
  }

  /** @internal See `createMachine`. */
  static async start(options: ResolvedMachineOptions): Promise<Machine> {
    const { cpus, seed } = options;
    const hypervisor = createHypervisor(options);
    const early = new EarlyDom0();
    let toolstack: Toolstack<Image>;
    try {
      toolstack = await Toolstack.start<Image>({
        hypervisor,
        launcher: createLauncher(hypervisor, options),
        random: seed === undefined ? systemRandom() : seededRandom(seed),
        dom0: {
          image: cpus === 'threads' ? new URL(import.meta.resolve('@qanat/netback/dom0')) : dom0,
          memoryMiB: options.dom0MemoryMiB,
          affinity: options.dom0Affinity,
          args: { maxQueues: options.maxQueues },
        },
        dom0Hooks: { onMessage: (message) => early.onMessage(message), onConsole: (text) => early.onConsole(text) },
        startPaused: cpus !== 'threads',
      });
    } catch (error) {
      if (error instanceof ConfigError) throw new MachineError('ERR_INVALID_OPTION', `Dom0's ${error.message}`);
      const reason = error instanceof Error ? error.message : `${error}`;
      throw new MachineError('ERR_DOM0_DOWN', reason, { cause: error });
    }
    return new Machine(cpus, hypervisor, toolstack, early);
  }

  /** xenstore, with Dom0's rights. Its callbacks come while the machine moves. */
  get xenstore(): XenstoreClient {
    return this.#toolstack.client;
  }

  /** Machine time, in microseconds since the machine was made. */
  get clock(): Clock {
    return this.hypervisor.clock;
  }

  /**
   * Builds a domain and, with threads, starts it; else it starts with `run`.
   * @throws ConfigError for a configuration that cannot be. @throws MachineError when the machine is down.
   */
  async create(config: DomainConfig): Promise<DomainHandle> {
    this.#checkAlive();
    const handle = new DomainHandle(this.hypervisor);
    const name = config?.name;
    const hooks = handle.hooks(
      (exit) => this.#exited(exit),
      (text) => this.onConsole?.(name, text),
    );
    handle.attach(await this.#toolstack.create(toXlConfig(config), hooks));
    this.#handles.push(handle);
    if (this.#running) this.#toolstack.unpause(handle.domid);
    return handle;
  }

  /** The domains that exist, by domid; Dom0 is the first. */
  list(): DomainInfo[] {
    return this.#toolstack.list();
  }

  /**
   * Runs until domains have ended. When one throws, the others are shut down.
   * @param names the domains to wait for; without any, all but Dom0.
   * @returns how each of them ended, by domid; look for `error`.
   * @throws MachineError ERR_DOM0_DOWN. @throws DeadlockError on virtual time, when all wait and nothing can come.
   */
  async run(...names: string[]): Promise<DomainExit[]> {
    this.#checkAlive();
    for (const name of names) if (!this.#handles.some((handle) => handle.name === name)) this.#toolstack.domain(name);
    this.#running = true;
    try {
      for (const { domid, state } of this.list()) if (state === 'paused') this.#toolstack.unpause(domid);
      await this.#untilEnded(names);
    } finally {
      this.#running = false;
    }
    return this.#handles
      .flatMap(({ name, exit }) => (exit !== undefined && isNamed(names, name) ? [exit] : []))
      .sort((a, b) => a.domid - b.domid);
  }

  /**
   * Lets the machine move until `done()`, which is asked after every turn of a domain or, with threads, now and then.
   * Domains that were created since the last `run` wait for the next one.
   * @throws MachineError ERR_DOM0_DOWN. @throws DeadlockError on virtual time, when all wait and nothing can come.
   */
  async until(done: () => boolean): Promise<void> {
    this.#checkAlive();
    await this.#until(done);
    this.#checkAlive();
  }

  /**
   * Asks a domain to power off; it is destroyed if it has not within the grace.
   * @param graceMs milliseconds of machine time. Default 5000.
   */
  shutdown(name: string, graceMs = 5000): Promise<DomainExit> {
    return this.#toolstack.shutdown(name, graceMs * 1000);
  }

  /** Ends a domain at once. */
  destroy(name: string): Promise<DomainExit> {
    return this.#toolstack.destroy(name);
  }

  /** The console of a domain: its text so far, `onText` for more, `type` to write to it. */
  console(name: string): ConsoleReader {
    const handle = this.#handles.findLast((domain) => domain.name === name);
    return handle === undefined ? this.#toolstack.console(name) : handle.console;
  }

  /** The kernels' counters by name of domain, also of those that have ended. */
  stats(): Map<string, KernelStats> {
    const stats = new Map<string, KernelStats>();
    for (const handle of [this.#dom0Handle(), ...this.#handles]) {
      const counters = handle.stats();
      if (counters !== undefined) stats.set(handle.name, counters);
    }
    return stats;
  }

  /** What the bridges and their ports have counted. */
  bridges(): Promise<BridgeStats[]> {
    return this.#dom0.bridgeStats();
  }

  /**
   * Captures what passes a bridge as a pcapng file, from now on.
   * @param onChunk gets the pieces of the file in order.
   * @returns a way to end it; the last piece comes before its promise resolves.
   */
  capture(bridge: string, onChunk: (chunk: Uint8Array) => void, options?: PcapngOptions): () => Promise<CaptureEnd> {
    this.#dom0.startCapture(bridge, onChunk, options);
    return () => this.#dom0.stopCapture(bridge);
  }

  /**
   * Records what happens to Dom0, from now on: its sleeps, rings, and the queues of its bridges.
   * @param onTrace gets the pieces in order: for a `SlotReceiver` of @qanat/flowlog.
   * @returns a way to end it; the last piece comes before its promise resolves.
   */
  traceDom0(onTrace: (trace: TraceMessage) => void): () => Promise<void> {
    this.#dom0.startTrace(onTrace);
    return () => this.#dom0.stopTrace();
  }

  /** Ends all domains and Dom0 at once. No thread, timer or handle is left. Twice is harmless. */
  close(): Promise<void> {
    this.#closed ??= this.#toolstack.close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #exited({ error }: DomainExit): void {
    if (error === undefined || this.#closed !== undefined) return;
    this.#failed = true;
    for (const { domid, state } of this.list()) {
      if (domid !== 0 && state !== 'shutdown') this.#toolstack.shutdown(domid).catch(() => {});
    }
  }

  async #untilEnded(names: readonly string[]): Promise<void> {
    const ended = (): boolean => !this.list().some(({ domid, name }) => domid !== 0 && isNamed(names, name));
    while (!ended()) {
      try {
        await this.#until(ended);
      } catch (error) {
        this.#checkAlive();
        // They were asked to end, and all of them sleep: nobody listened.
        if (!this.#failed) throw error;
        for (const { domid } of this.list()) if (domid !== 0) await this.#toolstack.destroy(domid).catch(() => {});
      }
      this.#checkAlive();
    }
  }

  #until(done: () => boolean): Promise<void> {
    return this.#toolstack.until(() => done() || this.#toolstack.dom0Exit !== undefined);
  }

  #checkAlive(): void {
    if (this.#closed !== undefined) throw new MachineError('ERR_MACHINE_CLOSED', 'the machine was closed');
    const exit = this.#toolstack.dom0Exit;
    if (exit === undefined) return;
    const reason = exit.error === undefined ? `it ended with code ${exit.code}` : exit.error.stack;
    throw new MachineError('ERR_DOM0_DOWN', `Dom0 is down: ${reason}`);
  }

  #dom0Handle(): DomainHandle {
    const handle = new DomainHandle(this.hypervisor);
    handle.attach(this.#toolstack.domain(0));
    return handle;
  }
}

function isNamed(names: readonly string[], name: string): boolean {
  return names.length === 0 || names.includes(name);
}

/** Keeps what Dom0 says before the machine is there to hear it. */
class EarlyDom0 {
  onMessage: (message: unknown) => void = (message) => void this.#messages.push(message);
  onConsole: (text: string) => void = (text) => void this.#texts.push(text);
  readonly #messages: unknown[] = [];
  readonly #texts: string[] = [];

  forward(onMessage: (message: unknown) => void, onConsole: (text: string) => void): void {
    this.onMessage = onMessage;
    this.onConsole = onConsole;
    for (const message of this.#messages) onMessage(message);
    for (const text of this.#texts) onConsole(text);
  }
}

/**
 * Builds a machine and starts its Dom0, with xenstore, the network backends and their bridges.
 * @throws MachineError for options that cannot be, or when Dom0 does not come up.
 */
export async function createMachine(options: MachineOptions = {}): Promise<Machine> {
  return Machine.start(resolveMachineOptions(options));
}
