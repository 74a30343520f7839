import { Memory } from '@qanat/bytes';
import { type Clock, VirtualClock } from '@qanat/clock';
import { Hypercalls, Hypervisor } from '@qanat/xen';
import { CooperativeCpu } from '../../src/cooperative-cpu.ts';
import { Kernel, SleepAuditError } from '../../src/index.ts';
import { Runaway } from './driver.ts';
import type { Guest } from './guest.ts';
import { type LegacyFault, LegacyLoop } from './legacy-loop.ts';

/** How a run ended. */
export type Ending = 'done' | 'deadlock' | 'late' | 'livelock' | 'audit';

export interface Outcome {
  readonly ending: Ending;
  /** Virtual time that the run took. */
  readonly elapsedUs: number;
  /** Hypercalls of all guests. */
  readonly hypercalls: number;
  /** What the auditor said. */
  readonly detail: string;
}

export interface RunLimits {
  /** Longer is `late`: the stall that a timer hides. Default 50 ms. */
  readonly maxUs?: number;
  /** More turns of guests is `livelock`. Default 5000. */
  readonly maxTurns?: number;
  /** Time that a turn of a guest takes. Default 0. */
  readonly usPerTurn?: number;
}

export interface WorldOptions {
  /** Whether the sleep auditor looks at shipped kernels. Default true. */
  readonly audit?: boolean;
}

/** A machine on virtual time whose guests take turns: shipped kernels, or loops with faults put in. */
export class World {
  readonly clock = new VirtualClock(1_000_000);
  readonly memory = Memory.create({ bytes: 8 << 20 });
  readonly hypervisor = Hypervisor.create(this.memory, { clockOriginUs: 0, clock: this.clock as Clock });
  readonly guests: Guest[] = [];
  readonly #audit: boolean;
  #actions: { readonly atUs: number; readonly act: () => void }[] = [];

  constructor(options: WorldOptions = {}) {
    this.#audit = options.audit ?? true;
    this.hypervisor.createDomain({ name: 'Domain-0', bytes: 4096 });
  }

  /** A domain whose kernel is the shipped one. */
  addKernel(name: string): Guest & { readonly kernel: Kernel } {
    const domid = this.hypervisor.createDomain({ name, bytes: 256 << 10 });
    const cpu = new CooperativeCpu(this.#audit);
    const kernel = new Kernel({
      hypervisor: this.hypervisor,
      domid,
      config: { name, memoryMiB: 1, vifs: [] },
      args: undefined,
      cpu,
      seed: 1,
      post: () => {},
    });
    cpu.kernel = kernel;
    const { loop, hypercalls, activations } = kernel;
    const guest = {
      kernel,
      domid,
      hypercalls,
      timers: loop.timers,
      pages: kernel.pages,
      grants: kernel.grants,
      bind: (port: number, handler: () => void) => activations.bind(port, handler),
      counter: (port: number) => activations.counter(port),
      defer: (task: () => void) => loop.defer(task),
      addBeforeSleep: (hook: () => void) => loop.addBeforeSleep(hook),
      addAudit: (check: () => string | undefined) => loop.addAudit('driver', check),
      turn: () => void loop.run(1),
    };
    this.guests.push(guest);
    return guest;
  }

  /** A domain with a loop of its own, which has these faults. */
  addLegacy(name: string, faults: readonly LegacyFault[]): LegacyLoop {
    const domid = this.hypervisor.createDomain({ name, bytes: 256 << 10 });
    const guest = new LegacyLoop(this.hypervisor, new Hypercalls(this.hypervisor, domid), this.clock, faults);
    this.guests.push(guest);
    return guest;
  }

  /** Has `act` called when the clock is there: what the rest of the world does. */
  at(afterUs: number, act: () => void): void {
    this.#actions.push({ atUs: this.clock.now() + afterUs, act });
    this.#actions.sort((x, y) => x.atUs - y.atUs);
  }

  /** Runs until `done()`, or until it is clear that it will not come. */
  run(done: () => boolean, limits: RunLimits = {}): Outcome {
    const { maxUs = 50_000, maxTurns = 5000, usPerTurn = 0 } = limits;
    const startUs = this.clock.now();
    const end = (ending: Ending, detail = ''): Outcome => ({
      ending,
      elapsedUs: this.clock.now() - startUs,
      hypercalls: this.guests.reduce((sum, { hypercalls }) => sum + hypercalls.counters.hypercalls, 0),
      detail,
    });
    try {
      for (let turns = 0; ; ) {
        if (done()) return end('done');
        let moved = false;
        for (const guest of this.guests) {
          if (!this.#runnable(guest)) continue;
          moved = true;
          guest.turn();
          if (usPerTurn > 0) this.#advance(this.clock.now() + usPerTurn);
          if (++turns > maxTurns) return end('livelock');
          if (done()) return end('done');
        }
        if (moved) {
          if (this.clock.now() - startUs > maxUs) return end('late');
          continue;
        }
        const nextUs = this.#nextUs();
        if (nextUs === Number.POSITIVE_INFINITY) return end('deadlock');
        if (nextUs - startUs > maxUs) return end('late');
        this.#advance(nextUs);
      }
    } catch (error) {
      if (error instanceof SleepAuditError) return end('audit', error.message);
      if (error instanceof Runaway) return end('livelock', error.message);
      throw error;
    }
  }

  #runnable(guest: Guest): boolean {
    if (guest.hypercalls.blocked) guest.hypercalls.runTimers(this.hypervisor.nowNs());
    return !guest.hypercalls.blocked;
  }

  #nextUs(): number {
    let next = this.#actions[0]?.atUs ?? Number.POSITIVE_INFINITY;
    for (const { hypercalls } of this.guests) next = Math.min(next, Math.ceil(hypercalls.nextTimerNs() / 1000));
    return next;
  }

  #advance(us: number): void {
    if (us > this.clock.now()) this.clock.advanceTo(us);
    while (this.#actions.length > 0 && this.#actions[0]!.atUs <= this.clock.now()) this.#actions.shift()!.act();
  }
}
