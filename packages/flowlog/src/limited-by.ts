import { STOP_CWND, STOP_DEVICE, STOP_EMPTY, STOP_PACED, STOP_SMALL, STOP_WINDOW, type TimerState } from '@qanat/tcp';
import {
  LIMITED_APPLICATION,
  LIMITED_CWND,
  LIMITED_DEVICE,
  LIMITED_NAGLE,
  LIMITED_NONE,
  LIMITED_PACING,
  LIMITED_RWND,
} from './window-info.ts';

/** What limits a sender that stopped as `state` says. @param before what did. */
export function limitOf(state: TimerState, before: number): number {
  switch (state.sendStop) {
    case STOP_EMPTY:
      return state.hasInFlight ? LIMITED_APPLICATION : LIMITED_NONE;
    case STOP_CWND:
      return LIMITED_CWND;
    case STOP_WINDOW:
      return LIMITED_RWND;
    case STOP_SMALL:
      return LIMITED_NAGLE;
    case STOP_DEVICE:
      return LIMITED_DEVICE;
    case STOP_PACED:
      return LIMITED_PACING;
    // Its turn was over: it goes on at once.
    default:
      return before;
  }
}
