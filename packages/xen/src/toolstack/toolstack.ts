import { type Random, VirtualClock } from '@qanat/clock';
import type { ConsoleReader } from '../console/console-reader.ts';
import type { Hypervisor } from '../hypervisor.ts';
import type { XenstoreClient, XenstoreDone } from '../xenstore/client.ts';
import { domainPath } from '../xenstore/path.ts';
import type { TransactionBody } from '../xenstore/transaction.ts';
import type { ToolstackLink } from '../xenstore/xenstored.ts';
import { ConfigError, type DomainConfig, type ResolvedDomainConfig, resolveDomainConfig } from './config.ts';
import { type Domain, DomainEntry, type DomainHooks, type DomainInfo } from './domain-entry.ts';
import { HostLink } from './host-link.ts';
import type { DomainExit, Launcher } from './launcher.ts';
import { removeDomain, writeDom0, writeDomain, writeVif, xenstoreFrame } from './nodes.ts';
import { Progress } from './progress.ts';
import { WordWatcher } from './word-watcher.ts';

export interface ToolstackOptions<Image> {
  readonly hypervisor: Hypervisor;
  readonly launcher: Launcher<Image>;
  /** Draws MACs and UUIDs. */
  readonly random: Random;
  /** The image has to run xenstored: `Xenstored.start(kernel, (kernel.args as Dom0Args).toolstack)`. */
  readonly dom0: {
    readonly image: URL | string | Image;
    readonly memoryMiB: number;
    readonly affinity?: number | undefined;
    readonly args?: unknown;
  };
  readonly dom0Hooks?: DomainHooks;
  /** Whether new domains wait for `unpause`: where domains share the caller's thread. Default false. */
  readonly startPaused?: boolean;
}

/** `kernel.args` of Dom0's image. */
export interface Dom0Args {
  readonly toolstack: ToolstackLink;
  /** What the machine's builder gave for Dom0. */
  readonly args: unknown;
}

/** How long a domain may take to shut down when asked, in microseconds of machine time. */
export const DEFAULT_SHUTDOWN_GRACE_US = 5_000_000;
const DOM0 = 0;

/**
 * What `xl` does: builds domains from their configuration, tells xenstore of them, starts them, ends them. A client of
 * the xenstored that runs in Dom0, with Dom0's rights. Its promises are resolved on the host's event loop; where
 * domains share that thread they move while somebody waits for one of these promises.
 */
export class Toolstack<Image> {
  readonly #hypervisor: Hypervisor;
  readonly #launcher: Launcher<Image>;
  readonly #random: Random;
  readonly #startPaused: boolean;
  readonly #link: HostLink;
  readonly #progress: Progress;
  readonly #entries = new Map<number, DomainEntry<Image>>();
  readonly #dom0: DomainEntry<Image>;
  readonly #watcher: WordWatcher | undefined;
  #closing = false;

