import { TurnScheduler } from './turn-scheduler.ts';

/** How long domains run before the host's event loop gets a turn. */
const SLICE_MS = 5;
/** setTimeout's delay is an int32. */
const MAX_TIMEOUT_MS = 0x7fff_ffff;

/**
 * All domains in one thread, on the host's clock. While they are busy the event loop gets a turn every few milliseconds;
 * while all are blocked the thread is free.
 */
export class CooperativeScheduler extends TurnScheduler {
  #sliceEndMs = 0;
  #wake: (() => void) | undefined;

  protected override turnDue(): boolean {
    const nowMs = performance.now();
    if (!this.turnWanted && nowMs < this.#sliceEndMs) return false;
    this.#sliceEndMs = nowMs + SLICE_MS;
    return true;
  }

  protected override idle(nextNs: number): Promise<void> {
    const waitMs = (nextNs - this.hypervisor.nowNs()) / 1e6;
    return new Promise((resolve) => {
      if (waitMs <= 0) {
        resolve();
        return;
      }
      // Also without a deadline a timer stands: the host may still call, and a machine that waits is alive.
      const timer = setTimeout(() => this.#wake?.(), Math.min(Math.ceil(waitMs), MAX_TIMEOUT_MS));
      this.#wake = () => {
        this.#wake = undefined;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  protected override woken(): void {
    this.#wake?.();
  }
}
