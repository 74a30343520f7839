import { NEVER } from '@qanat/clock';
import { ERRNO } from '../constants.ts';
import type { Outcome, PendingCall } from './system-calls.ts';

/** The outcome of a call that failed. */
export function failure(errno: keyof typeof ERRNO | number): Outcome {
  return { value: -1, errno: typeof errno === 'number' ? errno : ERRNO[errno]! };
}

export function success(value: number): Outcome {
  return { value, errno: 0 };
}

/** A call that is over when it is made. */
export function done(outcome: Outcome | number): PendingCall {
  const fixed = typeof outcome === 'number' ? success(outcome) : outcome;
  return { attempt: () => fixed, deadlineUs: NEVER };
}

export function failed(errno: keyof typeof ERRNO | number): PendingCall {
  return done(failure(errno));
}

/**
 * A call that waits: `attempt` is asked at once and after every step.
 * @param nonBlocking whether to fail with EAGAIN instead of waiting.
 */
export function waiting(
  attempt: () => Outcome | undefined,
  nonBlocking: boolean,
  deadlineUs: number = NEVER,
): PendingCall {
  return { attempt: () => attempt() ?? (nonBlocking ? failure('EAGAIN') : undefined), deadlineUs };
}

/** What a descriptor stands for; descriptors may share one (F_DUPFD). */
export abstract class OpenFile {
  references = 0;
  nonBlocking = false;
  /** Wake-ups so far: edge-triggered epoll reports an entry again only after another. */
  wakes = 0;

  /** POLL* bits that hold now. */
  abstract pollMask(): number;
  /** Looks for what has changed since the last time. */
  refresh(): void {}
  /** The last descriptor is closed. */
  release(): PendingCall {
    return done(0);
  }
  read(_bytes: number, _flags: number): PendingCall {
    return failed('EINVAL');
  }
  write(_bytes: number, _flags: number): PendingCall {
    return failed('EINVAL');
  }
}
