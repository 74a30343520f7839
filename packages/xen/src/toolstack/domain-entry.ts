import type { Memory } from '@qanat/bytes';
import { ConsoleReader } from '../console/console-reader.ts';
import type { DomainRecord } from '../domain-record.ts';
import type { ResolvedDomainConfig } from './config.ts';
import type { HostLink } from './host-link.ts';
import type { DomainExit, LaunchedDomain } from './launcher.ts';
import { WordWatcher } from './word-watcher.ts';

/** How a domain is: `paused` until its virtual CPU is started, `shutdown` once that has stopped. */
export type DomainState = 'paused' | 'running' | 'shutdown';

/** A line of `xl list`. */
export interface DomainInfo {
  readonly domid: number;
  readonly name: string;
  readonly memoryMiB: number;
  readonly state: DomainState;
  /** Number of its network interfaces. */
  readonly vifs: number;
}

/** What the owner of a domain hears of it. Called on the host's thread. */
export interface DomainHooks {
  /** `kernel.post` in the domain. */
  onMessage?(message: unknown): void;
  /** Its virtual CPU has stopped. */
  onExit?(exit: DomainExit): void;
  /** Output on its console. */
  onConsole?(text: string): void;
}

/** A domain that was created. It stays readable when the domain is gone. */
export interface Domain {
  readonly domid: number;
  readonly config: ResolvedDomainConfig;
  readonly state: DomainState;
  readonly console: ConsoleReader;
  /** Resolves when its virtual CPU has stopped. It does not make the machine move by itself. */
  readonly exited: Promise<DomainExit>;
  /** A message for `kernel.onHostMessage`, now or when the domain starts. Dropped when it has stopped. */
  post(message: unknown): void;
}

/** A domain as the toolstack keeps it. */
export class DomainEntry<Image> implements Domain {
  readonly domid: number;
  readonly config: ResolvedDomainConfig;
  readonly image: URL | string | Image;
  readonly args: unknown;
  readonly uuid: string;
  readonly hooks: DomainHooks;
  readonly console: ConsoleReader;
  readonly exited: Promise<DomainExit>;
  launched: LaunchedDomain | undefined;
  /** Set when its virtual CPU has stopped. */
  exit: DomainExit | undefined;
  /** Nothing is left of it in the machine. */
  gone = false;
  readonly #link: HostLink;
  readonly #consolePort: number;
  readonly #watcher: WordWatcher | undefined;
  readonly #inbox: unknown[] = [];
  #resolveExited: (exit: DomainExit) => void = () => {};

  constructor(
    domain: DomainRecord,
    config: ResolvedDomainConfig,
    image: URL | string | Image,
    args: unknown,
    uuid: string,
    hooks: DomainHooks,
    memory: Memory,
    link: HostLink,
  ) {
    this.domid = domain.domid;
    this.config = config;
    this.image = image;
    this.args = args;
    this.uuid = uuid;
    this.hooks = hooks;
    this.#link = link;
    this.#consolePort = link.bind(domain.domid, domain.consolePort);
    this.console = new ConsoleReader({
      memory,
      pageAddr: domain.consoleAddr,
      notify: () => link.send(this.#consolePort),
    });
    this.console.onText = (text) => hooks.onConsole?.(text);
    this.exited = new Promise((resolve) => {
      this.#resolveExited = resolve;
    });
    // Domains in threads write while nobody here asks; the others write only while the toolstack lets them run.
    if (memory.shared) this.#watcher = new WordWatcher(memory, this.console.outputWord, () => this.drainConsole());
  }

  get info(): DomainInfo {
    const { domid, config } = this;
    return { domid, name: config.name, memoryMiB: config.memoryMiB, state: this.state, vifs: config.vifs.length };
  }

  get state(): DomainState {
    if (this.exit !== undefined) return 'shutdown';
    return this.launched === undefined ? 'paused' : 'running';
  }

  post(message: unknown): void {
    if (this.launched !== undefined) this.launched.post(message);
    else if (this.exit === undefined) this.#inbox.push(structuredClone(message));
  }

  /** Its virtual CPU has been started. */
  started(launched: LaunchedDomain): void {
    this.launched = launched;
    for (const message of this.#inbox.splice(0)) launched.post(message);
  }

  /** Takes some of its output: as much as it has written, unless it writes all the time. */
  drainConsole(): void {
    this.console.poll();
  }

  /** Its virtual CPU has stopped, or never will run. */
  ended(exit: DomainExit): void {
    if (this.exit !== undefined) return;
    this.drainConsole();
    this.#watcher?.close();
    this.exit = exit;
    this.#link.close(this.#consolePort);
    this.hooks.onExit?.(exit);
    this.#resolveExited(exit);
  }
}
