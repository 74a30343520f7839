import type { Watched } from './machine-observer.ts';
import type { LoopCounters, LoopCpu, LoopOutcome } from './main-loop.ts';
import type { AuditedParts, SleepAudit } from './sleep-audit.ts';

/** What a loop is made of: the kernel's own, so that one loop can take over from another and nothing is lost. */
export interface LoopParts extends AuditedParts {
  readonly cpu: LoopCpu;
  readonly audit: SleepAudit;
  /** Who is told of sleeps and wakes. */
  readonly watched: Watched;
  /** Sets the vcpu's upcall_mask, which SCHEDOP_block clears. */
  readonly maskUpcalls: () => void;
}

/** The loop of a kernel as drivers, stacks and schedulers see it. `MainLoop` is the one that ships. */
export interface KernelLoop {
  readonly timers: LoopParts['timers'];
  readonly counters: LoopCounters;
  /** Has `task` run in a later pass, soon. */
  defer(task: () => void): void;
  /** Adds a check to the sleep auditor: it returns what would be lost if the vcpu slept now, or undefined. */
  addAudit(name: string, check: (nowUs: number) => string | undefined): void;
  /** Has `hook` called when the loop is about to sleep: the final check of a ring. It may make new work. */
  addBeforeSleep(hook: () => void): void;
  /** Gives the thread's event loop (promises, sockets, host timers) a turn after this pass. */
  requestTurn(): void;
  /** Ends `run` for good. */
  stop(): void;
  /** Runs until there is nothing to do, or the slice is over. @param maxPasses bound of a slice. */
  run(maxPasses?: number): LoopOutcome;
  /** Sleeps for at most `timeoutUs` or until an event comes; 0 or less looks at the events once and does not sleep. */
  blockDomain(timeoutUs: number): void;
  /** @returns what would be lost if the vcpu slept now; empty when nothing. */
  sleepFaults(): string[];
}

/** Makes the loop of a kernel. */
export type LoopFactory = (parts: LoopParts) => KernelLoop;
