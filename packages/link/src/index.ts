export { DelayQueue } from './delay-queue.ts';
export type { PortCounters } from './fabric-port.ts';
export {
  type BurstLoss,
  Impairment,
  type ImpairmentCounters,
  type ImpairmentOptions,
  type ImpairmentPlan,
} from './impairment.ts';
export type { SeededImpairment } from './link-options.ts';
export { MacTable, type MacTableOptions } from './mac-table.ts';
export { type Lending, type Netif, type NetifUp, NO_OFFLOAD, type Offload } from './netif.ts';
export { finishChecksum, finishIpChecksum, TcpSegmenter, withChecksum } from './offload-software.ts';
export { pcapTap } from './pcap-tap.ts';
export {
  PCAP_DIRECTION_IN,
  PCAP_DIRECTION_OUT,
  PCAP_DIRECTION_UNKNOWN,
  type PcapngOptions,
  PcapngWriter,
} from './pcapng.ts';
export { createPipe, type PipeOptions } from './pipe.ts';
export {
  createSwitch,
  type Switch,
  type SwitchCounters,
  type SwitchOptions,
  type SwitchPortOptions,
} from './switch.ts';
