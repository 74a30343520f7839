import { BLOCKED, BLOCKED_WAITING, type Hypercalls, RUNNING } from '@qanat/xen';
import type { Kernel } from './kernel.ts';
import type { LoopCpu } from './main-loop.ts';
import { SleepAuditError, type SleepViolation } from './sleep-audit.ts';
import { SpinPolicy } from './spin-policy.ts';

export interface ThreadCpuOptions {
  /** Longest spin before a sleep, in microseconds; 0 never spins. */
  readonly spinUs: number;
  readonly audit: boolean;
}

/** How long promises and host messages wait at most while the domain is busy. */
const SLICE_US = 10_000;
/** In threads a peer may be between publishing and notifying: a fault is one when it outlives this. */
const AUDIT_GRACE_MS = 50;
/** Looks at the event word between two readings of the clock. */
const LOOKS_PER_CLOCK = 64;

/** A virtual CPU that is a thread of the host: a blocked vcpu waits in Atomics.wait on its own word. */
export class ThreadCpu implements LoopCpu {
  readonly turnsBeforeSleep = true;
  readonly sliceUs = SLICE_US;
  readonly #audit: boolean;
  readonly #spin: SpinPolicy;
  #kernel: Kernel | undefined;
  #hypercalls: Hypercalls | undefined;

  constructor(options: ThreadCpuOptions) {
    this.#audit = options.audit;
    this.#spin = new SpinPolicy(options.spinUs);
  }

  /** Names the kernel whose vcpu this is. */
  attach(kernel: Kernel): void {
    this.#kernel = kernel;
    this.#hypercalls = kernel.hypercalls;
  }

  deschedule(): void {
    const kernel = this.#kernel!;
    const hypercalls = this.#hypercalls!;
    const { i32 } = kernel.memory;
    const index = hypercalls.blockedIndex;
    kernel.publishStats();
    let suspect = this.#audit ? kernel.sleepViolation() : undefined;
    for (;;) {
      const nowNs = hypercalls.hypervisor.nowNs();
      hypercalls.runTimers(nowNs);
      if (Atomics.compareExchange(i32, index, BLOCKED, BLOCKED_WAITING) === RUNNING) return;
      const nextNs = hypercalls.nextTimerNs();
      let timeoutMs = nextNs === Number.POSITIVE_INFINITY ? nextNs : (nextNs - nowNs) / 1e6;
      if (suspect !== undefined) timeoutMs = Math.min(timeoutMs, AUDIT_GRACE_MS);
      Atomics.wait(i32, index, BLOCKED_WAITING, timeoutMs);
      if (Atomics.load(i32, index) === RUNNING) return;
      if (suspect !== undefined) suspect = this.#convict(kernel, suspect);
    }
  }

  yieldCpu(): void {
    // The host's scheduler decides; a wait that cannot succeed gives it the occasion.
    const kernel = this.#kernel!;
    Atomics.wait(kernel.memory.i32, this.#hypercalls!.blockedIndex, RUNNING, 0);
  }

  spin(ready: () => boolean, untilUs: number): boolean {
    const budgetUs = this.#spin.budgetUs();
    if (budgetUs === 0) return false;
    const { clock } = this.#kernel!;
    const endUs = Math.min(clock.now() + budgetUs, untilUs);
    do {
      for (let i = 0; i < LOOKS_PER_CLOCK; i++) {
        if (ready()) {
          this.#spin.hit();
          return true;
        }
      }
    } while (clock.now() < endUs);
    this.#spin.miss();
    return false;
  }

  /** Throws if a suspected fault is still there after the grace and nobody has woken the vcpu. */
  #convict(kernel: Kernel, suspect: SleepViolation): SleepViolation | undefined {
    const { clock } = kernel;
    if (clock.now() < suspect.atUs + AUDIT_GRACE_MS * 1000) return suspect;
    const violation = kernel.sleepViolation();
    if (violation === undefined || !kernel.hypercalls.blocked) return undefined;
    throw new SleepAuditError(violation);
  }
}
