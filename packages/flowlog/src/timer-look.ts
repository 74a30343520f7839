import type { TimerState } from '@qanat/tcp';
import { TIMER_DELAYED_ACK, TIMER_KEEPALIVE, TIMER_PACE, TIMER_TIME_WAIT } from './kinds.ts';

/** What a look at states and timers saw, in one word: mostly it is what the look before saw. */
const CA_SHIFT = 4;
const TIMER_SHIFT = 8;
const TIMER_MASK = 0xf << TIMER_SHIFT;
const STOP_SHIFT = 12;
const NO_TIMER = 1 << 16;
export const LOOK_DELAYED_ACK = 1 << 17;
export const LOOK_KEEP_ALIVE = 1 << 18;
export const LOOK_LIFE = 1 << 19;
export const LOOK_PACE = 1 << 20;
const IN_FLIGHT = 1 << 21;
const NEVER = Number.POSITIVE_INFINITY;

/** @returns everything of `state` but the times: LOOK_* say which deadlines there are. */
export function lookAt(state: TimerState): number {
  let look = state.state | (state.caState << CA_SHIFT) | (state.sendStop << STOP_SHIFT);
  look |= state.rtoAtUs === NEVER ? NO_TIMER : state.rtoMode << TIMER_SHIFT;
  if (state.delayedAckAtUs !== NEVER) look |= LOOK_DELAYED_ACK;
  if (state.keepAliveAtUs !== NEVER) look |= LOOK_KEEP_ALIVE;
  if (state.lifeAtUs !== NEVER) look |= LOOK_LIFE;
  if (state.paceHeld) look |= LOOK_PACE;
  if (state.hasInFlight) look |= IN_FLIGHT;
  return look;
}

/** @returns a look as if `timer` (TIMER_*), which has fired, had not been armed: what is armed now is news then. */
export function lookWithout(look: number, timer: number): number {
  switch (timer) {
    case TIMER_DELAYED_ACK:
      return look & ~LOOK_DELAYED_ACK;
    case TIMER_KEEPALIVE:
      return look & ~LOOK_KEEP_ALIVE;
    case TIMER_PACE:
      return look & ~LOOK_PACE;
    case TIMER_TIME_WAIT:
      return look & ~LOOK_LIFE;
    default:
      return (look & ~TIMER_MASK) | NO_TIMER;
  }
}
