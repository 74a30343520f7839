import { type KernelStats, readKernelStats } from '@qanat/os';
import type { ConsoleReader, Domain, DomainExit, DomainHooks, Hypervisor, ResolvedDomainConfig } from '@qanat/xen';

/** Messages kept for an owner who has not set `onMessage` yet. */
const MAX_EARLY_MESSAGES = 1024;

/** A domain of a machine, as its builder holds it. It stays readable when the domain has ended. */
export class DomainHandle {
  /** Output on the console, as it comes. What came before is in `console.text`. */
  onConsole: ((text: string) => void) | undefined;
  readonly #hypervisor: Hypervisor;
  #domain: Domain | undefined;
  #onMessage: ((message: unknown) => void) | undefined;
  #early: unknown[] = [];
  #finalStats: KernelStats | undefined;
  #exit: DomainExit | undefined;

  /** @internal Handles come from `Machine.create`. */
  constructor(hypervisor: Hypervisor) {
    this.#hypervisor = hypervisor;
  }

  get name(): string {
    return this.config.name;
  }

  get domid(): number {
    return this.#known.domid;
  }

  /** Its configuration with the defaults filled in: MACs, MTUs, ... */
  get config(): ResolvedDomainConfig {
    return this.#known.config;
  }

  get state(): Domain['state'] {
    return this.#known.state;
  }

  /** Resolves when the domain has ended. It does not make a machine move that moves in `run` only. */
  get exited(): Promise<DomainExit> {
    return this.#known.exited;
  }

  /** How it ended, or undefined. */
  get exit(): DomainExit | undefined {
    return this.#exit;
  }

  /** Its console: the text so far, and `type` to write to it. */
  get console(): ConsoleReader {
    return this.#known.console;
  }

  /** Gets what the domain posts; what came before it was set is delivered at once. */
  get onMessage(): ((message: unknown) => void) | undefined {
    return this.#onMessage;
  }

  set onMessage(handler: ((message: unknown) => void) | undefined) {
    this.#onMessage = handler;
    if (handler === undefined) return;
    const early = this.#early;
    this.#early = [];
    for (const message of early) handler(message);
  }

  /** Sends a message (structured-cloneable) to `kernel.onHostMessage`, now or when the domain starts. */
  post(message: unknown): void {
    this.#known.post(message);
  }

  /** The kernel's counters as of its last sleep; of a domain that has ended, the last ones. */
  stats(): KernelStats | undefined {
    return this.#finalStats ?? readKernelStats(this.#hypervisor, this.domid);
  }

  /** @internal */
  attach(domain: Domain): void {
    this.#domain = domain;
  }

  /** @internal @param onExit what the machine does when the domain has ended. */
  hooks(onExit: (exit: DomainExit) => void, onConsole: (text: string) => void): DomainHooks {
    return {
      onMessage: (message) => {
        if (this.#onMessage !== undefined) this.#onMessage(message);
        else if (this.#early.length < MAX_EARLY_MESSAGES) this.#early.push(message);
      },
      onConsole: (text) => {
        this.onConsole?.(text);
        onConsole(text);
      },
      onExit: (exit) => {
        this.#exit = exit;
        this.#finalStats = readKernelStats(this.#hypervisor, exit.domid);
        onExit(exit);
      },
    };
  }

  get #known(): Domain {
    if (this.#domain === undefined) throw new Error('the domain is being created');
    return this.#domain;
  }
}
