import type { PageAllocator } from '@qanat/bytes';
import type { TimerQueue } from '@qanat/clock';
import type { Hypercalls } from '@qanat/xen';
import type { GrantTable } from '../../src/index.ts';

/** What a synthetic driver needs of the kernel under it, shipped or faulty. */
export interface Guest {
  readonly domid: number;
  readonly hypercalls: Hypercalls;
  readonly timers: TimerQueue;
  readonly pages: PageAllocator;
  readonly grants: GrantTable;
  bind(port: number, handler: () => void): void;
  counter(port: number): number;
  defer(task: () => void): void;
  addBeforeSleep(hook: () => void): void;
  addAudit(check: () => string | undefined): void;
  /** One pass of the loop, or less: back when it is over or the vcpu is blocked. */
  turn(): void;
}
