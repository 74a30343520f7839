export type { PortCounters } from './fabric-port.ts';
export {
  type BurstLoss,
  Impairment,
  type ImpairmentCounters,
  type ImpairmentOptions,
  type ImpairmentPlan,
} from './impairment.ts';
export { type Netif, type NetifUp, NO_OFFLOAD, type Offload } from './netif.ts';
export { createPipe, type PipeOptions, type SeededImpairment } from './pipe.ts';
