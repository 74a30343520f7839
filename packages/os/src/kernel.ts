import { type Memory, PageAllocator } from '@qanat/bytes';
import { type Clock, type Random, seededRandom, systemRandom, TimerQueue } from '@qanat/clock';
import {
  Console,
  type DomainRecord,
  Hypercalls,
  type Hypervisor,
  type ResolvedDomainConfig,
  SHUTDOWN_CRASH,
  SHUTDOWN_POWEROFF,
  VCPU_UPCALL_MASK,
  VIRQ_ARCH_0,
  watchShutdown,
  XenstoreClient,
} from '@qanat/xen';
import { Activations } from './activations.ts';
import { GrantTable } from './grant-table.ts';
import type { Image } from './image.ts';
import type { KernelLoop, LoopParts } from './kernel-loop.ts';
import type { KernelStats } from './kernel-stats.ts';
import type { Watched } from './machine-observer.ts';
import { type LoopCpu, MainLoop } from './main-loop.ts';
import { ReadyQueue } from './ready-queue.ts';
import { SleepAudit, SleepAuditError, type SleepViolation } from './sleep-audit.ts';

export interface KernelOptions {
  readonly hypervisor: Hypervisor;
  readonly domid: number;
  readonly config: ResolvedDomainConfig;
  readonly args: unknown;
  readonly cpu: LoopCpu;
  /** Seed of `kernel.random`; without one it is unpredictable. */
  readonly seed?: number | undefined;
  /** Carries messages to the host. */
  readonly post: (message: unknown) => void;
}

/** Messages kept for an image that has not set `onHostMessage` yet. */
const MAX_EARLY_MESSAGES = 1024;

/** What an image sees: the kernel inside its domain. */
export class Kernel {
  readonly domid: number;
  readonly name: string;
  /** The domain's own configuration. */
  readonly config: ResolvedDomainConfig;
  /** What the domain's builder gave to the image. */
  readonly args: unknown;
  readonly memory: Memory;
  /** The domain's own memory. */
  readonly pages: PageAllocator;
  /** Machine time: the same in all domains. */
  readonly clock: Clock;
  readonly random: Random;
  readonly hypercalls: Hypercalls;
  readonly grants: GrantTable;
  readonly activations: Activations;
  readonly xenstore: XenstoreClient;
  readonly console: Console;
  /** Where the domain's pages are. */
  readonly domain: DomainRecord;
  /** Who records what happens to the domain and its drivers, if anybody does. */
  readonly watched: Watched = { observer: undefined };
  readonly #post: (message: unknown) => void;
  readonly #loopParts: LoopParts;
  #loop: KernelLoop;
  readonly #earlyMessages: unknown[] = [];
  /** The toolstack asks the domain to end (`poweroff`, ...). Default: `exit(0)`. */
  onShutdown: ((reason: string) => void) | undefined;
  #onHostMessage: ((message: unknown) => void) | undefined;
  #exitCode: number | undefined;

