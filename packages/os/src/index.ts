export { Activations } from './activations.ts';
export { CooperativeScheduler } from './cooperative-scheduler.ts';
export { GrantTable } from './grant-table.ts';
export { hostCpus } from './host-cpus.ts';
export { type Image, isImage } from './image.ts';
export { Kernel, type KernelOptions } from './kernel.ts';
export type { KernelLoop, LoopFactory, LoopParts } from './kernel-loop.ts';
export { KERNEL_STATS, type KernelStats, readKernelStats } from './kernel-stats.ts';
export {
  LOST_NO_BUFFER,
  LOST_NO_CARRIER,
  LOST_ON_LINK,
  LOST_OTHER,
  LOST_QUEUE_FULL,
  type MachineObserver,
  WATCHED_RX,
  WATCHED_TX,
  type Watched,
} from './machine-observer.ts';
export {
  LOOP_BLOCKED,
  LOOP_SLICE,
  LOOP_STOPPED,
  LOOP_TURN,
  type LoopCounters,
  type LoopCpu,
  type LoopOutcome,
  MainLoop,
} from './main-loop.ts';
export { ReadyQueue } from './ready-queue.ts';
export { SleepAudit, SleepAuditError, type SleepViolation } from './sleep-audit.ts';
export { ThreadLauncher, type ThreadLauncherOptions } from './thread-launcher.ts';
export { type CooperativeOptions, DeadlockError, TurnScheduler } from './turn-scheduler.ts';
export { type VirtualOptions, VirtualScheduler } from './virtual-scheduler.ts';
