import { NEVER } from '@qanat/clock';
import {
  type DomainExit,
  type DomainStart,
  type Hypervisor,
  type LaunchedDomain,
  type Launcher,
  VIRQ_ARCH_0,
} from '@qanat/xen';
import { CooperativeCpu } from './cooperative-cpu.ts';
import { eventLoopTurn } from './event-loop.ts';
import { type Image, imageHref, isImage } from './image.ts';
import { Kernel } from './kernel.ts';
import { LOOP_BLOCKED, LOOP_STOPPED, LOOP_TURN } from './main-loop.ts';
import { describeError } from './thread-protocol.ts';

export interface CooperativeOptions {
  readonly hypervisor: Hypervisor;
  /** Makes `kernel.random` of every domain repeatable. */
  readonly seed?: number | undefined;
  /** Audits every sleep; a domain that sleeps with work left throws. Default false. */
  readonly audit?: boolean | undefined;
  /** Passes of one domain's loop before the next domain runs. Default 16. */
  readonly passesPerTurn?: number | undefined;
}

const DEFAULT_PASSES_PER_TURN = 16;

/** Nothing can move any more: every vcpu is blocked without a deadline. */
export class DeadlockError extends Error {
  override readonly name = 'DeadlockError';
}

interface Resident {
  readonly start: DomainStart<Image>;
  readonly kernel: Kernel;
  /** Messages from the host that the kernel has not taken. */
  readonly inbox: unknown[];
  killed: boolean;
  /** Set when the image is loaded and `main` has returned. */
  started: boolean;
  over: boolean;
}

/**
 * All domains in the caller's thread, taking turns by domid. What differs between real and virtual time is left to the
 * subclasses: what happens when every vcpu is blocked.
 */
export abstract class TurnScheduler implements Launcher<Image> {
  protected readonly hypervisor: Hypervisor;
  readonly #seed: number | undefined;
  readonly #audit: boolean;
  readonly #passesPerTurn: number;
  #residents: Resident[] = [];
  /** Calls to the host that wait until no domain runs. */
  #calls: (() => void)[] = [];
  #loading = 0;

  constructor(options: CooperativeOptions) {
    this.hypervisor = options.hypervisor;
    this.#seed = options.seed;
    this.#audit = options.audit ?? false;
    this.#passesPerTurn = options.passesPerTurn ?? DEFAULT_PASSES_PER_TURN;
    this.hypervisor.onWake = () => this.woken();
  }

