export { DEFAULT_NETFRONT_CONFIG, MAX_QUEUES, type NetfrontConfig } from './config.ts';
export type { NetfrontCounters } from './counters.ts';
export { NetfrontDevice } from './device.ts';
export { createNetfront, Netfront, type NetfrontOptions, type NetfrontState } from './netfront.ts';
export type { RxCounters } from './rx-queue.ts';
export type { TxCounters } from './tx-queue.ts';
