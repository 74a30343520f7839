import { type Clock, NEVER } from './clock.ts';
import type { TimerQueue } from './timer-queue.ts';

/** setTimeout's delay is an int32. */
const MAX_TIMEOUT_MS = 0x7fff_ffff;
/** Timers fired per turn of the event loop, so that I/O gets its turns. */
const TIMERS_PER_TURN = 1024;

/** Drives a TimerQueue; what it holds is given back by `close`. */
export interface HostTimers {
  /** Stops driving; the queue and its timers stay as they are. */
  close(): void;
}

type Handle = ReturnType<typeof setTimeout> | ReturnType<typeof setImmediate>;

/**
 * Fires a queue's timers from the event loop of Node or a browser: due ones in the next turn, others by `setTimeout`
 * (which keeps a Node process alive while a timer is armed).
 * @param clock the clock that the deadlines are meant in. @param queue its `onEarlier` is taken over.
 */
export function hostTimers(clock: Clock, queue: TimerQueue): HostTimers {
  const immediate = typeof setImmediate === 'function';
  let cancelPending: (() => void) | undefined;
  let pendingUs = NEVER;

  const onTurn = (): void => {
    cancelPending = undefined;
    pendingUs = NEVER;
    try {
      queue.fire(clock.now(), TIMERS_PER_TURN);
    } finally {
      rearm();
    }
  };

  const rearm = (): void => {
    const nextUs = queue.next();
    if (nextUs === pendingUs) return;
    cancelPending?.();
    cancelPending = undefined;
    pendingUs = nextUs;
    if (nextUs === NEVER) return;
    const waitMs = Math.ceil((nextUs - clock.now()) / 1000);
    let handle: Handle;
    if (waitMs <= 0 && immediate) {
      handle = setImmediate(onTurn);
      cancelPending = () => clearImmediate(handle as ReturnType<typeof setImmediate>);
    } else {
      handle = setTimeout(onTurn, Math.min(Math.max(waitMs, 0), MAX_TIMEOUT_MS));
      cancelPending = () => clearTimeout(handle as ReturnType<typeof setTimeout>);
    }
  };

  queue.onEarlier = rearm;
  rearm();
  return {
    close(): void {
      if (queue.onEarlier === rearm) queue.onEarlier = undefined;
      cancelPending?.();
      cancelPending = undefined;
      pendingUs = NEVER;
    },
  };
}
