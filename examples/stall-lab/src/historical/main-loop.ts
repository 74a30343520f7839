import { NEVER } from '@qanat/clock';
import {
  type KernelLoop,
  LOOP_BLOCKED,
  LOOP_SLICE,
  LOOP_STOPPED,
  LOOP_TURN,
  type LoopCounters,
  type LoopOutcome,
  type LoopParts,
} from '@qanat/os';
import { EventWaiters } from './event-waiters.ts';

/** The loop polled ports 1 to here, whether anybody used them (8 before the patch of the mail, 10 with it). */
const NR_EVENTS = 10;
/** "One day" where no timer is armed: the loop of the time had no "for ever". */
const IDLE_TIMEOUT_US = 86_400e6;
const TASKS_PER_PASS = 256;

/** A sleep, as the loop saw it. */
export interface Sleep {
  readonly atUs: number;
  readonly wokeUs: number;
  /** A port whose event ended it, or 0 for a timer. */
  readonly port: number;
}

/**
 * The main loop of a Mirage guest on Xen as it was in the summer of 2013, on the machine's hypercalls: take what is
 * pending and not masked; run what can go on; fire timers; wake everybody who waits for an event, in every pass; then
 * SCHEDOP_poll on ports 1 to 10 until the next timer. Upcalls stay off for good.
 *
 * A port that is masked is never taken, so its pending bit stays, and SCHEDOP_poll comes back at once: for ever. That
 * was the workaround, a guest that spins.
 */
export class Loop2013 implements KernelLoop {
  readonly timers: LoopParts['timers'];
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
  readonly waiters = new EventWaiters();
  /** Called when the vcpu has blocked: the auditor's turn. */
  onSleep: (() => void) | undefined;
  /** Called when it runs again. */
  onWake: ((sleep: Sleep) => void) | undefined;
  readonly #parts: LoopParts;
  readonly #ports = Int32Array.from({ length: NR_EVENTS }, (_, i) => i + 1);
  readonly #beforeSleep: (() => void)[] = [];
  #running = false;
  #stopped = false;
  #turnWanted = false;
  #asleep = false;
  /** The last SCHEDOP_poll did block. */
  #slept = false;
  #sleptAtUs = 0;
  #untilUs = 0;

  constructor(parts: LoopParts) {
    this.#parts = parts;
    this.timers = parts.timers;
    this.timers.onEarlier = () => this.#wakeIfOutside();
    const { cpu, hypercalls } = parts;
    // The auditor looks at the instant of the sleep, when the hypercall has taken its decision.
    hypercalls.cpu = {
      deschedule: () => {
        this.counters.sleeps++;
        this.#slept = true;
        parts.watched.observer?.sleeps(this.#sleptAtUs, this.#untilUs);
        this.onSleep?.();
        cpu.deschedule();
      },
      yieldCpu: () => cpu.yieldCpu(),
    };
  }

  defer(task: () => void): void {
    this.#parts.ready.push(task);
    this.#wakeIfOutside();
  }

  addAudit(name: string, check: (nowUs: number) => string | undefined): void {
    this.#parts.audit.add(name, check);
  }

  addBeforeSleep(hook: () => void): void {
    this.#beforeSleep.push(hook);
  }

  requestTurn(): void {
    this.#turnWanted = true;
    this.#wakeIfOutside();
  }

  stop(): void {
    this.#stopped = true;
    this.#wakeIfOutside();
  }

  sleepFaults(): string[] {
    return this.#parts.audit.faults();
  }

  blockDomain(timeoutUs: number): void {
    if (timeoutUs > 0) this.#block(this.#parts.clock.now() + timeoutUs);
    else this.#parts.activations.demux();
  }

  run(maxPasses = NEVER): LoopOutcome {
    this.#running = true;
    try {
      return this.#run(maxPasses);
    } finally {
      this.#running = false;
    }
  }

  #run(maxPasses: number): LoopOutcome {
    const { hypercalls, activations, clock, cpu, ready } = this.#parts;
    const { counters, timers } = this;
    if (this.#asleep) this.#woke();
    const sliceEndUs = clock.now() + cpu.sliceUs;
    for (let pass = 1; ; pass++) {
      counters.loops++;
      const latched = activations.demux();
      counters.tasks += ready.run(TASKS_PER_PASS);
      const nowUs = clock.now();
      counters.timersFired += timers.fire(nowUs);
      hypercalls.runTimers(nowUs * 1000);
      if (latched) activations.dispatch();
      this.waiters.wakeAll();
      if (this.#stopped) return LOOP_STOPPED;
      if (this.#turnWanted || nowUs >= sliceEndUs) return this.#turn();
      for (const hook of this.#beforeSleep) hook();
      // What the kernel's services (xenstore, console) have put off is no part of the story, and must not wait.
      if (ready.length === 0) {
        this.#block(Math.min(timers.next(), clock.now() + IDLE_TIMEOUT_US));
        if (this.#asleep) return LOOP_BLOCKED;
      }
      if (pass >= maxPasses) return LOOP_SLICE;
    }
  }

  #turn(): LoopOutcome {
    this.#turnWanted = false;
    this.counters.turns++;
    return LOOP_TURN;
  }

  /** block_domain: SCHEDOP_poll with a deadline. Comes back at once while any of the ports is pending. */
  #block(deadlineUs: number): void {
    const { hypercalls, clock } = this.#parts;
    this.#asleep = true;
    this.#slept = false;
    this.#sleptAtUs = clock.now();
    this.#untilUs = deadlineUs;
    hypercalls.schedPoll(this.#ports, NR_EVENTS, Math.max(1, deadlineUs * 1000));
    if (!hypercalls.blocked) this.#woke();
  }

  #woke(): void {
    this.#asleep = false;
    if (!this.#slept) return;
    const { clock, activations, watched } = this.#parts;
    const wokeUs = clock.now();
    this.counters.blockedUs += wokeUs - this.#sleptAtUs;
    const port = activations.pendingPort();
    watched.observer?.wakes(wokeUs, port === 0 ? -1 : port, activations.kindOf(port));
    this.onWake?.({ atUs: this.#sleptAtUs, wokeUs, port });
  }

  #wakeIfOutside(): void {
    const { hypercalls } = this.#parts;
    if (!this.#running && this.#asleep) hypercalls.hypervisor.wake(hypercalls.domid);
  }
}
