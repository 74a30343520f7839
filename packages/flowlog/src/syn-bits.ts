import type { ObservedOptions } from '@qanat/tcp';
import { SYN_FAST_OPEN, SYN_SACK_PERMITTED, SYN_SHIFT_MASK, SYN_TIMESTAMPS, SYN_WINDOW_SCALE } from './kinds.ts';

/** @returns what an event says of the options of a SYN. @param direction SYN_RX or 0. */
export function synBits(options: ObservedOptions, direction: number): number {
  let bits = direction;
  if (options.windowShift >= 0) bits |= SYN_WINDOW_SCALE | (options.windowShift & SYN_SHIFT_MASK);
  if (options.sackPermitted) bits |= SYN_SACK_PERMITTED;
  if (options.hasTimestamps) bits |= SYN_TIMESTAMPS;
  if (options.cookieBytes >= 0) bits |= SYN_FAST_OPEN;
  return bits;
}
