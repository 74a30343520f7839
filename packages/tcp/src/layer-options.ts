import type { PageAllocator } from '@qanat/bytes';
import type { Clock, Random, TimerQueue } from '@qanat/clock';
import type { SleepOptions } from './connection-table.ts';
import type { FastOpenKey } from './fast-open-server.ts';
import type { TcpNetwork } from './network.ts';

/** What the TCP of a host is made of. */
export interface TcpLayerOptions {
  readonly network: TcpNetwork;
  readonly pages: PageAllocator;
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly random: Random;
  /** Key of Fast Open cookies that we give out; hosts that serve one address share it. Default: random. */
  readonly fastOpenKey?: FastOpenKey;
  /** When idle connections are stored away. */
  readonly sleep?: SleepOptions;
}