  private constructor(options: ToolstackOptions<Image>, config: ResolvedDomainConfig) {
    const { hypervisor, launcher, dom0 } = options;
    this.#hypervisor = hypervisor;
    this.#launcher = launcher;
    this.#random = options.random;
    this.#startPaused = options.startPaused ?? false;
    this.#build(config, DOM0);
    this.#link = new HostLink(hypervisor);
    const args: Dom0Args = { toolstack: this.#link.link, args: dom0.args };
    this.#dom0 = this.#register(DOM0, config, dom0.image, args, options.dom0Hooks ?? {});
    const { memory } = hypervisor;
    const word = this.#link.client.responseWord;
    this.#progress = new Progress(launcher, word, () => this.#pump());
    if (memory.shared) this.#watcher = new WordWatcher(memory, word, () => this.#link.pump());
  }

  /**
   * Makes Dom0, starts it and waits until its xenstored answers.
   * @throws ConfigError for an impossible size. @throws Error when Dom0 does not come up.
   */
  static async start<Image>(options: ToolstackOptions<Image>): Promise<Toolstack<Image>> {
    const { image, memoryMiB, affinity } = options.dom0;
    const config = resolveDomainConfig({ name: 'Domain-0', memoryMiB, affinity, image }, options.random);
    const toolstack = new Toolstack(options, config);
    try {
      toolstack.#launch(toolstack.#dom0);
      await toolstack.#request((cb) => toolstack.client.transaction((tx) => writeDom0(tx, config), cb));
    } catch (error) {
      await toolstack.close();
      throw toolstack.#dom0Failure() ?? error;
    }
    return toolstack;
  }

  /** xenstore with Dom0's rights. Callbacks come while the machine moves. */
  get client(): XenstoreClient {
    return this.#link.client;
  }

  /** Dom0's exit, once it has stopped. */
  get dom0Exit(): DomainExit | undefined {
    return this.#dom0.exit;
  }

  /**
   * `xl create`: checks the configuration, builds the domain, writes its nodes and those of its vifs, introduces it to
   * xenstored and starts it (unless domains start paused).
   * @throws ConfigError for a configuration that cannot be. @throws Error when Dom0 refuses; then nothing is left.
   */
  async create(config: DomainConfig<Image>, hooks: DomainHooks = {}): Promise<Domain> {
    if (this.#closing) throw new Error('the machine is closed');
    const resolved = resolveDomainConfig(config, this.#random);
    if (this.list().some(({ name, state }) => name === resolved.name && state !== 'shutdown')) {
      throw new ConfigError(
        'name',
        `a domain "${resolved.name}" is running: choose another name or shut it down first`,
      );
    }
    const domid = this.#build(resolved);
    const entry = this.#register(domid, resolved, config.image, config.args, hooks);
    try {
      await this.#announce(entry);
      if (!this.#startPaused) this.#launch(entry);
    } catch (error) {
      entry.ended({ name: resolved.name, domid, code: -1 });
      this.#tearDown(entry);
      await this.#progress.until(() => entry.gone).catch(() => this.#bury(entry));
      throw this.#dom0Failure() ?? error;
    }
    return entry;
  }

  /** `xl unpause`: starts the virtual CPU of a domain that waits for it. */
  unpause(domain: string | number): void {
    const entry = this.#find(domain);
    if (entry.state === 'paused') this.#launch(entry);
  }

  /** `xl list`, by domid. */
  list(): DomainInfo[] {
    return [...this.#entries.values()].map(({ info }) => info).sort((a, b) => a.domid - b.domid);
  }

  /** A domain by its name or id. @throws Error when there is none. */
  domain(domain: string | number): Domain {
    return this.#find(domain);
  }

  /** `xl console`: what the domain has written so far. `type` writes to it. @throws Error when there is none. */
  console(domain: string | number): ConsoleReader {
    const entry = this.#find(domain);
    entry.drainConsole();
    return entry.console;
  }

  /** Lets the machine move until `done()`. @throws Error (rejects) when nothing can move any more. */
  until(done: () => boolean): Promise<void> {
    return this.#progress.until(done);
  }

  /** Asks a domain to power off and returns at once. */
  requestShutdown(domain: string | number): void {
    const entry = this.#findGuest(domain);
    if (entry.state === 'running') {
      this.client.write(`${domainPath(entry.domid)}/control/shutdown`, 'poweroff');
    } else if (entry.state === 'paused') {
      entry.ended({ name: entry.config.name, domid: entry.domid, code: 0 });
      this.#tearDown(entry);
    }
  }

  /**
   * `xl shutdown --wait`: asks the domain to power off, and destroys it if it has not within the grace.
   * @param graceUs microseconds of machine time.
   */
  async shutdown(domain: string | number, graceUs = DEFAULT_SHUTDOWN_GRACE_US): Promise<DomainExit> {
    const entry = this.#findGuest(domain);
    const { clock } = this.#hypervisor;
    const deadlineUs = clock.now() + graceUs;
    this.requestShutdown(entry.domid);
    // Virtual time is moved by the machine's own timers; where none is left, nothing will happen any more.
    const virtual = clock instanceof VirtualClock;
    const timer = virtual ? undefined : setTimeout(() => entry.launched?.kill(), graceUs / 1000);
    await this.#progress.until(() => entry.gone || (virtual && clock.now() >= deadlineUs)).catch(() => {});
    clearTimeout(timer);
    return this.#destroy(entry);
  }

  /** `xl destroy`: stops the domain's virtual CPU wherever it is, and removes the domain. */
  async destroy(domain: string | number): Promise<DomainExit> {
    return this.#destroy(this.#findGuest(domain));
  }

  /** Ends everything at once, Dom0 too. Nothing is left: no thread, timer or handle. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    const entries = [...this.#entries.values()].reverse();
    for (const entry of entries) {
      if (entry.launched === undefined) entry.ended({ name: entry.config.name, domid: entry.domid, code: -1 });
      else entry.launched.kill();
    }
    await this.#progress.until(() => entries.every(({ exit }) => exit !== undefined)).catch(() => {});
    for (const entry of entries) this.#bury(entry);
    this.#watcher?.close();
    this.client.close();
    this.#link.pump();
  }

  #build(config: ResolvedDomainConfig, domid?: number): number {
    const { name, memoryMiB, affinity } = config;
    try {
      const bytes = memoryMiB * 0x10_0000;
      return this.#hypervisor.createDomain({ name, bytes, affinity, ...(domid === undefined ? {} : { domid }) });
    } catch (error) {
      const freeMiB = Math.floor(this.#hypervisor.freeBytes / 0x10_0000);
      const reason = error instanceof Error ? error.message : `${error}`;
      throw new ConfigError(
        'memoryMiB',
        `${reason} (wanted ${memoryMiB} MiB, ${freeMiB} MiB are free): ask for less or give the machine more memory`,
      );
    }
  }

  #register(
    domid: number,
    config: ResolvedDomainConfig,
    image: URL | string | Image,
    args: unknown,
    hooks: DomainHooks,
  ): DomainEntry<Image> {
    const { memory } = this.#hypervisor;
    const record = this.#hypervisor.domain(domid)!;
    const entry = new DomainEntry(record, config, image, args, this.#uuid(), hooks, memory, this.#link);
    this.#entries.set(domid, entry);
    return entry;
  }

  async #announce(entry: DomainEntry<Image>): Promise<void> {
    const { client } = this;
    const { domid, config, uuid } = entry;
    const record = this.#hypervisor.domain(domid)!;
    const startTimeS = Math.floor(this.#hypervisor.clock.now() / 1e6);
    await this.#request((cb) => {
      client.transaction((tx) => writeDomain(tx, record, config, uuid, startTimeS), cb);
    });
    await this.#request((cb) => client.introduce(domid, xenstoreFrame(record), record.xenstorePort, cb));
    for (const vif of config.vifs) {
      await this.#request((cb) => client.transaction((tx) => writeVif(tx, domid, vif), cb));
    }
  }

  #launch(entry: DomainEntry<Image>): void {
    const { domid, config, image, args, hooks } = entry;
    const launched = this.#launcher.launch({
      domid,
      config,
      image,
      args,
      onMessage: (message) => hooks.onMessage?.(message),
      onExit: (exit) => {
        this.#hypervisor.threadEnded(domid);
        entry.ended(exit);
        this.#tearDown(entry);
      },
    });
    entry.started(launched);
  }

  async #destroy(entry: DomainEntry<Image>): Promise<DomainExit> {
    if (entry.launched !== undefined) entry.launched.kill();
    else if (entry.exit === undefined) {
      entry.ended({ name: entry.config.name, domid: entry.domid, code: -1 });
      this.#tearDown(entry);
    }
    if (!entry.gone) await this.#progress.until(() => entry.gone);
    return entry.exited;
  }

  /** The domain has stopped: takes it out of xenstore and of the machine. */
  #tearDown(entry: DomainEntry<Image>): void {
    if (this.#closing) return;
    if (entry === this.#dom0) {
      // Whoever waits for xenstored waits for ever.
      this.#bury(entry);
      this.client.close();
      return;
    }
    const { domid, config, uuid } = entry;
    const remove: TransactionBody = (tx) => removeDomain(tx, domid, config.vifs.length, uuid);
    // Gone is a domain when xenstored has let go of its page, too.
    this.client.transaction(remove, () => {
      this.client.releaseDomain(domid, () => this.#bury(entry));
    });
  }

  #bury(entry: DomainEntry<Image>): void {
    if (entry.gone) return;
    this.#hypervisor.destroyDomain(entry.domid);
    this.#entries.delete(entry.domid);
    entry.gone = true;
  }

  #request(ask: (cb: XenstoreDone) => void): Promise<void> {
    let outcome: { error: Error | undefined } | undefined;
    ask((error) => {
      outcome = { error };
    });
    return this.#progress
      .until(() => outcome !== undefined)
      .then(() => {
        if (outcome?.error !== undefined) throw outcome.error;
      });
  }

  #pump(): void {
    this.#link.pump();
    if (!this.#hypervisor.memory.shared) for (const entry of this.#entries.values()) entry.drainConsole();
  }

  #find(domain: string | number): DomainEntry<Image> {
    for (const entry of this.#entries.values()) {
      if (entry.domid === domain || entry.config.name === domain) return entry;
    }
    throw new Error(`there is no domain ${typeof domain === 'string' ? `"${domain}"` : domain}`);
  }

  #findGuest(domain: string | number): DomainEntry<Image> {
    const entry = this.#find(domain);
    if (entry === this.#dom0) throw new Error('Dom0 ends with the machine only: close it');
    return entry;
  }

  #dom0Failure(): Error | undefined {
    const exit = this.#dom0.exit;
    if (exit === undefined) return undefined;
    const reason = exit.error?.message ?? `it ended with code ${exit.code}`;
    return new Error(`Dom0 is down: ${reason}`, exit.error === undefined ? {} : { cause: exit.error });
  }

  #uuid(): string {
    const hex = (bits: number): string =>
      this.#random
        .u32()
        .toString(16)
        .padStart(8, '0')
        .slice(0, bits / 4);
    // RFC 4122, version 4.
    return `${hex(32)}-${hex(16)}-4${hex(12)}-a${hex(12)}-${hex(32)}${hex(16)}`;
  }
}
