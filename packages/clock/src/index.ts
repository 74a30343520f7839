export { type Clock, NEVER, RealClock, VirtualClock } from './clock.ts';
export { type HostTimers, hostTimers } from './host-timers.ts';
export { type Random, seededRandom, systemRandom } from './random.ts';
export { Timer, TimerQueue } from './timer-queue.ts';
export { VirtualTime } from './virtual-time.ts';
