import { type Clock, NEVER, type TimerQueue } from '@qanat/clock';
import { type Hypercalls, SCHED_POLL_PORTS_MAX, TIMER_AHEAD_MAX_NS, VIRQ_TIMER, type VirtualCpu } from '@qanat/xen';
import type { Activations } from './activations.ts';
import type { KernelLoop, LoopParts } from './kernel-loop.ts';
import { type MachineObserver, PORT_INTERDOMAIN, type Watched } from './machine-observer.ts';
import type { ReadyQueue } from './ready-queue.ts';
import type { SleepAudit } from './sleep-audit.ts';

/** What `MainLoop.run` came back for. */
export const LOOP_BLOCKED = 0;
/** There is more to do; the slice is over. */
export const LOOP_SLICE = 1;
/** Promises and host events of the thread want a turn. */
export const LOOP_TURN = 2;
/** The kernel has exited. */
export const LOOP_STOPPED = 3;
export type LoopOutcome = typeof LOOP_BLOCKED | typeof LOOP_SLICE | typeof LOOP_TURN | typeof LOOP_STOPPED;

/** Bounds of one pass, so that tasks, timers and events take turns. */
const TASKS_PER_PASS = 256;
const TIMERS_PER_PASS = 64;
/** A deadline is brought this near, so that nobody takes it for a mistake. */
const DEADLINE_AHEAD_MAX_NS = TIMER_AHEAD_MAX_NS - 1e9;

/** The CPU as the loop knows it. */
export interface LoopCpu extends VirtualCpu {
  /** Whether the thread's event loop gets a turn before each sleep that follows work. */
  readonly turnsBeforeSleep: boolean;
  /** How long `run` goes on before the thread's event loop gets a turn, in microseconds. */
  readonly sliceUs: number;
  /**
   * How long a sleep that begins at `nowUs` may last before the thread's event loop needs a turn, in microseconds: NEVER
   * when nothing is under way there.
   */
  sleepLimitUs(nowUs: number): number;
  /** Waits for an event for a very short time without sleeping. @returns whether `ready` came true. */
  spin(ready: () => boolean, untilUs: number): boolean;
}

export interface LoopCounters {
  loops: number;
  sleeps: number;
  blockedUs: number;
  /** Wake-ups without event or deadline. */
  spuriousWakes: number;
  /** Sleeps that an event made unnecessary while the CPU spun. */
  spinWakes: number;
  tasks: number;
  timersFired: number;
  /** Turns given to the thread's event loop. */
  turns: number;
}

/**
 * The main loop of a domain. A pass runs ready tasks, fires due timers, then latches and dispatches events, each of them
 * bounded; it sleeps only when a whole pass found nothing. Upcalls stay disabled throughout: an event between the last
 * look and the hypercall leaves its pending bit, and the hypercall comes back at once.
 */
export class MainLoop implements KernelLoop {
  readonly timers: TimerQueue;
  readonly counters: LoopCounters = {
    loops: 0,
    sleeps: 0,
    blockedUs: 0,
    spuriousWakes: 0,
    spinWakes: 0,
    tasks: 0,
    timersFired: 0,
    turns: 0,
  };
  readonly #hypercalls: Hypercalls;
  readonly #activations: Activations;
  readonly #clock: Clock;
  readonly #cpu: LoopCpu;
  readonly #maskUpcalls: () => void;
  readonly #ready: ReadyQueue;
  readonly #audit: SleepAudit;
  readonly #watched: Watched;
  readonly #beforeSleep: (() => void)[] = [];
  readonly #eventReady = (): boolean => this.#activations.waiting;
  #running = false;
  #stopped = false;
  #turnWanted = false;
  #workedSinceTurn = true;
  #asleep = false;
  #sleptAtUs = 0;
  #sleepUntilUs = NEVER;
  #timerBound = false;

  constructor(parts: LoopParts) {
    this.#hypercalls = parts.hypercalls;
    this.#activations = parts.activations;
    this.#clock = parts.clock;
    this.#cpu = parts.cpu;
    this.#maskUpcalls = parts.maskUpcalls;
    this.#ready = parts.ready;
    this.#audit = parts.audit;
    this.#watched = parts.watched;
    this.timers = parts.timers;
    this.timers.onEarlier = () => this.#wakeIfOutside();
  }

  /** Has `task` run in a later pass, soon. */
  defer(task: () => void): void {
    this.#ready.push(task);
    this.#wakeIfOutside();
  }

  /** Adds a check to the sleep auditor: it returns what would be lost if the vcpu slept now, or undefined. */
  addAudit(name: string, check: (nowUs: number) => string | undefined): void {
    this.#audit.add(name, check);
  }

  /** Has `hook` called when the loop is about to sleep: the final check of a ring. It may make new work. */
  addBeforeSleep(hook: () => void): void {
    this.#beforeSleep.push(hook);
  }

  /** Gives the thread's event loop (promises, sockets, host timers) a turn after this pass. */
  requestTurn(): void {
    this.#turnWanted = true;
    this.#wakeIfOutside();
  }

  /** Ends `run` for good. */
  stop(): void {
    this.#stopped = true;
    this.#wakeIfOutside();
  }

