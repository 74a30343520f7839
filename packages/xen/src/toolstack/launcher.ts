import type { ResolvedDomainConfig } from './config.ts';

/** How a domain ended. */
export interface DomainExit {
  readonly name: string;
  readonly domid: number;
  /** What the image gave to `kernel.exit`; 1 for a domain that threw, -1 for one that was destroyed. */
  readonly code: number;
  /** What the domain threw. */
  readonly error?: { readonly message: string; readonly stack: string };
}

/** All that a virtual CPU needs to know of the domain that it runs. */
export interface DomainStart<Image = unknown> {
  readonly domid: number;
  readonly config: ResolvedDomainConfig;
  readonly image: URL | string | Image;
  readonly args: unknown;
  /** `kernel.post` in the domain. Called on the host's thread. */
  onMessage(message: unknown): void;
  /** The virtual CPU has stopped for good; called once, also after `kill`. */
  onExit(exit: DomainExit): void;
}

/** A domain's virtual CPU, as its builder holds it. */
export interface LaunchedDomain {
  /** Arrives at `kernel.onHostMessage`. Ignored once the domain has stopped. */
  post(message: unknown): void;
  /** Stops the virtual CPU wherever it is. `onExit` follows, with code -1. Twice is harmless. */
  kill(): void;
}

/** What starts virtual CPUs: worker threads, or a scheduler in the caller's thread. @qanat/os has one of each. */
export interface Launcher<Image = unknown> {
  /**
   * Starts the virtual CPU of a domain that the hypervisor has built. Cooperative and virtual ones do not run yet.
   * @throws Error when the image cannot be run in this way (an object as image of a thread).
   */
  launch(start: DomainStart<Image>): LaunchedDomain;
  /**
   * Lets the machine move until `done()`. With threads it waits on the host's event loop, looking again at least
   * whenever `memory.i32[word]` changes; else it runs the scheduler and asks after every turn of a domain.
   * @throws Error (rejects) when nothing can move any more and it is not done.
   */
  runUntil(done: () => boolean, word: number): Promise<void>;
}
