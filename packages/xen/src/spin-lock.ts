const SPINS_BEFORE_SLEEP = 200;
const SLEEP_MS = 0.05;

/**
 * A lock on one word of machine memory, 0 when free, else the holder's tag. For slow paths: what is held for
 * microseconds. A thread that dies holding it is cleaned up after by `breakLock`.
 */
export function acquireLock(i32: Int32Array, index: number, holder: number): void {
  let spins = 0;
  while (Atomics.compareExchange(i32, index, 0, holder) !== 0) {
    if (++spins % SPINS_BEFORE_SLEEP === 0) pause(i32, index);
  }
}

export function releaseLock(i32: Int32Array, index: number): void {
  Atomics.store(i32, index, 0);
}

/** Frees the lock if a holder that no longer runs has it. */
export function breakLock(i32: Int32Array, index: number, deadHolder: number): void {
  Atomics.compareExchange(i32, index, deadHolder, 0);
}

/** Lets the holder run where the thread may block; elsewhere (a browser's main thread) goes on spinning. */
export function pause(i32: Int32Array, index: number): void {
  try {
    Atomics.wait(i32, index, Atomics.load(i32, index), SLEEP_MS);
  } catch {
    // Not allowed to block here.
  }
}