  /** @throws Error when the domain does not exist. */
  constructor(options: KernelOptions) {
    const { hypervisor, domid, config, cpu } = options;
    const domain = hypervisor.domain(domid);
    if (domain === undefined) throw new Error(`there is no domain ${domid}`);
    const { memory } = hypervisor;
    this.domid = domid;
    this.name = config.name;
    this.config = config;
    this.args = options.args;
    this.memory = memory;
    this.domain = domain;
    this.clock = hypervisor.clock;
    this.random = options.seed === undefined ? systemRandom() : seededRandom(options.seed);
    this.pages = new PageAllocator(domain.firstAddr, domain.bytes);
    this.hypercalls = new Hypercalls(hypervisor, domid);
    this.grants = new GrantTable(memory, domain.grantTableAddr, domain.grantEntries);
    this.activations = new Activations(memory, this.hypercalls, domain.sharedInfoAddr);
    this.hypercalls.cpu = cpu;
    const { hypercalls, activations, clock } = this;
    const audited = { hypercalls, activations, clock, timers: new TimerQueue(), ready: new ReadyQueue() };
    this.#loopParts = {
      ...audited,
      cpu,
      audit: new SleepAudit(audited),
      watched: this.watched,
      maskUpcalls: () => Atomics.store(memory.u8, domain.sharedInfoAddr + VCPU_UPCALL_MASK, 1),
    };
    this.#loop = new MainLoop(this.#loopParts);
    this.xenstore = new XenstoreClient({
      memory,
      pageAddr: domain.xenstoreAddr,
      notify: () => this.hypercalls.evtchnSend(domain.xenstorePort),
      defer: (task) => this.loop.defer(task),
    });
    this.activations.bind(domain.xenstorePort, () => this.xenstore.onEvent());
    this.loop.addAudit('xenstore', () => {
      const { unreadBytes } = this.xenstore;
      return unreadBytes > 0 ? `${unreadBytes} bytes of answers were not read` : undefined;
    });
    this.console = new Console({
      memory,
      pageAddr: domain.consoleAddr,
      notify: () => this.hypercalls.evtchnSend(domain.consolePort),
    });
    this.activations.bind(domain.consolePort, () => this.console.onEvent());
    this.#post = options.post;
    if (domid !== 0) {
      watchShutdown(this.xenstore, (reason) => {
        if (this.onShutdown === undefined) this.exit(0);
        else this.onShutdown(reason);
      });
    }
  }

  /** The main loop: the shipped one, but where the image brought its own. */
  get loop(): KernelLoop {
    return this.#loop;
  }

  /** @internal Runs an image in this kernel, under its own loop if it has one: what waits already goes on there. */
  start(image: Image): void | Promise<void> {
    if (image.createLoop !== undefined) this.#loop = image.createLoop(this.#loopParts);
    return image.main(this);
  }

  /** Sends a message (structured-cloneable) to whoever built the machine. */
  post(message: unknown): void {
    this.#post(message);
  }

  /** Called in the loop for each message from the host; what came before it was set is delivered then. */
  get onHostMessage(): ((message: unknown) => void) | undefined {
    return this.#onHostMessage;
  }

  set onHostMessage(handler: ((message: unknown) => void) | undefined) {
    this.#onHostMessage = handler;
    if (handler !== undefined && this.#earlyMessages.length > 0) {
      this.loop.defer(() => {
        for (const message of this.#earlyMessages.splice(0)) this.#onHostMessage?.(message);
      });
    }
  }

  /** Ends the domain. The loop stops after the current pass; nothing of the image runs afterwards. */
  exit(code = 0): void {
    if (this.#exitCode !== undefined) return;
    this.#exitCode = code;
    this.loop.stop();
    this.hypercalls.schedShutdown(SHUTDOWN_POWEROFF);
  }

  /** What was given to `exit`, or undefined while the domain lives. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** A fresh copy of the counters. */
  stats(): KernelStats {
    return { ...this.loop.counters, ...this.hypercalls.counters, events: this.activations.events };
  }

  /** @internal Binds the host's doorbell. @param receive takes the messages that have come. */
  listenToHost(receive: () => void): void {
    const port = this.hypercalls.evtchnBindVirq(VIRQ_ARCH_0);
    this.activations.bind(port, receive);
  }

  /** @internal */
  deliverHostMessage(message: unknown): void {
    if (this.#onHostMessage !== undefined) this.#onHostMessage(message);
    else if (this.#earlyMessages.length < MAX_EARLY_MESSAGES) this.#earlyMessages.push(message);
  }

  /** @internal The domain threw. */
  crashed(): void {
    this.loop.stop();
    this.hypercalls.schedShutdown(SHUTDOWN_CRASH);
  }

  /** @internal Writes the counters where other threads can read them (`readKernelStats`). */
  publishStats(): void {
    const { f64 } = this.memory;
    const base = this.domain.statsAddr >>> 3;
    const loop = this.loop.counters;
    const calls = this.hypercalls.counters;
    // The order of KERNEL_STATS, written out: this runs before every sleep.
    f64[base] = loop.loops;
    f64[base + 1] = loop.sleeps;
    f64[base + 2] = loop.blockedUs;
    f64[base + 3] = this.activations.events;
    f64[base + 4] = loop.spuriousWakes;
    f64[base + 5] = loop.spinWakes;
    f64[base + 6] = loop.tasks;
    f64[base + 7] = loop.timersFired;
    f64[base + 8] = loop.turns;
    f64[base + 9] = calls.hypercalls;
    f64[base + 10] = calls.evtchnSends;
    f64[base + 11] = calls.polls;
    f64[base + 12] = calls.blocks;
    f64[base + 13] = calls.yields;
    f64[base + 14] = calls.grantCopies;
    f64[base + 15] = calls.grantMaps;
  }

  /** @internal What the auditor finds in a vcpu that has just blocked, or undefined. In threads it may be on its way still. */
  sleepViolation(): SleepViolation | undefined {
    const faults = this.loop.sleepFaults();
    if (faults.length === 0) return undefined;
    return {
      domid: this.domid,
      name: this.name,
      atUs: this.clock.now(),
      faults,
      events: this.activations.describe(),
    };
  }

  /** @internal @throws SleepAuditError when the vcpu, which has just blocked, has work left. */
  auditSleep(): void {
    const violation = this.sleepViolation();
    if (violation === undefined) return;
    this.tellViolation(violation);
    throw new SleepAuditError(violation);
  }

  /** @internal Tells an observer of a sleep that was wrong. */
  tellViolation({ faults }: SleepViolation): void {
    for (const fault of faults) this.watched.observer?.sleepFault(this.clock.now(), fault);
  }
}
