import type { Clock, TimerQueue } from '@qanat/clock';
import type { Hypercalls } from '@qanat/xen';
import type { Activations } from './activations.ts';
import type { ReadyQueue } from './ready-queue.ts';

/** A vcpu that went to sleep with work left: a lost wake-up, caught when it happens. */
export interface SleepViolation {
  readonly domid: number;
  readonly name: string;
  /** Machine time in microseconds. */
  readonly atUs: number;
  /** What is left, one line each. */
  readonly faults: readonly string[];
  /** The event-channel words that are not zero. */
  readonly events: string;
}

/** Thrown in the domain that went to sleep, when its auditor is set to throw. */
export class SleepAuditError extends Error {
  override readonly name = 'SleepAuditError';
  readonly violation: SleepViolation;

  constructor(violation: SleepViolation) {
    super(
      `domain ${violation.name} (${violation.domid}) sleeps at ${violation.atUs} us with work left: ` +
        `${violation.faults.join('; ')} [${violation.events}]`,
    );
    this.violation = violation;
  }
}

/** What an auditor looks at in a kernel, whichever loop runs it. */
export interface AuditedParts {
  readonly hypercalls: Hypercalls;
  readonly activations: Activations;
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly ready: ReadyQueue;
}

/** The sleep auditor of one kernel: what all kernels have, and the checks that drivers add. */
export class SleepAudit {
  readonly #parts: AuditedParts;
  readonly #checks: { readonly name: string; readonly check: (nowUs: number) => string | undefined }[] = [];

  constructor(parts: AuditedParts) {
    this.#parts = parts;
  }

  /** Adds a check: it returns what would be lost if the vcpu slept now, or undefined. */
  add(name: string, check: (nowUs: number) => string | undefined): void {
    this.#checks.push({ name, check });
  }

  /** @returns what would be lost if the vcpu slept now until its timers' next deadline; empty when nothing. */
  faults(): string[] {
    const { hypercalls, activations, clock, timers, ready } = this.#parts;
    const faults: string[] = [];
    const nowUs = clock.now();
    if (ready.length > 0) faults.push(`${ready.length} ready tasks`);
    const nextUs = timers.next();
    if (nextUs * 1000 < hypercalls.nextTimerNs()) faults.push(`a timer at ${nextUs} us and no wake-up for it`);
    const port = activations.pendingPort();
    if (port !== 0) faults.push(`port ${port} is pending`);
    if (activations.waiting) faults.push('an event was not dispatched');
    for (const { name, check } of this.#checks) {
      const fault = check(nowUs);
      if (fault !== undefined) faults.push(`${name}: ${fault}`);
    }
    return faults;
  }
}