  /**
   * Runs until there is nothing to do (then the vcpu sleeps: in this call where the CPU is a thread, else the call comes
   * back with LOOP_BLOCKED), or until the slice is over.
   * @param maxPasses bound of a slice where domains share a thread.
   */
  run(maxPasses = NEVER): LoopOutcome {
    if (this.#running) throw new Error('the main loop is running already');
    this.#running = true;
    try {
      return this.#run(maxPasses);
    } finally {
      this.#running = false;
    }
  }

  /**
   * Sleeps for at most `timeoutUs` or until an event comes, whichever is first; 0 or less looks at the events once and
   * does not sleep. Runs no handlers. Back on a cooperative CPU it leaves the vcpu blocked: only `run` may call it there.
   */
  blockDomain(timeoutUs: number): void {
    if (!(timeoutUs > 0)) {
      this.#activations.demux();
      return;
    }
    if (this.#activations.waiting) return;
    this.#sleepUntil(timeoutUs === NEVER ? NEVER : this.#clock.now() + timeoutUs);
  }

  /** @returns what would be lost if the vcpu slept now until its timers' next deadline; empty when nothing. */
  sleepFaults(): string[] {
    return this.#audit.faults();
  }

  #run(maxPasses: number): LoopOutcome {
    const { counters, timers } = this;
    const activations = this.#activations;
    if (this.#asleep) this.#woke();
    const sliceEndUs = this.#clock.now() + this.#cpu.sliceUs;
    for (let pass = 1; ; pass++) {
      counters.loops++;
      const tasks = this.#ready.length > 0 ? this.#ready.run(TASKS_PER_PASS) : 0;
      const nowUs = this.#clock.now();
      const fired = timers.fire(nowUs, TIMERS_PER_PASS);
      this.#hypercalls.runTimers(nowUs * 1000);
      const worked = activations.demux();
      if (worked) activations.dispatch();
      counters.tasks += tasks;
      counters.timersFired += fired;
      if (worked || tasks > 0 || fired > 0) this.#workedSinceTurn = true;
      if (this.#stopped) return LOOP_STOPPED;
      if (this.#turnWanted || nowUs >= sliceEndUs) return this.#turn();
      let idle = !worked && this.#ready.length === 0 && timers.next() > nowUs;
      if (idle) {
        for (let i = 0; i < this.#beforeSleep.length; i++) this.#beforeSleep[i]!();
        if (this.#stopped) return LOOP_STOPPED;
        idle = this.#ready.length === 0 && !activations.waiting && timers.next() > nowUs;
      }
      if (!idle) {
        if (pass >= maxPasses) return LOOP_SLICE;
        continue;
      }
      if (this.#workedSinceTurn && this.#cpu.turnsBeforeSleep) {
        if (!this.#cpu.spin(this.#eventReady, timers.next())) return this.#turn();
        counters.spinWakes++;
        continue;
      }
      const limitUs = this.#cpu.sleepLimitUs(nowUs);
      if (limitUs !== NEVER) this.#turnWanted = true;
      this.#sleepUntil(Math.min(timers.next(), nowUs + limitUs));
      if (this.#asleep) return LOOP_BLOCKED;
      if (pass >= maxPasses) return LOOP_SLICE;
    }
  }

  #turn(): LoopOutcome {
    this.#turnWanted = false;
    this.#workedSinceTurn = false;
    this.counters.turns++;
    return LOOP_TURN;
  }

  #sleepUntil(deadlineUs: number): void {
    const hypercalls = this.#hypercalls;
    const activations = this.#activations;
    const nowUs = this.#clock.now();
    // 0 would mean "none".
    let deadlineNs = deadlineUs === NEVER ? 0 : Math.max(1, deadlineUs * 1000);
    if (deadlineNs - nowUs * 1000 > DEADLINE_AHEAD_MAX_NS) deadlineNs = nowUs * 1000 + DEADLINE_AHEAD_MAX_NS;
    this.counters.sleeps++;
    this.#asleep = true;
    this.#sleptAtUs = nowUs;
    this.#sleepUntilUs = deadlineUs;
    this.#watched.observer?.sleeps(nowUs, deadlineUs);
    if (activations.count <= SCHED_POLL_PORTS_MAX) {
      hypercalls.schedPoll(activations.ports, activations.count, deadlineNs);
    } else {
      this.#bindTimer();
      hypercalls.setTimerOp(deadlineNs);
      hypercalls.schedBlock();
    }
    if (!hypercalls.blocked) this.#woke();
  }

  #woke(): void {
    this.#asleep = false;
    this.#maskUpcalls();
    const nowUs = this.#clock.now();
    this.counters.blockedUs += nowUs - this.#sleptAtUs;
    if (this.#watched.observer !== undefined) this.#tellWake(this.#watched.observer, nowUs);
    if (!this.#activations.waiting && nowUs < this.#sleepUntilUs) this.counters.spuriousWakes++;
  }

  #tellWake(observer: MachineObserver, nowUs: number): void {
    const port = this.#activations.pendingPort();
    observer.wakes(nowUs, port === 0 ? -1 : port, port === 0 ? PORT_INTERDOMAIN : this.#activations.kindOf(port));
  }

  /** SCHEDOP_block has no timeout of its own: the one-shot timer's VIRQ ends it. */
  #bindTimer(): void {
    if (this.#timerBound) return;
    this.#timerBound = true;
    const port = this.#hypercalls.evtchnBindVirq(VIRQ_TIMER);
    if (port > 0) this.#activations.bind(port, () => {});
  }

  /** Work that comes from outside of the loop (a promise, a host callback) must not wait for the next event. */
  #wakeIfOutside(): void {
    if (!this.#running && this.#asleep) this.#hypercalls.hypervisor.wake(this.#hypercalls.domid);
  }
}
