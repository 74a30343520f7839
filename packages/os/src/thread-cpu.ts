import { NEVER } from '@qanat/clock';
import { BLOCKED, BLOCKED_WAITING, type Hypercalls, RUNNING } from '@qanat/xen';
import { CpuNeighbours } from './cpu-neighbours.ts';
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
/** How often to look whether the thread's event loop has something under way, and how long to sleep if so. */
const LOOK_EVERY_US = 10_000;
const HOST_BUSY_SLEEP_US = 1000;
/** In threads a peer may be between publishing and notifying: a fault is one when it outlives this. */
const AUDIT_GRACE_MS = 300;
/** Looks at the event word between two readings of the clock. */
const LOOKS_PER_CLOCK = 64;

/** A virtual CPU that is a thread of the host: a blocked vcpu waits in Atomics.wait on its own word. */
export class ThreadCpu implements LoopCpu {
  readonly turnsBeforeSleep = true;
  readonly sliceUs = SLICE_US;
  readonly #audit: boolean;
  readonly #spin: SpinPolicy;
  /** The image's `main` has not resolved: it may wait for anything. */
  mainPending = false;
  #lookAgainUs = 0;
  #hostBusy = false;
  #kernel: Kernel | undefined;
  #hypercalls: Hypercalls | undefined;
  #neighbours: CpuNeighbours | undefined;

  constructor(options: ThreadCpuOptions) {
    this.#audit = options.audit;
    this.#spin = new SpinPolicy(options.spinUs);
  }

  /** Names the kernel whose vcpu this is. */
  attach(kernel: Kernel): void {
    this.#kernel = kernel;
    this.#hypercalls = kernel.hypercalls;
    this.#neighbours = new CpuNeighbours(kernel.hypercalls.hypervisor, kernel.domid);
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

  /**
   * A file that is being written, a promise of the host's: they go on in turns of the event loop, which a vcpu that waits
   * does not give. So while something is under way the sleeps are short. Looking costs a microsecond, and so is done
   * only now and then; the first sleep after a while without a look is short instead.
   */
  sleepLimitUs(nowUs: number): number {
    if (nowUs >= this.#lookAgainUs || this.mainPending) {
      this.#lookAgainUs = nowUs + LOOK_EVERY_US;
      this.#hostBusy = process.getActiveResourcesInfo().length > 0;
      return this.#hostBusy ? HOST_BUSY_SLEEP_US : NEVER;
    }
    return this.#hostBusy ? HOST_BUSY_SLEEP_US : LOOK_EVERY_US;
  }

  spin(ready: () => boolean, untilUs: number): boolean {
    const budgetUs = this.#spin.budgetUs();
    if (budgetUs === 0) return false;
    const { clock } = this.#kernel!;
    const neighbours = this.#neighbours!;
    const nowUs = clock.now();
    neighbours.look(nowUs);
    const endUs = Math.min(nowUs + budgetUs, untilUs);
    do {
      // One of them may well be who the next event is to come from: that it has not come says nothing of spinning.
      if (neighbours.awake) return false;
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
    kernel.tellViolation(violation);
    throw new SleepAuditError(violation);
  }
}
