import {
  DOM_BYTES,
  DOM_CONSOLE,
  DOM_CONSOLE_PORT,
  DOM_FIRST,
  DOM_GRANT_TABLE,
  DOM_SHARED_INFO,
  DOM_SHUTDOWN,
  DOM_START_INFO,
  DOM_STATE,
  DOM_STATS,
  DOM_XENSTORE,
  DOM_XENSTORE_PORT,
  DOMAIN_ALIVE,
  DOMAIN_BUILDING,
  DOMAIN_FREE,
  GRANT_ENTRIES,
} from './machine-layout.ts';
import type { MachineState } from './machine-state.ts';

/** Where a domain's things are in machine memory (addresses), and how it is. */
export interface DomainRecord {
  readonly domid: number;
  /** `dying`: destroyed, but some of its pages are still mapped by others. */
  readonly state: 'alive' | 'dying';
  /** The reason that the domain gave to SCHEDOP_shutdown (SHUTDOWN_*), -1 while it runs. */
  readonly shutdownReason: number;
  readonly sharedInfoAddr: number;
  readonly startInfoAddr: number;
  readonly grantTableAddr: number;
  /** Number of grant references. */
  readonly grantEntries: number;
  readonly xenstoreAddr: number;
  /** The domain's own port; its remote end is offered to Dom0. */
  readonly xenstorePort: number;
  readonly consoleAddr: number;
  readonly consolePort: number;
  /** The memory that the domain has for itself: for its page allocator. */
  readonly firstAddr: number;
  readonly bytes: number;
  /** f64[32] that the kernel may publish its counters in, for readers in other threads. */
  readonly statsAddr: number;
}

export function readDomain(state: MachineState, domid: number): DomainRecord | undefined {
  const record = state.recordAddr(domid);
  if (record === 0) return undefined;
  const domainState = Atomics.load(state.i32, (record + DOM_STATE) >>> 2);
  if (domainState === DOMAIN_FREE || domainState === DOMAIN_BUILDING) return undefined;
  const field = (offset: number): number => state.i32[(record + offset) >>> 2]!;
  return {
    domid,
    state: domainState === DOMAIN_ALIVE ? 'alive' : 'dying',
    shutdownReason: field(DOM_SHUTDOWN),
    sharedInfoAddr: field(DOM_SHARED_INFO),
    startInfoAddr: field(DOM_START_INFO),
    grantTableAddr: field(DOM_GRANT_TABLE),
    grantEntries: GRANT_ENTRIES,
    xenstoreAddr: field(DOM_XENSTORE),
    xenstorePort: field(DOM_XENSTORE_PORT),
    consoleAddr: field(DOM_CONSOLE),
    consolePort: field(DOM_CONSOLE_PORT),
    firstAddr: field(DOM_FIRST),
    bytes: field(DOM_BYTES),
    statsAddr: record + DOM_STATS,
  };
}
