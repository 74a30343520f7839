import { NEVER } from '@qanat/clock';
import type { Kernel } from './kernel.ts';
import type { LoopCpu } from './main-loop.ts';

/** The CPU of a domain that shares a thread: a blocked vcpu returns to the scheduler. */
export class CooperativeCpu implements LoopCpu {
  readonly turnsBeforeSleep = false;
  readonly sliceUs = Number.POSITIVE_INFINITY;
  readonly #audit: boolean;
  kernel: Kernel | undefined;

  constructor(audit: boolean) {
    this.#audit = audit;
  }

  deschedule(): void {
    const kernel = this.kernel!;
    kernel.publishStats();
    if (this.#audit && kernel.hypercalls.blocked) kernel.auditSleep();
  }

  yieldCpu(): void {
    this.kernel!.loop.requestTurn();
  }

  sleepLimitUs(): number {
    return NEVER;
  }

  spin(): boolean {
    return false;
  }
}
