export { Memory, type MemoryOptions, PAGE_SIZE, Packet, PageAllocator } from '@qanat/bytes';
export {
  type Clock,
  type HostTimers,
  hostTimers,
  NEVER,
  type Random,
  RealClock,
  seededRandom,
  systemRandom,
  Timer,
  TimerQueue,
  VirtualClock,
  VirtualTime,
} from '@qanat/clock';
export * from '@qanat/link';
export type { BridgeStats, PortStats } from '@qanat/netback';
export { createNetfront, type Netfront, type NetfrontOptions } from '@qanat/netfront';
/** All of the machine: hypercalls, rings, xenstore, toolstack, and the kernel in a domain. */
export * as os from '@qanat/os';
export { DeadlockError, hostCpus, type Image, type Kernel, type KernelStats, SleepAuditError } from '@qanat/os';
export * from '@qanat/stack';
export type { TcpConfig, TcpInfo, TcpState } from '@qanat/tcp';
export * as xen from '@qanat/xen';
export {
  ConfigError,
  type ConsoleReader,
  type DomainExit,
  type DomainInfo,
  type DomainState,
  type ResolvedDomainConfig,
  type ResolvedVif,
  type XenstoreClient,
  XenstoreError,
} from '@qanat/xen';
export { type BootedStack, type BootOptions, bootStack } from './boot-stack.ts';
export type { CaptureEnd } from './dom0-client.ts';
export type { DomainConfig, VifConfig } from './domain-config.ts';
export { DomainHandle } from './domain-handle.ts';
export { createMachine, Machine } from './machine.ts';
export { MachineError, type MachineErrorCode } from './machine-error.ts';
export type { Cpus, MachineOptions } from './machine-options.ts';
