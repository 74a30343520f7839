export { type Clock, NEVER, RealClock, VirtualClock } from './clock.ts';
export type { Random } from './random.ts';
export { Timer, TimerQueue } from './timer-queue.ts';
