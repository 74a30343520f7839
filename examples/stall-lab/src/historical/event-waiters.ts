/**
 * Who waits for an event, as in 2013: a list and no memory. An event that finds nobody is gone; who is woken must find
 * out by himself whether what he waits for has come, and goes to the front of the list again if not. Here lies the fault:
 * what a writer waits for (room in a ring) comes from the reaping, and he hears of the event only.
 */
export class EventWaiters {
  #waiters: (() => void)[] = [];

  /** Has `wake` called at the next event, before all who wait already. */
  wait(wake: () => void): void {
    this.#waiters.push(wake);
  }

  /**
   * Wakes everybody, the newest first. The code of the time did so in every pass of the loop, event or not: a workaround
   * for a "rare event wedge bug", which is why any timer ends a stall.
   */
  wakeAll(): void {
    const woken = this.#waiters;
    if (woken.length === 0) return;
    this.#waiters = [];
    for (let i = woken.length - 1; i >= 0; i--) woken[i]!();
  }
}