  launch(start: DomainStart<Image>): LaunchedDomain {
    const { domid } = start;
    const cpu = new CooperativeCpu(this.#audit);
    const kernel = new Kernel({
      hypervisor: this.hypervisor,
      domid,
      config: start.config,
      args: start.args,
      cpu,
      seed: this.#seed === undefined ? undefined : this.#seed + domid,
      post: (message) => {
        const copy: unknown = structuredClone(message);
        this.#call(() => start.onMessage(copy));
      },
    });
    cpu.kernel = kernel;
    const resident: Resident = { start, kernel, inbox: [], killed: false, started: false, over: false };
    kernel.listenToHost(() => {
      for (const message of resident.inbox.splice(0)) kernel.deliverHostMessage(message);
    });
    this.#residents.push(resident);
    this.#residents.sort((a, b) => a.start.domid - b.start.domid);
    this.#load(resident);
    this.woken();
    return {
      post: (message) => {
        if (resident.over || resident.killed) return;
        resident.inbox.push(structuredClone(message));
        this.hypervisor.sendVirq(domid, VIRQ_ARCH_0);
        this.woken();
      },
      kill: () => {
        resident.killed = true;
        this.woken();
      },
    };
  }

  /** Lets domains take turns until `done()`, which is asked after every turn. */
  async runUntil(done: () => boolean, _word?: number): Promise<void> {
    let idleTurns = 0;
    for (;;) {
      this.#settle();
      if (done()) return;
      let moved = false;
      let turns = 0;
      for (const resident of this.order(this.#residents)) {
        if (!this.#turn(resident)) continue;
        moved = true;
        this.#settle();
        if (done()) return;
        if (++turns >= this.turnsPerRound) break;
      }
      if (moved) {
        idleTurns = 0;
        if (this.turnDue()) await this.#eventLoopTurn();
      } else if (this.#loading > 0 || idleTurns++ === 0) {
        // Promises of the images go on before the machine is taken to be idle.
        await this.#eventLoopTurn();
      } else if (this.#residents.length === 0) {
        throw new DeadlockError('every domain has ended, and what was waited for has not come');
      } else {
        await this.idle(this.#nextTimerNs());
        idleTurns = 0;
      }
    }
  }

  /** Domains that have a turn before `order` is asked again. */
  protected turnsPerRound = NEVER;

  /** @returns the domains in the order in which they are asked whether they have something to do. */
  protected order<T>(domains: readonly T[]): T[] {
    return [...domains];
  }

  /** Whether the host's event loop shall have a turn while domains are busy. */
  protected abstract turnDue(): boolean;

  /** A turn is over: what it took, in passes of the loop and in hypercalls. */
  protected charge(_passes: number, _hypercalls: number): void {}

  /** All vcpus are blocked, the first timer is due at `nextNs` (Infinity: none). @throws DeadlockError */
  protected abstract idle(nextNs: number): void | Promise<void>;

  /** Something may have become runnable. */
  protected woken(): void {}

  /** @returns what every domain is waiting for, for a report. */
  protected describe(): string {
    return this.#residents
      .map(({ kernel }) => `${kernel.name} (${kernel.domid}): ${kernel.activations.describe()}`)
      .join('; ');
  }

  #load(resident: Resident): void {
    const { image } = resident.start;
    this.#loading++;
    void loadImage(image)
      .then(
        (loaded) => this.#begin(resident, loaded),
        (error: unknown) => this.#crash(resident, error),
      )
      .finally(() => {
        this.#loading--;
        this.woken();
      });
  }

  #begin(resident: Resident, image: Image): void {
    if (resident.killed) return;
    try {
      const running = resident.kernel.start(image);
      if (running instanceof Promise) running.catch((error: unknown) => this.#crash(resident, error));
      resident.started = true;
    } catch (error) {
      this.#crash(resident, error);
    }
  }

  /** @returns whether the domain ran. */
  #turn(resident: Resident): boolean {
    if (!resident.started || resident.over || resident.killed) return false;
    const { kernel } = resident;
    const { hypercalls } = kernel;
    if (hypercalls.blocked) {
      hypercalls.runTimers(this.hypervisor.nowNs());
      if (hypercalls.blocked) return false;
    }
    const passes = kernel.loop.counters.loops;
    const calls = hypercalls.counters.hypercalls;
    try {
      const outcome = kernel.loop.run(this.#passesPerTurn);
      if (outcome === LOOP_STOPPED) this.#finish(resident, { code: kernel.exitCode ?? 0 });
      else if (outcome === LOOP_TURN) this.turnWanted = true;
      else if (outcome !== LOOP_BLOCKED) kernel.publishStats();
    } catch (error) {
      this.#crash(resident, error);
    }
    this.charge(kernel.loop.counters.loops - passes, hypercalls.counters.hypercalls - calls);
    return true;
  }

  /** A domain asked for a turn of the event loop. */
  protected turnWanted = false;

  #crash(resident: Resident, error: unknown): void {
    if (resident.over) return;
    resident.kernel.crashed();
    this.#finish(resident, { code: 1, error: describeError(error) });
  }

  #finish(resident: Resident, how: Pick<DomainExit, 'code' | 'error'>): void {
    if (resident.over) return;
    resident.over = true;
    resident.kernel.publishStats();
    this.#residents = this.#residents.filter((other) => other !== resident);
    const { start } = resident;
    this.#call(() => start.onExit({ name: start.config.name, domid: start.domid, ...how }));
  }

  #call(call: () => void): void {
    this.#calls.push(call);
    this.woken();
  }

  /** Between turns: domains that were killed go, and the host hears what happened. */
  #settle(): void {
    for (const resident of [...this.#residents]) {
      if (resident.killed) this.#finish(resident, { code: -1 });
    }
    while (this.#calls.length > 0) {
      for (const call of this.#calls.splice(0)) call();
      // What the host heard may be waited for by a promise of its, and a domain that spins leaves no idle moment.
      this.turnWanted = true;
    }
  }

  #nextTimerNs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { kernel, started } of this.#residents) {
      if (started) next = Math.min(next, kernel.hypercalls.nextTimerNs());
    }
    return next;
  }

  async #eventLoopTurn(): Promise<void> {
    this.turnWanted = false;
    await eventLoopTurn();
  }
}

async function loadImage(image: URL | string | Image): Promise<Image> {
  if (typeof image !== 'string' && !(image instanceof URL)) {
    if (!isImage(image)) throw new TypeError('the image has no function main(kernel)');
    return image;
  }
  const module: unknown = await import(/* @vite-ignore */ imageHref(image));
  if (!isImage(module)) throw new TypeError(`the image ${image} does not export a function main(kernel)`);
  return module;
}
